/*
 * loader.h: mini-batches of a data set, in order or shuffled
 *
 *     tg_loader *loader = tg_loader_new(&train, 256, .shuffle = true, .seed = 10);
 *     for (int epoch = 0; epoch < 19; epoch++)
 *         while (tg_loader_next(loader, &batch))
 *             ...
 */
#ifndef TG_DATA_LOADER_H
#define TG_DATA_LOADER_H

#include "data/ratings.h"
#include "tensor/tensor.h"

typedef struct tg_loader_options {
    bool shuffle;  /* a new order every epoch, drawn from seed and the epoch's number */
    uint64_t seed;
} tg_loader_options;

/* The tensors belong to the loader and hold their values until the next call. */
typedef struct tg_batch {
    int64_t size;
    tg_tensor *user;   /* (size) i64 */
    tg_tensor *item;   /* (size) i64 */
    tg_tensor *rating; /* (size) of the default dtype */
} tg_batch;

typedef struct tg_loader tg_loader;

/* The data set is borrowed: it must outlive the loader. batch_size is 1 or more. */
#define tg_loader_new(dataset, batch_size, ...)                                                    \
    tg_loader_new_with(dataset, batch_size, (tg_loader_options){__VA_ARGS__})
tg_loader *tg_loader_new_with(const tg_dataset *dataset, int64_t batch_size,
                              tg_loader_options options);
void tg_loader_free(tg_loader *loader);

/* The next batch of the epoch; false at its end, and the call after that begins the next epoch.
 * The last batch holds what is left over. */
bool tg_loader_next(tg_loader *loader, tg_batch *batch);

int64_t tg_loader_batches(const tg_loader *loader); /* batches in an epoch */

#endif
