/* sum_to, and what follows from it: sum, mean, and both along one dimension. */
#include "autograd/ops-internal.h"

/* ---- sum_to: x -> shape, where shape broadcasts to x's --------------------------------------- */

static tg_tensor *sum_to_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const tg_shape *shape = n->attr;
    if (shape->ndim > TG_MAX_DIMS || !tg_broadcasts_to(shape, &x->shape))
        return tg_reject(n, "%s does not broadcast to %s", TG_TEXT(*shape), TG_TEXT(x->shape));
    if (x->dtype == TG_I64)
        return tg_reject(n, "i64; f32 or f64 expected");
    const tg_tensor *from = tg_contiguous_at(n->at, n->in[0]);
    tg_shape left = x->shape; /* what is not summed yet; summed dimensions have size 1 */
    const int shift = x->shape.ndim - shape->ndim;
    for (int d = 0; d < left.ndim && !tg_is_error(from); d++) {
        int64_t outer = 1, count = 1, inner = 1;
        for (int i = 0; i < d; i++)
            outer *= left.size[i];
        int end = d; /* d .. end: neighbours that all go, in one pass */
        while (end < left.ndim && (end < shift || shape->size[end - shift] != left.size[end])) {
            count *= left.size[end];
            left.size[end++] = 1;
        }
        if (end == d)
            continue;
        for (int i = end; i < left.ndim; i++)
            inner *= left.size[i];
        tg_tensor *to = tg_result(n, x->dtype, left);
        if (!tg_is_error(to))
            tg_sum_middle(x->dtype, outer, count, inner, to->data, from->data);
        from = to;
    }
    if (tg_is_error(from))
        return tg_error_tensor();
    tg_tensor *y = tg_tensor_alias(from);
    y->shape = *shape;
    tg_contiguous_strides(shape, y->stride);
    return y;
}

static void sum_to_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_expand_at(n->at, g, n->in[0]->shape);
}

TG_DEFINE_OP(sum_to, 1);

tg_tensor *tg_sum_to_at(const char *at, tg_tensor *x, tg_shape shape)
{
    if (tg_usable(at, "sum_to", x) && tg_shape_equal(&x->shape, &shape))
        return x;
    return tg_apply(at, &tg_op_sum_to, 1, &x, &shape, sizeof shape);
}

/* ---- sum and mean ---------------------------------------------------------------------------- */

tg_tensor *tg_sum_at(const char *at, tg_tensor *x)
{
    return tg_sum_to_at(at, x, (tg_shape){.ndim = 0});
}

tg_tensor *tg_mean_at(const char *at, tg_tensor *x)
{
    tg_tensor *sum = tg_sum_at(at, x);
    if (tg_is_error(sum))
        return sum;
    return tg_div_at(at, sum, tg_scalar(x->dtype, (double)tg_numel(x)));
}

tg_tensor *tg_sum_dim_at(const char *at, tg_tensor *x, int dim, bool keepdim)
{
    if (!tg_usable(at, "sum_dim", x))
        return tg_error_tensor();
    const int d = tg_dimension(&x->shape, dim);
    if (d < 0)
        return tg_misuse(at, "sum_dim", "dimension %d of %s", dim, TG_TEXT(x->shape));
    tg_shape shape = x->shape;
    shape.size[d] = 1;
    tg_tensor *y = tg_sum_to_at(at, x, shape);
    if (keepdim)
        return y;
    for (int i = d; i + 1 < shape.ndim; i++)
        shape.size[i] = shape.size[i + 1];
    shape.ndim--;
    return tg_view_at(at, tg_contiguous_at(at, y), shape);
}

tg_tensor *tg_mean_dim_at(const char *at, tg_tensor *x, int dim, bool keepdim)
{
    tg_tensor *sum = tg_sum_dim_at(at, x, dim, keepdim);
    if (tg_is_error(sum))
        return sum;
    const double count = (double)x->shape.size[tg_dimension(&x->shape, dim)];
    return tg_div_at(at, sum, tg_scalar(x->dtype, count));
}
