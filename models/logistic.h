/*
 * logistic.h: logistic regression, P(label is 1) = sigmoid(w . x + b)
 *
 * The smallest model there is: one layer, and a loss that takes the sigmoid itself.
 */
#ifndef MODELS_LOGISTIC_H
#define MODELS_LOGISTIC_H

#include "tapegrad.h"

typedef struct logistic {
    tg_module base;
    tg_linear_layer *linear; /* features -> 1 */
} logistic;

logistic *logistic_new(int64_t features);
/* (batch, features) -> (batch): w . x + b, the logarithm of the odds */
tg_tensor *logistic_forward(logistic *m, tg_tensor *x);
/* (batch, features), labels 0 or 1 (batch) -> () */
tg_tensor *logistic_loss(logistic *m, tg_tensor *x, tg_tensor *label);

#endif
