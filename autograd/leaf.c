/*
 * The gradient of a leaf. That of an owned leaf outlives the step, so it is copied into memory that
 * the leaf keeps: one block for a dense gradient, one for a row-sparse one.
 */
#include <string.h>

#include "autograd/ops-internal.h"

static void leaf_set_dense(tg_tensor *leaf, const tg_tensor *g)
{
    if (!leaf->dense_buffer)
        leaf->dense_buffer = tg_owned_at(TG_HERE, leaf->dtype, leaf->shape);
    if (tg_is_error(leaf->dense_buffer)) {
        leaf->dense_buffer = NULL;
        return;
    }
    tg_copy_elements(leaf->dense_buffer, g);
    leaf->grad = leaf->dense_buffer;
}

static void leaf_set_sparse(tg_tensor *leaf, const tg_tensor *g)
{
    tg_tensor *buffer = leaf->sparse_buffer;
    if (!buffer) {
        buffer = tg_owned_at(TG_HERE, leaf->dtype, TG_SHAPE(0));
        buffer->rows = tg_owned_at(TG_HERE, TG_I64, TG_SHAPE(0));
        leaf->sparse_buffer = buffer;
    }
    const int64_t count = tg_numel(g->rows), dim = leaf->shape.size[1];
    tg_owned_resize(buffer->rows, g->rows->shape);
    tg_owned_resize(buffer, TG_SHAPE(count, dim));
    memcpy(buffer->rows->data, g->rows->data, (size_t)count * sizeof(int64_t));
    memcpy(buffer->data, g->data, (size_t)(count * dim) * tg_dtype_size(leaf->dtype));
    buffer->shape = leaf->shape;
    leaf->grad = buffer;
}

/* The n rows that a row-sparse tensor holds, as an ordinary tensor (n, dim). */
static tg_tensor *held_rows(const tg_tensor *t)
{
    tg_tensor *held = tg_tensor_alias(t);
    held->rows = NULL;
    held->shape.size[0] = tg_numel(t->rows);
    return held;
}

static tg_tensor *sparse_sum(tg_tensor *a, tg_tensor *b)
{
    tg_tensor *rows = tg_cat(0, a->rows, b->rows);
    return tg_scatter_rows(tg_cat(0, held_rows(a), held_rows(b)), rows, a->shape.size[0]);
}

void tg_leaf_accumulate(tg_tensor *leaf, tg_tensor *g)
{
    if (leaf->step != 0) { /* its gradient is of the step as well */
        g = tg_to_dense(g);
        leaf->grad = leaf->grad ? tg_add(leaf->grad, g) : g;
    } else if (!leaf->grad) {
        (g->rows ? leaf_set_sparse : leaf_set_dense)(leaf, g);
    } else if (!leaf->grad->rows) {
        tg_add_in_place(leaf->grad, tg_to_dense(g));
    } else if (g->rows) {
        leaf_set_sparse(leaf, sparse_sum(leaf->grad, g));
    } else {
        leaf_set_dense(leaf, tg_add(tg_to_dense(leaf->grad), g));
    }
}

void tg_zero_grad_tensor(tg_tensor *leaf)
{
    if (leaf)
        leaf->grad = NULL;
}
