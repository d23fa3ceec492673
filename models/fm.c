#include "models/fm.h"

fm *fm_new(int64_t features, int64_t dim)
{
    fm *m = tg_module_new(fm);
    m->bias = tg_param(m, "bias", tg_owned(tg_default_dtype(), 1));
    m->w = tg_child(m, "w", tg_embedding_new(features, 1));
    m->v = tg_child(m, "v", tg_embedding_new(features, dim));
    tg_fill(m->w->weight, 0);
    tg_fill_normal(m->v->weight, 0, 0.1);
    return m;
}

tg_tensor *fm_forward(fm *m, tg_tensor *feature)
{
    tg_tensor *v = tg_embedding_forward(m->v, feature);            /* (batch, n, dim) */
    tg_tensor *all = tg_square(tg_sum_dim(v, false, 1));           /* (batch, dim) */
    tg_tensor *each = tg_sum_dim(tg_square(v), false, 1);          /* (batch, dim) */
    tg_tensor *pairs = tg_sum_dim(tg_sub(all, each), true, 1);     /* (batch, 1), twice */
    tg_tensor *y = tg_embedding_bag(m->w->weight, feature, false); /* (batch, 1) */
    y = tg_add(y, tg_mul_scalar(pairs, 0.5));
    return tg_view(tg_add(y, m->bias), -1);
}

tg_tensor *fm_loss(fm *m, tg_tensor *feature, tg_tensor *target)
{
    return tg_mse_loss(fm_forward(m, feature), target);
}
