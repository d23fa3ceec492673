/* pad and cat. */
#include <string.h>

#include "autograd/ops-internal.h"

/* Write x into y at `start` of dimension dim. */
static void place(const tg_tensor *y, const tg_tensor *x, int dim, int64_t start)
{
    tg_tensor part = *y;
    part.shape.size[dim] = x->shape.size[dim];
    part.data = (char *)y->data + start * y->stride[dim] * (int64_t)tg_dtype_size(y->dtype);
    tg_copy_elements(&part, x);
}

/* Zeros in y from `start` to `end` of dimension dim. */
static void clear(const tg_tensor *y, int dim, int64_t start, int64_t end)
{
    int64_t zero = 0; /* of any dtype */
    tg_tensor zeros = *y;
    zeros.data = &zero;
    zeros.shape.size[dim] = end - start;
    memset(zeros.stride, 0, sizeof zeros.stride);
    place(y, &zeros, dim, start);
}

/* ---- pad ------------------------------------------------------------------------------------- */

typedef struct pad_attr {
    int dim;
    int64_t start, size;
} pad_attr;

static tg_tensor *pad_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const pad_attr *a = n->attr;
    const int dim = tg_dimension(&x->shape, a->dim);
    if (dim < 0 || a->start < 0 || a->size < a->start || a->start > a->size - x->shape.size[dim])
        return tg_reject(n, "%s from %lld on in dimension %d of size %lld", TG_TEXT(x->shape),
                         (long long)a->start, a->dim, (long long)a->size);
    tg_shape shape = x->shape;
    shape.size[dim] = a->size;
    tg_tensor *y = tg_result(n, x->dtype, shape);
    if (tg_is_error(y))
        return y;
    clear(y, dim, 0, a->start);
    place(y, x, dim, a->start);
    clear(y, dim, a->start + x->shape.size[dim], a->size);
    return y;
}

static void pad_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const pad_attr *a = n->attr;
    const tg_shape *shape = &n->in[0]->shape;
    dx[0] = tg_narrow_at(n->at, g, a->dim, a->start, shape->size[tg_dimension(shape, a->dim)]);
}

TG_DEFINE_OP(pad, 1, TG_SAVES_NOTHING);

tg_tensor *tg_pad_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t size)
{
    const pad_attr attr = {dim, start, size};
    return tg_apply(at, &tg_op_pad, 1, &x, &attr, sizeof attr);
}

/* ---- cat ------------------------------------------------------------------------------------- */

typedef struct cat_attr {
    int dim;
} cat_attr;

static tg_tensor *cat_forward(const tg_node *n)
{
    const tg_tensor *first = n->in[0];
    const int dim = tg_dimension(&first->shape, ((const cat_attr *)n->attr)->dim);
    if (dim < 0)
        return tg_reject(n, "dimension %d of %s", ((const cat_attr *)n->attr)->dim,
                         TG_TEXT(first->shape));
    tg_shape shape = first->shape;
    shape.size[dim] = 0;
    for (int i = 0; i < n->nin; i++) {
        const tg_tensor *x = n->in[i];
        tg_shape other = x->shape;
        if (other.ndim == shape.ndim)
            other.size[dim] = shape.size[dim];
        if (!tg_shape_equal(&other, &shape) || x->dtype != first->dtype)
            return tg_reject(n, "%s %s and %s %s: one dtype and equal sizes beside dimension %d "
                             "expected", tg_dtype_name(first->dtype), TG_TEXT(first->shape),
                             tg_dtype_name(x->dtype), TG_TEXT(x->shape), dim);
        if (__builtin_add_overflow(shape.size[dim], x->shape.size[dim], &shape.size[dim]))
            return tg_reject(n, "more elements than memory can hold");
    }
    tg_tensor *y = tg_result(n, first->dtype, shape);
    int64_t start = 0;
    for (int i = 0; i < n->nin && !tg_is_error(y); i++) {
        place(y, n->in[i], dim, start);
        start += n->in[i]->shape.size[dim];
    }
    return y;
}

static void cat_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const int dim = tg_dimension(&g->shape, ((const cat_attr *)n->attr)->dim);
    int64_t start = 0;
    for (int i = 0; i < n->nin; i++) {
        const int64_t size = n->in[i]->shape.size[dim];
        if (tg_needs_grad(n, i))
            dx[i] = tg_narrow_at(n->at, g, dim, start, size);
        start += size;
    }
}

TG_DEFINE_OP(cat, TG_VARIADIC, TG_SAVES_NOTHING);

tg_tensor *tg_cat_at(const char *at, int dim, tg_tensor *const *x, int count)
{
    if (count < 1)
        return tg_misuse(at, "cat", "no tensors; at least one expected");
    const cat_attr attr = {dim};
    return tg_apply(at, &tg_op_cat, count, x, &attr, sizeof attr);
}
