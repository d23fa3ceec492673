/* view, permute, narrow, expand and what follows from them: results share their operand's data; and
 * contiguous. */
#include <string.h>

#include "autograd/ops-internal.h"

/* ---- view ------------------------------------------------------------------------------------ */

/* Put what is left in the place of a size of -1; false where the sizes do not give x's number of
 * elements. */
static bool complete(const tg_tensor *x, tg_shape *shape)
{
    int free = -1;
    int64_t known = 1;
    for (int d = 0; d < shape->ndim; d++) {
        if (shape->size[d] >= 0) {
            if (__builtin_mul_overflow(known, shape->size[d], &known))
                return false;
        } else {
            if (shape->size[d] != -1 || free >= 0)
                return false;
            free = d;
        }
    }
    const int64_t count = tg_numel(x);
    if (free < 0)
        return known == count;
    if (known == 0 || count % known != 0)
        return false;
    shape->size[free] = count / known;
    return true;
}

/* Divide a run of `count` elements, `step` apart, among the dimensions of `shape` from *d down;
 * false where no number of dimensions has so many. */
static bool split_run(int64_t count, int64_t step, const tg_shape *shape, int *d, int64_t *stride)
{
    int64_t done = 1;
    for (; *d >= 0 && (done < count || shape->size[*d] == 1); (*d)--) {
        stride[*d] = done * step;
        done *= shape->size[*d];
    }
    return done == count;
}

/* The strides of x's elements in another shape of as many, by PyTorch's rule: neighbouring
 * dimensions through which one stride runs are a run, which may be divided anew; false where a
 * dimension of the result would reach over the end of a run. */
static bool view_strides(const tg_tensor *x, const tg_shape *shape, int64_t stride[TG_MAX_DIMS])
{
    tg_contiguous_strides(shape, stride);
    if (tg_numel(x) == 0)
        return true;
    int to = shape->ndim - 1;
    int64_t count = 1, step = 1;
    for (int d = x->shape.ndim - 1; d >= 0; d--) {
        if (x->shape.size[d] == 1)
            continue;
        if (x->stride[d] != count * step) {
            if (!split_run(count, step, shape, &to, stride))
                return false;
            count = 1;
            step = x->stride[d];
        }
        count *= x->shape.size[d];
    }
    return split_run(count, step, shape, &to, stride);
}

static tg_tensor *view_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    tg_shape shape = *(const tg_shape *)n->attr;
    int64_t stride[TG_MAX_DIMS];
    if (shape.ndim > TG_MAX_DIMS)
        return tg_reject(n, "%d dimensions; at most %d expected", shape.ndim, TG_MAX_DIMS);
    if (!complete(x, &shape))
        return tg_reject(n, "%s as %s: the same number of elements expected", TG_TEXT(x->shape),
                         TG_TEXT(shape));
    if (!tg_shape_is_valid(n->at, n->op->name, &shape))
        return tg_error_tensor();
    if (!view_strides(x, &shape, stride))
        return tg_reject(n, "%s has gaps or another order: take tg_contiguous first",
                         TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape = shape;
    memcpy(y->stride, stride, sizeof stride);
    return y;
}

static void view_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_reshape_at(n->at, g, n->in[0]->shape);
}

TG_DEFINE_OP(view, 1, TG_SAVES_NOTHING);

tg_tensor *tg_view_at(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_apply(at, &tg_op_view, 1, &x, &shape, sizeof shape);
}

tg_tensor *tg_reshape_at(const char *at, tg_tensor *x, tg_shape shape)
{
    TG_FUNCTION("reshape");
    if (!tg_usable(at, "reshape", x))
        return tg_error_tensor();
    tg_shape whole = shape;
    int64_t stride[TG_MAX_DIMS];
    if (tg_numel(x) > 0 && shape.ndim <= TG_MAX_DIMS && complete(x, &whole) &&
        !view_strides(x, &whole, stride))
        x = tg_contiguous_at(at, x);
    return tg_view_at(at, x, shape);
}

/* ---- permute: and squeeze, unsqueeze: dimensions of size 1 may go and come ------------------- */

typedef struct permute_attr {
    int ndim;
    int from[TG_MAX_DIMS]; /* dimension d of the result is from[d] of the operand; -1: a new one */
} permute_attr;

static tg_tensor *permute_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const permute_attr *p = n->attr;
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.ndim = p->ndim;
    for (int d = 0; d < p->ndim; d++) {
        y->shape.size[d] = p->from[d] < 0 ? 1 : x->shape.size[p->from[d]];
        y->stride[d] = p->from[d] < 0 ? 1 : x->stride[p->from[d]];
    }
    return y;
}

static void permute_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const permute_attr *p = n->attr;
    permute_attr inverse = {.ndim = n->in[0]->shape.ndim};
    for (int d = 0; d < inverse.ndim; d++)
        inverse.from[d] = -1;
    for (int d = 0; d < p->ndim; d++)
        if (p->from[d] >= 0)
            inverse.from[p->from[d]] = d;
    dx[0] = tg_apply(n->at, n->op, 1, &g, &inverse, sizeof inverse);
}

TG_DEFINE_OP(permute, 1, TG_SAVES_NOTHING);

tg_tensor *tg_permute_at(const char *at, tg_tensor *x, tg_shape dims)
{
    TG_FUNCTION("permute");
    if (!tg_usable(at, "permute", x))
        return tg_error_tensor();
    permute_attr p = {.ndim = x->shape.ndim};
    bool valid = dims.ndim == p.ndim, seen[TG_MAX_DIMS] = {false};
    for (int d = 0; valid && d < p.ndim; d++) {
        p.from[d] = tg_dimension(&x->shape, dims.size[d]);
        valid = p.from[d] >= 0 && !seen[p.from[d]];
        if (valid)
            seen[p.from[d]] = true;
    }
    if (!valid)
        return tg_misuse(at, "permute", "%s in the order %s: each dimension once expected",
                         TG_TEXT(x->shape), TG_TEXT(dims));
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

tg_tensor *tg_in_order(const char *at, tg_tensor *x, const tg_shape *order, bool back)
{
    tg_shape dims = *order;
    if (order->ndim == 0 || tg_is_error(x))
        return x;
    for (int d = 0; d < order->ndim && back; d++)
        dims.size[order->size[d]] = d;
    return tg_permute_at(at, x, dims);
}

tg_shape tg_memory_order(const tg_tensor *x)
{
    tg_shape order = {.ndim = x->shape.ndim};
    for (int d = 0; d < order.ndim; d++) {
        int to = d;
        for (; to > 0 && x->stride[order.size[to - 1]] < x->stride[d]; to--)
            order.size[to] = order.size[to - 1];
        order.size[to] = d;
    }
    return order;
}

tg_tensor *tg_dense(const char *at, tg_tensor *x, tg_shape *order)
{
    *order = (tg_shape){.ndim = 0};
    if (tg_is_contiguous(x))
        return x;
    *order = tg_memory_order(x);
    tg_tensor *y = tg_in_order(at, x, order, false);
    if (tg_is_contiguous(y))
        return y;
    order->ndim = 0;
    return tg_contiguous_at(at, x);
}

/* A dimension as tg_dimension gives it; a tensor () takes 0 and -1, as one of shape (1) does. */
static int dimension_of(const tg_shape *shape, int dim)
{
    return tg_dimension(shape->ndim == 0 ? &(tg_shape){.ndim = 1} : shape, dim);
}

tg_tensor *tg_transpose_at(const char *at, tg_tensor *x, int dim0, int dim1)
{
    TG_FUNCTION("transpose");
    if (!tg_usable(at, "transpose", x))
        return tg_error_tensor();
    const int a = dimension_of(&x->shape, dim0), b = dimension_of(&x->shape, dim1);
    if (a < 0 || b < 0)
        return tg_misuse(at, "transpose", "dimensions %d and %d of %s", dim0, dim1,
                         TG_TEXT(x->shape));
    permute_attr p = {.ndim = x->shape.ndim};
    for (int d = 0; d < p.ndim; d++)
        p.from[d] = d == a ? b : d == b ? a : d;
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

tg_tensor *tg_t_at(const char *at, tg_tensor *x)
{
    TG_FUNCTION("t");
    if (!tg_usable(at, "t", x))
        return tg_error_tensor();
    if (x->shape.ndim > 2)
        return tg_misuse(at, "t", "%s: at most two dimensions expected", TG_TEXT(x->shape));
    return tg_transpose_at(at, x, 0, -1);
}

tg_tensor *tg_squeeze_at(const char *at, tg_tensor *x, int dim)
{
    TG_FUNCTION("squeeze");
    if (!tg_usable(at, "squeeze", x))
        return tg_error_tensor();
    const int dropped = dimension_of(&x->shape, dim);
    if (dropped < 0)
        return tg_misuse(at, "squeeze", "dimension %d of %s", dim, TG_TEXT(x->shape));
    const bool goes = x->shape.ndim > 0 && x->shape.size[dropped] == 1;
    permute_attr p = {.ndim = x->shape.ndim - goes};
    for (int d = 0; d < p.ndim; d++)
        p.from[d] = goes && d >= dropped ? d + 1 : d;
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

tg_tensor *tg_unsqueeze_at(const char *at, tg_tensor *x, int dim)
{
    TG_FUNCTION("unsqueeze");
    if (!tg_usable(at, "unsqueeze", x))
        return tg_error_tensor();
    permute_attr p = {.ndim = x->shape.ndim + 1};
    const int new = dim < 0 ? dim + p.ndim : dim;
    if (new < 0 || new >= p.ndim || p.ndim > TG_MAX_DIMS)
        return tg_misuse(at, "unsqueeze", "a dimension of size 1 at %d of %s", dim,
                         TG_TEXT(x->shape));
    for (int d = 0; d < p.ndim; d++)
        p.from[d] = d < new ? d : d == new ? -1 : d - 1;
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

/* ---- narrow ---------------------------------------------------------------------------------- */

typedef struct narrow_attr {
    int dim;
    int64_t start, length;
} narrow_attr;

/* Where the elements begin in a dimension of `size`, counted from its start. */
static int64_t narrow_start(const narrow_attr *a, int64_t size)
{
    return a->start < 0 ? a->start + size : a->start;
}

static tg_tensor *narrow_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const narrow_attr *a = n->attr;
    const int dim = tg_dimension(&x->shape, a->dim);
    const int64_t size = dim < 0 ? 0 : x->shape.size[dim], start = narrow_start(a, size);
    if (dim < 0 || start < 0 || a->length < 0 || start > size - a->length)
        return tg_reject(n, "%lld elements from %lld on in dimension %d of %s",
                         (long long)a->length, (long long)a->start, a->dim, TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.size[dim] = a->length;
    y->data = (char *)x->data + start * x->stride[dim] * (int64_t)tg_dtype_size(x->dtype);
    return y;
}

static void narrow_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const narrow_attr *a = n->attr;
    const tg_shape *shape = &n->in[0]->shape;
    const int dim = tg_dimension(shape, a->dim);
    const int64_t size = shape->size[dim];
    tg_shape order = {.ndim = 0}; /* the operand's in memory: there, no copy follows */
    int padded = dim;
    if (!tg_is_contiguous(n->in[0])) {
        order = tg_memory_order(n->in[0]);
        for (padded = 0; order.size[padded] != dim; padded++)
            continue;
    }
    g = tg_in_order(n->at, g, &order, false);
    g = tg_pad_at(n->at, g, padded, narrow_start(a, size), size);
    dx[0] = tg_in_order(n->at, g, &order, true);
}

/* Only where the elements are: of many parts of one operand, as the states of a recurrent network,
 * the first one alone is padded. */
static void narrow_add(const tg_node *n, tg_tensor *g, tg_tensor *dx)
{
    const narrow_attr *a = n->attr;
    tg_add_in_place(tg_narrow_at(n->at, dx, a->dim, a->start, a->length), g);
}

TG_DEFINE_OP(narrow, 1, TG_SAVES_NOTHING, .add = narrow_add);

tg_tensor *tg_narrow_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t length)
{
    const narrow_attr attr = {dim, start, length};
    return tg_apply(at, &tg_op_narrow, 1, &x, &attr, sizeof attr);
}

tg_tensor *tg_select_at(const char *at, tg_tensor *x, int dim, int64_t index)
{
    TG_FUNCTION("select");
    if (!tg_usable(at, "select", x))
        return tg_error_tensor();
    const int d = tg_dimension(&x->shape, dim);
    const int64_t i = d >= 0 && index < 0 ? index + x->shape.size[d] : index;
    if (d < 0 || i < 0 || i >= x->shape.size[d])
        return tg_misuse(at, "select", "index %lld of dimension %d of %s", (long long)index, dim,
                         TG_TEXT(x->shape));
    return tg_squeeze_at(at, tg_narrow_at(at, x, d, i, 1), d);
}

/* ---- expand ---------------------------------------------------------------------------------- */

static tg_tensor *expand_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const tg_shape *shape = n->attr;
    if (!tg_shape_is_valid(n->at, n->op->name, shape))
        return tg_error_tensor();
    if (!tg_broadcasts_to(&x->shape, shape))
        return tg_reject(n, "%s does not broadcast to %s", TG_TEXT(x->shape), TG_TEXT(*shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape = *shape;
    const int shift = shape->ndim - x->shape.ndim;
    for (int d = 0; d < shape->ndim; d++)
        y->stride[d] = d < shift || x->shape.size[d - shift] == 1 ? 0 : x->stride[d - shift];
    return y;
}

static void expand_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n;
    dx[0] = g; /* the engine sums it down */
}

TG_DEFINE_OP(expand, 1, TG_SAVES_NOTHING);

tg_tensor *tg_expand_at(const char *at, tg_tensor *x, tg_shape shape)
{
    if (!tg_usable(at, "expand", x))
        return tg_error_tensor();
    const int shift = shape.ndim - x->shape.ndim;
    for (int d = shift < 0 ? 0 : shift; d < shape.ndim && d < TG_MAX_DIMS; d++)
        if (shape.size[d] == -1) /* a new one has no size to keep */
            shape.size[d] = x->shape.size[d - shift];
    return tg_apply(at, &tg_op_expand, 1, &x, &shape, sizeof shape);
}

/* ---- contiguous ------------------------------------------------------------------------------ */

static tg_tensor *contiguous_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    tg_tensor *y = tg_result(n, x->dtype, x->shape);
    if (!tg_is_error(y))
        tg_copy_elements(y, x);
    return y;
}

static void contiguous_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n;
    dx[0] = g;
}

TG_DEFINE_OP(contiguous, 1, TG_SAVES_NOTHING);

tg_tensor *tg_contiguous_at(const char *at, tg_tensor *x)
{
    if (tg_usable(at, "contiguous", x) && tg_is_contiguous(x) && !x->rows)
        return x;
    return tg_apply(at, &tg_op_contiguous, 1, &x, NULL, 0);
}
