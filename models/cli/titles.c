#include "models/cli/titles.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tg_lines *in;
    tg_separator kind;
    const tg_ids *items;
    char **titles, **genres; /* (items->count) */
} reader;

/* The flags of u.item, from field FLAG on (MovieLens 100K, u.genre). */
enum { FLAG = 5, FLAGS = 19, MAX_FIELDS = FLAG + FLAGS };
static const char *const flag_name[FLAGS] = {
    "unknown",   "Action",      "Adventure", "Animation", "Children's", "Comedy",  "Crime",
    "Documentary", "Drama",     "Fantasy",   "Film-Noir", "Horror",     "Musical", "Mystery",
    "Romance",   "Sci-Fi",      "Thriller",  "War",       "Western"};

/* A copy in UTF-8, control characters as blanks; NULL, and TG_ENOMEM, without memory for it. */
static char *copy_text(const char *text)
{
    const bool is_latin_1 = !tg_is_utf8(text);
    char *copy = malloc(2 * strlen(text) + 1), *to = copy;
    for (const char *from = text; copy && *from; from++) {
        const unsigned char c = (unsigned char)*from;
        if (is_latin_1 && c >= 0x80) {
            *to++ = (char)(0xC0 | c >> 6);
            *to++ = (char)(0x80 | (c & 0x3F));
        } else {
            *to++ = c < ' ' || c == 0x7F ? ' ' : *from;
        }
    }
    if (copy)
        *to = '\0';
    else
        tg_failure(TG_ENOMEM, "no memory for the title '%.40s'", text);
    return copy;
}

static tg_status set_text(char **slot, const char *text)
{
    char *copy = copy_text(text);
    if (!copy)
        return TG_ENOMEM;
    free(*slot);
    *slot = copy;
    return TG_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static tg_separator separator_of(const char *line)
{
    const char *mark = strpbrk(line, "\t|,");
    return strstr(line, "::") ? TG_COLONS
           : !mark            ? TG_COMMAS
           : *mark == '\t'    ? TG_TABS
           : *mark == '|'     ? TG_BARS
                              : TG_COMMAS;
}

/* Names where an item and its title could be: "movieId,title,genres". */
static bool is_header(const reader *r, char *const *field, int fields)
{
    return fields >= 2 && tg_ids_find(r->items, field[0]) < 0 && strstr(field[1], "title");
}

/* The names of the flags that are set, with | between, into text. */
static void join_flags(char *const *flag, char *text)
{
    char *to = text;
    *to = '\0';
    for (int i = 0; i < FLAGS; i++)
        if (strcmp(flag[i], "1") == 0)
            to += sprintf(to, "%s%s", to == text ? "" : "|", flag_name[i]);
}

static const char *genres_of(const reader *r, char *const *field, int fields, char *text)
{
    if (r->kind == TG_BARS && fields >= FLAG + FLAGS)
        return join_flags(field + FLAG, text), text;
    if (r->kind == TG_BARS || fields < 3 || strcmp(field[2], "(no genres listed)") == 0)
        return "";
    return field[2];
}

static tg_status read_line(reader *r, char *const *field, int fields)
{
    char flags[FLAGS * 16];
    if (fields < 2)
        return tg_lines_wrong_number(r->in, fields, "");
    const int64_t item = tg_ids_find(r->items, field[0]);
    if (item < 0)
        return TG_OK;
    const tg_status status = set_text(&r->titles[item], field[1]);
    if (status != TG_OK)
        return status;
    return set_text(&r->genres[item], genres_of(r, field, fields, flags));
}

static tg_status read_lines(reader *r)
{
    char *line, *field[MAX_FIELDS];
    tg_status status;
    for (bool first = true; (status = tg_lines_next(r->in, &line)) == TG_OK && line;) {
        r->kind = first ? separator_of(line) : r->kind;
        const int found = tg_fields(r->kind, line, field, MAX_FIELDS);
        const int fields = found > MAX_FIELDS ? MAX_FIELDS : found;
        const bool header = first && is_header(r, field, fields);
        first = false;
        if (header)
            continue;
        status = read_line(r, field, fields);
        if (status != TG_OK)
            return status;
    }
    if (status == TG_OK && titles_known(r->titles, r->items->count) == 0)
        return tg_lines_wrong(r->in, "no title of any of the %lld items",
                              (long long)r->items->count);
    return status;
}

/* ---- the lists ------------------------------------------------------------------------------- */

int64_t titles_known(char *const *texts, int64_t count)
{
    int64_t known = 0;
    for (int64_t i = 0; texts && i < count; i++)
        known += texts[i][0] != '\0';
    return known;
}

void titles_free(char **texts, int64_t count)
{
    for (int64_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

/* `count` empty texts; NULL, and TG_ENOMEM, without memory. */
static char **new_texts(int64_t count)
{
    char **texts = calloc((size_t)count + 1, sizeof *texts);
    for (int64_t i = 0; texts && i < count; i++)
        if (set_text(&texts[i], "") != TG_OK)
            return titles_free(texts, count), NULL;
    if (!texts)
        tg_failure(TG_ENOMEM, "no memory for %lld titles", (long long)count);
    return texts;
}

tg_status titles_read(const char *path, const tg_ids *items, char ***titles, char ***genres)
{
    reader r = {.items = items,
                .in = tg_lines_open(path, "lines of item, title and possibly genres"),
                .titles = new_texts(items->count),
                .genres = new_texts(items->count)};
    const tg_status status =
        r.in && r.titles && r.genres ? read_lines(&r) : tg_last_error()->status;
    const bool has_genres = titles_known(r.genres, items->count) > 0;
    tg_lines_close(r.in);
    *titles = status == TG_OK ? r.titles : NULL;
    *genres = status == TG_OK && has_genres ? r.genres : NULL;
    if (!*titles)
        titles_free(r.titles, items->count);
    if (!*genres)
        titles_free(r.genres, items->count);
    return status;
}
