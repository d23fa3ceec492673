/*
 * classifier.h: a multi-layer perceptron that tells classes apart
 *
 * Shows layers joined by tg_sequential, of which no forward has to be written: normalised, with
 * dropout; and a measure that no gradient passes through.
 */
#ifndef MODELS_CLASSIFIER_H
#define MODELS_CLASSIFIER_H

#include "tapegrad.h"

typedef struct classifier {
    tg_module base;
    tg_sequential *net; /* inputs -> hidden -> classes */
} classifier;

classifier *classifier_new(int64_t inputs, int64_t hidden, int64_t classes, double dropout);
/* (batch, inputs) -> (batch, classes): logits */
tg_tensor *classifier_forward(classifier *m, tg_tensor *x);
/* (batch, inputs), classes (batch) i64 -> () */
tg_tensor *classifier_loss(classifier *m, tg_tensor *x, tg_tensor *label);
/* The share of rows whose label is among the k largest logits; in evaluation mode: tg_eval. */
double classifier_accuracy(classifier *m, tg_tensor *x, tg_tensor *label, int64_t k);

#endif
