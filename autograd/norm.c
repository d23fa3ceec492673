/* layer_norm: x (..., n), weight (n), bias (n) -> (..., n) */
#include "autograd/ops-internal.h"

typedef struct norm_attr {
    double eps;
    int weight, bias; /* their places among the operands; 0 where there is none */
} norm_attr;

/* What the kernels take; the error tensor's data, NULL, where there is no memory. */
static bool norm_init(tg_norm *t, const tg_node *n)
{
    const norm_attr *a = n->attr;
    const tg_tensor *in[3] = {NULL};
    for (int i = 0; i < n->nin; i++) {
        in[i] = tg_contiguous_at(n->at, n->in[i]);
        if (tg_is_error(in[i]))
            return false;
    }
    const int64_t size = in[0]->shape.size[in[0]->shape.ndim - 1];
    *t = (tg_norm){.rows = size ? tg_numel(in[0]) / size : 0, .n = size, .eps = a->eps,
                   .x = in[0]->data,
                   .weight = a->weight ? in[a->weight]->data : NULL,
                   .bias = a->bias ? in[a->bias]->data : NULL};
    return true;
}

static tg_tensor *layer_norm_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const int last = x->shape.ndim - 1;
    for (int i = last < 0 ? 0 : 1; i < n->nin; i++) {
        const tg_tensor *t = n->in[i];
        if (last < 0 || t->shape.ndim != 1 || t->shape.size[0] != x->shape.size[last])
            return tg_reject(n, "%s with weight or bias %s: (..., n) and (n) expected",
                             TG_TEXT(x->shape), i > 0 ? TG_TEXT(t->shape) : "NULL");
        if (t->dtype != x->dtype)
            return tg_reject(n, "%s and %s: operands of one dtype expected",
                             tg_dtype_name(x->dtype), tg_dtype_name(t->dtype));
    }
    if (x->dtype == TG_I64)
        return tg_reject(n, "i64; f32 or f64 expected");
    tg_norm t;
    tg_tensor *y = norm_init(&t, n) ? tg_result(n, x->dtype, x->shape) : tg_error_tensor();
    t.y = y->data;
    if (!tg_is_error(y))
        tg_norm_rows(x->dtype, &t);
    return y;
}

static tg_tensor *row_mean(const tg_node *n, tg_tensor *x)
{
    return tg_mean_dim_at(n->at, x, true, TG_SHAPE(-1));
}

/* With u = g weight and z = (x - mean) root, where root = 1 / sqrt(variance + eps):
 * dx = root (u - mean(u) - z mean(u z)) */
static void layer_norm_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const norm_attr *a = n->attr;
    const char *at = n->at;
    tg_tensor *centred = tg_sub_at(at, n->in[0], row_mean(n, n->in[0]));
    tg_tensor *variance = row_mean(n, tg_square_at(at, centred));
    tg_tensor *deviation = tg_sqrt_at(at, tg_add_scalar_at(at, variance, a->eps));
    tg_tensor *z = tg_div_at(at, centred, deviation);
    tg_tensor *u = a->weight ? tg_mul_at(at, g, n->in[a->weight]) : g;
    tg_tensor *along_z = tg_mul_at(at, z, row_mean(n, tg_mul_at(at, u, z)));
    if (tg_needs_grad(n, 0))
        dx[0] = tg_div_at(at, tg_sub_at(at, tg_sub_at(at, u, row_mean(n, u)), along_z), deviation);
    if (a->weight && tg_needs_grad(n, a->weight))
        dx[a->weight] = tg_mul_at(at, g, z);
    if (a->bias && tg_needs_grad(n, a->bias))
        dx[a->bias] = g;
}

static void layer_norm_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const norm_attr *a = n->attr;
    tg_norm t;
    g = tg_contiguous_at(n->at, g);
    if (tg_is_error(g) || !norm_init(&t, n))
        return;
    t.g = g->data;
    for (int i = 0; i < n->nin; i++) { /* dx[0] is memory for the kernel at least */
        if (i > 0 && !tg_needs_grad(n, i))
            continue;
        dx[i] = tg_result(n, g->dtype, n->in[i]->shape);
        if (tg_is_error(dx[i]))
            return;
    }
    t.dx = dx[0]->data;
    t.dweight = a->weight && dx[a->weight] ? dx[a->weight]->data : NULL;
    t.dbias = a->bias && dx[a->bias] ? dx[a->bias]->data : NULL;
    tg_norm_gradients(g->dtype, &t);
}

TG_DEFINE_OP(layer_norm, TG_VARIADIC, TG_SAVES(0) | TG_SAVES(1), .fused = layer_norm_fused);

tg_tensor *tg_layer_norm_at(const char *at, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                            double eps)
{
    tg_tensor *in[3] = {x};
    int count = 1;
    norm_attr a = {.eps = eps};
    if (weight)
        in[a.weight = count++] = weight;
    if (bias)
        in[a.bias = count++] = bias;
    return tg_apply(at, &tg_op_layer_norm, count, in, &a, sizeof a);
}
