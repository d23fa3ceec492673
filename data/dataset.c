#include "data/dataset.h"

#include <stdlib.h>

#include "data/dataset-internal.h"
#include "tensor/tensor-internal.h"

/* Whether the columns make a data set; if not, that is misuse. */
static bool fit_together(const char *at, tg_tensor *const *column, int columns)
{
    char text[TG_SHAPE_TEXT];
    if (columns > TG_MAX_COLUMNS) {
        tg_misuse(at, "dataset", "%d columns; at most %d are possible", columns, TG_MAX_COLUMNS);
        return false;
    }
    for (int i = 0; i < columns; i++) {
        const tg_tensor *c = column[i];
        if (!tg_usable(at, "dataset", c))
            return false;
        const char *fault = c->shape.ndim == 0 ? "a scalar has no rows"
                            : c->rows || !tg_is_contiguous(c)
                                ? "it is not contiguous"
                            : c->shape.size[0] != column[0]->shape.size[0]
                                ? "its rows are not as many as those of column 0"
                                : NULL;
        if (fault) {
            tg_misuse(at, "dataset", "column %d, %s: %s", i, tg_shape_format(&c->shape, text),
                      fault);
            return false;
        }
    }
    return true;
}

tg_dataset tg_dataset_of_at(const char *at, tg_tensor *const *column, int columns)
{
    tg_dataset data = {.owns_columns = true};
    if (!fit_together(at, column, columns)) {
        for (int i = 0; i < columns; i++)
            tg_free(column[i]);
        return data;
    }
    data.count = columns ? column[0]->shape.size[0] : 0;
    data.columns = columns;
    for (int i = 0; i < columns; i++)
        data.column[i] = column[i];
    return data;
}

void tg_dataset_release(tg_dataset *data)
{
    for (int i = 0; data->owns_columns && i < data->columns; i++)
        tg_free(data->column[i]);
    *data = (tg_dataset){0};
}

size_t tg_column_width(const tg_tensor *column)
{
    size_t width = tg_dtype_size(column->dtype);
    for (int i = 1; i < column->shape.ndim; i++)
        width *= (size_t)column->shape.size[i];
    return width;
}

void *tg_dataset_rows(const tg_dataset *data, int column)
{
    const tg_tensor *c = data->column[column];
    return (char *)c->data + (size_t)data->first * tg_column_width(c);
}

/* ---- growing --------------------------------------------------------------------------------- */

tg_status tg_dataset_add(tg_dataset *data, tg_dtype dtype, tg_shape shape)
{
    char text[TG_SHAPE_TEXT];
    tg_tensor *column = tg_owned_or_null(dtype, shape);
    if (!column)
        return tg_failure(TG_ENOMEM, "no memory for a column %s", tg_shape_format(&shape, text));
    data->owns_columns = true;
    data->column[data->columns++] = column;
    return TG_OK;
}

static bool set_room(tg_tensor *column, int64_t rows)
{
    const size_t bytes = (size_t)rows * tg_column_width(column);
    void *data = realloc(column->data, bytes ? bytes : 1);
    if (!data)
        return false;
    column->data = data;
    column->capacity = (int64_t)(bytes / tg_dtype_size(column->dtype));
    return true;
}

tg_status tg_dataset_grow(tg_dataset *data, int64_t *room)
{
    *room = data->count + data->count / 2 + 1024;
    for (int i = 0; i < data->columns; i++)
        if (!set_room(data->column[i], *room))
            return tg_failure(TG_ENOMEM, "no memory for %lld rows", (long long)*room);
    return TG_OK;
}

void tg_dataset_fit(tg_dataset *data)
{
    for (int i = 0; i < data->columns; i++) {
        set_room(data->column[i], data->count); /* where that fails it has more: no harm */
        data->column[i]->shape.size[0] = data->count;
    }
}
