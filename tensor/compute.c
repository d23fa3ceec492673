#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

const tg_type_kernels *tg_kernels_of(tg_dtype dtype)
{
    return tg_kernels_get()->type[dtype];
}

#define PARALLEL 8192 /* elements worth a thread */

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
