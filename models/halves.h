/*
 * halves.h: pairs of user and item from what is computed once for each
 *
 * The first layer over [u; i] is W [u; i] + b = Wu u + (Wi i + b): a user's half and an item's
 * half, of which a pair needs the sum alone. Whoever scores all items for all users so saves three
 * quarters of the multiplications of the tutorial's MLP. Every model here has, beside its forward,
 *
 *     void MODEL_halves(m, &user, &item)            of all users and of all items
 *     tg_tensor *MODEL_from_halves(m, user, item)   of rows, n of each (or one user's), -> (n)
 *
 * which give in evaluation mode what forward gives, within rounding.
 */
#ifndef MODELS_HALVES_H
#define MODELS_HALVES_H

#include "tapegrad.h"

typedef struct halves {
    tg_tensor *mlp;  /* (n, k): of the first layer's sum; NULL without that branch */
    tg_tensor *gmf;  /* (n, dim): vectors to be multiplied; NULL without that branch */
    tg_tensor *bias; /* (n, 1): numbers to be added; NULL without them */
} halves;

/* Of W [u; i] + b for tables of u, (users, k), and i, (items, k); W is (out, 2k): (users, out) and
 * (items, out). */
static inline void linear_halves(const tg_linear_layer *layer, tg_tensor *u, tg_tensor *i,
                                 halves *user, halves *item)
{
    const int64_t k = tg_size(layer->weight, 1) / 2;
    user->mlp = tg_linear(u, tg_narrow(layer->weight, 1, 0, k), NULL);
    item->mlp = tg_linear(i, tg_narrow(layer->weight, 1, k, k), layer->bias);
}

#endif
