/* Text files of ratings and of pairs: one pass, a line at a time. */
#include <math.h>
#include <string.h>

#include "data/dataset-internal.h"
#include "data/lines.h"
#include "data/ratings.h"
#include "nn/file-internal.h"

enum { COLUMNS = TG_TIMESTAMP + 1, MAX_FIELDS = 64 };

static const char *const column_name[COLUMNS] = {"user id", "item id", "rating", "timestamp"};

typedef struct reader {
    tg_lines *in;
    tg_ids *ids[2];  /* of users, of items */
    tg_dataset *out;
    int64_t room;    /* rows that out has room for */
    bool pairs;      /* user and item alone are wanted */
    bool by_name;    /* a header said which field is which column */
    tg_separator kind;
    int fields;         /* of every line; 0 before the first one */
    int place[COLUMNS]; /* of a column among the fields, or -1 */
} reader;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- the first line -------------------------------------------------------------------------- */

static tg_separator separator_of(const char *line)
{
    return strchr(line, '\t') && strstr(line, ":token") ? TG_TABS
           : strstr(line, "::")                         ? TG_COLONS
           : strchr(line, ',')                          ? TG_COMMAS
                                                        : TG_BLANKS;
}

/* The column that a header's field names, or -1: "userId", "user_id:token" and "USER" are one. */
static int column_named(const char *field)
{
    static const struct {
        const char *name;
        int column;
    } known[] = {{"user", TG_USER},     {"userid", TG_USER},    {"item", TG_ITEM},
                 {"itemid", TG_ITEM},   {"movie", TG_ITEM},     {"movieid", TG_ITEM},
                 {"rating", TG_RATING}, {"time", TG_TIMESTAMP}, {"timestamp", TG_TIMESTAMP}};
    char plain[16];
    size_t n = 0;
    for (; *field && *field != ':' && n + 1 < sizeof plain; field++)
        if (*field != '_')
            plain[n++] = (char)(*field >= 'A' && *field <= 'Z' ? *field + ('a' - 'A') : *field);
    plain[n] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, plain) == 0)
            return known[i].column;
    return -1;
}

/* Names where there could be numbers. */
static bool has_number(char *const *field, int fields)
{
    for (int i = 0; i < fields; i++)
        if (*field[i] == '\0' || is_digit(*field[i]) || strchr("+-.", *field[i]))
            return true;
    return false;
}

/* Whether the first line is a header; then r->place is as it says. */
static bool take_header(reader *r, char *const *field, int fields)
{
    int place[COLUMNS] = {-1, -1, -1, -1};
    for (int i = 0; i < fields && i < MAX_FIELDS; i++) {
        const int column = column_named(field[i]);
        if (column >= 0 && place[column] < 0)
            place[column] = i;
    }
    r->by_name = place[TG_USER] >= 0 && place[TG_ITEM] >= 0 && (r->pairs || place[TG_RATING] >= 0);
    if (!r->by_name)
        return r->kind == TG_COMMAS && !r->pairs && !has_number(field, fields);
    memcpy(r->place, place, sizeof place);
    r->fields = fields;
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static tg_status read_id(const reader *r, int column, const char *field, int64_t *number)
{
    tg_ids *ids = r->ids[column];
    const int64_t known = ids->count;
    if (!*field)
        return tg_lines_wrong_field(r->in, column_name[column], field, "");
    *number = tg_ids_intern(ids, field);
    if (*number < 0)
        return TG_ENOMEM;
    if (*number == known && !tg_is_utf8(field)) /* model files hold ids, in JSON */
        return tg_lines_wrong_field(r->in, column_name[column], field, "not UTF-8");
    return TG_OK;
}

static tg_status read_rating(const reader *r, const char *field, float *rating)
{
    double number;
    if (is_digit(field[0]) && field[1] == '\0') { /* nearly all are of one digit */
        *rating = (float)(field[0] - '0');
        return TG_OK;
    }
    if (!tg_field_number(field, &number))
        return tg_lines_wrong_field(r->in, "rating", field, "not a number");
    *rating = (float)number;
    if (!isfinite(*rating))
        return tg_lines_wrong_field(r->in, "rating", field, "not a finite number");
    return TG_OK;
}

static tg_status read_timestamp(const reader *r, const char *field, int64_t *timestamp)
{
    const char *s = field + (*field == '-');
    int64_t size = 0;
    for (int digits = 0; digits < 18 && is_digit(*s); digits++, s++)
        size = 10 * size + (*s - '0');
    *timestamp = *field == '-' ? -size : size;
    if (!*s && is_digit(s[-1]))
        return TG_OK;
    double number;
    if (!tg_field_number(field, &number))
        return tg_lines_wrong_field(r->in, "timestamp", field, "not a number");
    if (!(fabs(number) < 0x1p63))
        return tg_lines_wrong_field(r->in, "timestamp", field, "too large");
    *timestamp = (int64_t)floor(number);
    return TG_OK;
}

/* Whether the line has the fields that it should have. */
static tg_status check_fields(const reader *r, int fields)
{
    const int least = r->pairs ? 2 : 3, most = r->by_name ? MAX_FIELDS : COLUMNS;
    if (fields > most && !r->pairs)
        return tg_lines_wrong(r->in, "more than %d fields", most);
    if (fields < least)
        return tg_lines_wrong_number(r->in, fields, "");
    if (fields != r->fields && (r->by_name || !r->pairs))
        return tg_lines_wrong_number(r->in, fields, ", unlike the lines before");
    return TG_OK;
}

/* What the first row says of the others: how many columns there are. */
static tg_status begin_rows(reader *r, int fields)
{
    if (!r->by_name) {
        r->fields = fields;
        for (int i = 0; i < COLUMNS; i++)
            r->place[i] = i < fields ? i : -1;
    }
    return tg_dataset_add_ratings(r->out, r->pairs ? 2 : r->place[TG_TIMESTAMP] < 0 ? 3 : 4, 0);
}

static tg_status read_row(reader *r, char *const *field)
{
    tg_dataset *out = r->out;
    const int64_t row = out->count;
    tg_status status = row < r->room ? TG_OK : tg_dataset_grow(out, &r->room);
    for (int i = TG_USER; i <= TG_ITEM && status == TG_OK; i++)
        status = read_id(r, i, field[r->place[i]], (int64_t *)out->column[i]->data + row);
    if (status == TG_OK && out->columns > TG_RATING)
        status = read_rating(r, field[r->place[TG_RATING]],
                             (float *)out->column[TG_RATING]->data + row);
    if (status == TG_OK && out->columns > TG_TIMESTAMP)
        status = read_timestamp(r, field[r->place[TG_TIMESTAMP]],
                                (int64_t *)out->column[TG_TIMESTAMP]->data + row);
    out->count += status == TG_OK;
    return status;
}

static tg_status read_lines(reader *r)
{
    char *line, *field[MAX_FIELDS];
    tg_status status;
    for (bool first = true; (status = tg_lines_next(r->in, &line)) == TG_OK && line;) {
        r->kind = first ? separator_of(line) : r->kind;
        const int fields = tg_fields(r->kind, line, field, MAX_FIELDS);
        const bool header = first && fields > 0 && take_header(r, field, fields);
        first = false;
        if (header)
            continue;
        if (r->out->columns == 0)
            status = begin_rows(r, fields);
        if (status == TG_OK)
            status = check_fields(r, fields);
        if (status == TG_OK)
            status = read_row(r, field);
        if (status != TG_OK)
            return status;
    }
    if (status == TG_OK && r->out->columns == 0 && !r->pairs) {
        r->in->line = 1;
        return tg_lines_wrong(r->in, "no rating in the file");
    }
    return status;
}

static tg_status read_file(const char *path, reader *r)
{
    *r->out = (tg_dataset){0};
    r->in = tg_lines_open(path, r->pairs ? "user and item"
                                         : "lines of user, item, rating and possibly a timestamp");
    tg_status status = r->in ? read_lines(r) : tg_last_error()->status;
    tg_lines_close(r->in);
    if (status == TG_OK && r->out->columns == 0)
        status = begin_rows(r, 2);
    if (status == TG_OK)
        tg_dataset_fit(r->out);
    else
        tg_dataset_release(r->out);
    return status;
}

tg_status tg_ratings_read(const char *path, tg_ids *users, tg_ids *items, tg_dataset *ratings)
{
    return read_file(path, &(reader){.ids = {users, items}, .out = ratings});
}

tg_status tg_pairs_read(const char *path, tg_ids *users, tg_ids *items, tg_dataset *pairs)
{
    return read_file(path, &(reader){.ids = {users, items}, .out = pairs, .pairs = true});
}
