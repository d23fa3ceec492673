/*
 * fm.h: a factorisation machine (Rendle 2010)
 *
 *     y = bias + sum of w_i + sum over pairs i < j of v_i . v_j        i, j: the row's features
 *
 * A row is a list of features that it has: its user, its item, the day of the week, ...; each pair
 * of them interacts. Shows bags of embeddings, and a sum over pairs without a loop over pairs:
 *
 *     sum over i < j of v_i . v_j = (|sum of v_i|^2 - sum of |v_i|^2) / 2
 */
#ifndef MODELS_FM_H
#define MODELS_FM_H

#include "tapegrad.h"

typedef struct fm {
    tg_module base;
    tg_tensor *bias;           /* (1), 0 */
    tg_embedding_table *w, *v; /* (features, 1), 0; (features, dim), N(0, 0.1^2) */
} fm;

fm *fm_new(int64_t features, int64_t dim);
/* The features of each row (batch, n) i64, any n -> (batch) */
tg_tensor *fm_forward(fm *m, tg_tensor *feature);
/* The same, targets (batch) -> () */
tg_tensor *fm_loss(fm *m, tg_tensor *feature, tg_tensor *target);

#endif
