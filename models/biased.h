/*
 * biased.h: what another model gives, beside a mean and biases
 *
 *     rating = mean + b_user + b_item + model(user, item)
 *
 * So the model has only to learn what the biases leave. Its parameters keep their names.
 */
#ifndef MODELS_BIASED_H
#define MODELS_BIASED_H

#include "models/registry.h"

typedef struct biased {
    tg_module base;
    tg_tensor *mean; /* (1), 0: to be filled with the mean training rating; it is trained too */
    tg_embedding_table *user_bias, *item_bias; /* (users, 1), (items, 1), 0 */
    const rating_model *of;
    tg_module *model;
} biased;

biased *biased_new(int64_t users, int64_t items, const rating_model *of, tg_module *model);
/* (batch), (batch) -> (batch) */
tg_tensor *biased_forward(biased *m, tg_tensor *user, tg_tensor *item);
void biased_halves(biased *m, halves *user, halves *item);
tg_tensor *biased_from_halves(biased *m, halves user, halves item);

#endif
