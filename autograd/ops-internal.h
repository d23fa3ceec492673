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

/* Node number i of this thread's tape, for the benchmark; NULL past the end. */
const tg_node *tg_tape_node(int64_t i);

/* y += x, with x broadcast to y's shape; y is contiguous. Not recorded. */
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

/* The shape that both broadcast to; false where there is none. */
bool tg_broadcast(const tg_shape *a, const tg_shape *b, tg_shape *shape);

#endif
