/* embedding, its gradient scatter_rows, and what becomes of row-sparse tensors. */
#include <string.h>

#include "autograd/ops-internal.h"

#include "tensor/parallel.h"

#define PARALLEL 8192 /* elements worth a thread */

/* ---- embedding: weight (rows, dim), index (...) i64 -> (..., dim) ---------------------------- */

static bool index_is_valid(const tg_node *n, const tg_tensor *index, int64_t rows)
{
    if (index->dtype != TG_I64) {
        tg_reject(n, "the index is %s; i64 expected", tg_dtype_name(index->dtype));
        return false;
    }
    if (index->shape.ndim == TG_MAX_DIMS) {
        tg_reject(n, "index %s: at most %d dimensions expected", TG_TEXT(index->shape),
                  TG_MAX_DIMS - 1);
        return false;
    }
    const int64_t count = tg_numel(index);
    const bool contiguous = tg_is_contiguous(index);
    const int64_t *id = index->data;
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = id[contiguous ? i : tg_element_offset(index, i)];
        if (row < 0 || row >= rows) {
            tg_reject(n, "index %lld at element %lld; a table of %lld rows has 0 to %lld",
                      (long long)row, (long long)i, (long long)rows, (long long)rows - 1);
            return false;
        }
    }
    return true;
}

typedef struct row_copies {
    char *to;
    const char *from;
    const int64_t *row;
    size_t bytes; /* of a row */
} row_copies;

static void copy_rows(void *context, int64_t begin, int64_t end)
{
    const row_copies *c = context;
    for (int64_t i = begin, asked = begin; i < end; i++) {
        for (; asked <= i + TG_ROWS_AHEAD && asked < end; asked++)
            tg_prefetch(c->from + (size_t)c->row[asked] * c->bytes, c->bytes);
        memcpy(c->to + (size_t)i * c->bytes, c->from + (size_t)c->row[i] * c->bytes, c->bytes);
    }
}

/* Table and index without gaps, the rows up to date; false, and misuse, where they do not fit. */
static bool table_and_index(const tg_node *n, const tg_tensor **table, const tg_tensor **index)
{
    const tg_tensor *weight = n->in[0];
    if (weight->shape.ndim != 2 || weight->dtype == TG_I64) {
        tg_reject(n, "a table of %s %s; (rows, dim) of f32 or f64 expected",
                  tg_dtype_name(weight->dtype), TG_TEXT(weight->shape));
        return false;
    }
    if (!index_is_valid(n, n->in[1], weight->shape.size[0]))
        return false;
    *index = tg_contiguous_at(n->at, n->in[1]);
    if (weight->refresh && !tg_is_error(*index))
        weight->refresh->rows(weight->refresh, tg_numel(*index), (*index)->data);
    *table = tg_is_contiguous(weight) ? weight : tg_contiguous_at(n->at, n->in[0]);
    return !tg_is_error(*table) && !tg_is_error(*index);
}

static tg_tensor *embedding_forward(const tg_node *n)
{
    const tg_tensor *table, *index;
    if (!table_and_index(n, &table, &index))
        return tg_error_tensor();
    tg_shape shape = index->shape;
    shape.size[shape.ndim++] = table->shape.size[1];
    tg_tensor *y = tg_result(n, table->dtype, shape);
    if (tg_is_error(y))
        return y;
    const int64_t dim = table->shape.size[1];
    row_copies copies = {y->data, table->data, index->data,
                         (size_t)dim * tg_dtype_size(table->dtype)};
    tg_parallel_for(tg_numel(index), 1 + PARALLEL / (dim + 1), copy_rows, &copies);
    return y;
}

static void embedding_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_scatter_rows_at(n->at, g, n->in[1], n->in[0]->shape.size[0]);
}

TG_DEFINE_OP(embedding, 2, TG_SAVES(1));

tg_tensor *tg_embedding_at(const char *at, tg_tensor *weight, tg_tensor *index)
{
    return tg_apply(at, &tg_op_embedding, 2, (tg_tensor *[]){weight, index}, NULL, 0);
}

/* ---- scatter_rows: x (..., dim), index (...) i64 -> row-sparse (rows, dim) ------------------- */

typedef struct scatter_rows_attr {
    int64_t rows;
} scatter_rows_attr;

static tg_tensor *scatter_rows_forward(const tg_node *n)
{
    tg_tensor *x = n->in[0];
    const int64_t rows = ((const scatter_rows_attr *)n->attr)->rows;
    if (x->shape.ndim < 1 || x->dtype == TG_I64)
        return tg_reject(n, "%s %s; (..., dim) of f32 or f64 expected", tg_dtype_name(x->dtype),
                         TG_TEXT(x->shape));
    tg_shape lead = x->shape;
    lead.ndim--;
    if (!tg_shape_equal(&lead, &n->in[1]->shape))
        return tg_reject(n, "rows %s with index %s: (..., dim) and (...) expected",
                         TG_TEXT(x->shape), TG_TEXT(n->in[1]->shape));
    const tg_shape shape = TG_SHAPE(rows, x->shape.size[lead.ndim]);
    if (!tg_shape_is_valid(n->at, n->op->name, &shape) ||
        !index_is_valid(n, n->in[1], rows))
        return tg_error_tensor();
    const int64_t dim = shape.size[1];
    const bool in_place = x->shape.ndim == 2 && (x->stride[1] == 1 || dim == 1);
    const tg_tensor *from = in_place ? x : tg_contiguous_at(n->at, x);
    const tg_tensor *index = tg_contiguous_at(n->at, n->in[1]);
    tg_tensor *ids = tg_result(n, TG_I64, TG_SHAPE(tg_numel(index)));
    if (tg_is_error(from) || tg_is_error(index) || tg_is_error(ids))
        return tg_error_tensor();
    memcpy(ids->data, index->data, (size_t)tg_numel(index) * sizeof(int64_t));
    tg_tensor *y = tg_tensor_alias(from);
    y->shape = shape;
    y->stride[0] = in_place ? x->stride[0] : dim;
    y->stride[1] = 1;
    y->rows = ids;
    return y;
}

static void scatter_rows_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_embedding_at(n->at, g, n->in[1]);
}

TG_DEFINE_OP(scatter_rows, 2, TG_SAVES(1));

tg_tensor *tg_scatter_rows_at(const char *at, tg_tensor *x, tg_tensor *index, int64_t rows)
{
    const scatter_rows_attr attr = {rows};
    return tg_apply(at, &tg_op_scatter_rows, 2, (tg_tensor *[]){x, index}, &attr, sizeof attr);
}

/* ---- coalesce: row-sparse -> row-sparse, each row once ---------------------------------------- */

/* For each of the count rows of the index, the number of its first use: slot[i]. The distinct rows,
 * in the order of first use, go to row[], and how many uses those before them have to first[];
 * returns how many they are. Open addressing in a table of twice the size, so no sort and no memory
 * in proportion to the table of embeddings. */
static int64_t find_slots(int64_t count, const int64_t *index, int64_t *slot, int64_t *row,
                          int64_t *first)
{
    size_t size = 16;
    while (size < 2 * (size_t)count)
        size *= 2;
    int64_t *table = tg_step_memory(size * sizeof *table);
    memset(table, 0xFF, size * sizeof *table); /* -1: free */
    int64_t distinct = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t h = ((uint64_t)index[i] * UINT64_C(0x9E3779B97F4A7C15)) >> 32;
        while (table[h & (size - 1)] >= 0 && row[table[h & (size - 1)]] != index[i])
            h++;
        int64_t *entry = &table[h & (size - 1)];
        if (*entry < 0) {
            row[distinct] = index[i];
            first[distinct] = 0;
            *entry = distinct++;
        }
        slot[i] = *entry;
        first[*entry]++;
    }
    for (int64_t s = 0, uses = 0; s < distinct; s++) {
        uses += first[s];
        first[s] = uses - first[s];
    }
    return distinct;
}

typedef struct row_sums {
    const tg_tensor *x;
    int64_t count, dim;
    const int64_t *slot, *first; /* of each row of x; of each slot, as find_slots gives them */
    char *data;
} row_sums;

/* The slots of data (distinct, dim) with first in begin .. end: each the sum of its rows of x. By
 * rows of x, not by slots: those that come first have most of them. */
static void sum_rows(void *context, int64_t begin, int64_t end)
{
    const row_sums *s = context;
    const tg_map_kernel add = tg_kernels_of(s->x->dtype)->map[TG_ROW_add][TG_VALUE];
    const int64_t size = (int64_t)tg_dtype_size(s->x->dtype);
    for (int64_t i = 0, last = -1; i < s->count; i++) {
        const int64_t slot = s->slot[i];
        if (s->first[slot] < begin || s->first[slot] >= end)
            continue;
        char *to = s->data + slot * s->dim * size;
        const char *from = (const char *)s->x->data + i * s->x->stride[0] * size;
        if (slot > last) {
            memcpy(to, from, (size_t)(s->dim * size));
            last = slot;
        } else {
            add(s->dim, to, (const void *[]){to, from});
        }
    }
}

void tg_coalesce(tg_tensor *sum, const tg_tensor *x)
{
    const int64_t count = tg_numel(x->rows), dim = x->shape.size[1];
    tg_arena_push();
    int64_t *slot = tg_step_memory(3 * (size_t)count * sizeof *slot);
    int64_t *row = slot + count, *first = row + count;
    const int64_t distinct = find_slots(count, x->rows->data, slot, row, first);
    tg_owned_resize(sum->rows, TG_SHAPE(distinct));
    tg_owned_resize(sum, TG_SHAPE(distinct, dim));
    memcpy(sum->rows->data, row, (size_t)distinct * sizeof *row);
    row_sums sums = {x, count, dim, slot, first, sum->data};
    tg_parallel_for(count, 1 + PARALLEL / (dim + 1), sum_rows, &sums);
    sum->shape = x->shape;
    tg_arena_pop();
}

/* ---- embedding_bag: weight (rows, dim), index (..., n) i64 -> sums of n rows (..., dim) ------ */

/* Bags as the rows of a sparse matrix of ones: crow (bags + 1). */
static const int64_t *bag_ends(int64_t bags, int64_t size)
{
    int64_t *crow = tg_step_memory((size_t)(bags + 1) * sizeof *crow);
    for (int64_t i = 0; i <= bags; i++)
        crow[i] = i * size;
    return crow;
}

static tg_tensor *embedding_bag_forward(const tg_node *n)
{
    const tg_tensor *table, *index;
    if (n->in[1]->shape.ndim == 0)
        return tg_reject(n, "index []: (..., n) expected");
    if (!table_and_index(n, &table, &index))
        return tg_error_tensor();
    tg_shape shape = index->shape;
    const int64_t size = shape.size[shape.ndim - 1], dim = table->shape.size[1];
    shape.size[shape.ndim - 1] = dim;
    tg_tensor *y = tg_result(n, table->dtype, shape);
    if (tg_is_error(y) || tg_numel(y) == 0)
        return y;
    tg_arena_push();
    const int64_t bags = tg_numel(y) / dim;
    tg_csr_product(table->dtype, &(tg_csr){bags, dim, bag_ends(bags, size), index->data, NULL,
                                           table->data, y->data});
    tg_arena_pop();
    return y;
}

static void embedding_bag_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *index = n->in[1];
    tg_shape each = index->shape; /* row of a bag has the gradient of the sum */
    each.size[each.ndim++] = n->in[0]->shape.size[1];
    g = tg_expand_at(n->at, tg_unsqueeze_at(n->at, g, -2), each);
    dx[0] = tg_scatter_rows_at(n->at, g, index, n->in[0]->shape.size[0]);
}

/* Row-sparse, each row once, as tg_coalesce would make it: row number slot[i] of the result is the
 * sum of the gradients of those bags that have it. */
static void embedding_bag_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_tensor *index = tg_contiguous_at(n->at, n->in[1]);
    const int64_t count = tg_numel(index), dim = n->in[0]->shape.size[1];
    const int64_t size = tg_size(index, -1), bags = size ? count / size : 0;
    g = tg_contiguous_at(n->at, g);
    tg_tensor *memory = tg_result(n, TG_I64, TG_SHAPE(3, count));
    if (tg_is_error(g) || tg_is_error(index) || tg_is_error(memory))
        return;
    int64_t *slot = memory->data, *first = slot + count, *row = first + count;
    const int64_t distinct = find_slots(count, index->data, slot, row, first);
    tg_tensor *y = tg_result(n, g->dtype, TG_SHAPE(distinct, dim));
    tg_tensor *rows = tg_result(n, TG_I64, TG_SHAPE(distinct));
    if (tg_is_error(y) || tg_is_error(rows))
        return;
    memcpy(rows->data, row, (size_t)distinct * sizeof *row);
    const tg_csr t = {bags, dim, bag_ends(bags, size), slot, NULL, g->data, y->data};
    tg_csr_transposed_product(g->dtype, distinct, &t);
    dx[0] = tg_tensor_alias(y);
    dx[0]->shape = n->in[0]->shape;
    dx[0]->rows = rows;
}

TG_DEFINE_OP(embedding_bag, 2, TG_SAVES(1), .fused = embedding_bag_fused);

tg_tensor *tg_embedding_bag_at(const char *at, tg_tensor *weight, tg_tensor *index, bool mean)
{
    TG_FUNCTION("embedding_bag");
    tg_tensor *sum = tg_apply(at, &tg_op_embedding_bag, 2, (tg_tensor *[]){weight, index}, NULL, 0);
    if (!mean || tg_is_error(sum))
        return sum;
    const int64_t size = tg_size(index, -1); /* of a bag; 0 is their mean */
    return tg_div_scalar_at(at, sum, size > 0 ? (double)size : 1);
}

/* ---- to_dense: row-sparse -> the same shape, dense ------------------------------------------- */

static tg_tensor *to_dense_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    tg_tensor *y = tg_zeros_at(n->at, x->dtype, x->shape);
    if (tg_is_error(y))
        return y;
    const tg_map_kernel add = tg_kernels_of(x->dtype)->map[TG_ROW_add][TG_VALUE];
    const int64_t count = tg_numel(x->rows), *row = x->rows->data, dim = x->shape.size[1];
    const int64_t size = (int64_t)tg_dtype_size(x->dtype);
    for (int64_t i = 0; i < count; i++) {
        char *to = (char *)y->data + row[i] * dim * size;
        add(dim, to, (const void *[]){to, (const char *)x->data + i * x->stride[0] * size});
    }
    return y;
}

static void to_dense_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n;
    dx[0] = g;
}

TG_DEFINE_OP(to_dense, 1, TG_SAVES_NOTHING);

tg_tensor *tg_to_dense_at(const char *at, tg_tensor *x)
{
    if (x && !x->rows && tg_usable(at, "to_dense", x))
        return x;
    return tg_apply(at, &tg_op_to_dense, 1, &x, NULL, 0);
}
