/*
 * ops-internal.h: what the files that define ops share; not for programs
 */
#ifndef TG_OPS_INTERNAL_H
#define TG_OPS_INTERNAL_H

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "tensor/compute-internal.h"

#define OP(name) extern const tg_op tg_op_##name;
#include "autograd/ops.def"
#undef OP

/* The result of an op, its elements not set: the error tensor where there is no memory. */
static inline tg_tensor *tg_result(const tg_node *n, tg_dtype dtype, tg_shape shape)
{
    return tg_tensor_new(n->at, n->op->name, dtype, shape);
}

/* Misuse of the op: the caller's place and the op's name stand in front of the message. */
#define tg_reject(n, ...) tg_misuse((n)->at, (n)->op->name, __VA_ARGS__)

/* The shape of an operand as text, for messages; lives to the end of the enclosing block. */
#define TG_TEXT(shape) tg_shape_format(&(shape), (char[TG_SHAPE_TEXT]){0})

/* A dimension counted from the end where negative; -1 where there is none. */
static inline int tg_dimension(const tg_shape *shape, int64_t dim)
{
    dim = dim < 0 ? dim + shape->ndim : dim;
    return dim >= 0 && dim < shape->ndim ? (int)dim : -1;
}

/* The same for ops that run along a dimension: a tensor without any is to them one of a single
 * element, as in PyTorch. size[0] of its shape means nothing then: ask tg_axis_size. */
static inline int tg_axis(const tg_shape *shape, int64_t dim)
{
    return shape->ndim > 0 ? tg_dimension(shape, dim) : dim == 0 || dim == -1 ? 0 : -1;
}

static inline int64_t tg_axis_size(const tg_shape *shape, int axis)
{
    return shape->ndim > 0 ? shape->size[axis] : 1;
}

/* x as rows along one of its dimensions, an axis. */
static inline tg_rows tg_rows_along(const tg_shape *shape, int axis)
{
    tg_rows rows = {1, tg_axis_size(shape, axis), 1};
    for (int d = 0; d < axis; d++)
        rows.outer *= shape->size[d];
    for (int d = axis + 1; d < shape->ndim; d++)
        rows.inner *= shape->size[d];
    return rows;
}

/* x's dimensions from the widest stride to the narrowest. */
tg_shape tg_memory_order(const tg_tensor *x);

/* x as it lies in memory without gaps: with its dimensions in another order where that is enough
 * (order.ndim 0: in the same), else a copy. */
tg_tensor *tg_dense(const char *at, tg_tensor *x, tg_shape *order);

/* x with its dimensions in such an order, or back from it. */
tg_tensor *tg_in_order(const char *at, tg_tensor *x, const tg_shape *order, bool back);

/* x's shape with size 1 in `dims`; false, and misuse of op, where these are no dimensions of x. */
bool tg_reduced_shape(const char *at, const char *op, const tg_tensor *x, tg_shape dims,
                      tg_shape *shape);

/* y without the dimensions `dims`, which have size 1, unless they are kept. */
tg_tensor *tg_drop_dims(const char *at, tg_tensor *y, bool keepdim, tg_shape dims);

/* Node number i of this thread's tape, for the benchmark; NULL past the end. */
const tg_node *tg_tape_node(int64_t i);

/* y += x, with x broadcast to y's shape. Not recorded. */
void tg_add_in_place(tg_tensor *y, tg_tensor *x);

/* sum, an owned row-sparse tensor, takes the rows of x, each once, in the order of their first use:
 * lookup.c. */
void tg_coalesce(tg_tensor *sum, const tg_tensor *x);

/* Add g, of x's shape or row-sparse, to x->grad: leaf.c. */
void tg_grad_accumulate(tg_tensor *x, tg_tensor *g);

/* The row-sparse tensor that holds the rows of all. */
tg_tensor *tg_sparse_sum(tg_tensor *const *part, int64_t count);

/* Whether `from` broadcasts to `to`: aligned at the right, sizes equal or 1 or missing. */
static inline bool tg_broadcasts_to(const tg_shape *from, const tg_shape *to)
{
    const int shift = to->ndim - from->ndim;
    for (int d = 0; d < from->ndim; d++)
        if (shift < 0 || (from->size[d] != to->size[d + shift] && from->size[d] != 1))
            return false;
    return shift >= 0;
}

/* g, which broadcasts, times a derivative of a row of elementwise.def; y is the row's value. */
tg_tensor *tg_partial(const char *at, int row, tg_map_kind kind, tg_tensor *g, tg_tensor **operand,
                      int count, tg_tensor *y);

/* The shape that both broadcast to; false where there is none. */
bool tg_broadcast(const tg_shape *a, const tg_shape *b, tg_shape *shape);

#endif
