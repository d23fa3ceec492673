/*
 * layers.h: layers with PyTorch's parameter names and default initialisers
 *
 * Parameters have tg_default_dtype() and are drawn from tg_default_rng(). Dropout and activations
 * need no layer: they are ops, tg_dropout(x, p, tg_training(m)); but there are some for
 * tg_sequential. To start from other values, fill the parameters: with nn/init.h, or
 * tg_fill_normal(m->weight, 0, 0.01) of tensor/random.h. Layers without a function of their own are
 * called by tg_forward(m, x).
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

typedef struct tg_embedding_bag_layer {
    tg_module base;
    tg_tensor *weight; /* (rows, dim), N(0, 1) */
    bool mean;         /* of each bag's rows; else their sum */
} tg_embedding_bag_layer;

/* (..., n) i64 -> (..., dim) */
tg_embedding_bag_layer *tg_embedding_bag_new(int64_t rows, int64_t dim, bool mean);

typedef struct tg_layer_norm_layer {
    tg_module base;
    tg_tensor *weight; /* (dim), ones */
    tg_tensor *bias;   /* (dim), zeros */
} tg_layer_norm_layer;

/* (..., dim) -> (..., dim), eps 1e-5 */
tg_layer_norm_layer *tg_layer_norm_new(int64_t dim);

typedef struct tg_dropout_layer {
    tg_module base;
    double p;
} tg_dropout_layer;

/* tg_dropout in training mode, as a module: for tg_sequential. */
tg_dropout_layer *tg_dropout_new(double p);

typedef struct tg_activation_layer {
    tg_module base;
    tg_tensor *(*function)(const char *at, tg_tensor *x);
} tg_activation_layer;

/* A function of one tensor as a module: tg_activation_new(tg_relu_at). */
tg_activation_layer *tg_activation_new(tg_tensor *(*function)(const char *at, tg_tensor *x));

typedef struct tg_sequential {
    tg_module base;
} tg_sequential;

/* Modules one after the other, by tg_forward; their names are "0", "1", ... as in PyTorch.
 *
 *     tg_sequential *net = tg_sequential_new(tg_linear_new(8, 16), tg_activation_new(tg_relu_at),
 *                                            tg_dropout_new(0.5), tg_linear_new(16, 1));
 *     tg_tensor *y = tg_forward(net, x);
 */
#define tg_sequential_new(...)                                                                     \
    tg_sequential_of(TG_HERE, (void *[]){__VA_ARGS__},                                             \
                     (int)(sizeof((void *[]){__VA_ARGS__}) / sizeof(void *)))
tg_sequential *tg_sequential_of(const char *at, void *const *layers, int count);

#endif
