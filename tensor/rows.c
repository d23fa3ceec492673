/* Reductions and normalisations along one dimension, by the kernels of tensor/kernels/rows.inc. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

#define PARALLEL 8192 /* elements worth a thread */

/* ---- short rows, side by side in columns ----------------------------------------------------- */

/* Rows of up to so many elements are turned into columns, TG_ROW_LANES at a time: the lanes of one
 * row would have to be joined for each, and few of them be in use at its end. */
enum { SHORT = 64, COLUMNS = SHORT * TG_ROW_LANES };

/* data[0] = data[1], of elements of that size */
static void copy(int64_t size, const tg_block *block)
{
    tg_kernels_get()->copy[size == 4 ? TG_F32 : TG_F64](block);
}

/* to (x.count, TG_ROW_LANES) = the rows from `first` on, and zeros beside them */
static void turn_rows(tg_row_operand x, int64_t first, int64_t rows, void *to)
{
    if (rows < TG_ROW_LANES)
        memset(to, 0, (size_t)(x.count * TG_ROW_LANES * x.size));
    copy(x.size, &(tg_block){.rows = x.count, .n = rows,
                             .data = {to, (char *)x.data + first * x.step},
                             .row = {TG_ROW_LANES, 1}, .stride = {1, x.step / x.size}});
}

/* Back into rows, of which each is as long as x.step. */
static void turn_columns(tg_row_operand x, int64_t first, int64_t rows, void *from)
{
    tg_block b = {.rows = rows, .n = x.count, .data = {(char *)x.data + first * x.step, from},
                  .row = {x.count, 1}, .stride = {1, TG_ROW_LANES}};
    if (x.count == 1) /* they lie side by side already */
        b = (tg_block){.rows = 1, .n = rows, .data = {b.data[0], from}, .stride = {1, 1}};
    copy(x.size, &b);
}

/* ---- along rows ------------------------------------------------------------------------------ */

typedef struct row_loop {
    tg_row_kernel kernel;
    tg_rows rows;
    int64_t blocks; /* of TG_ROW_COLUMNS columns or a few more, in inner */
    tg_row_operand out;
    int nin;
    const tg_row_operand *in;
} row_loop;

static void turned_blocks(void *context, int64_t begin, int64_t end)
{
    const row_loop *r = context;
    double columns[TG_ROW_INPUTS][COLUMNS], one[TG_ROW_LANES];
    const void *const in[TG_ROW_INPUTS] = {columns[0], columns[1], columns[2], columns[3]};
    void *out = r->out.count == 1 ? one : columns[0];
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * TG_ROW_LANES, rows = tg_min(TG_ROW_LANES, r->rows.outer - first);
        for (int k = 0; k < r->nin; k++)
            turn_rows(r->in[k], first, rows, columns[k]);
        r->kernel(r->rows.count, TG_ROW_LANES, TG_ROW_LANES, out, in);
        turn_columns(r->out, first, rows, out);
    }
}

/* Blocks of columns, of one outer index behind the other. */
static void column_blocks(void *context, int64_t begin, int64_t end)
{
    const row_loop *r = context;
    const int64_t inner = r->rows.inner;
    const void *in[TG_ROW_INPUTS];
    for (int64_t i = begin; i < end; i++) {
        const int64_t outer = i / r->blocks, block = i % r->blocks;
        const int64_t last = block == r->blocks - 1 ? inner : (block + 1) * TG_ROW_COLUMNS;
        for (int64_t width, column = block * TG_ROW_COLUMNS; column < last; column += width) {
            width = last - column;
            width = width >= TG_ROW_COLUMNS ? TG_ROW_COLUMNS : tg_min(width, TG_ROW_LANES);
            if (width < TG_ROW_LANES && inner >= TG_ROW_LANES) {
                width = TG_ROW_LANES; /* some once more: faster than not all lanes */
                column = last - width;
            }
            for (int k = 0; k < r->nin; k++)
                in[k] = (char *)r->in[k].data + outer * r->in[k].step + column * r->in[k].size;
            r->kernel(r->rows.count, width, inner,
                      (char *)r->out.data + outer * r->out.step + column * r->out.size, in);
        }
    }
}

void tg_along_rows(tg_row_kernel kernel, tg_rows rows, tg_row_operand out, int nin,
                   const tg_row_operand *in)
{
    if (out.step == 0)
        return; /* no elements, in however many rows */
    row_loop loop = {.kernel = kernel, .rows = rows, .out = out, .nin = nin, .in = in, .blocks = 1};
    if (rows.inner >= TG_ROW_COLUMNS)
        loop.blocks = rows.inner / TG_ROW_COLUMNS;
    const bool is_short = rows.inner == 1 && rows.count <= SHORT;
    const int64_t elements =
        rows.count * (is_short ? TG_ROW_LANES : tg_min(rows.inner, TG_ROW_COLUMNS));
    tg_parallel_for(is_short ? (rows.outer + TG_ROW_LANES - 1) / TG_ROW_LANES
                             : rows.outer * loop.blocks,
                    1 + PARALLEL / (elements + 1), is_short ? turned_blocks : column_blocks, &loop);
}

/* ---- the largest of each row ----------------------------------------------------------------- */

typedef struct top_loop {
    tg_dtype dtype;
    bool is_short;
    int64_t rows, k;
    int64_t *place;
    tg_row_operand x;
} top_loop;

/* Rows, or blocks of TG_ROW_LANES where they are short. */
static void top_blocks(void *context, int64_t begin, int64_t end)
{
    const top_loop *t = context;
    const tg_kernels *kernels = tg_kernels_get();
    double columns[COLUMNS];
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * TG_ROW_LANES, rows = tg_min(TG_ROW_LANES, t->rows - first);
        if (t->is_short) {
            turn_rows(t->x, first, rows, columns);
            kernels->topk_columns[t->dtype](t->x.count, t->k, rows, t->place + first * t->k,
                                            columns);
        } else {
            kernels->topk[t->dtype](t->x.count, t->k, t->place + i * t->k,
                                    (char *)t->x.data + i * t->x.step);
        }
    }
}

void tg_topk_rows(tg_dtype dtype, int64_t rows, int64_t count, int64_t k, int64_t *place,
                  const void *x)
{
    const int64_t size = (int64_t)tg_dtype_size(dtype);
    const bool is_short = count <= SHORT && k <= TG_COLUMNS_K;
    const int64_t block = is_short ? TG_ROW_LANES : 1;
    tg_parallel_for((rows + block - 1) / block, 1 + PARALLEL / (block * (count + 1)), top_blocks,
                    &(top_loop){dtype, is_short, rows, k, place,
                                {(void *)x, count * size, count, size}});
}

/* ---- the sum of all elements ----------------------------------------------------------------- */

typedef struct total {
    double (*of)(int64_t n, const void *x);
    int64_t count, size;
    const char *x;
    double *part; /* (parts), each of PARALLEL elements */
} total;

static void total_parts(void *context, int64_t begin, int64_t end)
{
    const total *t = context;
    for (int64_t i = begin; i < end; i++)
        t->part[i] = t->of(tg_min(PARALLEL, t->count - i * PARALLEL),
                           t->x + i * PARALLEL * t->size);
}

double tg_total(tg_dtype dtype, int64_t count, const void *x)
{
    total t = {tg_kernels_of(dtype)->total, count, (int64_t)tg_dtype_size(dtype), x, NULL};
    if (count <= PARALLEL)
        return t.of(count, x);
    const int64_t parts = (count + PARALLEL - 1) / PARALLEL;
    tg_arena_push();
    t.part = tg_step_memory((size_t)parts * sizeof *t.part);
    tg_parallel_for(parts, 1, total_parts, &t);
    const double sum = tg_kernels_of(TG_F64)->total(parts, t.part);
    tg_arena_pop();
    return sum;
}

void tg_sum_middle(tg_dtype dtype, tg_rows rows, void *out, const void *x)
{
    const int64_t size = (int64_t)tg_dtype_size(dtype);
    if (dtype == TG_I64 || rows.outer != 1 || rows.inner != 1) {
        const int64_t step = rows.inner * size;
        tg_along_rows(dtype == TG_I64 ? tg_kernels_get()->integer_sum
                                      : tg_kernels_of(dtype)->rows[TG_ALONG_SUM], rows,
                      (tg_row_operand){out, step, 1, size}, 1,
                      &(tg_row_operand){(void *)x, rows.count * step, rows.count, size});
    } else if (dtype == TG_F32) {
        *(float *)out = (float)tg_total(dtype, rows.count, x);
    } else {
        *(double *)out = tg_total(dtype, rows.count, x);
    }
}

/* ---- layer norm ------------------------------------------------------------------------------ */

typedef struct norm_loop {
    const tg_type_kernels *kernels;
    tg_norm all;
    int64_t size;
} norm_loop;

/* The moments of the rows. */
static void find_moments(const norm_loop *l, const tg_norm *t, void *moments)
{
    double columns[4][COLUMNS];
    const void *in[] = {t->x, &t->eps, t->g, t->weight};
    const int64_t lanes = t->n <= SHORT ? TG_ROW_LANES : 1;
    for (int k = 0; k < 4 && lanes > 1; k++)
        if (in[k] && k != 1) {
            const int64_t step = k == 3 ? 0 : t->n * l->size; /* weight is one for all */
            turn_rows((tg_row_operand){(void *)in[k], step, t->n, l->size}, 0, t->rows, columns[k]);
            in[k] = columns[k];
        }
    l->kernels->rows[TG_ALONG_NORM_MOMENTS](t->n, lanes, lanes, moments, in);
}

/* Rows in blocks of TG_ROW_LANES, whose gradients of weight and bias are summed before others. */
static void norm_blocks(void *context, int64_t begin, int64_t end)
{
    const norm_loop *l = context;
    const int64_t row = l->all.n * l->size, last = tg_min(end * TG_ROW_LANES, l->all.rows);
    double moments[4 * TG_ROW_LANES];
    for (int64_t r = begin * TG_ROW_LANES; r < last;) {
        tg_norm t = l->all;
        t.rows = t.n <= SHORT ? tg_min(TG_ROW_LANES, last - r) : 1;
        t.x = (const char *)t.x + r * row;
        t.moments = moments;
        if (t.g) {
            const int64_t block = r / TG_ROW_LANES;
            t.g = (const char *)t.g + r * row;
            t.dx = (char *)t.dx + r * row;
            t.dweight = (char *)t.dweight + block * row;
            t.dbias = (char *)t.dbias + block * row;
        } else {
            t.y = (char *)t.y + r * row;
        }
        find_moments(l, &t, moments);
        (t.g ? l->kernels->norm_gradient : l->kernels->norm)(&t);
        r += t.rows;
    }
}

static void norm_loop_run(tg_dtype dtype, const tg_norm *t)
{
    norm_loop loop = {tg_kernels_of(dtype), *t, (int64_t)tg_dtype_size(dtype)};
    tg_parallel_for((t->rows + TG_ROW_LANES - 1) / TG_ROW_LANES,
                    1 + PARALLEL / (TG_ROW_LANES * (t->n + 1)), norm_blocks, &loop);
}

void tg_norm_rows(tg_dtype dtype, const tg_norm *t)
{
    norm_loop_run(dtype, t);
}

void tg_norm_gradients(tg_dtype dtype, const tg_norm *t)
{
    const int64_t blocks = (t->rows + TG_ROW_LANES - 1) / TG_ROW_LANES;
    const size_t part = (size_t)blocks * (size_t)t->n * tg_dtype_size(dtype); /* (blocks, n) */
    tg_arena_push();
    tg_norm blocked = *t;
    blocked.dweight = memset(tg_step_memory(part), 0, part);
    blocked.dbias = memset(tg_step_memory(part), 0, part);
    norm_loop_run(dtype, &blocked);
    if (t->dweight)
        tg_sum_middle(dtype, (tg_rows){1, blocks, t->n}, t->dweight, blocked.dweight);
    if (t->dbias)
        tg_sum_middle(dtype, (tg_rows){1, blocks, t->n}, t->dbias, blocked.dbias);
    tg_arena_pop();
}
