/* Text files of ratings and of pairs: one pass, a line at a time. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/ratings.h"

enum { BUFFER_SIZE = 1 << 16, LINE_LIMIT = 4096, MAX_FIELDS = 4 };

typedef enum separator { SPACE, COMMA, COLONS } separator;

typedef struct reader {
    const char *path;     /* for messages, as is `expected` */
    const char *expected; /* the fields of a line */
    FILE *file;
    int64_t line;      /* number of the current line, from 1 */
    char *begin, *end; /* what is in the buffer and not yet given out */
    bool at_end;       /* of the file */
    separator separator;
    char buffer[BUFFER_SIZE + 1];
} reader;

/* ---- lines ----------------------------------------------------------------------------------- */

static tg_status fill_buffer(reader *r)
{
    const size_t kept = (size_t)(r->end - r->begin);
    memmove(r->buffer, r->begin, kept);
    const size_t got = fread(r->buffer + kept, 1, BUFFER_SIZE - kept, r->file);
    if (ferror(r->file))
        return tg_failure(TG_EIO, "%s: %s", r->path, strerror(errno));
    r->at_end = got < BUFFER_SIZE - kept;
    r->begin = r->buffer;
    r->end = r->buffer + kept + got;
    return TG_OK;
}

static tg_status not_text(const reader *r, const char *what)
{
    return tg_failure(TG_EFORMAT, "%s:%lld: %s; expected a text file of %s", r->path,
                      (long long)r->line, what, r->expected);
}

/* The next line, ended by NUL in place of its newline; *line is NULL after the last one. */
static tg_status next_line(reader *r, char **line)
{
    char *newline = memchr(r->begin, '\n', (size_t)(r->end - r->begin));
    if (!newline && !r->at_end) {
        const tg_status status = fill_buffer(r);
        if (status != TG_OK)
            return status;
        newline = memchr(r->begin, '\n', (size_t)(r->end - r->begin));
    }
    *line = NULL;
    if (r->begin == r->end)
        return TG_OK;
    r->line++;
    *line = r->begin;
    char *end = newline ? newline : r->end;
    r->begin = newline ? newline + 1 : r->end;
    if (end - *line > LINE_LIMIT)
        return not_text(r, "a very long line");
    if (memchr(*line, '\0', (size_t)(end - *line)))
        return not_text(r, "a byte of value zero");
    if (end > *line && end[-1] == '\r')
        end--;
    *end = '\0';
    if (r->line == 1 && strncmp(*line, "\xEF\xBB\xBF", 3) == 0) /* a byte-order mark */
        *line += 3;
    return TG_OK;
}

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
static int split_line(const reader *r, char *line, char *field[MAX_FIELDS])
{
    int count = 0;
    for (char *s = skip_blanks(line), *next; s; s = next, count++) {
        if (count == MAX_FIELDS)
            return count + 1;
        field[count] = s;
        *end_of_field(r->separator, s, &next) = '\0';
    }
    return count;
}

static tg_status wrong_field(const reader *r, const char *name, const char *field, const char *what)
{
    char shown[32];
    snprintf(shown, sizeof shown, "%.28s%s", field, strlen(field) > 28 ? "..." : "");
    for (char *s = shown; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    return *field ? tg_failure(TG_EFORMAT, "%s:%lld: %s '%s' is %s; expected %s", r->path,
                               (long long)r->line, name, shown, what, r->expected)
                  : tg_failure(TG_EFORMAT, "%s:%lld: %s is empty; expected %s", r->path,
                               (long long)r->line, name, r->expected);
}

static tg_status parse_integer(const reader *r, const char *name, const char *field, bool is_id,
                               int64_t *value)
{
    const bool negative = *field == '-';
    const char *s = field + negative;
    uint64_t magnitude = 0;
    for (; is_digit(*s); s++) {
        const uint64_t digit = (uint64_t)(*s - '0');
        if (magnitude > (INT64_MAX - digit) / 10)
            return wrong_field(r, name, field, "too large");
        magnitude = 10 * magnitude + digit;
    }
    if (*s || s == field + negative)
        return wrong_field(r, name, field, "not a whole number");
    if (negative && is_id)
        return wrong_field(r, name, field, "negative");
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return TG_OK;
}

static tg_status parse_rating(const reader *r, const char *field, float *value)
{
    if (is_digit(field[0]) && field[1] == '\0') { /* nearly all are of one digit */
        *value = (float)(field[0] - '0');
        return TG_OK;
    }
    char *end;
    const double number = strtod(field, &end);
    if (end == field || *end || strpbrk(field, "xX"))
        return wrong_field(r, "rating", field, "not a number");
    *value = (float)number;
    if (!isfinite(*value))
        return wrong_field(r, "rating", field, "not a finite number");
    return TG_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static tg_status parse_pair(const reader *r, char *const *field, tg_rating *row)
{
    const tg_status status = parse_integer(r, "user id", field[0], true, &row->user);
    return status == TG_OK ? parse_integer(r, "item id", field[1], true, &row->item) : status;
}

static tg_status parse_row(const reader *r, char *const *field, int fields, tg_rating *row)
{
    tg_status status = parse_pair(r, field, row);
    if (status == TG_OK)
        status = parse_rating(r, field[2], &row->rating);
    if (status == TG_OK && fields == 4)
        status = parse_integer(r, "timestamp", field[3], false, &row->timestamp);
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
static tg_status read_rows(reader *r, bool pairs, tg_ratings *ratings)
{
    int64_t capacity = 0;
    int expected = 0; /* fields of every line, as in the first with numbers */
    char *line, *field[MAX_FIELDS];
    tg_status status;
    for (bool first = true; (status = next_line(r, &line)) == TG_OK && line;) {
        if (*skip_blanks(line) == '\0')
            continue;
        if (first)
            r->separator = separator_of(line);
        const int fields = split_line(r, line, field);
        const bool header = first && r->separator == COMMA && is_header(field, fields);
        first = false;
        if (header)
            continue;
        expected = expected ? expected : fields;
        if (fields < 2 + !pairs || (!pairs && (fields > MAX_FIELDS || fields != expected)))
            return tg_failure(TG_EFORMAT, "%s:%lld: %s%d field%s; expected %s%s", r->path,
                              (long long)r->line, fields > MAX_FIELDS ? "more than " : "",
                              fields > MAX_FIELDS ? MAX_FIELDS : fields, fields == 1 ? "" : "s",
                              r->expected,
                              fields < 3 ? "" : " and the same number of fields in every line");
        tg_rating row = {0};
        status = pairs ? parse_pair(r, field, &row) : parse_row(r, field, fields, &row);
        if (status == TG_OK)
            status = append(ratings, &capacity, &row);
        if (status != TG_OK)
            return status;
    }
    ratings->has_timestamp = expected == 4;
    return status;
}

static tg_status read_file(const char *path, bool pairs, tg_ratings *ratings)
{
    *ratings = (tg_ratings){0};
    const bool standard_input = pairs && strcmp(path, "-") == 0;
    reader *r = malloc(sizeof *r);
    if (!r)
        return tg_failure(TG_ENOMEM, "%s: no memory to read it", path);
    r->path = standard_input ? "standard input" : path;
    r->expected = pairs ? "user and item" : "user, item, rating and possibly a timestamp";
    r->file = standard_input ? stdin : fopen(path, "rb");
    r->line = 0;
    r->begin = r->end = r->buffer;
    r->at_end = false;
    tg_status status = r->file ? read_rows(r, pairs, ratings)
                               : tg_failure(TG_EIO, "%s: %s", path, strerror(errno));
    if (status == TG_OK && ratings->count == 0 && !pairs)
        status = tg_failure(TG_EFORMAT, "%s:1: no rating in the file; expected lines of %s", path,
                            r->expected);
    if (r->file && !standard_input)
        fclose(r->file);
    free(r);
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
