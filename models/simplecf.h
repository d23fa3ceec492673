/*
 * simplecf.h: the tutorial's exercise: the MLP branch alone, its last layer giving the rating
 */
#ifndef MODELS_SIMPLECF_H
#define MODELS_SIMPLECF_H

#include "models/halves.h"
#include "models/model_options.h"

typedef struct simplecf {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, 4d), (items, 4d), N(0, 1) */
    tg_linear_layer *linear_1, *linear_2, *linear_3; /* 8d -> 4d -> 2d -> 1 */
    double dropout;
} simplecf;

simplecf *simplecf_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch) */
tg_tensor *simplecf_forward(simplecf *m, tg_tensor *user, tg_tensor *item);
void simplecf_halves(simplecf *m, halves *user, halves *item);
tg_tensor *simplecf_from_halves(simplecf *m, halves user, halves item);

#endif
