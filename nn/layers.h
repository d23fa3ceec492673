/*
 * layers.h: Linear and Embedding, with PyTorch's parameter names and default initialisers
 *
 * Parameters have tg_default_dtype() and are drawn from tg_default_rng(). Dropout has no state of
 * its own: it is the op tg_dropout(x, p, tg_training(m)). To start from other values, fill the
 * parameters: tg_fill_normal(m->weight, 0, 0.01), of tensor/random.h.
 */
#ifndef TG_NN_LAYERS_H
#define TG_NN_LAYERS_H

#include "nn/module.h"

typedef struct tg_linear_layer {
    tg_module base;
    tg_tensor *weight; /* (out, in), uniform in +-1/sqrt(in) */
    tg_tensor *bias;   /* (out), the same */
} tg_linear_layer;

tg_linear_layer *tg_linear_new(int64_t in, int64_t out);
/* (..., in) -> (..., out) */
#define tg_linear_forward(m, x) tg_linear_forward_at(TG_HERE, m, x)
tg_tensor *tg_linear_forward_at(const char *at, tg_linear_layer *m, tg_tensor *x);

typedef struct tg_embedding_table {
    tg_module base;
    tg_tensor *weight; /* (rows, dim), N(0, 1) */
} tg_embedding_table;

tg_embedding_table *tg_embedding_new(int64_t rows, int64_t dim);
/* (...) i64 -> (..., dim) */
#define tg_embedding_forward(m, index) tg_embedding_forward_at(TG_HERE, m, index)
tg_tensor *tg_embedding_forward_at(const char *at, tg_embedding_table *m, tg_tensor *index);

#endif
