#include "models/mf.h"

mf *mf_new(int64_t users, int64_t items, model_options o)
{
    mf *m = tg_module_new(mf);
    m->mean = tg_param(m, "mean", tg_owned(tg_default_dtype(), 1));
    m->user_bias = tg_child(m, "user_bias", tg_embedding_new(users, 1));
    m->item_bias = tg_child(m, "item_bias", tg_embedding_new(items, 1));
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, o.factors));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, o.factors));
    tg_fill(m->user_bias->weight, 0);
    tg_fill(m->item_bias->weight, 0);
    tg_fill_normal(m->user_emb->weight, 0, 0.1);
    tg_fill_normal(m->item_emb->weight, 0, 0.1);
    m->dropout = o.dropout;
    return m;
}

tg_tensor *mf_forward(mf *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *p = tg_embedding_forward(m->user_emb, user); /* (batch, d) */
    tg_tensor *q = tg_embedding_forward(m->item_emb, item); /* (batch, d) */
    tg_tensor *x = tg_dropout(tg_mul(p, q), m->dropout, tg_training(m));
    tg_tensor *y = tg_sum_dim(x, true, -1); /* (batch, 1) */
    y = tg_add(y, tg_embedding_forward(m->user_bias, user));
    y = tg_add(y, tg_embedding_forward(m->item_bias, item));
    return tg_view(tg_add(y, m->mean), -1);
}

void mf_halves(mf *m, halves *user, halves *item)
{
    *user = (halves){.gmf = m->user_emb->weight, .bias = tg_add(m->user_bias->weight, m->mean)};
    *item = (halves){.gmf = m->item_emb->weight, .bias = m->item_bias->weight};
}

tg_tensor *mf_from_halves(mf *m, halves user, halves item)
{
    (void)m;
    tg_tensor *y = tg_sum_dim(tg_mul(user.gmf, item.gmf), true, -1); /* (n, 1) */
    return tg_view(tg_add(y, tg_add(user.bias, item.bias)), -1);
}
