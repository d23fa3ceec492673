#include "models/gmf.h"

gmf_layers *gmf_layers_new(int64_t users, int64_t items, model_options o)
{
    gmf_layers *m = tg_module_new(gmf_layers);
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, o.factors));
    m->item_emb = tg_child(m, "item_emb", tg_embedding_new(items, o.factors));
    tg_fill_normal(m->user_emb->weight, 0, 0.01);
    tg_fill_normal(m->item_emb->weight, 0, 0.01);
    return m;
}

tg_tensor *gmf_layers_forward(gmf_layers *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *u = tg_embedding_forward(m->user_emb, user); /* (batch, d) */
    tg_tensor *i = tg_embedding_forward(m->item_emb, item); /* (batch, d) */
    return tg_mul(u, i);
}

gmf *gmf_new(int64_t users, int64_t items, model_options o)
{
    gmf *m = tg_module_new(gmf);
    m->gmf = tg_child(m, "GMF_layers", gmf_layers_new(users, items, o));
    m->predict_layer = tg_child(m, "predict_layer", tg_linear_new(o.factors, 1));
    m->dropout = o.dropout;
    return m;
}

tg_tensor *gmf_forward(gmf *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *x = gmf_layers_forward(m->gmf, user, item);
    x = tg_dropout(x, m->dropout, tg_training(m));
    return tg_view(tg_linear_forward(m->predict_layer, x), -1);
}

void gmf_halves(gmf *m, halves *user, halves *item)
{
    user->gmf = m->gmf->user_emb->weight;
    item->gmf = m->gmf->item_emb->weight;
}

tg_tensor *gmf_from_halves(gmf *m, halves user, halves item)
{
    return tg_view(tg_linear_forward(m->predict_layer, tg_mul(user.gmf, item.gmf)), -1);
}
