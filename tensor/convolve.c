/* Kernels that move over images: windows as columns, the largest pixels, convolutions. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

#define PARALLEL 8192 /* elements worth a thread */

/* ---- planes ---------------------------------------------------------------------------------- */

typedef struct plane_loop {
    const tg_type_kernels *kernels;
    const tg_windows *s;
    int64_t size, plane, windows, columns; /* bytes of an element; elements of a plane of each */
    char *x, *to;                          /* to: columns, or places */
} plane_loop;

static void plane_loop_run(tg_dtype dtype, const tg_windows *s, int64_t planes, const void *x,
                           void *to, void (*body)(void *context, int64_t begin, int64_t end))
{
    const int64_t windows = s->out_h * s->out_w, columns = s->kh * s->kw * windows;
    plane_loop loop = {tg_kernels_of(dtype), s, (int64_t)tg_dtype_size(dtype), s->h * s->w, windows,
                       columns, (char *)x, to};
    tg_parallel_for(planes, 1 + PARALLEL / columns, body, &loop);
}

static void unfold_planes(void *context, int64_t begin, int64_t end)
{
    const plane_loop *l = context;
    l->kernels->unfold(l->s, end - begin, l->x + begin * l->plane * l->size, 0, l->s->out_h,
                       l->to + begin * l->columns * l->size);
}

void tg_unfold_planes(tg_dtype dtype, const tg_windows *s, int64_t planes, const void *x,
                      void *columns)
{
    plane_loop_run(dtype, s, planes, x, columns, unfold_planes);
}

static void fold_planes(void *context, int64_t begin, int64_t end)
{
    const plane_loop *l = context;
    char *x = l->x + begin * l->plane * l->size;
    memset(x, 0, (size_t)((end - begin) * l->plane * l->size));
    l->kernels->fold(l->s, end - begin, x, 0, l->s->out_h, l->to + begin * l->columns * l->size);
}

void tg_fold_planes(tg_dtype dtype, const tg_windows *s, int64_t planes, void *x,
                    const void *columns)
{
    plane_loop_run(dtype, s, planes, x, (void *)columns, fold_planes);
}

static void max_planes(void *context, int64_t begin, int64_t end)
{
    const plane_loop *l = context;
    tg_arena_push();
    void *values = tg_step_memory((size_t)(l->windows * l->size));
    for (int64_t p = begin; p < end; p++)
        l->kernels->max_places(l->s, l->x + p * l->plane * l->size, values,
                               (int64_t *)(void *)l->to + p * l->windows);
    tg_arena_pop();
}

void tg_max_places(tg_dtype dtype, const tg_windows *s, int64_t planes, const void *x,
                   int64_t *place)
{
    plane_loop_run(dtype, s, planes, x, place, max_planes);
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* An image's windows are made columns (in kh kw, windows), a few rows of windows at a time, which
 * stay in the cache until they are multiplied. Which rows these are, and which images are summed up
 * one behind the other, depends on sizes alone. */
#define COLUMN_BYTES (1 << 18)
#define WEIGHT_BYTES (1 << 20) /* of sums over some images each, of which there are at least two */
#define WEIGHT_SUMS 16

typedef struct conv_loop {
    const tg_type_kernels *kernels;
    const tg_convolution *c;
    int64_t size, k, windows;   /* bytes of an element; rows of columns; windows of an image */
    int64_t rows, blocks;       /* rows of windows in a block; blocks of an image */
    int64_t images;             /* that are summed up one behind the other, for dweight */
    bool is_plain;              /* an image is its columns */
    char *dweight;              /* (sums, groups, out, in, kh, kw) */
} conv_loop;

static conv_loop conv_loop_of(tg_dtype dtype, const tg_convolution *c)
{
    const tg_windows *s = &c->windows;
    conv_loop l = {.kernels = tg_kernels_of(dtype), .c = c, .size = (int64_t)tg_dtype_size(dtype),
                   .k = c->in * s->kh * s->kw, .windows = s->out_h * s->out_w};
    l.is_plain = s->kh * s->kw == 1 && s->stride == 1 && s->padding == 0;
    l.rows = l.is_plain ? s->out_h : COLUMN_BYTES / (l.k * s->out_w * l.size + 1);
    l.rows = l.rows < 1 ? 1 : tg_min(l.rows, s->out_h);
    l.blocks = (s->out_h + l.rows - 1) / l.rows;
    return l;
}

/* A block of an image's windows, in one group. */
typedef struct conv_block {
    int64_t first, last; /* rows of windows */
    int64_t count;       /* windows */
    char *x, *y;         /* the group's channels; y from the first window on */
    void *columns;       /* (k, count), `row` elements from one of its rows to the next */
    int64_t row;
} conv_block;

static conv_block conv_block_at(const conv_loop *l, int64_t image, int64_t group, int64_t block,
                                void *memory)
{
    const tg_convolution *c = l->c;
    const tg_windows *s = &c->windows;
    const int64_t plane = image * c->groups + group;
    conv_block b = {.first = block * l->rows};
    b.last = tg_min(b.first + l->rows, s->out_h);
    b.count = (b.last - b.first) * s->out_w;
    b.x = (char *)c->x + plane * c->in * s->h * s->w * l->size;
    b.y = (char *)c->y + (plane * c->out * l->windows + b.first * s->out_w) * l->size;
    b.columns = l->is_plain ? b.x : memory;
    b.row = b.count;
    return b;
}

static void *column_memory(const conv_loop *l)
{
    return tg_step_memory(l->is_plain ? 1 : (size_t)(l->k * l->rows * l->c->windows.out_w *
                                                     l->size));
}

/* ---- y: each block by itself ----------------------------------------------------------------- */

/* The bias of each channel of the group for as many windows as a block has. */
static void spread_bias(const conv_loop *l, int64_t group, int64_t row, char *start)
{
    const char *bias = (const char *)l->c->bias + group * l->c->out * l->size;
    for (int64_t i = 0; i < l->c->out; i++)
        for (int64_t j = 0; j < row; j++)
            memcpy(start + (i * row + j) * l->size, bias + i * l->size, (size_t)l->size);
}

/* Blocks of one image behind the other, of one group behind the other. */
static void conv_blocks(void *context, int64_t begin, int64_t end)
{
    const conv_loop *l = context;
    const tg_convolution *c = l->c;
    const int64_t of_group = c->images * l->blocks, row = l->rows * c->windows.out_w;
    tg_arena_push();
    void *memory = column_memory(l);
    char *start = c->bias ? tg_step_memory((size_t)(c->out * row * l->size)) : NULL;
    for (int64_t i = begin; i < end; i++) {
        const int64_t group = i / of_group, image = i % of_group / l->blocks;
        const conv_block b = conv_block_at(l, image, group, i % l->blocks, memory);
        if (start && (i == begin || i % of_group == 0))
            spread_bias(l, group, row, start);
        if (!l->is_plain)
            l->kernels->unfold(&c->windows, c->in, b.x, b.first, b.last, b.columns);
        l->kernels->gemm(&(tg_gemm){
            .m = c->out, .n = b.count, .k = l->k,
            .a = (const char *)c->weight + group * c->out * l->k * l->size, .a_row = l->k,
            .a_col = 1, .b = b.columns, .b_row = b.row, .b_col = 1,
            .c = b.y, .c_row = l->windows, .start = start, .start_row = row});
    }
    tg_arena_pop();
}

void tg_convolve(tg_dtype dtype, const tg_convolution *c)
{
    conv_loop l = conv_loop_of(dtype, c);
    tg_parallel_for(c->groups * c->images * l.blocks,
                    1 + PARALLEL / (l.k * l.rows * c->windows.out_w + 1), conv_blocks, &l);
}

/* ---- x: the blocks of an image overlap ------------------------------------------------------- */

static void conv_images_back(void *context, int64_t begin, int64_t end)
{
    const conv_loop *l = context;
    const tg_convolution *c = l->c;
    const tg_windows *s = &c->windows;
    tg_arena_push();
    void *memory = column_memory(l);
    for (int64_t i = begin * l->blocks; i < end * l->blocks; i++) {
        const int64_t plane = i / l->blocks, group = plane % c->groups;
        const conv_block b = conv_block_at(l, plane / c->groups, group, i % l->blocks, memory);
        l->kernels->gemm(&(tg_gemm){
            .m = l->k, .n = b.count, .k = c->out,
            .a = (const char *)c->weight + group * c->out * l->k * l->size, .a_row = 1,
            .a_col = l->k, .b = b.y, .b_row = l->windows, .b_col = 1,
            .c = b.columns, .c_row = b.row});
        if (l->is_plain)
            continue;
        if (b.first == 0)
            memset(b.x, 0, (size_t)(c->in * s->h * s->w * l->size));
        l->kernels->fold(s, c->in, b.x, b.first, b.last, b.columns);
    }
    tg_arena_pop();
}

void tg_convolve_back(tg_dtype dtype, const tg_convolution *c)
{
    conv_loop l = conv_loop_of(dtype, c);
    tg_parallel_for(c->images * c->groups, 1 + PARALLEL / (l.k * l.windows + 1), conv_images_back,
                    &l);
}

/* ---- weight: sums over some images, and the sum of these ------------------------------------- */

static void conv_weight_sums(void *context, int64_t begin, int64_t end)
{
    const conv_loop *l = context;
    const tg_convolution *c = l->c;
    tg_arena_push();
    void *memory = column_memory(l);
    for (int64_t i = begin; i < end; i++) {
        const int64_t sum = i / c->groups, group = i % c->groups;
        const int64_t first = sum * l->images, last = tg_min(first + l->images, c->images);
        char *dweight = l->dweight + i * c->out * l->k * l->size;
        for (int64_t p = first * l->blocks; p < last * l->blocks; p++) {
            const conv_block b = conv_block_at(l, p / l->blocks, group, p % l->blocks, memory);
            if (!l->is_plain)
                l->kernels->unfold(&c->windows, c->in, b.x, b.first, b.last, b.columns);
            l->kernels->gemm(&(tg_gemm){
                .m = c->out, .n = l->k, .k = b.count, .a = b.y, .a_row = l->windows, .a_col = 1,
                .b = b.columns, .b_row = 1, .b_col = b.row, .c = dweight, .c_row = l->k,
                .start = p > first * l->blocks ? dweight : NULL, .start_row = l->k});
        }
    }
    tg_arena_pop();
}

void tg_convolve_weight(tg_dtype dtype, const tg_convolution *c, void *dweight)
{
    conv_loop l = conv_loop_of(dtype, c);
    const int64_t count = c->groups * c->out * l.k, most = WEIGHT_BYTES / (count * l.size + 1);
    const int64_t sums = most < 2 ? 2 : tg_min(most, WEIGHT_SUMS);
    l.images = (c->images + sums - 1) / sums;
    const int64_t parts = l.images ? (c->images + l.images - 1) / l.images : 0;
    tg_arena_push();
    l.dweight = tg_step_memory((size_t)(parts * count * l.size));
    tg_parallel_for(parts * c->groups, 1 + PARALLEL / (l.k * l.windows * l.images + 1),
                    conv_weight_sums, &l);
    tg_sum_middle(dtype, (tg_rows){1, parts, count}, dweight, l.dweight);
    tg_arena_pop();
}
