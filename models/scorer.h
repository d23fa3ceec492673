/*
 * scorer.h: what a model predicts for a user with every item, fast
 *
 *     scorer *s = scorer_new(model, m);
 *     for (int64_t user = 0; user < users; user++)
 *         scorer_score(s, user, score);
 *     scorer_free(s);
 */
#ifndef MODELS_SCORER_H
#define MODELS_SCORER_H

#include "models/registry.h"

typedef struct scorer scorer;

/* With the halves of all users and items, of the parameters as they are now. The module is
 * borrowed, and goes into evaluation mode. */
scorer *scorer_new(const rating_model *model, tg_module *m);
void scorer_free(scorer *s);

int64_t scorer_items(const scorer *s);

/* score[item] for every item. Different scorers may work in different threads. */
void scorer_score(const scorer *s, int64_t user, float *score);

#endif
