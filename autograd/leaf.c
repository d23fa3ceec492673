/*
 * The gradient of a leaf, and steps by hand. The gradient of an owned leaf outlives the step, so it
 * is copied into memory that the leaf keeps: one block for a dense one, one for a row-sparse one.
 */
#include "autograd/ops-internal.h"

static void leaf_set_dense(tg_tensor *leaf, const tg_tensor *g)
{
    if (!leaf->dense_buffer)
        leaf->dense_buffer = tg_owned_at(TG_HERE, leaf->dtype, leaf->shape);
    if (tg_is_error(leaf->dense_buffer)) {
        leaf->dense_buffer = NULL;
        return;
    }
    if (tg_is_error(g))
        return;
    tg_copy_elements(leaf->dense_buffer, g);
    leaf->grad = leaf->dense_buffer;
}

/* The n rows that a row-sparse tensor holds, as an ordinary tensor (n, dim). */
static tg_tensor *held_rows(const tg_tensor *t)
{
    tg_tensor *held = tg_tensor_alias(t);
    held->rows = NULL;
    held->shape.size[0] = tg_numel(t->rows);
    return held;
}

static void leaf_set_sparse(tg_tensor *leaf, const tg_tensor *g)
{
    tg_tensor *buffer = leaf->sparse_buffer;
    if (tg_is_error(g))
        return;
    if (!buffer) {
        buffer = tg_owned_at(TG_HERE, leaf->dtype, TG_SHAPE(0));
        tg_tensor *rows = tg_owned_at(TG_HERE, TG_I64, TG_SHAPE(0));
        if (tg_is_error(buffer) || tg_is_error(rows)) {
            tg_free(buffer);
            tg_free(rows);
            return;
        }
        buffer->rows = rows;
        leaf->sparse_buffer = buffer;
    }
    tg_coalesce(buffer, g);
    leaf->grad = buffer;
}

/* The rows of both. */
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

void tg_add_scaled_at(const char *at, tg_tensor *t, double factor, tg_tensor *x)
{
    if (!tg_writable(at, "add_scaled", t) || !tg_usable(at, "add_scaled", x))
        return;
    if (tg_grad_enabled() && (t->requires_grad || x->requires_grad)) {
        tg_misuse(at, "add_scaled", "a tensor that requires a gradient; this is not recorded, so "
                  "tg_no_grad { ... } around it is expected");
        return;
    }
    if (x->rows && !tg_shape_equal(&t->shape, &x->shape)) {
        tg_misuse(at, "add_scaled", "%s += row-sparse %s: equal shapes expected",
                  TG_TEXT(t->shape), TG_TEXT(x->shape));
        return;
    }
    tg_step_begin();
    if (x->rows) {
        tg_tensor *change = tg_mul_scalar_at(at, held_rows(x), factor);
        for (int64_t i = 0; i < tg_numel(x->rows) && !tg_is_error(change); i++) {
            tg_tensor *row = tg_select_at(at, t, 0, ((const int64_t *)x->rows->data)[i]);
            tg_copy_at(at, row, tg_add_at(at, row, tg_select_at(at, change, 0, i)));
        }
    } else {
        tg_copy_at(at, t, tg_add_at(at, t, tg_mul_scalar_at(at, x, factor)));
    }
    tg_step_end();
}

void tg_zero_grad_tensor(tg_tensor *leaf)
{
    if (leaf)
        leaf->grad = NULL;
}
