#include "models/mlp.h"

#include <string.h>

static const char *const linear_names[MAX_LAYERS] = {
    "linear_1", "linear_2", "linear_3", "linear_4", "linear_5", "linear_6", "linear_7", "linear_8"};

mlp_layers *mlp_layers_new(int64_t users, int64_t items, model_options o)
{
    const int64_t d = o.factors, usual[] = {8 * d, 4 * d, 2 * d, d, 0};
    const int64_t *width = o.layer[0] ? o.layer : usual;
    mlp_layers *m = tg_module_new(mlp_layers);
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, width[0] / 2));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, width[0] / 2));
    for (int n = 0; n < MAX_LAYERS && width[n + 1]; n++, m->layers++)
        m->linear[n] = tg_child(m, linear_names[n], tg_linear_new(width[n], width[n + 1]));
    m->dropout = o.dropout;
    return m;
}

/* From the first layer's sums on. */
static tg_tensor *further_layers(mlp_layers *m, tg_tensor *x)
{
    x = tg_relu(x);
    for (int n = 1; n < m->layers; n++) {
        x = tg_dropout(x, m->dropout, tg_training(m));
        x = tg_relu(tg_linear_forward(m->linear[n], x));
    }
    return x;
}

tg_tensor *mlp_layers_forward(mlp_layers *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *u = tg_embedding_forward(m->user_emb, user); /* (batch, 4d) */
    tg_tensor *i = tg_embedding_forward(m->item_emb, item); /* (batch, 4d) */
    tg_tensor *x = tg_cat(-1, u, i);                        /* (batch, 8d) */
    return further_layers(m, tg_linear_forward(m->linear[0], x));
}

int64_t mlp_layers_width(const mlp_layers *m)
{
    return tg_size(m->linear[m->layers - 1]->weight, 0);
}

void mlp_layers_halves(mlp_layers *m, halves *user, halves *item)
{
    linear_halves(m->linear[0], m->user_emb->weight, m->item_emb->weight, user, item);
}

tg_tensor *mlp_layers_from_halves(mlp_layers *m, halves user, halves item)
{
    return further_layers(m, tg_add(user.mlp, item.mlp));
}

mlp *mlp_new(int64_t users, int64_t items, model_options o)
{
    mlp *m = tg_module_new(mlp);
    m->mlp = tg_child(m, "MLP_layers", mlp_layers_new(users, items, o));
    m->predict_layer = tg_child(m, "predict_layer", tg_linear_new(mlp_layers_width(m->mlp), 1));
    m->dropout = o.dropout;
    return m;
}

tg_tensor *mlp_forward(mlp *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *x = mlp_layers_forward(m->mlp, user, item);
    x = tg_dropout(x, m->dropout, tg_training(m));
    return tg_view(tg_linear_forward(m->predict_layer, x), -1);
}

void mlp_halves(mlp *m, halves *user, halves *item)
{
    mlp_layers_halves(m->mlp, user, item);
}

tg_tensor *mlp_from_halves(mlp *m, halves user, halves item)
{
    tg_tensor *x = mlp_layers_from_halves(m->mlp, user, item);
    return tg_view(tg_linear_forward(m->predict_layer, x), -1);
}
