/*
 * gmf.h: generalised matrix factorisation (He et al. 2017, section 3.2)
 */
#ifndef MODELS_GMF_H
#define MODELS_GMF_H

#include "models/halves.h"
#include "models/model_options.h"

/* The branch: the product of a user's and an item's vector. */
typedef struct gmf_layers {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, dim), (items, dim), N(0, 0.01^2) */
} gmf_layers;

gmf_layers *gmf_layers_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch, d) */
tg_tensor *gmf_layers_forward(gmf_layers *m, tg_tensor *user, tg_tensor *item);

/* The model: the branch, dropout, and a linear layer to the rating. */
typedef struct gmf {
    tg_module base;
    gmf_layers *gmf;
    tg_linear_layer *predict_layer; /* d -> 1 */
    double dropout;
} gmf;

gmf *gmf_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch) */
tg_tensor *gmf_forward(gmf *m, tg_tensor *user, tg_tensor *item);
void gmf_halves(gmf *m, halves *user, halves *item);
tg_tensor *gmf_from_halves(gmf *m, halves user, halves item);

#endif
