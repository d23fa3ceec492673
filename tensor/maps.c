/* Maps and copies: what is done to each element alone. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/strided-internal.h"

#define PARALLEL 8192 /* elements worth a thread */
#define BLOCK (PARALLEL / 2)
#define PACKED 1024 /* elements of a block of which operands are packed: 4 or 8 KiB */

/* ---- maps ------------------------------------------------------------------------------------ */

typedef struct map {
    tg_map_kernel kernel;
    int operands; /* out and the inputs */
    tg_dtype dtype[TG_BLOCK_OPERANDS];
    bool is_packed[TG_BLOCK_OPERANDS]; /* kernels take arrays: others are copied into one */
    char *repeated[TG_BLOCK_OPERANDS]; /* an operand of one element, as often as a block has any */
} map;

/* data[0] (rows, n) = data[1], of one dtype. */
static void copy_rows(tg_dtype dtype, int64_t rows, int64_t n, char *to, int64_t to_row,
                      int64_t to_col, const char *from, int64_t row, int64_t col)
{
    tg_kernels_get()->copy[dtype](
        &(tg_block){rows, n, {to, (char *)from}, {to_row, row}, {to_col, col}});
}

static void map_block(void *context, const tg_block *b)
{
    const map *m = context;
    double packed[TG_BLOCK_OPERANDS][PACKED]; /* (rows, n) of any dtype */
    char *at[TG_BLOCK_OPERANDS];
    int64_t row[TG_BLOCK_OPERANDS]; /* in bytes */
    bool is_one_row = true;
    for (int i = 0; i < m->operands; i++) {
        const int64_t step = m->is_packed[i] || m->repeated[i] ? b->n : b->row[i];
        at[i] = m->repeated[i] ? m->repeated[i] : m->is_packed[i] ? (char *)packed[i] : b->data[i];
        row[i] = step * (int64_t)tg_dtype_size(m->dtype[i]);
        is_one_row = is_one_row && (b->rows == 1 || step == b->n);
        if (m->is_packed[i] && i > 0)
            copy_rows(m->dtype[i], b->rows, b->n, at[i], b->n, 1, b->data[i], b->row[i],
                      b->stride[i]);
    }
    const int64_t calls = is_one_row ? 1 : b->rows, n = b->rows * b->n / calls;
    for (int64_t r = 0; r < calls; r++) {
        const void *in[TG_MAP_INPUTS];
        for (int i = 1; i < m->operands; i++)
            in[i - 1] = at[i] + r * row[i];
        m->kernel(n, at[0] + r * row[0], in);
    }
    if (m->is_packed[0])
        copy_rows(m->dtype[0], b->rows, b->n, b->data[0], b->row[0], b->stride[0], at[0], b->n, 1);
}

static bool is_one_element(const tg_loop *loop, int i)
{
    for (int d = 0; d < loop->ndim; d++)
        if (loop->dim[d].size > 1 && loop->dim[d].stride[i] != 0)
            return false;
    return true;
}

static void map_strided(tg_map_kernel kernel, const tg_tensor *out, int nin,
                        const tg_tensor *const in[])
{
    map m = {.kernel = kernel, .operands = nin + 1};
    const tg_tensor *operand[TG_BLOCK_OPERANDS] = {out};
    memcpy(operand + 1, in, (size_t)nin * sizeof *in);
    tg_loop loop;
    tg_loop_init(&loop, &out->shape, m.operands, operand);
    if (loop.is_empty)
        return;
    const int64_t most = tg_min(PACKED, tg_numel(out));
    double repeated[TG_MAP_INPUTS][PACKED]; /* of any dtype */
    bool is_plain = true;
    for (int i = 0; i < m.operands; i++) {
        m.dtype[i] = operand[i]->dtype;
        m.is_packed[i] = loop.first.stride[i] != 1;
        is_plain = is_plain && !m.is_packed[i];
        if (i == 0 || !m.is_packed[i] || !is_one_element(&loop, i))
            continue;
        m.is_packed[i] = false;
        m.repeated[i] = (char *)repeated[i - 1];
        copy_rows(m.dtype[i], 1, most, m.repeated[i], most, 1, operand[i]->data, 0, 0);
    }
    tg_loop_run(&loop, is_plain ? BLOCK : PACKED, PARALLEL, map_block, &m);
}

/* Small maps over plain arrays, the most frequent ones, go straight to the kernel. */
static bool map_at_once(tg_map_kernel kernel, int64_t total, const tg_tensor *out, int nin,
                        const tg_tensor *const in[])
{
    const void *operand[TG_MAP_INPUTS];
    for (int i = 0; i < nin; i++) {
        if (in[i] != out &&
            (!tg_shape_equal(&in[i]->shape, &out->shape) || !tg_is_contiguous(in[i])))
            return false;
        operand[i] = in[i]->data;
    }
    kernel(total, out->data, operand);
    return true;
}

void tg_map(tg_map_kernel kernel, const tg_tensor *out, int nin, const tg_tensor *const in[])
{
    const int64_t total = tg_numel(out);
    if (total > PARALLEL || !tg_is_contiguous(out) || !map_at_once(kernel, total, out, nin, in))
        map_strided(kernel, out, nin, in);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void copy_block(void *context, const tg_block *b)
{
    const tg_tensor *dst = context;
    tg_kernels_get()->copy[dst->dtype](b);
}

void tg_copy_elements(const tg_tensor *dst, const tg_tensor *src)
{
    const int64_t total = tg_numel(dst);
    if (dst->dtype != src->dtype) {
        map_strided(tg_kernels_get()->convert[src->dtype][dst->dtype], dst, 1, &src);
    } else if (total <= PARALLEL && tg_shape_equal(&dst->shape, &src->shape) &&
               tg_is_contiguous(dst) && tg_is_contiguous(src)) {
        if (total > 0) /* of no elements, data may be NULL */
            memcpy(dst->data, src->data, (size_t)total * tg_dtype_size(dst->dtype));
    } else {
        tg_loop loop;
        tg_loop_init(&loop, &dst->shape, 2, (const tg_tensor *[]){dst, src});
        tg_loop_run(&loop, BLOCK, PARALLEL, copy_block, (void *)dst);
    }
}
