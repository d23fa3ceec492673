/* view, permute, squeeze, narrow, expand and what follows from them: results share their operand's
 * data; and contiguous. */
#include "autograd/ops-internal.h"

/* ---- view ------------------------------------------------------------------------------------ */

static tg_tensor *view_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    tg_shape shape = *(const tg_shape *)n->attr;
    int free = -1;
    bool valid = shape.ndim <= TG_MAX_DIMS;
    int64_t known = 1;
    for (int d = 0; valid && d < shape.ndim; d++) {
        if (shape.size[d] >= 0) {
            valid = !__builtin_mul_overflow(known, shape.size[d], &known);
        } else {
            valid = shape.size[d] == -1 && free < 0;
            free = d;
        }
    }
    const int64_t count = tg_numel(x);
    if (valid && free >= 0) {
        valid = known > 0 && count % known == 0;
        shape.size[free] = valid ? count / known : -1;
    } else {
        valid = valid && known == count;
    }
    if (!valid)
        return tg_reject(n, "%s as %s: the same number of elements expected", TG_TEXT(x->shape),
                         TG_TEXT(shape));
    if (!tg_shape_is_valid(n->at, n->op->name, &shape))
        return tg_error_tensor();
    if (!tg_is_contiguous(x))
        return tg_reject(n, "%s has gaps or another order: take tg_contiguous first",
                         TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape = shape;
    tg_contiguous_strides(&shape, y->stride);
    return y;
}

static void view_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_reshape_at(n->at, g, n->in[0]->shape);
}

TG_DEFINE_OP(view, 1, 0);

tg_tensor *tg_view_at(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_apply(at, &tg_op_view, 1, &x, &shape, sizeof shape);
}

tg_tensor *tg_reshape_at(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_view_at(at, tg_contiguous_at(at, x), shape);
}

/* ---- permute --------------------------------------------------------------------------------- */

typedef struct permute_attr {
    int from[TG_MAX_DIMS]; /* dimension d of the result is dimension from[d] of the operand */
} permute_attr;

static tg_tensor *permute_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const permute_attr *p = n->attr;
    tg_tensor *y = tg_tensor_alias(x);
    for (int d = 0; d < x->shape.ndim; d++) {
        y->shape.size[d] = x->shape.size[p->from[d]];
        y->stride[d] = x->stride[p->from[d]];
    }
    return y;
}

static void permute_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const permute_attr *p = n->attr;
    permute_attr inverse;
    for (int d = 0; d < g->shape.ndim; d++)
        inverse.from[p->from[d]] = d;
    dx[0] = tg_apply(n->at, n->op, 1, &g, &inverse, sizeof inverse);
}

TG_DEFINE_OP(permute, 1, 0);

tg_tensor *tg_permute_at(const char *at, tg_tensor *x, tg_shape dims)
{
    if (!tg_usable(at, "permute", x))
        return tg_error_tensor();
    permute_attr p;
    bool valid = dims.ndim == x->shape.ndim, seen[TG_MAX_DIMS] = {false};
    for (int d = 0; valid && d < dims.ndim; d++) {
        p.from[d] = tg_dimension(&x->shape, (int)dims.size[d]);
        valid = p.from[d] >= 0 && !seen[p.from[d]];
        if (valid)
            seen[p.from[d]] = true;
    }
    if (!valid)
        return tg_misuse(at, "permute", "%s in the order %s: each dimension once expected",
                         TG_TEXT(x->shape), TG_TEXT(dims));
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

tg_tensor *tg_transpose_at(const char *at, tg_tensor *x, int dim0, int dim1)
{
    if (!tg_usable(at, "transpose", x))
        return tg_error_tensor();
    const int a = tg_dimension(&x->shape, dim0), b = tg_dimension(&x->shape, dim1);
    if (a < 0 || b < 0)
        return tg_misuse(at, "transpose", "dimensions %d and %d of %s", dim0, dim1,
                         TG_TEXT(x->shape));
    permute_attr p;
    for (int d = 0; d < TG_MAX_DIMS; d++)
        p.from[d] = d;
    p.from[a] = b;
    p.from[b] = a;
    return tg_apply(at, &tg_op_permute, 1, &x, &p, sizeof p);
}

/* ---- squeeze and unsqueeze: a dimension of size 1 goes or comes ------------------------------ */

typedef struct squeeze_attr {
    int dim;
} squeeze_attr;

static tg_tensor *squeeze_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const int dim = tg_dimension(&x->shape, ((const squeeze_attr *)n->attr)->dim);
    if (dim < 0 || x->shape.size[dim] != 1)
        return tg_reject(n, "dimension %d of %s: size 1 expected",
                         ((const squeeze_attr *)n->attr)->dim, TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.ndim--;
    for (int d = dim; d < y->shape.ndim; d++) {
        y->shape.size[d] = x->shape.size[d + 1];
        y->stride[d] = x->stride[d + 1];
    }
    return y;
}

static void squeeze_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const int dim = ((const squeeze_attr *)n->attr)->dim;
    dx[0] = tg_unsqueeze_at(n->at, g, tg_dimension(&n->in[0]->shape, dim));
}

TG_DEFINE_OP(squeeze, 1, 0);

static tg_tensor *unsqueeze_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const int ndim = x->shape.ndim + 1, given = ((const squeeze_attr *)n->attr)->dim;
    const int dim = given < 0 ? given + ndim : given;
    if (dim < 0 || dim >= ndim || ndim > TG_MAX_DIMS)
        return tg_reject(n, "a dimension of size 1 at %d of %s", given, TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.ndim = ndim;
    for (int d = ndim - 1; d > dim; d--) {
        y->shape.size[d] = x->shape.size[d - 1];
        y->stride[d] = x->stride[d - 1];
    }
    y->shape.size[dim] = 1;
    y->stride[dim] = dim + 1 < ndim ? y->shape.size[dim + 1] * y->stride[dim + 1] : 1;
    return y;
}

static void unsqueeze_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const int dim = ((const squeeze_attr *)n->attr)->dim;
    dx[0] = tg_squeeze_at(n->at, g, dim < 0 ? dim + g->shape.ndim : dim);
}

TG_DEFINE_OP(unsqueeze, 1, 0);

tg_tensor *tg_squeeze_at(const char *at, tg_tensor *x, int dim)
{
    const squeeze_attr attr = {dim};
    return tg_apply(at, &tg_op_squeeze, 1, &x, &attr, sizeof attr);
}

tg_tensor *tg_unsqueeze_at(const char *at, tg_tensor *x, int dim)
{
    const squeeze_attr attr = {dim};
    return tg_apply(at, &tg_op_unsqueeze, 1, &x, &attr, sizeof attr);
}

/* ---- narrow ---------------------------------------------------------------------------------- */

typedef struct narrow_attr {
    int dim;
    int64_t start, length;
} narrow_attr;

static tg_tensor *narrow_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const narrow_attr *a = n->attr;
    const int dim = tg_dimension(&x->shape, a->dim);
    if (dim < 0 || a->start < 0 || a->length < 0 || a->start > x->shape.size[dim] - a->length)
        return tg_reject(n, "%lld elements from %lld on in dimension %d of %s",
                         (long long)a->length, (long long)a->start, a->dim, TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.size[dim] = a->length;
    y->data = (char *)x->data + a->start * x->stride[dim] * (int64_t)tg_dtype_size(x->dtype);
    return y;
}

static void narrow_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const narrow_attr *a = n->attr;
    const tg_shape *shape = &n->in[0]->shape;
    dx[0] = tg_pad_at(n->at, g, a->dim, a->start, shape->size[tg_dimension(shape, a->dim)]);
}

TG_DEFINE_OP(narrow, 1, 0);

tg_tensor *tg_narrow_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t length)
{
    const narrow_attr attr = {dim, start, length};
    return tg_apply(at, &tg_op_narrow, 1, &x, &attr, sizeof attr);
}

tg_tensor *tg_select_at(const char *at, tg_tensor *x, int dim, int64_t index)
{
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

TG_DEFINE_OP(expand, 1, 0);

tg_tensor *tg_expand_at(const char *at, tg_tensor *x, tg_shape shape)
{
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

TG_DEFINE_OP(contiguous, 1, 0);

tg_tensor *tg_contiguous_at(const char *at, tg_tensor *x)
{
    if (tg_usable(at, "contiguous", x) && tg_is_contiguous(x) && !x->rows)
        return x;
    return tg_apply(at, &tg_op_contiguous, 1, &x, NULL, 0);
}
