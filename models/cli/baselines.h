/*
 * baselines.h: what predicts without a model, so that a model's numbers can be judged
 */
#ifndef NCF_BASELINES_H
#define NCF_BASELINES_H

#include "models/cli/recommender.h"

typedef struct baselines {
    float mean;
    float *user, *item; /* (users), (items): biases, deviations from the mean training rating */
    float *popularity;  /* (items): training ratings */
} baselines;

/* From the training ratings, the biases b that minimise
 *
 *     sum of (rating - mean - b_u - b_i)^2 + 5 (sum of b_u^2 + sum of b_i^2)
 *
 * (Koren, Bell and Volinsky 2009, 'Matrix factorization techniques', equations 3 and 4), by ten
 * turns of
 *
 *     b_i = sum of (rating - mean - b_u) / (5 + n_i)       over the n_i ratings of i
 *     b_u = sum of (rating - mean - b_i) / (5 + n_u)       over the n_u ratings of u
 *
 * TG_ENOMEM on failure. */
tg_status baselines_make(const recommender *r, baselines *b);
void baselines_release(baselines *b);

/* The rating that the biases predict; a user or an item of -1 has none. */
float baselines_predict(const baselines *b, int64_t user, int64_t item);

#endif
