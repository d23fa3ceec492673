/* Ops along one dimension: max, logsumexp, softmax, log_softmax. */
#include "autograd/ops-internal.h"

/* ---- rows of tensors ------------------------------------------------------------------------- */

/* The axis, an attribute of all; -1, and misuse, where x cannot be worked on. */
static int checked_axis(const tg_node *n)
{
    if (n->in[0]->dtype != TG_I64)
        return *(const int *)n->attr;
    tg_reject(n, "i64; f32 or f64 expected");
    return -1;
}

/* The elements of t, of a shape as x has it or with size 1 along the axis; in one place those of the
 * outer dimensions where t has them expanded, as the gradient of a sum. */
static tg_row_operand operand(const tg_node *n, tg_tensor *t, int axis)
{
    bool is_one = axis > 0;
    for (int d = 0; d < axis; d++)
        is_one = is_one && (t->shape.size[d] == 1 || t->stride[d] == 0);
    if (is_one) {
        t = tg_tensor_alias(t);
        for (int d = 0; d < axis; d++)
            t->shape.size[d] = 1;
    }
    const tg_rows rows = tg_rows_along(&t->shape, axis);
    t = tg_contiguous_at(n->at, t);
    const int64_t size = (int64_t)tg_dtype_size(t->dtype);
    return (tg_row_operand){tg_is_error(t) ? NULL : t->data,
                            is_one ? 0 : rows.count * rows.inner * size, rows.count, size};
}

/* What the kernel makes of operands such as x, in rows of x's or of one element each. They are taken
 * as x lies in memory. */
static tg_tensor *along(const tg_node *n, tg_along op, bool reduces, int nin, tg_tensor *const *in)
{
    int axis = *(const int *)n->attr;
    tg_shape order;
    const tg_tensor *x = tg_dense(n->at, in[0], &order);
    if (tg_is_error(x))
        return tg_error_tensor();
    for (int d = 0; d < order.ndim; d++)
        if (order.size[d] == *(const int *)n->attr)
            axis = d;
    tg_row_operand operands[TG_ROW_INPUTS];
    for (int i = 0; i < nin; i++) {
        operands[i] = operand(n, tg_in_order(n->at, in[i], &order, false), axis);
        if (!operands[i].data)
            return tg_error_tensor();
    }
    const tg_rows rows = tg_rows_along(&x->shape, axis);
    tg_shape shape = x->shape;
    if (reduces && shape.ndim > 0)
        shape.size[axis] = 1;
    tg_tensor *y = tg_result(n, x->dtype, shape);
    const int64_t size = (int64_t)tg_dtype_size(x->dtype);
    const int64_t count = reduces ? 1 : rows.count;
    const tg_row_operand out = {y->data, count * rows.inner * size, count, size};
    if (!tg_is_error(y))
        tg_along_rows(tg_kernels_of(x->dtype)->rows[op], rows, out, nin, operands);
    return tg_in_order(n->at, y, &order, true);
}

/* The same for what is not a gradient: contiguous, as in PyTorch, so that a view of it does not depend
 * on how x lies in memory. */
static tg_tensor *value_along(const tg_node *n, tg_along op, bool reduces)
{
    if (checked_axis(n) < 0)
        return tg_error_tensor();
    return tg_contiguous_at(n->at, along(n, op, reduces, 1, n->in));
}

/* The op over dimensions of x: over one, or over one that takes the place of all. */
static tg_tensor *reduce(const char *at, const tg_op *op, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION(op->name);
    tg_shape reduced;
    if (!tg_reduced_shape(at, op->name, x, dims, &reduced))
        return tg_error_tensor();
    int axis = tg_axis(&x->shape, dims.size[0]);
    if (dims.ndim == 1)
        return tg_drop_dims(at, tg_apply(at, op, 1, &x, &axis, sizeof axis), keepdim, dims);
    tg_shape order = {.ndim = 0}, joined = {.ndim = 0};
    for (int goes = 0; goes < 2; goes++) /* those that stay, then those that go */
        for (int d = 0; d < x->shape.ndim; d++)
            if ((reduced.size[d] != x->shape.size[d]) == goes)
                order.size[order.ndim++] = d;
    for (axis = 0; axis < order.ndim; axis++) {
        const int d = (int)order.size[axis];
        if (reduced.size[d] != x->shape.size[d])
            break;
        joined.size[axis] = reduced.size[d];
    }
    joined.ndim = axis + 1;
    joined.size[axis] = 1;
    for (int i = axis; i < order.ndim; i++)
        joined.size[axis] *= x->shape.size[order.size[i]];
    tg_tensor *y = tg_reshape_at(at, tg_permute_at(at, x, order), joined);
    y = tg_apply(at, op, 1, &y, &axis, sizeof axis);
    return tg_is_error(y) ? y : tg_drop_dims(at, tg_reshape_at(at, y, reduced), keepdim, dims);
}

static tg_tensor *sum_along(const tg_node *n, tg_tensor *x)
{
    return tg_sum_dim_at(n->at, x, true, TG_SHAPE(*(const int *)n->attr));
}

/* ---- max_dim, min_dim: with size 1 along the axis -------------------------------------------- */

static tg_tensor *extreme(const tg_node *n, tg_along op)
{
    const int axis = checked_axis(n);
    const tg_tensor *x = n->in[0];
    const tg_rows rows = tg_rows_along(&x->shape, axis < 0 ? 0 : axis);
    if (axis < 0)
        return tg_error_tensor();
    tg_shape shape = x->shape;
    shape.size[axis] = 1;
    if (rows.count == 0 && rows.outer * rows.inner > 0)
        return tg_reject(n, "%s to %s: of no elements there is no largest", TG_TEXT(x->shape),
                         TG_TEXT(shape));
    return value_along(n, op, true);
}

/* Equal ones share the gradient; if the largest is NaN, all that are NaN. */
static void extreme_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *x = tg_detach(n->in[0]), *y = tg_detach(n->out);
    tg_tensor *is_largest = tg_where_at(n->at, tg_ne_at(n->at, y, y), tg_ne_at(n->at, x, x),
                                        tg_eq_at(n->at, x, y));
    tg_tensor *one = tg_scalar(g->dtype, 1), *zero = tg_scalar(g->dtype, 0);
    tg_tensor *count = sum_along(n, tg_where_at(n->at, is_largest, one, zero));
    dx[0] = tg_where_at(n->at, is_largest, tg_div_at(n->at, g, count), zero);
}

static void extreme_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = along(n, TG_ALONG_MAX_GRADIENT, false, 3, (tg_tensor *[]){n->in[0], n->out, g});
}

#define EXTREME(op, kernel)                                                                        \
    static tg_tensor *op##_forward(const tg_node *n)                                               \
    {                                                                                              \
        return extreme(n, kernel);                                                                 \
    }                                                                                              \
    const tg_op tg_op_##op = {.name = #op,                                                         \
                              .arity = 1,                                                          \
                              .forward = op##_forward,                                             \
                              .backward = extreme_backward,                                        \
                              .fused = extreme_fused,                                              \
                              .saves = TG_SAVES(0) | TG_SAVES_RESULT};                             \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)             \
    {                                                                                              \
        return reduce(at, &tg_op_##op, x, keepdim, dims);                                          \
    }
EXTREME(max_dim, TG_ALONG_MAX)
EXTREME(min_dim, TG_ALONG_MIN)

/* ---- logsumexp: with size 1 along the axis --------------------------------------------------- */

static tg_tensor *logsumexp_forward(const tg_node *n)
{
    return value_along(n, TG_ALONG_LOGSUMEXP, true);
}

/* dx = g exp(x - c) / sum(exp(x - c)), with c = y where that is finite, else 0 */
static void logsumexp_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *y = tg_detach(n->out), *zero = tg_scalar(g->dtype, 0);
    tg_tensor *c = tg_where_at(n->at, tg_eq_at(n->at, tg_sub_at(n->at, y, y), zero), y, zero);
    tg_tensor *e = tg_exp_at(n->at, tg_sub_at(n->at, n->in[0], c));
    dx[0] = tg_mul_at(n->at, e, tg_div_at(n->at, g, sum_along(n, e)));
}

static void logsumexp_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = along(n, TG_ALONG_LOGSUMEXP_GRADIENT, false, 2, (tg_tensor *[]){n->in[0], g});
}

TG_DEFINE_OP(logsumexp, 1, TG_SAVES(0) | TG_SAVES_RESULT, .fused = logsumexp_fused);

tg_tensor *tg_logsumexp_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    return reduce(at, &tg_op_logsumexp, x, keepdim, dims);
}

/* ---- softmax, log_softmax -------------------------------------------------------------------- */

static tg_tensor *softmax_forward(const tg_node *n)
{
    return value_along(n, TG_ALONG_SOFTMAX, false);
}

static void softmax_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *mean = sum_along(n, tg_mul_at(n->at, g, n->out));
    dx[0] = tg_mul_at(n->at, n->out, tg_sub_at(n->at, g, mean));
}

static void softmax_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = along(n, TG_ALONG_SOFTMAX_GRADIENT, false, 2, (tg_tensor *[]){n->out, g});
}

TG_DEFINE_OP(softmax, 1, TG_SAVES_RESULT, .fused = softmax_fused);

static tg_tensor *log_softmax_forward(const tg_node *n)
{
    return value_along(n, TG_ALONG_LOG_SOFTMAX, false);
}

static void log_softmax_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *softmax = tg_exp_at(n->at, n->out);
    dx[0] = tg_sub_at(n->at, g, tg_mul_at(n->at, softmax, sum_along(n, g)));
}

static void log_softmax_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = along(n, TG_ALONG_LOG_SOFTMAX_GRADIENT, false, 2, (tg_tensor *[]){n->out, g});
}

TG_DEFINE_OP(log_softmax, 1, TG_SAVES_RESULT, .fused = log_softmax_fused);

tg_tensor *tg_softmax_at(const char *at, tg_tensor *x, int dim)
{
    return reduce(at, &tg_op_softmax, x, true, TG_SHAPE(dim));
}

tg_tensor *tg_log_softmax_at(const char *at, tg_tensor *x, int dim)
{
    return reduce(at, &tg_op_log_softmax, x, true, TG_SHAPE(dim));
}
