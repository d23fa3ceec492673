/*
 * dataset-internal.h: what the readers and the loader share about columns; not for programs
 */
#ifndef TG_DATASET_INTERNAL_H
#define TG_DATASET_INTERNAL_H

#include <string.h>

#include "data/dataset.h"
#include "tensor/error.h"

/* Bytes of a row. */
size_t tg_column_width(const tg_tensor *column);

/* Copy a row, also onto itself. Most are of one number: a call would cost more than the copy. */
static inline void tg_copy_row(void *to, const void *from, size_t width)
{
    if (width == 8)
        memmove(to, from, 8);
    else if (width == 4)
        memmove(to, from, 4);
    else
        memmove(to, from, width);
}

/* A data set that was {0} gets one column more; or the first columns of ratings.h, of so many rows,
 * which are zeros. */
tg_status tg_dataset_add(tg_dataset *data, tg_dtype dtype, tg_shape shape);
tg_status tg_dataset_add_ratings(tg_dataset *data, int columns, int64_t rows);

/* For readers: a data set of columns (0, ...) grows at its end. tg_dataset_grow makes room for at
 * least one more row; the reader writes rows through tg_dataset_rows and counts them in data->count;
 * tg_dataset_fit ends it. Room that no row has touched takes no memory. */
tg_status tg_dataset_grow(tg_dataset *data, int64_t *room);
void tg_dataset_fit(tg_dataset *data);

#endif
