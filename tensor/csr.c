/* Products with sparse matrices in compressed rows. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

#define PARALLEL 8192 /* multiply-adds worth a thread */

typedef struct csr_loop {
    void (*kernel)(const tg_csr *t, int64_t begin, int64_t end);
    const tg_csr *t;
    int64_t size; /* of columns that are written to at a time, and of out in rows */
    int64_t bytes; /* of an element */
} csr_loop;

/* ---- by rows: each has a place, and each entry one ------------------------------------------- */

/* The first row that begins at the place or behind it. */
static int64_t row_at(const tg_csr *t, int64_t place)
{
    int64_t low = 0, high = t->rows;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (t->crow[middle] + middle < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void csr_places(void *context, int64_t begin, int64_t end)
{
    const csr_loop *l = context;
    l->kernel(l->t, row_at(l->t, begin), row_at(l->t, end));
}

static void by_rows(void (*kernel)(const tg_csr *t, int64_t begin, int64_t end), const tg_csr *t)
{
    csr_loop loop = {.kernel = kernel, .t = t};
    tg_parallel_for(t->crow[t->rows] + t->rows, 1 + PARALLEL / (t->columns + 1), csr_places, &loop);
}

void tg_csr_product(tg_dtype dtype, const tg_csr *t)
{
    by_rows(tg_kernels_of(dtype)->csr_product, t);
}

void tg_csr_sample(tg_dtype dtype, const tg_csr *t)
{
    by_rows(tg_kernels_of(dtype)->csr_sample, t);
}

/* ---- by columns of out: sums over rows are not divided --------------------------------------- */

static void csr_columns(void *context, int64_t begin, int64_t end)
{
    const csr_loop *l = context;
    const int64_t line = (int64_t)TG_LINE / l->bytes, columns = l->t->columns;
    begin *= line;
    end = tg_min(end * line, columns);
    for (int64_t r = 0; r < l->size; r++)
        memset((char *)l->t->out + (r * columns + begin) * l->bytes, 0,
               (size_t)((end - begin) * l->bytes));
    l->kernel(l->t, begin, end);
}

void tg_csr_transposed_product(tg_dtype dtype, int64_t size, const tg_csr *t)
{
    csr_loop loop = {tg_kernels_of(dtype)->csr_transposed_product, t, size,
                     (int64_t)tg_dtype_size(dtype)};
    const int64_t line = (int64_t)TG_LINE / loop.bytes;
    tg_parallel_for((t->columns + line - 1) / line,
                    1 + PARALLEL / (line * (t->crow[t->rows] + size + 1)), csr_columns, &loop);
}
