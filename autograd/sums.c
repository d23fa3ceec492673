/* sum_to, and what follows from it: sums, means and variances over all or some dimensions; cumsum. */
#include "autograd/ops-internal.h"

/* ---- sum_to: x -> shape, where shape broadcasts to x's --------------------------------------- */

/* A reduction over nothing: a tensor of its own all the same, as in PyTorch. */
static tg_tensor *copied(const tg_node *n, const tg_tensor *x)
{
    tg_tensor *y = tg_result(n, x->dtype, x->shape);
    if (!tg_is_error(y))
        tg_copy_elements(y, x);
    return y;
}

/* x, contiguous, summed over the dimensions in which target has size 1 and x has not. */
static tg_tensor *sum_dense(const tg_node *n, tg_tensor *x, const tg_shape *target)
{
    tg_shape left = x->shape; /* what is not summed yet */
    for (int d = 0; d < left.ndim && !tg_is_error(x); d++) {
        tg_rows rows = {1, 1, 1};
        for (int i = 0; i < d; i++)
            rows.outer *= left.size[i];
        int end = d; /* d .. end: neighbours that all go, in one pass */
        for (; end < left.ndim && target->size[end] != left.size[end]; end++) {
            rows.count *= left.size[end];
            left.size[end] = 1;
        }
        if (end == d)
            continue;
        for (int i = end; i < left.ndim; i++)
            rows.inner *= left.size[i];
        tg_tensor *to = tg_result(n, x->dtype, left);
        if (!tg_is_error(to))
            tg_sum_middle(x->dtype, rows, to->data, x->data);
        x = to;
    }
    return x;
}

static tg_tensor *sum_to_forward(const tg_node *n)
{
    tg_tensor *x = n->in[0];
    const tg_shape *shape = n->attr;
    if (shape->ndim > TG_MAX_DIMS || !tg_broadcasts_to(shape, &x->shape))
        return tg_reject(n, "%s does not broadcast to %s", TG_TEXT(*shape), TG_TEXT(x->shape));
    const int shift = x->shape.ndim - shape->ndim;
    tg_shape target = x->shape, order, ordered; /* target: the result's, with x's dimensions */
    for (int d = 0; d < target.ndim; d++)
        target.size[d] = d < shift ? 1 : shape->size[d - shift];
    int64_t times = 1; /* of dimensions that repeat one element, a sum is its multiple */
    x = tg_tensor_alias(x);
    for (int d = 0; d < target.ndim; d++)
        if (x->stride[d] == 0 && target.size[d] != x->shape.size[d] && x->shape.size[d] > 0) {
            times *= x->shape.size[d];
            x->shape.size[d] = 1;
        }
    x = tg_dense(n->at, x, &order);
    ordered = target;
    for (int d = 0; d < order.ndim; d++)
        ordered.size[d] = target.size[order.size[d]];
    x = sum_dense(n, x, &ordered);
    if (order.ndim > 0) /* the result is contiguous, as in PyTorch */
        x = tg_contiguous_at(n->at, tg_in_order(n->at, x, &order, true));
    if (times != 1)
        x = tg_mul_scalar_at(n->at, x, (double)times);
    if (tg_is_error(x))
        return tg_error_tensor();
    tg_tensor *y = tg_tensor_alias(x);
    y->shape = *shape;
    for (int d = 0; d < shape->ndim; d++)
        y->stride[d] = x->stride[d + shift];
    return y->data == n->in[0]->data ? copied(n, y) : y;
}

static void sum_to_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_expand_at(n->at, g, n->in[0]->shape);
}

TG_DEFINE_OP(sum_to, 1, TG_SAVES_NOTHING);

tg_tensor *tg_sum_to_at(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_apply(at, &tg_op_sum_to, 1, &x, &shape, sizeof shape);
}

/* ---- over all elements ----------------------------------------------------------------------- */

tg_tensor *tg_sum_at(const char *at, tg_tensor *x)
{
    TG_FUNCTION("sum");
    return tg_sum_to_at(at, x, (tg_shape){.ndim = 0});
}

/* A sum of x's elements divided by how many of them each of its own elements has. */
static tg_tensor *divided(const char *at, tg_tensor *sum, const tg_tensor *x)
{
    if (tg_is_error(sum))
        return sum;
    return tg_div_scalar_at(at, sum, (double)tg_numel(x) / (double)tg_numel(sum));
}

tg_tensor *tg_mean_at(const char *at, tg_tensor *x)
{
    TG_FUNCTION("mean");
    return divided(at, tg_sum_at(at, x), x);
}

/* ---- over some dimensions -------------------------------------------------------------------- */

bool tg_reduced_shape(const char *at, const char *op, const tg_tensor *x, tg_shape dims,
                      tg_shape *shape)
{
    if (!tg_usable(at, op, x))
        return false;
    bool valid = dims.ndim > 0 && dims.ndim <= TG_MAX_DIMS, seen[TG_MAX_DIMS] = {false};
    *shape = x->shape;
    for (int i = 0; valid && i < dims.ndim; i++) {
        const int d = tg_axis(&x->shape, dims.size[i]);
        valid = d >= 0 && !seen[d];
        if (valid) {
            seen[d] = true;
            shape->size[d] = 1;
        }
    }
    if (!valid)
        tg_misuse(at, op, "dimensions %s of %s", TG_TEXT(dims), TG_TEXT(x->shape));
    return valid;
}

tg_tensor *tg_drop_dims(const char *at, tg_tensor *y, bool keepdim, tg_shape dims)
{
    if (keepdim || tg_is_error(y))
        return y;
    bool drops[TG_MAX_DIMS] = {false};
    for (int i = 0; i < dims.ndim; i++)
        drops[tg_axis(&y->shape, dims.size[i])] = true;
    tg_shape shape = {.ndim = 0};
    for (int d = 0; d < y->shape.ndim; d++)
        if (!drops[d])
            shape.size[shape.ndim++] = y->shape.size[d];
    return tg_reshape_at(at, y, shape);
}

tg_tensor *tg_sum_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("sum_dim");
    tg_shape shape;
    if (!tg_reduced_shape(at, "sum_dim", x, dims, &shape))
        return tg_error_tensor();
    return tg_drop_dims(at, tg_sum_to_at(at, x, shape), keepdim, dims);
}

tg_tensor *tg_mean_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("mean_dim");
    return divided(at, tg_sum_dim_at(at, x, keepdim, dims), x);
}

tg_tensor *tg_var_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("var_dim");
    tg_tensor *mean = tg_mean_dim_at(at, x, true, dims);
    tg_tensor *sum = tg_sum_dim_at(at, tg_squared_error_at(at, x, mean), keepdim, dims);
    if (tg_is_error(sum))
        return sum;
    const double count = (double)tg_numel(x) / (double)tg_numel(mean);
    return tg_div_scalar_at(at, sum, count > 1 ? count - 1 : 0); /* NaN of fewer than two */
}

/* The root of a variance or a sum of squares. Where that is 0, it has the gradient 0, as in PyTorch:
 * there the root passes it on to what it is made of. */
static tg_tensor *root(const char *at, tg_tensor *square)
{
    if (tg_is_error(square))
        return square;
    tg_tensor *is_zero = tg_logical_not_at(at, square);
    tg_tensor *one = tg_full_at(at, square->dtype, 1, (tg_shape){.ndim = 0});
    return tg_where_at(at, is_zero, square, tg_sqrt_at(at, tg_where_at(at, is_zero, one, square)));
}

tg_tensor *tg_std_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("std_dim");
    return root(at, tg_var_dim_at(at, x, keepdim, dims));
}

tg_tensor *tg_norm_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("norm");
    return root(at, tg_sum_dim_at(at, tg_square_at(at, x), keepdim, dims));
}

tg_tensor *tg_normalize_at(const char *at, tg_tensor *x, int dim, double eps)
{
    TG_FUNCTION("normalize");
    tg_tensor *norm = tg_norm_at(at, x, true, TG_SHAPE(dim));
    return tg_div_at(at, x, tg_clamp_min_scalar_at(at, norm, eps));
}

/* ---- cumsum: x -> the same shape ------------------------------------------------------------- */

typedef struct cumsum_attr {
    int axis;
    bool from_end;
} cumsum_attr;

static tg_tensor *cumsum_from(const char *at, tg_tensor *x, int axis, bool from_end)
{
    const cumsum_attr attr = {axis, from_end};
    return tg_apply(at, &tg_op_cumsum, 1, &x, &attr, sizeof attr);
}

static tg_tensor *cumsum_forward(const tg_node *n)
{
    const cumsum_attr *a = n->attr;
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, n->in[0]->dtype, n->in[0]->shape);
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    const tg_kernels *kernels = tg_kernels_get();
    const tg_rows rows = tg_rows_along(&y->shape, a->axis);
    const int64_t size = (int64_t)tg_dtype_size(y->dtype), step = rows.count * rows.inner * size;
    tg_along_rows(a->from_end ? kernels->cumsum_from_end[y->dtype] : kernels->cumsum[y->dtype],
                  rows, (tg_row_operand){y->data, step, rows.count, size}, 1,
                  &(tg_row_operand){x->data, step, rows.count, size});
    return y;
}

static void cumsum_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const cumsum_attr *a = n->attr;
    dx[0] = cumsum_from(n->at, g, a->axis, !a->from_end);
}

TG_DEFINE_OP(cumsum, 1, TG_SAVES_NOTHING);

tg_tensor *tg_cumsum_at(const char *at, tg_tensor *x, int dim)
{
    if (!tg_usable(at, "cumsum", x))
        return tg_error_tensor();
    const int axis = tg_axis(&x->shape, dim);
    if (axis < 0)
        return tg_misuse(at, "cumsum", "dimension %d of %s", dim, TG_TEXT(x->shape));
    return cumsum_from(at, x, axis, false);
}
