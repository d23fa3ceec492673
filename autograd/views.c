/* view, transpose, narrow, expand: results share their operand's data; and contiguous. */
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
    dx[0] = tg_view_at(n->at, tg_contiguous_at(n->at, g), n->in[0]->shape);
}

TG_DEFINE_OP(view, 1);

tg_tensor *tg_view_at(const char *at, tg_tensor *x, tg_shape shape)
{
    return tg_apply(at, &tg_op_view, 1, &x, &shape, sizeof shape);
}

/* ---- transpose ------------------------------------------------------------------------------- */

typedef struct transpose_attr {
    int dim0, dim1;
} transpose_attr;

static tg_tensor *transpose_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const transpose_attr *dims = n->attr;
    const int a = tg_dimension(&x->shape, dims->dim0), b = tg_dimension(&x->shape, dims->dim1);
    if (a < 0 || b < 0)
        return tg_reject(n, "dimensions %d and %d of %s", dims->dim0, dims->dim1,
                         TG_TEXT(x->shape));
    tg_tensor *y = tg_tensor_alias(x);
    y->shape.size[a] = x->shape.size[b];
    y->shape.size[b] = x->shape.size[a];
    y->stride[a] = x->stride[b];
    y->stride[b] = x->stride[a];
    return y;
}

static void transpose_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const transpose_attr *dims = n->attr;
    dx[0] = tg_transpose_at(n->at, g, dims->dim0, dims->dim1);
}

TG_DEFINE_OP(transpose, 1);

tg_tensor *tg_transpose_at(const char *at, tg_tensor *x, int dim0, int dim1)
{
    const transpose_attr attr = {dim0, dim1};
    return tg_apply(at, &tg_op_transpose, 1, &x, &attr, sizeof attr);
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

TG_DEFINE_OP(narrow, 1);

tg_tensor *tg_narrow_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t length)
{
    const narrow_attr attr = {dim, start, length};
    return tg_apply(at, &tg_op_narrow, 1, &x, &attr, sizeof attr);
}

/* ---- expand ---------------------------------------------------------------------------------- */

static tg_tensor *expand_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const tg_shape *shape = n->attr;
    if (shape->ndim > TG_MAX_DIMS || !tg_broadcasts_to(&x->shape, shape))
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

TG_DEFINE_OP(expand, 1);

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

TG_DEFINE_OP(contiguous, 1);

tg_tensor *tg_contiguous_at(const char *at, tg_tensor *x)
{
    if (tg_usable(at, "contiguous", x) && tg_is_contiguous(x) && !x->rows)
        return x;
    return tg_apply(at, &tg_op_contiguous, 1, &x, NULL, 0);
}
