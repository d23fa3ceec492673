/* Matrix products of tensors: which matrices they are of, and what each thread does of them. */
#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

#define PARALLEL_PRODUCT 200000 /* multiply-adds worth a thread */
#define CACHED (1 << 18)   /* bytes of b that leave the cache to others */
#define BLOCK_ROWS 64         /* of c for each thread, or its columns are shared out as well: */
#define BLOCK_COLUMNS 256 /* so many at a time */

typedef struct product {
    const tg_type_kernels *kernels;
    int64_t size;   /* of an element in bytes */
    tg_gemm matrix; /* the first of the batch */
    /* The batch, the innermost dimension first: the strides of a and b are 0 where they repeat. */
    int ndim;
    int64_t extent[TG_MAX_DIMS], a_stride[TG_MAX_DIMS], b_stride[TG_MAX_DIMS];
    int64_t count, blocks, tiles; /* matrices, blocks of columns in each, tiles of rows in those */
    bool is_large;
    void *rest; /* NULL, or like c: the sum over the second half of k, the second matrix then */
} product;

static const void *shifted(const product *p, const void *at, int64_t elements)
{
    return (const char *)at + elements * p->size;
}

static tg_gemm half_of(const product *p, int64_t i)
{
    tg_gemm t = p->matrix;
    const int64_t half = t.k / 2;
    if (i == 0) {
        t.k = half;
        return t;
    }
    t.k -= half;
    t.a = shifted(p, t.a, half * t.a_col);
    t.b = shifted(p, t.b, half * t.b_row);
    t.c = p->rest;
    return t;
}

static tg_gemm matrix_of(const product *p, int64_t i)
{
    tg_gemm t = p->matrix;
    int64_t a = 0, b = 0;
    t.c = (char *)t.c + i * t.m * t.n * p->size;
    for (int d = 0; d < p->ndim; i /= p->extent[d++]) {
        a += i % p->extent[d] * p->a_stride[d];
        b += i % p->extent[d] * p->b_stride[d];
    }
    t.a = shifted(p, t.a, a);
    t.b = shifted(p, t.b, b);
    return t;
}

/* Tiles begin .. end, of one block behind the other. */
static void product_tiles(void *context, int64_t begin, int64_t end)
{
    const product *p = context;
    const int64_t rows = p->kernels->tile_rows;
    void *workspace = NULL;
    if (p->is_large) {
        tg_arena_push(); /* of this thread */
        workspace = tg_arena_alloc((size_t)tg_gemm_workspace(p->matrix.n, p->size));
    }
    for (int64_t last; begin < end; begin = last) {
        const int64_t block = begin / p->tiles, i = block / p->blocks;
        const int64_t first = begin - block * p->tiles; /* tile of the block */
        last = tg_min(end, (block + 1) * p->tiles);
        tg_gemm t = p->rest ? half_of(p, i) : matrix_of(p, i);
        const int64_t row = first * rows, column = block % p->blocks * BLOCK_COLUMNS;
        t.m = tg_min(t.m - row, (last - begin) * rows);
        t.n = (block + 1) % p->blocks == 0 ? t.n - column : BLOCK_COLUMNS; /* the last: the rest */
        t.a = shifted(p, t.a, row * t.a_row);
        t.b = shifted(p, t.b, column * t.b_col);
        t.c = (char *)t.c + (row * t.c_row + column) * p->size;
        if (t.start)
            t.start = shifted(p, t.start, column);
        t.workspace = t.m >= BLOCK_ROWS ? workspace : NULL;
        p->kernels->gemm(&t);
    }
    if (p->is_large)
        tg_arena_pop();
}

/* Whether c is a sum over many rows of a and b, as the gradient of a layer's weight is over the
 * batch. It is then made of the sums over both halves of them, for any number of threads: of two,
 * each reads the rows that it made itself. To write a line again that another core has read costs
 * as much as to read nine. */
static bool has_halves(const tg_gemm *t)
{
    return t->a_row == 1 && t->k >= 2 * t->m && !t->start &&
           t->m * t->n * t->k >= 2 * PARALLEL_PRODUCT;
}

/* The step of t from one index of dimension d of c's to the next: 0 where it repeats. */
static int64_t batch_stride(const tg_tensor *t, const tg_tensor *c, int d)
{
    const int own = d - (c->shape.ndim - t->shape.ndim);
    return own < 0 || t->shape.size[own] == 1 ? 0 : t->stride[own];
}

/* Those dimensions of the batch along which b repeats, and a goes on as from row to row, are rows:
 * a batch times one matrix is one product. */
static void set_batch(product *p, const tg_tensor *c, const tg_tensor *a, const tg_tensor *b)
{
    tg_gemm *t = &p->matrix;
    for (int d = c->shape.ndim - 3; d >= 0; d--) {
        const int64_t extent = c->shape.size[d];
        const int64_t a_stride = batch_stride(a, c, d), b_stride = batch_stride(b, c, d);
        if (extent == 1)
            continue;
        if (p->ndim == 0 && b_stride == 0 && (t->m == 1 || a_stride == t->m * t->a_row)) {
            t->a_row = t->m == 1 ? a_stride : t->a_row;
            t->m *= extent;
            continue;
        }
        p->extent[p->ndim] = extent;
        p->a_stride[p->ndim] = a_stride;
        p->b_stride[p->ndim++] = b_stride;
        p->count *= extent;
    }
}

void tg_multiply(const tg_tensor *c, const tg_tensor *a, const tg_tensor *b,
                 const tg_tensor *start)
{
    const int ci = c->shape.ndim - 2, ai = a->shape.ndim - 2, bi = b->shape.ndim - 2;
    product p = {
        .kernels = tg_kernels_of(c->dtype),
        .size = (int64_t)tg_dtype_size(c->dtype),
        .matrix = {.m = c->shape.size[ci], .n = c->shape.size[ci + 1], .k = a->shape.size[ai + 1],
                   .a = a->data, .a_row = a->stride[ai], .a_col = a->stride[ai + 1],
                   .b = b->data, .b_row = b->stride[bi], .b_col = b->stride[bi + 1],
                   .c = c->data, .c_row = c->shape.size[ci + 1],
                   .start = start ? start->data : NULL},
        .count = 1,
    };
    const tg_gemm *t = &p.matrix;
    if (tg_numel(c) == 0)
        return;
    set_batch(&p, c, a, b);
    const int64_t rows = p.kernels->tile_rows;
    p.tiles = (t->m + rows - 1) / rows;
    p.is_large = t->m >= BLOCK_ROWS && t->n * t->k * p.size > CACHED;
    const bool has_rows = p.count * t->m >= BLOCK_ROWS * tg_num_threads();
    p.blocks = has_rows || t->n < BLOCK_COLUMNS ? 1 : t->n / BLOCK_COLUMNS;
    const int64_t tile = tg_min(rows, t->m) * (t->n / p.blocks) * (t->k + 1);
    const int64_t grain = 1 + PARALLEL_PRODUCT / tile;
    if (p.count > 1 || !has_halves(t)) {
        tg_parallel_for(p.count * p.blocks * p.tiles, grain, product_tiles, &p);
        return;
    }
    tg_arena_push();
    tg_tensor rest = *c;
    rest.data = p.rest = tg_step_memory((size_t)(t->m * t->n * p.size));
    tg_parallel_for(2 * p.blocks * p.tiles, grain, product_tiles, &p);
    tg_map(p.kernels->map[TG_ROW_add][TG_VALUE], c, 2, (const tg_tensor *[]){c, &rest});
    tg_arena_pop();
}
