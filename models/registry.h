/*
 * registry.h: the models by name, for programs and tests that treat them alike
 */
#ifndef MODELS_REGISTRY_H
#define MODELS_REGISTRY_H

#include "models/halves.h"
#include "models/model_options.h"

typedef struct rating_model {
    const char *name; /* "ncf" */
    bool has_biases;  /* it adds a mean and biases of user and item: mf, and those of biased.h */
    tg_module *(*create)(int64_t users, int64_t items, model_options o);
    /* (batch), (batch) -> (batch) */
    tg_tensor *(*forward)(tg_module *m, tg_tensor *user, tg_tensor *item);
    /* See halves.h. */
    void (*halves)(tg_module *m, halves *user, halves *item);
    tg_tensor *(*from_halves)(tg_module *m, halves user, halves item);
} rating_model;

extern const rating_model rating_models[];
extern const int rating_model_count;

const rating_model *rating_model_find(const char *name); /* NULL where there is none */

/* The same model beside a mean and biases; the model itself where it has them. */
const rating_model *rating_model_with_biases(const rating_model *model);

/* Before training: a model that has a parameter `mean` gets the mean of the training ratings. */
void rating_model_start(tg_module *m, double mean);

#endif
