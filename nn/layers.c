#include "nn/layers.h"

#include <math.h>
#include <stdio.h>

#include "autograd/ops.h"
#include "tensor/random.h"

/* ---- linear ---------------------------------------------------------------------------------- */

static tg_tensor *linear_forward(const char *at, tg_module *m, tg_tensor *x)
{
    return tg_linear_forward_at(at, (tg_linear_layer *)m, x);
}

tg_linear_layer *tg_linear_new(int64_t in, int64_t out)
{
    tg_linear_layer *m = tg_module_new(tg_linear_layer);
    m->base.forward = linear_forward;
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

static tg_tensor *embedding_forward(const char *at, tg_module *m, tg_tensor *index)
{
    return tg_embedding_forward_at(at, (tg_embedding_table *)m, index);
}

tg_embedding_table *tg_embedding_new(int64_t rows, int64_t dim)
{
    tg_embedding_table *m = tg_module_new(tg_embedding_table);
    m->base.forward = embedding_forward;
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

static tg_tensor *embedding_bag_forward(const char *at, tg_module *m, tg_tensor *index)
{
    const tg_embedding_bag_layer *layer = (tg_embedding_bag_layer *)m;
    return tg_embedding_bag_at(at, layer->weight, index, layer->mean);
}

tg_embedding_bag_layer *tg_embedding_bag_new(int64_t rows, int64_t dim, bool mean)
{
    tg_embedding_bag_layer *m = tg_module_new(tg_embedding_bag_layer);
    m->base.forward = embedding_bag_forward;
    m->mean = mean;
    m->weight = tg_param(m, "weight", tg_owned(tg_default_dtype(), rows, dim));
    tg_fill_normal(m->weight, 0, 1);
    return m;
}

/* ---- layer norm ------------------------------------------------------------------------------ */

static tg_tensor *layer_norm_forward(const char *at, tg_module *m, tg_tensor *x)
{
    const tg_layer_norm_layer *layer = (tg_layer_norm_layer *)m;
    return tg_layer_norm_at(at, x, layer->weight, layer->bias, 1e-5);
}

tg_layer_norm_layer *tg_layer_norm_new(int64_t dim)
{
    tg_layer_norm_layer *m = tg_module_new(tg_layer_norm_layer);
    m->base.forward = layer_norm_forward;
    m->weight = tg_param(m, "weight", tg_owned(tg_default_dtype(), dim));
    m->bias = tg_param(m, "bias", tg_owned(tg_default_dtype(), dim));
    tg_fill(m->weight, 1);
    return m;
}

/* ---- layers of a sequence -------------------------------------------------------------------- */

static tg_tensor *dropout_forward(const char *at, tg_module *m, tg_tensor *x)
{
    return tg_dropout_at(at, x, ((tg_dropout_layer *)m)->p, m->training);
}

tg_dropout_layer *tg_dropout_new(double p)
{
    if (!(p >= 0 && p <= 1))
        tg_misuse("tg_dropout_new", "dropout", "probability %g; 0 to 1 expected", p);
    tg_dropout_layer *m = tg_module_new(tg_dropout_layer);
    m->base.forward = dropout_forward;
    m->p = p;
    return m;
}

static tg_tensor *activation_forward(const char *at, tg_module *m, tg_tensor *x)
{
    return ((tg_activation_layer *)m)->function(at, x);
}

tg_activation_layer *tg_activation_new(tg_tensor *(*function)(const char *at, tg_tensor *x))
{
    tg_activation_layer *m = tg_module_new(tg_activation_layer);
    m->base.forward = activation_forward;
    m->function = function;
    return m;
}

static tg_tensor *sequential_forward(const char *at, tg_module *m, tg_tensor *x)
{
    for (int i = 0; i < m->nchildren; i++)
        x = tg_module_forward(at, m->child[i].module, x);
    return x;
}

tg_sequential *tg_sequential_of(const char *at, void *const *layers, int count)
{
    tg_sequential *m = tg_module_new(tg_sequential);
    m->base.forward = sequential_forward;
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        tg_module_child(at, &m->base, name, layers[i]);
    }
    return m;
}
