#include "models/ncf.h"

ncf *ncf_new(int64_t users, int64_t items, model_options o)
{
    ncf *m = tg_module_new(ncf);
    m->gmf = tg_child(m, "GMF_layers", gmf_layers_new(users, items, o));
    m->mlp = tg_child(m, "MLP_layers", mlp_layers_new(users, items, o));
    const int64_t width = o.factors + mlp_layers_width(m->mlp);
    m->predict_layer = tg_child(m, "predict_layer", tg_linear_new(width, 1));
    m->dropout = o.dropout;
    return m;
}

tg_tensor *ncf_forward(ncf *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *x = tg_cat(-1, gmf_layers_forward(m->gmf, user, item),
                          mlp_layers_forward(m->mlp, user, item)); /* (batch, 2d) */
    x = tg_dropout(x, m->dropout, tg_training(m));
    return tg_view(tg_linear_forward(m->predict_layer, x), -1);
}

void ncf_halves(ncf *m, halves *user, halves *item)
{
    mlp_layers_halves(m->mlp, user, item);
    user->gmf = m->gmf->user_emb->weight;
    item->gmf = m->gmf->item_emb->weight;
}

tg_tensor *ncf_from_halves(ncf *m, halves user, halves item)
{
    tg_tensor *x = tg_cat(-1, tg_mul(user.gmf, item.gmf),
                          mlp_layers_from_halves(m->mlp, user, item)); /* (n, 2d) */
    return tg_view(tg_linear_forward(m->predict_layer, x), -1);
}
