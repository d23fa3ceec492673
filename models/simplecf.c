#include "models/simplecf.h"

simplecf *simplecf_new(int64_t users, int64_t items, model_options o)
{
    const int64_t d = o.factors;
    simplecf *m = tg_module_new(simplecf);
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, 4 * d));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, 4 * d));
    m->linear_1 = tg_child(m, "linear_1", tg_linear_new(8 * d, 4 * d));
    m->linear_2 = tg_child(m, "linear_2", tg_linear_new(4 * d, 2 * d));
    m->linear_3 = tg_child(m, "linear_3", tg_linear_new(2 * d, 1));
    m->dropout = o.dropout;
    return m;
}

tg_tensor *simplecf_forward(simplecf *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *u = tg_embedding_forward(m->user_emb, user); /* (batch, 4d) */
    tg_tensor *i = tg_embedding_forward(m->item_emb, item); /* (batch, 4d) */
    tg_tensor *x = tg_cat(-1, u, i);                        /* (batch, 8d) */
    x = tg_relu(tg_linear_forward(m->linear_1, x));
    x = tg_dropout(x, m->dropout, tg_training(m));
    x = tg_relu(tg_linear_forward(m->linear_2, x));
    x = tg_dropout(x, m->dropout, tg_training(m));
    return tg_view(tg_linear_forward(m->linear_3, x), -1);
}

void simplecf_halves(simplecf *m, halves *user, halves *item)
{
    linear_halves(m->linear_1, m->user_emb->weight, m->item_emb->weight, user, item);
}

tg_tensor *simplecf_from_halves(simplecf *m, halves user, halves item)
{
    tg_tensor *x = tg_relu(tg_add(user.mlp, item.mlp)); /* (n, 4d) */
    x = tg_relu(tg_linear_forward(m->linear_2, x));
    return tg_view(tg_linear_forward(m->linear_3, x), -1);
}
