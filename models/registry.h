/*
 * registry.h: the models by name, for programs and tests that treat them alike
 */
#ifndef MODELS_REGISTRY_H
#define MODELS_REGISTRY_H

#include "models/halves.h"

/* How a model is made. */
typedef struct model_options {
    int64_t factors; /* width of the last layers: the tutorial's output_dim */
    double dropout;  /* share of activations dropped in training */
} model_options;

typedef struct rating_model {
    const char *name; /* "ncf" */
    tg_module *(*create)(int64_t users, int64_t items, int64_t output_dim, double dropout);
    /* (batch), (batch) -> (batch) */
    tg_tensor *(*forward)(tg_module *m, tg_tensor *user, tg_tensor *item);
    /* See halves.h. */
    void (*halves)(tg_module *m, halves *user, halves *item);
    tg_tensor *(*from_halves)(tg_module *m, halves user, halves item);
} rating_model;

extern const rating_model rating_models[];
extern const int rating_model_count;

const rating_model *rating_model_find(const char *name); /* NULL where there is none */

/* Before training: a model that has a parameter `mean` gets the mean of the training ratings. */
void rating_model_start(tg_module *m, double mean);

#endif
