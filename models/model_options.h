/*
 * model_options.h: how a rating model is made
 */
#ifndef MODELS_MODEL_OPTIONS_H
#define MODELS_MODEL_OPTIONS_H

#include "tapegrad.h"

enum { MAX_LAYERS = 8 };

typedef struct model_options {
    int64_t factors; /* d, the tutorial's output_dim: size of GMF's vectors */
    double dropout;  /* share of activations dropped in training */
    /* Of the MLP of ncf and mlp: widths of [user; item] and of each layer's output, 0 behind the
     * last one. All zeros: 8d, 4d, 2d, d. */
    int64_t layer[MAX_LAYERS + 2];
    bool paper_init; /* start from the values of He et al. 2017, not the tutorial's: registry.c */
} model_options;

#endif
