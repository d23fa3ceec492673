/* sum_to and max_to, and what follows from them: reductions over all or some dimensions. */
#include "autograd/ops-internal.h"

/* ---- sum_to: x -> shape, where shape broadcasts to x's --------------------------------------- */

/* out (outer, inner) = over the middle of x (outer, count, inner), both contiguous */
typedef void (*reduction)(tg_dtype dtype, int64_t outer, int64_t count, int64_t inner, void *out,
                          const void *x);

/* A reduction over nothing: a tensor of its own all the same, as in PyTorch. */
static tg_tensor *copied(const tg_node *n)
{
    tg_tensor *y = tg_result(n, n->in[0]->dtype, n->in[0]->shape);
    if (!tg_is_error(y))
        tg_copy_elements(y, n->in[0]);
    return y;
}

static tg_tensor *reduce_to(const tg_node *n, reduction reduce)
{
    const tg_tensor *x = n->in[0];
    const tg_shape *shape = n->attr;
    if (shape->ndim > TG_MAX_DIMS || !tg_broadcasts_to(shape, &x->shape))
        return tg_reject(n, "%s does not broadcast to %s", TG_TEXT(*shape), TG_TEXT(x->shape));
    if (x->dtype == TG_I64)
        return tg_reject(n, "i64; f32 or f64 expected");
    if (tg_shape_equal(shape, &x->shape))
        return copied(n);
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
            reduce(x->dtype, outer, count, inner, to->data, from->data);
        from = to;
    }
    if (tg_is_error(from))
        return tg_error_tensor();
    tg_tensor *y = tg_tensor_alias(from);
    y->shape = *shape;
    tg_contiguous_strides(shape, y->stride);
    return y;
}

static tg_tensor *sum_to_forward(const tg_node *n)
{
    return reduce_to(n, tg_sum_middle);
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

/* ---- max_to: the same, with the largest instead of the sum ----------------------------------- */

#define MAX_MIDDLE(T)                                                                              \
    static void max_middle_##T(int64_t outer, int64_t count, int64_t inner, T *out, const T *x)    \
    {                                                                                              \
        for (int64_t o = 0; o < outer; o++)                                                        \
            for (int64_t i = 0; i < inner; i++) {                                                  \
                const T *column = x + o * count * inner + i;                                       \
                T most = *column;                                                                  \
                for (int64_t k = 1; k < count; k++) {                                              \
                    const T next = column[k * inner];                                              \
                    most = next > most || next != next ? next : most; /* NaN stays */              \
                }                                                                                  \
                out[o * inner + i] = most;                                                         \
            }                                                                                      \
    }
MAX_MIDDLE(float)
MAX_MIDDLE(double)

static void max_middle(tg_dtype dtype, int64_t outer, int64_t count, int64_t inner, void *out,
                       const void *x)
{
    if (dtype == TG_F32)
        max_middle_float(outer, count, inner, out, x);
    else
        max_middle_double(outer, count, inner, out, x);
}

static tg_tensor *max_to_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    if (tg_numel(x) == 0 && tg_shape_numel(n->attr) > 0)
        return tg_reject(n, "%s to %s: of no elements there is no largest", TG_TEXT(x->shape),
                         TG_TEXT(*(const tg_shape *)n->attr));
    return reduce_to(n, max_middle);
}

/* Equal ones share the gradient; if the largest is NaN, all that are NaN. */
static void max_to_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *x = tg_detach(n->in[0]), *y = tg_detach(n->out);
    tg_tensor *is_largest = tg_where_at(n->at, tg_ne_at(n->at, y, y), tg_ne_at(n->at, x, x),
                                        tg_eq_at(n->at, x, y));
    tg_tensor *one = tg_scalar(g->dtype, 1), *zero = tg_scalar(g->dtype, 0);
    tg_tensor *count = tg_sum_to_at(n->at, tg_where_at(n->at, is_largest, one, zero), g->shape);
    dx[0] = tg_where_at(n->at, is_largest, tg_div_at(n->at, g, count), zero);
}

TG_DEFINE_OP(max_to, 1, TG_SAVES(0) | TG_SAVES_RESULT);

static tg_tensor *max_to(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_apply(at, &tg_op_max_to, 1, &x, &shape, sizeof shape);
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

/* x's shape with size 1 in `dims`; false, and misuse of op, where these are not dimensions of x. */
static bool reduced_shape(const char *at, const char *op, const tg_tensor *x, tg_shape dims,
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

/* y without the dimensions `dims`, which have size 1, unless they are kept. */
static tg_tensor *drop(const char *at, tg_tensor *y, bool keepdim, tg_shape dims)
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
    if (!reduced_shape(at, "sum_dim", x, dims, &shape))
        return tg_error_tensor();
    return drop(at, tg_sum_to_at(at, x, shape), keepdim, dims);
}

tg_tensor *tg_mean_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("mean_dim");
    return divided(at, tg_sum_dim_at(at, x, keepdim, dims), x);
}

tg_tensor *tg_max_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("max_dim");
    tg_shape shape;
    if (!reduced_shape(at, "max_dim", x, dims, &shape))
        return tg_error_tensor();
    return drop(at, max_to(at, x, shape), keepdim, dims);
}

tg_tensor *tg_min_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("min_dim");
    return tg_neg_at(at, tg_max_dim_at(at, tg_neg_at(at, x), keepdim, dims));
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

/* ---- exponentials ---------------------------------------------------------------------------- */

/* The largest elements, which are subtracted before exp; 0 where there are none. The results do not
 * depend on them, so they take no gradient. */
static tg_tensor *largest(const char *at, tg_tensor *x, tg_shape shape)
{
    tg_tensor *most = NULL;
    tg_no_grad {
        most = tg_numel(x) > 0 ? max_to(at, x, shape) : tg_zeros_at(at, x->dtype, shape);
    }
    return most;
}

/* most, with 0 in place of what is not finite: it must not be subtracted from itself. */
static tg_tensor *finite_or_zero(const char *at, tg_tensor *most)
{
    tg_tensor *zero = tg_scalar(most->dtype, 0);
    tg_tensor *is_finite = tg_eq_at(at, tg_sub_at(at, most, most), zero);
    return tg_where_at(at, is_finite, most, zero);
}

tg_tensor *tg_logsumexp_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims)
{
    TG_FUNCTION("logsumexp");
    tg_shape shape;
    if (!reduced_shape(at, "logsumexp", x, dims, &shape))
        return tg_error_tensor();
    tg_tensor *most = finite_or_zero(at, largest(at, x, shape));
    tg_tensor *sum = tg_sum_to_at(at, tg_exp_at(at, tg_sub_at(at, x, most)), shape);
    return drop(at, tg_add_at(at, tg_log_at(at, sum), most), keepdim, dims);
}

/* x minus its largest, never x minus logsumexp(x): that would round away what is left of x beside a
 * large offset of all. */
tg_tensor *tg_log_softmax_at(const char *at, tg_tensor *x, int dim)
{
    TG_FUNCTION("log_softmax");
    tg_shape shape;
    if (!reduced_shape(at, "log_softmax", x, TG_SHAPE(dim), &shape))
        return tg_error_tensor();
    tg_tensor *y = tg_sub_at(at, x, largest(at, x, shape));
    return tg_sub_at(at, y, tg_log_at(at, tg_sum_to_at(at, tg_exp_at(at, y), shape)));
}

tg_tensor *tg_softmax_at(const char *at, tg_tensor *x, int dim)
{
    TG_FUNCTION("softmax");
    tg_shape shape;
    if (!reduced_shape(at, "softmax", x, TG_SHAPE(dim), &shape))
        return tg_error_tensor();
    tg_tensor *y = tg_exp_at(at, tg_sub_at(at, x, largest(at, x, shape)));
    return tg_div_at(at, y, tg_sum_to_at(at, y, shape));
}
