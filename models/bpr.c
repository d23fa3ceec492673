#include "models/bpr.h"

bpr *bpr_new(int64_t users, int64_t items, int64_t dim)
{
    bpr *m = tg_module_new(bpr);
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, dim));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, dim));
    m->item_bias = tg_child(m, "item_bias", tg_embedding_new(items, 1));
    tg_fill_normal(m->user_emb->weight, 0, 0.1);
    tg_fill_normal(m->item_emb->weight, 0, 0.1);
    tg_fill(m->item_bias->weight, 0);
    return m;
}

tg_tensor *bpr_forward(bpr *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *u = tg_embedding_forward(m->user_emb, user);  /* (batch, d) */
    tg_tensor *i = tg_embedding_forward(m->item_emb, item);  /* (batch, d) */
    tg_tensor *b = tg_embedding_forward(m->item_bias, item); /* (batch, 1) */
    return tg_view(tg_add(tg_sum_dim(tg_mul(u, i), true, -1), b), -1);
}

tg_tensor *bpr_loss(bpr *m, tg_tensor *user, tg_tensor *taken, tg_tensor *other)
{
    return tg_bpr_loss(bpr_forward(m, user, taken), bpr_forward(m, user, other));
}
