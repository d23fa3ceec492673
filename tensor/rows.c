/* Reductions and normalisations along one dimension, by the kernels of tensor/kernels/rows.inc. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

#define PARALLEL 8192 /* elements worth a thread */

typedef struct row_loop {
    tg_row_kernel kernel;
    tg_rows rows;
    int64_t blocks; /* of TG_ROW_COLUMNS columns, in inner */
    tg_row_operand out;
    int nin;
    const tg_row_operand *in;
} row_loop;

/* Blocks of columns, of one outer index behind the other. */
static void row_blocks(void *context, int64_t begin, int64_t end)
{
    const row_loop *r = context;
    const void *in[TG_MAP_INPUTS];
    for (int64_t i = begin; i < end; i++) {
        const int64_t outer = i / r->blocks, column = i % r->blocks * TG_ROW_COLUMNS;
        for (int k = 0; k < r->nin; k++)
            in[k] = (const char *)r->in[k].data + outer * r->in[k].step + column * r->in[k].size;
        r->kernel(r->rows.count, tg_min(TG_ROW_COLUMNS, r->rows.inner - column), r->rows.inner,
                  (char *)r->out.data + outer * r->out.step + column * r->out.size, in);
    }
}

void tg_along_rows(tg_row_kernel kernel, tg_rows rows, tg_row_operand out, int nin,
                   const tg_row_operand *in)
{
    if (out.step == 0)
        return; /* no elements, in however many rows */
    row_loop loop = {.kernel = kernel, .rows = rows, .out = out, .nin = nin, .in = in,
                     .blocks = (rows.inner + TG_ROW_COLUMNS - 1) / TG_ROW_COLUMNS};
    const int64_t elements = rows.count * tg_min(rows.inner, TG_ROW_COLUMNS);
    tg_parallel_for(rows.outer * loop.blocks, 1 + PARALLEL / (elements + 1), row_blocks, &loop);
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
        tg_along_rows(dtype == TG_I64 ? tg_kernels_get()->integer_sum
                                      : tg_kernels_of(dtype)->rows[TG_ALONG_SUM], rows,
                      (tg_row_operand){out, rows.inner * size, size}, 1,
                      &(tg_row_operand){(void *)x, rows.count * rows.inner * size, size});
    } else if (dtype == TG_F32) {
        *(float *)out = (float)tg_total(dtype, rows.count, x);
    } else {
        *(double *)out = tg_total(dtype, rows.count, x);
    }
}

/* ---- layer norm ------------------------------------------------------------------------------ */

enum { NORM_ROWS = 32 }; /* whose gradients of weight and bias are summed before all others */

typedef struct norm_loop {
    void (*kernel)(const tg_norm *t);
    tg_norm all;
    int64_t size;
} norm_loop;

static void norm_blocks(void *context, int64_t begin, int64_t end)
{
    const norm_loop *l = context;
    const int64_t row = l->all.n * l->size;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * NORM_ROWS;
        tg_norm t = l->all;
        t.rows = tg_min(NORM_ROWS, t.rows - first);
        t.x = (const char *)t.x + first * row;
        t.g = t.g ? (const char *)t.g + first * row : NULL;
        t.y = t.y ? (char *)t.y + first * row : NULL;
        t.dx = t.dx ? (char *)t.dx + first * row : NULL;
        t.dweight = t.dweight ? (char *)t.dweight + block * row : NULL;
        t.dbias = t.dbias ? (char *)t.dbias + block * row : NULL;
        l->kernel(&t);
    }
}

static void norm_loop_run(void (*kernel)(const tg_norm *t), int64_t size, const tg_norm *t)
{
    norm_loop loop = {kernel, *t, size};
    tg_parallel_for((t->rows + NORM_ROWS - 1) / NORM_ROWS,
                    1 + PARALLEL / (NORM_ROWS * (t->n + 1)), norm_blocks, &loop);
}

void tg_norm_rows(tg_dtype dtype, const tg_norm *t)
{
    norm_loop_run(tg_kernels_of(dtype)->norm, (int64_t)tg_dtype_size(dtype), t);
}

void tg_norm_gradients(tg_dtype dtype, const tg_norm *t)
{
    const int64_t size = (int64_t)tg_dtype_size(dtype);
    const int64_t blocks = (t->rows + NORM_ROWS - 1) / NORM_ROWS;
    const size_t part = (size_t)(blocks * t->n * size); /* (blocks, n) */
    tg_arena_push();
    tg_norm blocked = *t;
    blocked.dweight = tg_step_memory(part);
    blocked.dbias = tg_step_memory(part);
    norm_loop_run(tg_kernels_of(dtype)->norm_gradient, size, &blocked);
    if (t->dweight)
        tg_sum_middle(dtype, (tg_rows){1, blocks, t->n}, t->dweight, blocked.dweight);
    if (t->dbias)
        tg_sum_middle(dtype, (tg_rows){1, blocks, t->n}, t->dbias, blocked.dbias);
    tg_arena_pop();
}
