/*
 * model_samples.h: a small one of every model in models/, and a loss of it on made-up data, of
 * which the tests check the gradients
 */
#ifndef TESTS_MODEL_SAMPLES_H
#define TESTS_MODEL_SAMPLES_H

#include "nn/module.h"

typedef struct model_sample {
    const char *name;                 /* its file in models/ is NAME.h */
    tg_module *(*create)(void);       /* in f64 where that is the default dtype */
    tg_tensor *(*loss)(tg_module *m); /* () */
} model_sample;

extern const model_sample model_samples[];
extern const int model_sample_count;

/* The name of a header in models/ that has a module but no sample here, or NULL. */
const char *model_without_sample(void);

#endif
