#include "data/loader.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/random.h"
#include "tensor/tensor-internal.h"

struct tg_loader {
    const tg_dataset *dataset;
    int64_t batch_size;
    tg_loader_options options;
    tg_batch batch;
    uint64_t epoch;
    int64_t next;    /* position in the order of the epoch */
    uint32_t *order; /* NULL unless shuffled */
};

/* Streams of random numbers: one for each epoch's order. */
static const uint64_t SHUFFLE_STREAM = UINT64_C(0x5AFF1E) << 32;

/* A function of seed and epoch alone (Fisher and Yates). */
static void shuffle(tg_loader *loader)
{
    uint32_t *order = loader->order;
    const int64_t n = loader->dataset->count;
    tg_rng rng = {.seed = loader->options.seed, .stream = SHUFFLE_STREAM + loader->epoch};
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        const uint64_t j = tg_rng_below(&rng, (uint64_t)i + 1);
        const uint32_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

tg_loader *tg_loader_new_with(const tg_dataset *dataset, int64_t batch_size,
                              tg_loader_options options)
{
    const size_t bytes = sizeof(uint32_t) * (size_t)dataset->count;
    tg_loader *loader = malloc(sizeof *loader);
    uint32_t *order = options.shuffle ? malloc(bytes + 1) : NULL;
    if (!loader || (options.shuffle && !order))
        tg_out_of_memory(bytes);
    *loader = (tg_loader){.dataset = dataset,
                          .batch_size = batch_size < 1 ? 1 : batch_size,
                          .options = options,
                          .order = order};
    const int64_t rows = tg_min(loader->batch_size, dataset->count);
    loader->batch = (tg_batch){.user = tg_owned(TG_I64, rows),
                               .item = tg_owned(TG_I64, rows),
                               .rating = tg_owned(tg_default_dtype(), rows)};
    return loader;
}

void tg_loader_free(tg_loader *loader)
{
    if (!loader)
        return;
    tg_free(loader->batch.user);
    tg_free(loader->batch.item);
    tg_free(loader->batch.rating);
    free(loader->order);
    free(loader);
}

static void set_size(tg_batch *batch, int64_t size)
{
    batch->size = size;
    batch->user->shape.size[0] = size;
    batch->item->shape.size[0] = size;
    batch->rating->shape.size[0] = size;
}

static void gather(const tg_loader *loader, int64_t size)
{
    const tg_dataset *all = loader->dataset;
    int64_t *user = loader->batch.user->data, *item = loader->batch.item->data;
    float *f32 = loader->batch.rating->data;
    double *f64 = loader->batch.rating->data;
    const bool is_f32 = loader->batch.rating->dtype == TG_F32;
    for (int64_t i = 0; i < size; i++) {
        const int64_t position = loader->next + i;
        const int64_t row = loader->order ? (int64_t)loader->order[position] : position;
        user[i] = all->user[row];
        item[i] = all->item[row];
        if (is_f32)
            f32[i] = all->rating[row];
        else
            f64[i] = all->rating[row];
    }
}

bool tg_loader_next(tg_loader *loader, tg_batch *batch)
{
    if (loader->next >= loader->dataset->count) {
        loader->next = 0;
        loader->epoch++;
        return false;
    }
    if (loader->next == 0 && loader->order)
        shuffle(loader);
    const int64_t size = tg_min(loader->batch_size, loader->dataset->count - loader->next);
    set_size(&loader->batch, size);
    gather(loader, size);
    loader->next += size;
    *batch = loader->batch;
    return true;
}

int64_t tg_loader_batches(const tg_loader *loader)
{
    return (loader->dataset->count + loader->batch_size - 1) / loader->batch_size;
}
