/*
 * strided-internal.h: the one loop over the elements of several tensors; not for programs
 *
 *     tg_loop loop;
 *     tg_loop_init(&loop, &y->shape, 2, (const tg_tensor *[]){y, x});
 *     tg_loop_run(&loop, block, grain, body, context);
 *
 * The loop drops dimensions of size 1, joins neighbours through which each operand runs with one
 * stride, and orders dimensions by the strides of the first operand (by those of later ones where
 * it has none). The body gets two-dimensional blocks of what is left, in any order and from any
 * thread. Where an operand lies transposed, blocks are tiles, so that every cache line of it is
 * read once.
 */
#ifndef TG_STRIDED_INTERNAL_H
#define TG_STRIDED_INTERNAL_H

#include "tensor/kernels/kernels.h"
#include "tensor/tensor-internal.h"

typedef void (*tg_loop_body)(void *context, const tg_block *block);

typedef struct tg_loop_dim {
    int64_t size, step;               /* step: how much of it a block takes */
    int64_t stride[TG_BLOCK_OPERANDS]; /* in bytes */
} tg_loop_dim;

typedef struct tg_loop {
    int operands, ndim;
    int rows, inner; /* a block's dimensions: the last two, in this order or, in tiles, the other */
    bool is_empty;
    tg_loop_dim dim[TG_MAX_DIMS];
    tg_block first; /* the operands at the first element, and the strides of all blocks */
    tg_loop_body body;
    void *context;
} tg_loop;

/* Operands broadcast to the shape. An element is visited once: an operand that is written to must
 * not have a stride of 0. */
void tg_loop_init(tg_loop *loop, const tg_shape *shape, int operands,
                  const tg_tensor *const operand[]);

/* Call the body for blocks of at most `block` elements, on all threads, but on no more than leave
 * each `grain` elements. */
void tg_loop_run(tg_loop *loop, int64_t block, int64_t grain, tg_loop_body body, void *context);

#endif
