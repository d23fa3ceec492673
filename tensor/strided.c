#include "tensor/strided-internal.h"

#include "tensor/parallel.h"

int64_t tg_element_offset(const tg_tensor *t, int64_t i)
{
    int64_t offset = 0;
    for (int d = t->shape.ndim - 1; d >= 0; d--) {
        offset += i % t->shape.size[d] * t->stride[d];
        i /= t->shape.size[d];
    }
    return offset;
}

/* ---- dimensions ------------------------------------------------------------------------------ */

/* Whether a is to be an outer dimension of b, as far as the operands tell. */
static bool is_outer(int operands, const tg_loop_dim *a, const tg_loop_dim *b)
{
    for (int i = 0; i < operands; i++)
        if (a->stride[i] != b->stride[i] && a->stride[i] != 0 && b->stride[i] != 0)
            return a->stride[i] > b->stride[i];
    return false;
}

static void insert(tg_loop *l, const tg_loop_dim *dim)
{
    int place = l->ndim++;
    for (; place > 0 && is_outer(l->operands, dim, &l->dim[place - 1]); place--)
        l->dim[place] = l->dim[place - 1];
    l->dim[place] = *dim;
}

static void join_neighbours(tg_loop *l)
{
    int last = 0;
    for (int d = 1; d < l->ndim; d++) {
        const tg_loop_dim *inner = &l->dim[d];
        bool joins = true;
        for (int i = 0; i < l->operands && joins; i++)
            joins = l->dim[last].stride[i] == inner->size * inner->stride[i];
        const int64_t outer = joins ? l->dim[last].size : 1;
        last += !joins;
        l->dim[last] = *inner;
        l->dim[last].size *= outer;
    }
    l->ndim = last + 1;
}

/* Where an operand has a smaller stride in another dimension than in the inner one, make that the
 * rows of the blocks, and go through them first. */
static void choose_rows(tg_loop *l)
{
    const int last = l->ndim - 1;
    l->inner = last;
    l->rows = last - 1;
    for (int i = 0; i < l->operands && l->inner == last; i++) {
        int best = last;
        for (int d = last - 1; d >= 0; d--)
            if (l->dim[d].stride[i] != 0 && l->dim[d].stride[i] < l->dim[best].stride[i])
                best = d;
        if (best == last)
            continue;
        const tg_loop_dim rows = l->dim[best];
        for (int d = best; d < last; d++)
            l->dim[d] = l->dim[d + 1];
        l->dim[last] = rows;
        l->rows = last;
        l->inner = last - 1;
    }
}

void tg_loop_init(tg_loop *l, const tg_shape *shape, int operands, const tg_tensor *const operand[])
{
    static const tg_loop_dim one = {.size = 1, .step = 1};
    l->operands = operands;
    l->ndim = 0;
    l->is_empty = false;
    for (int d = 0; d < shape->ndim; d++) {
        tg_loop_dim dim = {shape->size[d], 1, {0}};
        l->is_empty = l->is_empty || dim.size == 0;
        if (dim.size == 1)
            continue;
        for (int i = 0; i < operands; i++) {
            const tg_tensor *t = operand[i];
            const int own = d - (shape->ndim - t->shape.ndim);
            if (own >= 0 && t->shape.size[own] != 1)
                dim.stride[i] = t->stride[own] * (int64_t)tg_dtype_size(t->dtype);
        }
        insert(l, &dim);
    }
    if (l->ndim > 1)
        join_neighbours(l);
    for (; l->ndim < 2; l->ndim++) {
        l->dim[1] = l->ndim ? l->dim[0] : one;
        l->dim[0] = one;
    }
    choose_rows(l);
    for (int i = 0; i < operands; i++) {
        const int64_t size = (int64_t)tg_dtype_size(operand[i]->dtype);
        l->first.data[i] = operand[i]->data;
        l->first.row[i] = l->dim[l->rows].stride[i] / size;
        l->first.stride[i] = l->dim[l->inner].stride[i] / size;
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* How many blocks the dimension is divided among. */
static int64_t steps(const tg_loop_dim *dim)
{
    return (dim->size + dim->step - 1) / dim->step;
}

static void move(const tg_loop *l, tg_block *b, const tg_loop_dim *dim, int64_t by)
{
    for (int i = 0; i < l->operands; i++)
        b->data[i] += by * dim->stride[i];
}

/* Blocks begin .. end, the last dimension first. */
static void walk(void *context, int64_t begin, int64_t end)
{
    const tg_loop *l = context;
    const int last = l->ndim - 1, rows = l->rows, inner = l->inner;
    int64_t at[TG_MAX_DIMS]; /* where the block begins, in each dimension */
    tg_block b = l->first;
    int64_t rest = begin;
    for (int d = last; d >= 0; d--) {
        const tg_loop_dim *dim = &l->dim[d];
        at[d] = rest % steps(dim) * dim->step;
        rest /= steps(dim);
        move(l, &b, dim, at[d]);
    }
    for (int64_t i = begin; i < end; i++) {
        b.rows = tg_min(l->dim[rows].step, l->dim[rows].size - at[rows]);
        b.n = tg_min(l->dim[inner].step, l->dim[inner].size - at[inner]);
        l->body(l->context, &b);
        for (int d = last; d >= 0; d--) { /* on to the next */
            const tg_loop_dim *dim = &l->dim[d];
            if (at[d] + dim->step < dim->size) {
                at[d] += dim->step;
                move(l, &b, dim, dim->step);
                break;
            }
            move(l, &b, dim, -at[d]);
            at[d] = 0;
        }
    }
}

void tg_loop_run(tg_loop *l, int64_t block, int64_t grain, tg_loop_body body, void *context)
{
    enum { TILE = 64 }; /* elements of a tile's row: some cache lines */
    tg_loop_dim *rows = &l->dim[l->rows], *inner = &l->dim[l->inner];
    if (l->is_empty)
        return;
    inner->step = tg_min(inner->size, l->rows > l->inner ? tg_min(block, TILE) : block);
    rows->step = tg_min(rows->size, block / inner->step);
    int64_t blocks = 1;
    for (int d = 0; d < l->ndim; d++)
        blocks *= steps(&l->dim[d]);
    l->body = body;
    l->context = context;
    tg_parallel_for(blocks, 1 + grain / (rows->step * inner->step + 1), walk, l);
}
