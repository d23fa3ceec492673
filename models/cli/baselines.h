/*
 * baselines.h: what predicts without a model, so that a model's numbers can be judged
 */
#ifndef NCF_BASELINES_H
#define NCF_BASELINES_H

#include "models/cli/recommender.h"

typedef struct baselines {
    float *user, *item; /* (users), (items): deviations from the mean training rating */
    float *popularity;  /* (items): training ratings */
} baselines;

/* From the training ratings:
 *
 *     item[i] = sum of (rating - mean) / (25 + n_i)               over the n_i ratings of i
 *     user[u] = sum of (rating - mean - item) / (10 + n_u)        over the n_u ratings of u
 *
 * (Koren 2010, 'Factor in the neighbors', section 2.1). TG_ENOMEM on failure. */
tg_status baselines_make(const recommender *r, baselines *b);
void baselines_release(baselines *b);

#endif
