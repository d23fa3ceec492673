/*
 * my_simplecf.h: the tutorial's exercise: simpleCF, for you to write in my_simplecf.c
 *
 * It predicts a rating from the embeddings of a user and an item, joined, d being output_dim:
 *
 *     user_emb, item_emb     4d each, side by side: 8d
 *     linear_1               8d -> 4d, then relu and dropout
 *     linear_2               4d -> 2d, then relu and dropout
 *     linear_3               2d -> 1, the rating
 *
 * `make exercise` says whether it works, and if not, what is missing. nn/module.h, nn/layers.h and
 * autograd/ops.h have all that you need; models/gmf.c is a smaller model, to see how one is made.
 */
#ifndef MODELS_MY_SIMPLECF_H
#define MODELS_MY_SIMPLECF_H

#include "tapegrad.h"

typedef struct my_simplecf {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, 4d), (items, 4d), N(0, 1) */
    tg_linear_layer *linear_1, *linear_2, *linear_3;
    double dropout;
} my_simplecf;

my_simplecf *my_simplecf_new(int64_t users, int64_t items, int64_t output_dim, double dropout);
/* (batch), (batch) -> (batch) */
tg_tensor *my_simplecf_forward(my_simplecf *m, tg_tensor *user, tg_tensor *item);

#endif
