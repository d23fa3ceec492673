/*
 * loader.h: mini-batches of a data set, in order or shuffled
 *
 *     tg_loader *loader = tg_loader_new(&train, 256, .shuffle = true, .seed = 10);
 *     tg_tensor *user, *item, *rating;
 *     for (int epoch = 0; epoch < 19; epoch++)
 *         while (tg_loader_next(loader, &user, &item, &rating))
 *             ...
 */
#ifndef TG_DATA_LOADER_H
#define TG_DATA_LOADER_H

#include "autograd/named_options.h"
#include "data/dataset.h"

typedef struct tg_loader_options {
    bool shuffle;  /* a new order every epoch, drawn from seed and the epoch's number */
    uint64_t seed;
    TG_NO_OPTION;
} tg_loader_options;
#define TG_LOADER_DEFAULTS .shuffle = false, .seed = 0

typedef struct tg_loader tg_loader;

/* The columns are borrowed: they must outlive the loader. batch_size is 1 or more. */
#define tg_loader_new(...) TG_LOADER_NEW_(__VA_ARGS__, )
#define TG_LOADER_NEW_(dataset, batch_size, ...)                                                   \
    tg_loader_new_with(dataset, batch_size,                                                        \
                       TG_OPTIONS_(tg_loader_options, TG_LOADER_DEFAULTS, __VA_ARGS__))
tg_loader *tg_loader_new_with(const tg_dataset *dataset, int64_t batch_size,
                              tg_loader_options options);
void tg_loader_free(tg_loader *loader);

/* The next batch of the epoch: the first columns of the data set, as many as are asked for (more
 * than there are is misuse), each (size, ...) of the column's dtype; size is batch_size, and what
 * is left over for the last batch. The tensors belong to the loader and hold their values until the
 * next call. False at the end of the epoch; the call after that begins the next one. */
#define tg_loader_next(loader, ...)                                                                \
    tg_loader_next_at(TG_HERE, loader, (tg_tensor **const[]){__VA_ARGS__},                         \
                      (int)(sizeof((tg_tensor **const[]){__VA_ARGS__}) / sizeof(tg_tensor **)))
bool tg_loader_next_at(const char *at, tg_loader *loader, tg_tensor **const *column, int columns);

int64_t tg_loader_batches(const tg_loader *loader); /* batches in an epoch */

/* Go to the beginning of an epoch, counted from 0: what a loader gives after that many epochs. */
void tg_loader_set_epoch(tg_loader *loader, int64_t epoch);

#endif
