/*
 * csv.h: chosen columns of a csv file with a header, as a data set
 *
 *     tg_ids species = {0};
 *     tg_dataset iris;
 *     if (tg_csv_read("iris.csv", &iris, tg_csv_numbers("sepal_length,sepal_width"),
 *                     tg_csv_ids("species", &species)) != TG_OK)
 *         ...                                          (rows, 2) f32, (rows) i64
 *
 * Fields are separated by commas and may be quoted ("a, ""b"""), but not go on in the next line.
 * Blank lines, Windows line ends and a byte-order mark are accepted. "-" is standard input.
 */
#ifndef TG_DATA_CSV_H
#define TG_DATA_CSV_H

#include "data/dataset.h"
#include "data/ids.h"

typedef struct tg_csv_column { /* of the data set; made by one of the functions below */
    const char *names; /* as in the header */
    tg_ids *ids;       /* NULL for numbers */
} tg_csv_column;

/* Finite numbers, one f32 tensor: (rows, k) of k names with commas between, (rows) of one. */
tg_csv_column tg_csv_numbers(const char *names);

/* Texts as the numbers of ids, (rows) i64; new ones are added to *ids. */
tg_csv_column tg_csv_ids(const char *name, tg_ids *ids);

/* Read a file, in its order. TG_EIO, TG_EFORMAT or TG_ENOMEM on failure, with FILE:LINE and what
 * was expected in tg_last_error(); *data is then empty. A file without a row is a TG_EFORMAT. */
#define tg_csv_read(path, data, ...)                                                               \
    tg_csv_read_columns(path, data, (const tg_csv_column[]){__VA_ARGS__},                          \
                        (int)(sizeof((tg_csv_column[]){__VA_ARGS__}) / sizeof(tg_csv_column)))
tg_status tg_csv_read_columns(const char *path, tg_dataset *data, const tg_csv_column *column,
                              int columns);

#endif
