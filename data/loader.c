#include "data/loader.h"

#include <stdlib.h>
#include <string.h>

#include "data/dataset-internal.h"
#include "tensor/parallel.h"
#include "tensor/tensor-internal.h"

struct tg_loader {
    tg_dataset data;
    int64_t batch_size;
    tg_loader_options options;
    tg_tensor *batch[TG_MAX_COLUMNS];
    uint64_t epoch;
    int64_t next;    /* position in the order of the epoch */
    uint32_t *order; /* NULL unless shuffled */
};

/* Streams of random numbers: one for each epoch's order. */
static const uint64_t SHUFFLE_STREAM = UINT64_C(0x5AFF1E) << 32;

/* A function of seed and epoch alone (Fisher and Yates). Places are drawn ahead, for most of them
 * lie where no cache has them. */
static void shuffle(tg_loader *loader)
{
    enum { AHEAD = 64 };
    uint64_t place[AHEAD];
    uint32_t *order = loader->order;
    const int64_t n = loader->data.count;
    tg_rng rng = {.seed = loader->options.seed, .stream = SHUFFLE_STREAM + loader->epoch};
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int64_t i = n - 1; i > 0;) {
        const int64_t drawn = tg_min(i, AHEAD);
        tg_rng_below_each(&rng, drawn, (uint64_t)i + 1, place);
        for (int64_t a = 0; a < drawn; a++)
            tg_prefetch(order + place[a], sizeof *order);
        for (int64_t a = 0; a < drawn; a++, i--) {
            const uint32_t other = order[place[a]];
            order[place[a]] = order[i];
            order[i] = other;
        }
    }
}

tg_loader *tg_loader_new_with(const tg_dataset *dataset, int64_t batch_size,
                              tg_loader_options options)
{
    tg_dataset data = *dataset;
    if (options.shuffle && data.count > UINT32_MAX) {
        tg_misuse("tg_loader_new", "loader", "%lld rows; at most 2^32 - 1 can be shuffled",
                  (long long)data.count);
        data.count = 0;
    }
    const size_t bytes = sizeof(uint32_t) * (size_t)data.count;
    tg_loader *loader = malloc(sizeof *loader);
    uint32_t *order = options.shuffle ? malloc(bytes + 1) : NULL;
    if (!loader || (options.shuffle && !order))
        tg_out_of_memory(bytes);
    *loader = (tg_loader){.data = data,
                          .batch_size = batch_size < 1 ? 1 : batch_size,
                          .options = options,
                          .order = order};
    for (int i = 0; i < data.columns; i++) {
        tg_shape shape = data.column[i]->shape;
        shape.size[0] = tg_min(loader->batch_size, data.count);
        loader->batch[i] = tg_owned_at("tg_loader_new", data.column[i]->dtype, shape);
        if (tg_is_error(loader->batch[i]))
            loader->data.count = 0;
    }
    return loader;
}

void tg_loader_free(tg_loader *loader)
{
    if (!loader)
        return;
    for (int i = 0; i < loader->data.columns; i++)
        tg_free(loader->batch[i]);
    free(loader->order);
    free(loader);
}

typedef struct gathering {
    char *to;
    const char *from;
    size_t width;
    const uint32_t *order;
} gathering;

/* Rows order[begin] to order[end - 1] of an array, one behind the other. */
static inline void gather_width(const gathering *g, size_t width, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        tg_prefetch(g->from + g->order[i] * width, width);
    for (int64_t i = begin; i < end; i++)
        tg_copy_row(g->to + (size_t)i * width, g->from + g->order[i] * width, width);
}

static void gather_rows(void *context, int64_t begin, int64_t end)
{
    const gathering *g = context;
    if (g->width == 8) /* constants, so that the loop knows what it copies */
        gather_width(g, 8, begin, end);
    else if (g->width == 4)
        gather_width(g, 4, begin, end);
    else
        gather_width(g, g->width, begin, end);
}

static void gather(const tg_loader *loader, int column, int64_t size)
{
    enum { GRAIN = 512 }; /* rows worth a thread */
    tg_tensor *batch = loader->batch[column];
    const char *rows = tg_dataset_rows(&loader->data, column);
    gathering g = {.to = batch->data, .from = rows, .width = tg_column_width(batch)};
    if (loader->order) {
        g.order = loader->order + loader->next;
        tg_parallel_for(size, GRAIN, gather_rows, &g);
    } else {
        memcpy(g.to, rows + (size_t)loader->next * g.width, (size_t)size * g.width);
    }
    batch->shape.size[0] = size;
    tg_touch(batch); /* a backward that still needs the batch before is told so */
}

bool tg_loader_next_at(const char *at, tg_loader *loader, tg_tensor **const *column, int columns)
{
    if (columns > loader->data.columns) {
        tg_misuse(at, "loader_next", "%d columns asked for; the data set has %d", columns,
                  loader->data.columns);
        return false;
    }
    if (loader->next >= loader->data.count) {
        tg_loader_set_epoch(loader, (int64_t)loader->epoch + 1);
        return false;
    }
    if (loader->next == 0 && loader->order)
        shuffle(loader);
    const int64_t size = tg_min(loader->batch_size, loader->data.count - loader->next);
    for (int i = 0; i < columns; i++) {
        gather(loader, i, size);
        *column[i] = loader->batch[i];
    }
    loader->next += size;
    return true;
}

int64_t tg_loader_batches(const tg_loader *loader)
{
    return (loader->data.count + loader->batch_size - 1) / loader->batch_size;
}

void tg_loader_set_epoch(tg_loader *loader, int64_t epoch)
{
    loader->epoch = (uint64_t)epoch;
    loader->next = 0;
}
