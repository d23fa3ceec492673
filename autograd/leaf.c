/*
 * What tg_backward leaves in ->grad, and steps by hand. A gradient shares memory with nothing else:
 * its tensor keeps a header and memory, for a dense one and for a row-sparse one. A large dense one
 * of an owned tensor takes over the block in which the walk has it, and tg_zero_grad gives that back
 * to the heap, unless an op has read the gradient: then the tape, or a view, may refer to it.
 */
#include "autograd/ops-internal.h"

static tg_tensor *no_memory(const tg_tensor *x)
{
    return tg_misuse(TG_HERE, "backward", "no memory for a gradient %s %s",
                     tg_dtype_name(x->dtype), TG_TEXT(x->shape));
}

/* x's own header, as long as x lives, for a dense gradient; the error tensor without memory. What is
 * large has no data yet where it is x's alone. */
static tg_tensor *dense_buffer(tg_tensor *x)
{
    if (x->dense_buffer)
        return x->dense_buffer;
    const bool is_of_now = x->step == tg_arena_step();
    const bool is_large = (size_t)tg_numel(x) * tg_dtype_size(x->dtype) >= TG_HEAP_LEAST;
    tg_tensor *buffer = is_of_now  ? tg_tensor_new(TG_HERE, "backward", x->dtype, x->shape)
                        : is_large ? tg_owned_header(x->dtype, x->shape)
                                   : tg_owned_or_null(x->dtype, x->shape);
    if (!buffer)
        return no_memory(x);
    if (tg_is_error(buffer))
        return buffer;
    if (x->step != 0 && !is_of_now)
        tg_arena_adopt(x, buffer);
    buffer->holders = 1; /* not a temporary of a rule that calls tg_backward */
    buffer->is_temporary = !is_of_now && is_large;
    return x->dense_buffer = buffer;
}

/* Whether g has a block, and the last that a walk has to do with it is to set ->grad. */
static bool is_to_be_had(const tg_tensor *g)
{
    return g->block && g->is_temporary && g->holders == 1 && g->step == tg_arena_step();
}

static void release(tg_tensor *buffer)
{
    if (!buffer->is_temporary || !buffer->block)
        return;
    tg_heap_give(buffer->block);
    buffer->block = NULL;
    buffer->data = NULL;
}

/* Where memory was given back, or there was none yet. */
static bool has_data(tg_tensor *buffer)
{
    if (!buffer->data && (buffer->block = tg_heap_take((size_t)buffer->capacity *
                                                       tg_dtype_size(buffer->dtype))))
        buffer->data = tg_heap_data(buffer->block);
    return buffer->data;
}

static void set_dense(tg_tensor *x, tg_tensor *g)
{
    tg_tensor *buffer = tg_is_error(g) ? tg_error_tensor() : dense_buffer(x);
    if (tg_is_error(buffer))
        return;
    if (is_to_be_had(g) && buffer->is_temporary) {
        release(buffer);
        tg_arena_move(buffer, g);
    } else if (has_data(buffer)) {
        tg_copy_elements(buffer, g);
    } else {
        no_memory(x);
        return;
    }
    tg_touch(buffer);
    x->grad = buffer;
}

/* The n rows that a row-sparse tensor holds, as an ordinary tensor (n, dim). */
static tg_tensor *held_rows(const tg_tensor *t)
{
    tg_tensor *held = tg_tensor_alias(t);
    held->rows = NULL;
    held->shape.size[0] = tg_numel(t->rows);
    return held;
}

static void set_sparse(tg_tensor *leaf, tg_tensor *g)
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
        buffer->is_temporary = rows->is_temporary = true;
        leaf->sparse_buffer = buffer;
    }
    tg_coalesce(buffer, g);
    tg_touch(buffer);
    leaf->grad = buffer;
}

tg_tensor *tg_sparse_sum(tg_tensor *const *part, int64_t count)
{
    tg_tensor **held = tg_step_memory(2 * (size_t)count * sizeof *held), **rows = held + count;
    for (int64_t i = 0; i < count; i++) {
        held[i] = held_rows(part[i]);
        rows[i] = part[i]->rows;
    }
    return tg_scatter_rows(tg_cat_at(TG_HERE, 0, held, (int)count),
                           tg_cat_at(TG_HERE, 0, rows, (int)count), part[0]->shape.size[0]);
}

void tg_grad_accumulate(tg_tensor *x, tg_tensor *g)
{
    if (x->step != 0) /* kept dense: only tables of a program's own are worth more */
        g = tg_to_dense(g);
    if (!x->grad) {
        (g->rows ? set_sparse : set_dense)(x, g);
    } else if (!x->grad->rows) {
        tg_add_in_place(x->grad, tg_to_dense(g));
        tg_touch(x->grad);
    } else if (g->rows) {
        set_sparse(x, tg_sparse_sum((tg_tensor *[]){x->grad, g}, 2));
    } else {
        set_dense(x, tg_add(tg_to_dense(x->grad), g));
    }
}

/* t += factor x for plain arrays, which overlap nowhere or are the same; false for others. */
static bool add_scaled_plain(tg_tensor *t, double factor, const tg_tensor *x)
{
    const size_t size = (size_t)tg_numel(t) * tg_dtype_size(t->dtype);
    const uintptr_t to = (uintptr_t)t->data, from = (uintptr_t)x->data;
    if (t->rows || x->dtype != t->dtype || t->dtype == TG_I64 ||
        !tg_shape_equal(&t->shape, &x->shape) || !tg_is_contiguous(t) || !tg_is_contiguous(x) ||
        (to != from && to < from + size && from < to + size))
        return false;
    double room; /* for a number of any dtype */
    tg_tensor number = *t;
    number.data = &room;
    number.shape.ndim = 0;
    tg_element_set(&number, 0, factor);
    tg_map(tg_kernels_of(t->dtype)->add_scaled, t, 3, (const tg_tensor *[]){t, &number, x});
    tg_touch(t);
    return true;
}

void tg_add_scaled_at(const char *at, tg_tensor *t, double factor, tg_tensor *x)
{
    TG_FUNCTION("add_scaled");
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
    } else if (!add_scaled_plain(t, factor, x)) {
        tg_copy_at(at, t, tg_add_at(at, t, tg_mul_scalar_at(at, x, factor)));
    }
    tg_step_end();
}

void tg_zero_grad_tensor(tg_tensor *leaf)
{
    if (!leaf)
        return;
    leaf->grad = NULL;
    if (leaf->dense_buffer)
        release(leaf->dense_buffer);
    if (leaf->sparse_buffer && leaf->sparse_buffer->is_temporary) {
        release(leaf->sparse_buffer);
        release(leaf->sparse_buffer->rows);
    }
}
