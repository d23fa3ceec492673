/*
 * mlp.h: the multi-layer perceptron over user and item embeddings (He et al. 2017, section 3.3)
 */
#ifndef MODELS_MLP_H
#define MODELS_MLP_H

#include "models/halves.h"
#include "models/model_options.h"

/* The branch: [user; item] of 8d -> 4d -> 2d -> d (or as the options say), relu after each, dropout
 * between them. */
typedef struct mlp_layers {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, 4d), (items, 4d), N(0, 1) */
    int layers;
    tg_linear_layer *linear[MAX_LAYERS]; /* "linear_1", "linear_2", ... */
    double dropout;
} mlp_layers;

mlp_layers *mlp_layers_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch, d) */
tg_tensor *mlp_layers_forward(mlp_layers *m, tg_tensor *user, tg_tensor *item);
int64_t mlp_layers_width(const mlp_layers *m); /* d, of the last layer */

/* The branch from halves of its first layer: .mlp of all users and items, (users, 4d), (items, 4d);
 * and from their rows, (n, 4d), (n, 4d) -> (n, d). */
void mlp_layers_halves(mlp_layers *m, halves *user, halves *item);
tg_tensor *mlp_layers_from_halves(mlp_layers *m, halves user, halves item);

/* The model: the branch, dropout, and a linear layer to the rating. */
typedef struct mlp {
    tg_module base;
    mlp_layers *mlp;
    tg_linear_layer *predict_layer; /* d -> 1 */
    double dropout;
} mlp;

mlp *mlp_new(int64_t users, int64_t items, model_options o);
/* (batch), (batch) -> (batch) */
tg_tensor *mlp_forward(mlp *m, tg_tensor *user, tg_tensor *item);
void mlp_halves(mlp *m, halves *user, halves *item);
tg_tensor *mlp_from_halves(mlp *m, halves user, halves item);

#endif
