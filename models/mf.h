/*
 * mf.h: matrix factorisation with biases (Koren, Bell and Volinsky 2009)
 *
 *     rating = mean + b_user + b_item + p_user . q_item
 *
 * Shows a parameter of the model's own, and how (batch, 1) and (1) add up without being told to.
 */
#ifndef MODELS_MF_H
#define MODELS_MF_H

#include "models/halves.h"
#include "models/model_options.h"

typedef struct mf {
    tg_module base;
    tg_tensor *mean; /* (1), 0: to be filled with the mean training rating; it is trained too */
    tg_embedding_table *user_bias, *item_bias; /* (users, 1), (items, 1), 0 */
    tg_embedding_table *user_emb, *item_emb;   /* (users, dim), (items, dim), N(0, 0.1^2) */
    double dropout;                            /* of the products p q, before they are summed */
} mf;

mf *mf_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch) */
tg_tensor *mf_forward(mf *m, tg_tensor *user, tg_tensor *item);
void mf_halves(mf *m, halves *user, halves *item);
tg_tensor *mf_from_halves(mf *m, halves user, halves item);

#endif
