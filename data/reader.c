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

static int count_of(const char *line, char c)
{
    int count = 0;
    for (; *line; line++)
        count += *line == c;
    return count;
}

/* Tabs where they cut the line into fields enough: an id between them may hold blanks. */
static tg_separator separator_of(const char *line, int needed)
{
    const int commas = count_of(line, ','), semicolons = count_of(line, ';');
    return count_of(line, '\t') >= needed - 1            ? TG_TABS
           : strstr(line, "::")                          ? TG_COLONS
           : semicolons > commas && semicolons >= needed - 1 ? TG_SEMICOLONS
           : commas                                      ? TG_COMMAS
                                                         : TG_BLANKS;
}

/* What headers call the columns. */
static const char *const known_names[COLUMNS] = {
    [TG_USER] = (" user u customer client consumer buyer shopper member account person reviewer "
                 "rater reader viewer listener player visitor subscriber student learner profile "
                 "username "),
    [TG_ITEM] = tg_item_names,
    [TG_RATING] = (" rating ratings r score stars star rate grade overall vote preference value "
                   "weight bookrating movierating userrating reviewrating ratingvalue "
                   "ratingscore "),
    [TG_TIMESTAMP] = " timestamp time ts t unixtime unixtimestamp unixreviewtime ratingtimestamp ",
};

/* Names where there could be numbers. */
static bool has_number(char *const *field, int fields)
{
    for (int i = 0; i < fields; i++)
        if (is_digit(*field[i]) || (*field[i] && strchr("+-.", *field[i])))
            return true;
    return false;
}

/* Where the header has each column, and another field with as good a claim: or -1. */
typedef struct header {
    int place[COLUMNS], again[COLUMNS];
} header;

static header read_header(char *const *field, int fields)
{
    header h;
    for (int c = 0; c < COLUMNS; c++)
        h.place[c] = tg_header_find(known_names[c], field, fields, &h.again[c]);
    return h;
}

/* "user 'a', item 'b'": how a line would be read by position. */
static void format_positions(char *const *field, int columns, char *text, size_t size)
{
    char shown[TG_FIELD_SHOWN];
    size_t n = 0;
    for (int c = 0; c < columns && n < size; c++)
        n += (size_t)snprintf(text + n, size - n, "%s%s '%s'", c ? ", " : "", column_name[c],
                              tg_field_show(field[c], shown));
}

static tg_status refuse_header(reader *r, const header *h, char *const *field, int fields)
{
    const int needed = r->pairs ? 2 : 3;
    char positions[160], what[80] = "no", one[TG_FIELD_SHOWN], other[TG_FIELD_SHOWN];
    int c = 0;
    while (c < needed - 1 && h->place[c] >= 0 && h->again[c] < 0)
        c++;
    if (h->place[c] >= 0)
        snprintf(what, sizeof what, "'%s' and '%s' for the",
                 tg_field_show(field[h->place[c]], one), tg_field_show(field[h->again[c]], other));
    format_positions(field, fields < needed ? fields : needed, positions, sizeof positions);
    r->in->expected = r->pairs ? "names as userId, itemId, or no header"
                               : "names as userId, itemId, rating, or no header";
    return tg_lines_wrong(r->in, "a header with %s %s; by position %s", what, column_name[c],
                          positions);
}

static bool ends_as_id(const char *name)
{
    const size_t length = strcspn(name, ":");
    return length >= 2 && (name[length - 1] == 'd' || name[length - 1] == 'D') &&
           (name[length - 2] == 'i' || name[length - 2] == 'I');
}

/* Whether the first line is a header; then r->place is as it says. One that cannot be understood is
 * refused: reading by position what has names may take items for users, without a sign of it. */
static tg_status take_header(reader *r, char *const *field, int fields, bool *is_header)
{
    const header h = read_header(field, fields);
    const int needed = r->pairs ? 2 : 3;
    bool is_whole = true, is_named = !r->pairs, is_clear = true;
    for (int c = 0; c < needed; c++) {
        is_whole = is_whole && h.place[c] >= 0;
        is_clear = is_clear && h.again[c] < 0;
        is_named = is_named || (h.place[c] >= 0 && (h.place[c] != c || ends_as_id(field[c])));
    }
    r->by_name = is_whole && is_clear;
    /* Pairs are any two texts: what makes a header of them is a name of an id, or one in a place
     * that is not its column's. Ratings hold numbers. */
    *is_header = r->by_name || (is_whole && !is_clear) ||
                 (is_named && !has_number(field, fields));
    if (*is_header && !r->by_name)
        return refuse_header(r, &h, field, fields);
    memcpy(r->place, h.place, sizeof r->place);
    r->fields = fields;
    return TG_OK;
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
    const int least = r->pairs ? 2 : 3;
    if (fields > COLUMNS && !r->by_name && !r->pairs)
        return tg_lines_wrong(r->in, "more than %d fields", COLUMNS);
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
        r->kind = first ? separator_of(line, r->pairs ? 2 : 3) : r->kind;
        const int found = tg_fields(r->kind, line, field, MAX_FIELDS);
        const int fields = found > MAX_FIELDS && r->pairs ? MAX_FIELDS : found;
        bool is_header = false;
        if (fields > MAX_FIELDS)
            status = tg_lines_wrong(r->in, "more than %d fields", MAX_FIELDS);
        else if (first && fields > 0)
            status = take_header(r, field, fields, &is_header);
        first = false;
        if (is_header && status == TG_OK)
            continue;
        if (status == TG_OK && r->out->columns == 0)
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
