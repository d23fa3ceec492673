/*
 * mlp.h: the multi-layer perceptron over user and item embeddings (He et al. 2017, section 3.3)
 */
#ifndef MODELS_MLP_H
#define MODELS_MLP_H

#include "models/halves.h"

/* The branch: [user; item] of 8d -> 4d -> 2d -> d, relu after each, dropout after the first two. */
typedef struct mlp_layers {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, 4d), (items, 4d), N(0, 1) */
    tg_linear_layer *linear_1, *linear_2, *linear_3;
    double dropout;
} mlp_layers;

mlp_layers *mlp_layers_new(int64_t users, int64_t items, int64_t output_dim, double dropout);
/* (batch), (batch) -> (batch, output_dim) */
tg_tensor *mlp_layers_forward(mlp_layers *m, tg_tensor *user, tg_tensor *item);

/* The branch from halves of its first layer: .mlp of all users and items, (users, 4d), (items, 4d);
 * and from their rows, (n, 4d), (n, 4d) -> (n, output_dim), in evaluation mode. */
void mlp_layers_halves(mlp_layers *m, halves *user, halves *item);
tg_tensor *mlp_layers_from_halves(mlp_layers *m, halves user, halves item);

/* The model: the branch, dropout, and a linear layer to the rating. */
typedef struct mlp {
    tg_module base;
    mlp_layers *mlp;
    tg_linear_layer *predict_layer; /* output_dim -> 1 */
    double dropout;
} mlp;

mlp *mlp_new(int64_t users, int64_t items, int64_t output_dim, double dropout);
/* (batch), (batch) -> (batch) */
tg_tensor *mlp_forward(mlp *m, tg_tensor *user, tg_tensor *item);
void mlp_halves(mlp *m, halves *user, halves *item);
tg_tensor *mlp_from_halves(mlp *m, halves user, halves item);

#endif
