/*
 * fold_in.h: a user's vector from his ratings, with the item side of the model as it is
 *
 * For ratings r_j of items j the vector u (user_model.h) is the most likely one: that which makes
 *
 *     sum_j (r_j - f(u, j))^2 / (2 noise) + sum_d (u_d - mean_d)^2 / (2 variance_d)
 *
 * smallest, where f is the model, noise its mean squared error on the training ratings, and mean
 * and variance are those of the trained users' vectors. So a user with few ratings is a typical
 * user who differs as far as his ratings say. For a model trained for ranking the first sum is the
 * cross entropy of his items, and of all others weighted to four times theirs.
 *
 * The minimum is found by Gauss and Newton's method: with f linear in u near the last one,
 * f(u, j) = f(u', j) + g_j (u - u'), the best u solves a linear system (by conjugate gradients).
 * No random number is drawn.
 *
 * The linear model also says what each rating does to the prediction of an item i: with
 * k(i, j) = sum_d variance_d g_id g_jd,
 *
 *     prediction = base_i + sum_j w_j (r_j - base_j),    w = (K + noise I)^-1 k(i, .)
 *
 * where base is what the linear model gives for the typical user. (Hu, Koren and Volinsky 2008,
 * section 5, explain recommendations so, for a model that is linear in u.)
 */
#ifndef NCF_FOLD_IN_H
#define NCF_FOLD_IN_H

#include "models/cli/user_model.h"

typedef struct fold_in {
    user_model user; /* the vector, and what the model gives for it: user_model.h */
    double noise;
} fold_in;

/* The recommender is borrowed. TG_ENOMEM on failure; *f is then empty. */
tg_status fold_in_init(fold_in *f, const recommender *r);
void fold_in_release(fold_in *f);

/* Set the vector to the one that fits the ratings (of distinct items, rising); how it went. */
typedef struct fitted {
    int steps;
    const char *measure;  /* "RMSE" of the ratings, or "cross entropy" as above */
    double before, after; /* for the typical user, and for the fit */
} fitted;
tg_status fold_in_fit(fold_in *f, seen_items ratings, fitted *how);

/* What each of the ratings adds to the prediction of an item, near the vector: part (count). Gives
 * base_i in *base. */
tg_status fold_in_explain(fold_in *f, seen_items ratings, int64_t item, double *part, double *base);

#endif
