/*
 * init.h: first values of weights, in place, from this thread's generator
 *
 * For a weight (out, in): fan_in = in, fan_out = out. uniform draws from +-bound, normal with mean
 * 0. Plain ones are tg_fill, tg_fill_uniform and tg_fill_normal of tensor/random.h.
 */
#ifndef TG_NN_INIT_H
#define TG_NN_INIT_H

#include "tensor/tensor.h"

/* Glorot and Bengio 2010, gain 1: bound sqrt(6 / (fan_in + fan_out)), std sqrt(2 / ...) */
void tg_xavier_uniform(tg_tensor *weight);
void tg_xavier_normal(tg_tensor *weight);

/* He et al. 2015, before a relu: bound sqrt(6 / fan_in), std sqrt(2 / fan_in) */
void tg_kaiming_uniform(tg_tensor *weight);
void tg_kaiming_normal(tg_tensor *weight);

/* LeCun et al. 1998: bound sqrt(3 / fan_in), std sqrt(1 / fan_in) */
void tg_lecun_uniform(tg_tensor *weight);
void tg_lecun_normal(tg_tensor *weight);

#endif
