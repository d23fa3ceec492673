#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

const tg_type_kernels *tg_kernels_of(tg_dtype dtype)
{
    return tg_kernels_get()->type[dtype];
}

/* ---- maps ------------------------------------------------------------------------------------ */

#define CHUNK 512     /* elements gathered at a time where an input is not contiguous */
#define PARALLEL 8192 /* elements worth a thread */

typedef struct map {
    tg_map_kernel kernel;
    int nin;
    size_t size; /* of an element */
    char *out;
    const void *in[TG_MAP_INPUTS];
    bool unit; /* the inner stride of all inputs is 1 */
    /* Dimensions with neighbours joined where all inputs allow it; the last one is the inner. */
    int ndim;
    int64_t extent[TG_MAX_DIMS + 1], stride[TG_MAP_INPUTS][TG_MAX_DIMS + 1];
} map;

static void map_init(map *m, const tg_tensor *out, const tg_tensor *const in[])
{
    m->ndim = 0;
    for (int d = 0; d < out->shape.ndim; d++) {
        const int64_t extent = out->shape.size[d];
        if (extent == 1)
            continue;
        int64_t stride[TG_MAP_INPUTS];
        const int last = m->ndim - 1;
        bool joins = last >= 0;
        for (int i = 0; i < m->nin; i++) {
            const int own = d - (out->shape.ndim - in[i]->shape.ndim);
            const bool repeats = own < 0 || in[i]->shape.size[own] == 1;
            stride[i] = repeats ? 0 : in[i]->stride[own];
            joins = joins && m->stride[i][last] == extent * stride[i];
        }
        const int to = joins ? last : m->ndim++;
        m->extent[to] = joins ? m->extent[last] * extent : extent;
        for (int i = 0; i < m->nin; i++)
            m->stride[i][to] = stride[i];
    }
    if (m->ndim == 0) { /* one element */
        m->ndim = 1;
        m->extent[0] = 1;
        for (int i = 0; i < m->nin; i++)
            m->stride[i][0] = 1;
    }
    m->unit = true;
    for (int i = 0; i < m->nin; i++)
        m->unit = m->unit && m->stride[i][m->ndim - 1] == 1;
}

static void gather(int64_t n, size_t size, char *to, const char *from, int64_t stride)
{
    if (size == 4)
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)to)[i] = ((const uint32_t *)(const void *)from)[i * stride];
    else
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)to)[i] = ((const uint64_t *)(const void *)from)[i * stride];
}

/* Elements begin .. end of the inner dimension of one row. */
static void map_row(const map *m, int64_t begin, int64_t end, char *out, const void *const in[])
{
    const int inner = m->ndim - 1;
    const int64_t size = (int64_t)m->size;
    double chunk[TG_MAP_INPUTS][CHUNK];
    const int64_t most = m->unit ? end - begin : CHUNK;
    for (int64_t at = begin; at < end; at += most) {
        const int64_t n = tg_min(most, end - at);
        const void *operand[TG_MAP_INPUTS];
        for (int i = 0; i < m->nin; i++) {
            const int64_t stride = m->stride[i][inner];
            operand[i] = (const char *)in[i] + at * stride * size;
            if (stride != 1) {
                gather(n, m->size, (char *)chunk[i], operand[i], stride);
                operand[i] = chunk[i];
            }
        }
        m->kernel(n, out + at * size, operand);
    }
}

static void map_inner(void *context, int64_t begin, int64_t end)
{
    const map *m = context;
    map_row(m, begin, end, m->out, m->in);
}

/* Rows begin .. end of all dimensions but the inner. */
static void map_outer(void *context, int64_t begin, int64_t end)
{
    const map *m = context;
    const int inner = m->ndim - 1;
    const int64_t size = (int64_t)m->size;
    int64_t at[TG_MAX_DIMS + 1]; /* of the row, in the outer dimensions */
    const void *in[TG_MAP_INPUTS];
    for (int64_t d = inner - 1, rest = begin; d >= 0; rest /= m->extent[d--])
        at[d] = rest % m->extent[d];
    for (int i = 0; i < m->nin; i++) {
        int64_t offset = 0;
        for (int d = 0; d < inner; d++)
            offset += at[d] * m->stride[i][d];
        in[i] = (const char *)m->in[i] + offset * size;
    }
    for (int64_t row = begin; row < end; row++) {
        char *out = m->out + row * m->extent[inner] * size;
        if (m->unit)
            m->kernel(m->extent[inner], out, in);
        else
            map_row(m, 0, m->extent[inner], out, in);
        for (int d = inner - 1; d >= 0; d--) { /* on to the next row */
            const bool turns = ++at[d] == m->extent[d];
            for (int i = 0; i < m->nin; i++)
                in[i] = (const char *)in[i] +
                        (turns ? 1 - m->extent[d] : 1) * m->stride[i][d] * size;
            if (!turns)
                break;
            at[d] = 0;
        }
    }
}

/* Small maps over plain arrays, the most frequent ones, go straight to the kernel. */
static bool map_at_once(tg_map_kernel kernel, int64_t total, const tg_tensor *out, int nin,
                        const tg_tensor *const in[])
{
    const void *operand[TG_MAP_INPUTS];
    for (int i = 0; i < nin; i++) {
        if (!tg_shape_equal(&in[i]->shape, &out->shape) || !tg_is_contiguous(in[i]))
            return false;
        operand[i] = in[i]->data;
    }
    kernel(total, out->data, operand);
    return true;
}

void tg_map(tg_map_kernel kernel, const tg_tensor *out, int nin, const tg_tensor *const in[])
{
    const int64_t total = tg_numel(out);
    if (total == 0 || (total <= PARALLEL && map_at_once(kernel, total, out, nin, in)))
        return;
    map m;
    m.kernel = kernel;
    m.nin = nin;
    m.size = tg_dtype_size(out->dtype);
    m.out = out->data;
    for (int i = 0; i < nin; i++)
        m.in[i] = in[i]->data;
    map_init(&m, out, in);
    const int64_t inner = m.extent[m.ndim - 1];
    if (m.ndim == 1)
        tg_parallel_for(inner, PARALLEL, map_inner, &m);
    else
        tg_parallel_for(total / inner, 1 + PARALLEL / inner, map_outer, &m);
}

/* ---- sums ------------------------------------------------------------------------------------ */

typedef struct sums {
    const tg_type_kernels *kernels;
    int64_t size, count, inner, blocks; /* of TG_SUM_COLUMNS columns, in inner */
    char *out;
    const char *x;
} sums;

/* Blocks of columns, of one outer index behind the other. */
static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const sums *s = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t outer = i / s->blocks, column = i % s->blocks * TG_SUM_COLUMNS;
        s->kernels->sum(s->count, tg_min(TG_SUM_COLUMNS, s->inner - column), s->inner,
                        s->out + (outer * s->inner + column) * s->size,
                        s->x + (outer * s->count * s->inner + column) * s->size);
    }
}

void tg_sum_middle(tg_dtype dtype, int64_t outer, int64_t count, int64_t inner, void *out,
                   const void *x)
{
    sums s = {tg_kernels_of(dtype), (int64_t)tg_dtype_size(dtype), count, inner,
              (inner + TG_SUM_COLUMNS - 1) / TG_SUM_COLUMNS, out, x};
    const int64_t elements = count * tg_min(inner, TG_SUM_COLUMNS);
    tg_parallel_for(outer * s.blocks, 1 + PARALLEL / (elements + 1), sum_blocks, &s);
}

/* ---- dropout --------------------------------------------------------------------------------- */

int64_t tg_dropout_words(int64_t count, uint32_t threshold)
{
    const int64_t bits = (count + TG_WORD_ROW - 1) / TG_WORD_ROW * tg_dropout_bits(threshold);
    return (bits + 127) / 128 * TG_WORD_GROUP; /* of a column, of which a group has 128 */
}

typedef struct drawing {
    const tg_rng *rng;
    uint32_t *word;
} drawing;

static void draw_groups(void *context, int64_t begin, int64_t end)
{
    const drawing *d = context;
    tg_kernels_get()->philox(d->rng->seed, d->rng->stream,
                             d->rng->position + (uint64_t)begin * TG_WORD_ROW, end - begin,
                             d->word + begin * TG_WORD_GROUP);
}

void tg_draw_words(int64_t words, uint32_t *word)
{
    enum { GRAIN = 64 }; /* groups worth a thread */
    tg_rng *rng = tg_default_rng();
    const int64_t groups = words / TG_WORD_GROUP;
    tg_parallel_for(groups, GRAIN, draw_groups, &(drawing){rng, word});
    rng->position += (uint64_t)groups * TG_WORD_ROW;
}

typedef struct dropping {
    const tg_type_kernels *kernels;
    int64_t count, segment, size; /* elements of all, of a group of words; bytes of one */
    char *out;
    const char *x;
    const uint32_t *word;
    uint32_t threshold;
} dropping;

static void drop_segments(void *context, int64_t begin, int64_t end)
{
    const dropping *d = context;
    const int64_t from = begin * d->segment, n = tg_min(end * d->segment, d->count) - from;
    const uint32_t kept = 65536 - d->threshold;
    d->kernels->dropout(n, d->out + from * d->size, d->x + from * d->size,
                        d->word + begin * TG_WORD_GROUP, d->threshold, kept ? 65536.0 / kept : 0);
}

void tg_drop(const tg_tensor *out, const tg_tensor *x, const uint32_t *word, uint32_t threshold)
{
    dropping d = {tg_kernels_of(out->dtype), tg_numel(out),
                  32 * TG_WORD_GROUP / tg_dropout_bits(threshold),
                  (int64_t)tg_dtype_size(out->dtype), out->data, x->data, word, threshold};
    tg_parallel_for((d.count + d.segment - 1) / d.segment, 1 + PARALLEL / d.segment, drop_segments,
                    &d);
}
