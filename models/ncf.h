/*
 * ncf.h: neural collaborative filtering, GMF and MLP joined (He et al. 2017, section 3.4, where it
 * is called NeuMF), for rating prediction
 */
#ifndef MODELS_NCF_H
#define MODELS_NCF_H

#include "models/gmf.h"
#include "models/mlp.h"

typedef struct ncf {
    tg_module base;
    gmf_layers *gmf;
    mlp_layers *mlp;
    tg_linear_layer *predict_layer; /* 2d -> 1 */
    double dropout;
} ncf;

ncf *ncf_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch) */
tg_tensor *ncf_forward(ncf *m, tg_tensor *user, tg_tensor *item);
void ncf_halves(ncf *m, halves *user, halves *item);
tg_tensor *ncf_from_halves(ncf *m, halves user, halves item);

#endif
