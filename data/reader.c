/* Text files of ratings and of pairs: one pass, a line at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/lines-internal.h"
#include "data/ratings.h"

enum { MAX_FIELDS = 4 };

typedef enum separator { SPACE, COMMA, COLONS } separator;

/* ---- fields ---------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char *skip_blanks(char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

static separator separator_of(const char *line)
{
    return strstr(line, "::") ? COLONS : strchr(line, ',') ? COMMA : SPACE;
}

/* Where the field at `s` ends, and in *next where another one begins: NULL where none does. */
static char *end_of_field(separator kind, char *s, char **next)
{
    char *end = s;
    if (kind == SPACE) {
        while (*end && !is_blank(*end))
            end++;
        *next = skip_blanks(end);
        *next = **next ? *next : NULL;
        return end;
    }
    const char mark = kind == COMMA ? ',' : ':';
    while (*end && !(*end == mark && (mark == ',' || end[1] == mark)))
        end++;
    *next = *end ? skip_blanks(end + (mark == ',' ? 1 : 2)) : NULL;
    while (end > s && is_blank(end[-1]))
        end--;
    return end;
}

/* Cut a line into fields, in place; gives their number, MAX_FIELDS + 1 for any more. */
static int split_line(separator kind, char *line, char *field[MAX_FIELDS])
{
    int count = 0;
    for (char *s = skip_blanks(line), *next; s; s = next, count++) {
        if (count == MAX_FIELDS)
            return count + 1;
        field[count] = s;
        *end_of_field(kind, s, &next) = '\0';
    }
    return count;
}

static tg_status wrong_field(const tg_lines *in, const char *name, const char *field,
                             const char *what)
{
    char shown[TG_SHOWN];
    return *field ? tg_lines_wrong(in, "%s '%s' is %s", name, tg_lines_shown(field, shown), what)
                  : tg_lines_wrong(in, "%s is empty", name);
}

static tg_status parse_integer(const tg_lines *in, const char *name, const char *field, bool is_id,
                               int64_t *value)
{
    const bool negative = *field == '-';
    const char *s = field + negative;
    uint64_t magnitude = 0;
    for (; is_digit(*s); s++) {
        const uint64_t digit = (uint64_t)(*s - '0');
        if (magnitude > (INT64_MAX - digit) / 10)
            return wrong_field(in, name, field, "too large");
        magnitude = 10 * magnitude + digit;
    }
    if (*s || s == field + negative)
        return wrong_field(in, name, field, "not a whole number");
    if (negative && is_id)
        return wrong_field(in, name, field, "negative");
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return TG_OK;
}

static tg_status parse_rating(const tg_lines *in, const char *field, float *value)
{
    if (is_digit(field[0]) && field[1] == '\0') { /* nearly all are of one digit */
        *value = (float)(field[0] - '0');
        return TG_OK;
    }
    char *end;
    const double number = strtod(field, &end);
    if (end == field || *end || strpbrk(field, "xX"))
        return wrong_field(in, "rating", field, "not a number");
    *value = (float)number;
    if (!isfinite(*value))
        return wrong_field(in, "rating", field, "not a finite number");
    return TG_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static tg_status parse_pair(const tg_lines *in, char *const *field, tg_rating *row)
{
    const tg_status status = parse_integer(in, "user id", field[0], true, &row->user);
    return status == TG_OK ? parse_integer(in, "item id", field[1], true, &row->item) : status;
}

static tg_status parse_row(const tg_lines *in, char *const *field, int fields, tg_rating *row)
{
    tg_status status = parse_pair(in, field, row);
    if (status == TG_OK)
        status = parse_rating(in, field[2], &row->rating);
    if (status == TG_OK && fields == 4)
        status = parse_integer(in, "timestamp", field[3], false, &row->timestamp);
    return status;
}

/* Names instead of numbers in the first line. */
static bool is_header(char *const *field, int fields)
{
    for (int i = 0; i < fields && i < MAX_FIELDS; i++)
        if (is_digit(*field[i]) || *field[i] == '-' || *field[i] == '\0')
            return false;
    return true;
}

static tg_status append(tg_ratings *ratings, int64_t *capacity, const tg_rating *row)
{
    if (ratings->count == *capacity) {
        *capacity = *capacity ? *capacity + *capacity / 2 : 1024;
        tg_rating *grown = realloc(ratings->row, (size_t)*capacity * sizeof *grown);
        if (!grown)
            return tg_failure(TG_ENOMEM, "no memory for %lld ratings", (long long)*capacity);
        ratings->row = grown;
    }
    ratings->row[ratings->count++] = *row;
    return TG_OK;
}

/* pairs: only the first two fields count. */
static tg_status read_rows(tg_lines *in, bool pairs, tg_ratings *ratings)
{
    int64_t capacity = 0;
    separator kind = SPACE;
    int expected = 0; /* fields of every line, as in the first with numbers */
    char *line, *field[MAX_FIELDS];
    tg_status status;
    for (bool first = true; (status = tg_lines_next(in, &line)) == TG_OK && line;) {
        if (*skip_blanks(line) == '\0')
            continue;
        kind = first ? separator_of(line) : kind;
        const int fields = split_line(kind, line, field);
        const bool header = first && kind == COMMA && is_header(field, fields);
        first = false;
        if (header)
            continue;
        expected = expected ? expected : fields;
        if (fields > MAX_FIELDS && !pairs)
            return tg_lines_wrong(in, "more than %d fields", MAX_FIELDS);
        if (fields < 2 + !pairs || (!pairs && fields != expected))
            return tg_lines_wrong(in, "%d field%s%s", fields, fields == 1 ? "" : "s",
                                  fields < 3 ? "" : ", unlike the lines before");
        tg_rating row = {0};
        status = pairs ? parse_pair(in, field, &row) : parse_row(in, field, fields, &row);
        if (status == TG_OK)
            status = append(ratings, &capacity, &row);
        if (status != TG_OK)
            return status;
    }
    ratings->has_timestamp = expected == 4;
    if (status == TG_OK && ratings->count == 0 && !pairs) {
        in->line = 1;
        return tg_lines_wrong(in, "no rating in the file");
    }
    return status;
}

static tg_status read_file(const char *path, bool pairs, tg_ratings *ratings)
{
    *ratings = (tg_ratings){0};
    tg_lines *in = tg_lines_open(path, pairs,
                                 pairs ? "user and item"
                                       : "lines of user, item, rating and possibly a timestamp");
    const tg_status status = in ? read_rows(in, pairs, ratings) : tg_last_error()->status;
    tg_lines_close(in);
    if (status != TG_OK)
        tg_ratings_release(ratings);
    return status;
}

tg_status tg_ratings_read(const char *path, tg_ratings *ratings)
{
    return read_file(path, false, ratings);
}

tg_status tg_pairs_read(const char *path, tg_ratings *pairs)
{
    return read_file(path, true, pairs);
}

void tg_ratings_release(tg_ratings *ratings)
{
    free(ratings->row);
    *ratings = (tg_ratings){0};
}
