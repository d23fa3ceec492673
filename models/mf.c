#include "models/mf.h"

mf *mf_new(int64_t users, int64_t items, int64_t output_dim, double dropout)
{
    mf *m = tg_module_new(mf);
    m->mean = tg_param(m, "mean", tg_owned(tg_default_dtype(), 1));
    m->user_bias = tg_child(m, "user_bias", tg_embedding_new(users, 1));
    m->item_bias = tg_child(m, "item_bias", tg_embedding_new(items, 1));
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, output_dim));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, output_dim));
    tg_fill(m->user_bias->weight, 0);
    tg_fill(m->item_bias->weight, 0);
    tg_fill_normal(m->user_emb->weight, 0, 0.1);
    tg_fill_normal(m->item_emb->weight, 0, 0.1);
    m->dropout = dropout;
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

/* mean + b_u + b_i + p . q = [p, b_u, 1] . [q, 1, b_i + mean] */
void mf_halves(mf *m, halves *user, halves *item)
{
    tg_tensor *p = m->user_emb->weight, *b_user = m->user_bias->weight;
    tg_tensor *q = m->item_emb->weight, *b_item = m->item_bias->weight;
    user->gmf = tg_cat(-1, p, b_user, tg_full(p->dtype, 1, tg_size(p, 0), 1));
    item->gmf = tg_cat(-1, q, tg_full(q->dtype, 1, tg_size(q, 0), 1), tg_add(b_item, m->mean));
}

tg_tensor *mf_from_halves(mf *m, halves user, halves item)
{
    (void)m;
    return tg_sum_dim(tg_mul(user.gmf, item.gmf), false, -1);
}
