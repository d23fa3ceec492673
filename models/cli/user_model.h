/*
 * user_model.h: the model as a function of one user's vector
 *
 * The vector is what a recommender's module has of a user alone: his rows of its user tables, one
 * behind the other. It is written as mean + spread x, with the mean and standard deviation of the
 * trained users' vectors, so that x = 0 is a typical user and x has variance 1 in every direction.
 */
#ifndef NCF_USER_MODEL_H
#define NCF_USER_MODEL_H

#include "models/cli/embeddings.h"
#include "models/cli/recommender.h"

typedef struct user_model {
    const recommender *r;
    int64_t dim;
    double *x; /* (dim); may be set by the caller, see user_model_set */

    /* Private to user_model.c. */
    double *mean, *spread; /* (dim) */
    float *vector;         /* (dim): mean + spread x */
    embeddings trained;    /* the recommender's, (users, ...) */
    tg_module *module;     /* the model for a batch of users, all of them this one */
    embeddings rows;       /* the module's */
} user_model;

/* At x = 0. The recommender is borrowed. TG_ENOMEM on failure; *u is then empty. */
tg_status user_model_init(user_model *u, const recommender *r);
void user_model_release(user_model *u);

void user_model_set(user_model *u);                /* to the x that is in u->x */
void user_model_take(user_model *u, int64_t user); /* to a trained user's */

/* What the model gives for items (count): output (count); slope (count, dim) is d output / d x. */
void user_model_run(user_model *u, const int64_t *item, int64_t count, double *output,
                    float *slope);

/* What it gives for all items: score (items). */
tg_status user_model_score(const user_model *u, float *score);

#endif
