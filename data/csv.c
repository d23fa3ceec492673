#include "data/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset-internal.h"
#include "data/lines.h"

enum { MAX_FIELDS = 1024 };

typedef struct reader {
    tg_lines *in;
    const tg_csv_column *column; /* (out->columns) */
    tg_dataset *out;
    int64_t room;               /* rows that out has room for */
    char *header;               /* the first line, cut into names */
    char *name[MAX_FIELDS];     /* (fields) */
    int fields;                 /* of the header, and of every line */
    int place[MAX_FIELDS];      /* of the wanted names, column by column, among the fields */
    int end[TG_MAX_COLUMNS];    /* where a column's names end in place */
    char expected[200];         /* for messages */
} reader;

tg_csv_column tg_csv_numbers(const char *names)
{
    return (tg_csv_column){.names = names};
}

tg_csv_column tg_csv_ids(const char *name, tg_ids *ids)
{
    return (tg_csv_column){.names = name, .ids = ids};
}

/* ---- the header ------------------------------------------------------------------------------ */

static char *copy_of(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    if (copy)
        strcpy(copy, text);
    else
        tg_failure(TG_ENOMEM, "no memory for %zu bytes of names", strlen(text));
    return copy;
}

/* Let messages expect `what` and the header's names. */
static void expect_names(reader *r, const char *what)
{
    size_t n = (size_t)snprintf(r->expected, sizeof r->expected, "%s", what);
    for (int i = 0; i < r->fields && n + 1 < sizeof r->expected; i++)
        n += (size_t)snprintf(r->expected + n, sizeof r->expected - n, "%s%s", i ? ", " : " ",
                              r->name[i]);
    if (n >= sizeof r->expected)
        strcpy(r->expected + sizeof r->expected - 4, "...");
    r->in->expected = r->expected;
}

static tg_status read_header(reader *r)
{
    char *line;
    const tg_status status = tg_lines_next(r->in, &line);
    if (status != TG_OK)
        return status;
    if (!line) {
        r->in->line = 1;
        return tg_lines_wrong(r->in, "an empty file");
    }
    r->header = copy_of(line);
    if (!r->header)
        return TG_ENOMEM;
    r->fields = tg_fields(TG_COMMAS, r->header, r->name, MAX_FIELDS);
    if (r->fields > MAX_FIELDS)
        return tg_lines_wrong(r->in, "more than %d fields", MAX_FIELDS);
    return r->fields == 0 ? tg_lines_wrong_number(r->in, 0, "") : TG_OK;
}

/* The places of a column's names behind `begin`; *count of them. `names` is cut. */
static tg_status find_names(reader *r, char *names, int begin, int *count)
{
    char *wanted[MAX_FIELDS];
    *count = tg_fields(TG_COMMAS, names, wanted, MAX_FIELDS - begin);
    if (*count == 0 || *count > MAX_FIELDS - begin)
        return tg_failure(TG_EMISUSE, "tg_csv_read: '%.80s' is no list of names", names);
    for (int i = 0; i < *count; i++) {
        int at = 0;
        while (at < r->fields && strcmp(r->name[at], wanted[i]) != 0)
            at++;
        if (at == r->fields) {
            expect_names(r, "one of");
            return tg_lines_wrong(r->in, "no column '%.80s'", wanted[i]);
        }
        r->place[begin + i] = at;
    }
    return TG_OK;
}

/* Add the column that is next, without rows. */
static tg_status add_column(reader *r)
{
    const int c = r->out->columns, begin = c ? r->end[c - 1] : 0;
    int count = 0;
    char *names = copy_of(r->column[c].names);
    const tg_status status = names ? find_names(r, names, begin, &count) : TG_ENOMEM;
    free(names);
    if (status != TG_OK)
        return status;
    if (r->column[c].ids && count > 1)
        return tg_failure(TG_EMISUSE, "tg_csv_read: tg_csv_ids of %d names; expected one", count);
    r->end[c] = begin + count;
    return tg_dataset_add(r->out, r->column[c].ids ? TG_I64 : TG_F32,
                          count > 1 ? TG_SHAPE(0, count) : TG_SHAPE(0));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static tg_status read_number(reader *r, int column, int place, const char *field, float *value)
{
    double number = 0;
    const bool is_number = tg_field_number(field, &number);
    *value = (float)number;
    if (is_number && isfinite(*value))
        return TG_OK;
    snprintf(r->expected, sizeof r->expected, "finite numbers in %.150s", r->column[column].names);
    r->in->expected = r->expected;
    return tg_lines_wrong_field(r->in, r->name[place], field,
                                is_number ? "not a finite number" : "not a number");
}

static tg_status read_row(reader *r, char *const *field)
{
    tg_dataset *out = r->out;
    tg_status status = out->count < r->room ? TG_OK : tg_dataset_grow(out, &r->room);
    for (int c = 0, i = 0; c < out->columns && status == TG_OK; c++) {
        const int begin = i;
        if (r->column[c].ids) {
            const int64_t number = tg_ids_intern(r->column[c].ids, field[r->place[i++]]);
            ((int64_t *)out->column[c]->data)[out->count] = number;
            status = number < 0 ? TG_ENOMEM : TG_OK;
            continue;
        }
        float *row = (float *)out->column[c]->data + out->count * (r->end[c] - begin);
        for (; i < r->end[c] && status == TG_OK; i++)
            status = read_number(r, c, r->place[i], field[r->place[i]], &row[i - begin]);
    }
    out->count += status == TG_OK;
    return status;
}

static tg_status read_lines(reader *r)
{
    char *line, *field[MAX_FIELDS], what[32];
    tg_status status;
    snprintf(what, sizeof what, "%d field%s:", r->fields, r->fields == 1 ? "" : "s");
    expect_names(r, what);
    while ((status = tg_lines_next(r->in, &line)) == TG_OK && line) {
        const int fields = tg_fields(TG_COMMAS, line, field, MAX_FIELDS);
        status = fields == r->fields ? read_row(r, field)
                                     : tg_lines_wrong_number(r->in, fields, "");
        if (status != TG_OK)
            return status;
    }
    if (status == TG_OK && r->out->count == 0)
        status = tg_lines_wrong(r->in, "no row behind the header");
    return status;
}

tg_status tg_csv_read_columns(const char *path, tg_dataset *data, const tg_csv_column *column,
                              int columns)
{
    *data = (tg_dataset){0};
    if (columns > TG_MAX_COLUMNS)
        return tg_failure(TG_EMISUSE, "tg_csv_read: %d columns; at most %d are possible", columns,
                          TG_MAX_COLUMNS);
    reader r = {.in = tg_lines_open(path, "a header with names"), .column = column, .out = data};
    tg_status status = r.in ? read_header(&r) : tg_last_error()->status;
    while (status == TG_OK && data->columns < columns)
        status = add_column(&r);
    if (status == TG_OK)
        status = read_lines(&r);
    if (status == TG_OK)
        tg_dataset_fit(data);
    else
        tg_dataset_release(data);
    tg_lines_close(r.in);
    free(r.header);
    return status;
}
