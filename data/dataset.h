/*
 * dataset.h: columns of equally many rows (torch.utils.data.TensorDataset)
 *
 *     tg_dataset points = tg_dataset_of(x, label);         (rows, 2) f32, (rows) i64
 *     tg_split_random(&points, 0.2, 10, &train, &test);    data/split.h
 *     tg_loader *loader = tg_loader_new(&train, 32, .shuffle = true);
 *     ...
 *     tg_dataset_release(&points);
 *
 * A part of a data set is a data set itself: a range of the rows of the same columns, which must
 * not outlive the whole. Releasing a part frees nothing.
 */
#ifndef TG_DATA_DATASET_H
#define TG_DATA_DATASET_H

#include "tensor/tensor.h"

enum { TG_MAX_COLUMNS = 8 };

typedef struct tg_dataset {
    int64_t first, count; /* its rows are `first` to first + count - 1 of the columns */
    int columns;
    tg_tensor *column[TG_MAX_COLUMNS]; /* (rows, ...) each */
    bool owns_columns;
} tg_dataset;

/* All rows of the tensors (rows, ...): contiguous, of any dtype. The data set owns those that the
 * caller owned from then on. Columns that do not fit together are misuse, and freed: the data set
 * is then empty. */
#define tg_dataset_of(...)                                                                         \
    tg_dataset_of_at(TG_HERE, (tg_tensor *const[]){__VA_ARGS__},                                   \
                     (int)(sizeof((tg_tensor *const[]){__VA_ARGS__}) / sizeof(tg_tensor *)))
tg_dataset tg_dataset_of_at(const char *at, tg_tensor *const *column, int columns);

void tg_dataset_release(tg_dataset *data);

/* The rows of a column in memory, as an array of its element type: (count, ...). */
void *tg_dataset_rows(const tg_dataset *data, int column);

#endif
