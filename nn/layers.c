#include "nn/layers.h"

#include <math.h>

#include "autograd/ops.h"
#include "tensor/random.h"

/* ---- linear ---------------------------------------------------------------------------------- */

tg_linear_layer *tg_linear_new(int64_t in, int64_t out)
{
    tg_linear_layer *m = tg_module_new(tg_linear_layer);
    m->weight = tg_param(m, "weight", tg_owned(tg_default_dtype(), out, in));
    m->bias = tg_param(m, "bias", tg_owned(tg_default_dtype(), out));
    const double bound = in > 0 ? 1 / sqrt((double)in) : 0;
    tg_fill_uniform(m->weight, -bound, bound);
    tg_fill_uniform(m->bias, -bound, bound);
    return m;
}

tg_tensor *tg_linear_forward_at(const char *at, tg_linear_layer *m, tg_tensor *x)
{
    if (!m)
        return tg_misuse(at, "linear", "the layer is NULL; was it made with tg_linear_new?");
    return tg_linear_at(at, x, m->weight, m->bias);
}

/* ---- embedding ------------------------------------------------------------------------------- */

tg_embedding_table *tg_embedding_new(int64_t rows, int64_t dim)
{
    tg_embedding_table *m = tg_module_new(tg_embedding_table);
    m->weight = tg_param(m, "weight", tg_owned(tg_default_dtype(), rows, dim));
    tg_fill_normal(m->weight, 0, 1);
    return m;
}

tg_tensor *tg_embedding_forward_at(const char *at, tg_embedding_table *m, tg_tensor *index)
{
    if (!m)
        return tg_misuse(at, "embedding", "the table is NULL; was it made with tg_embedding_new?");
    return tg_embedding_at(at, m->weight, index);
}
