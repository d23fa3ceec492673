#include "models/cli/titles.h"

#include <stdlib.h>
#include <string.h>

enum { ITEM, TITLE, GENRES, COLUMNS };

typedef struct reader {
    tg_lines *in;
    tg_separator kind;
    int place[COLUMNS]; /* of a column among the fields, or -1 */
    const tg_ids *items;
    char **titles, **genres; /* (items->count) */
} reader;

/* The flags of u.item, from field FLAG on (MovieLens 100K, u.genre). */
enum { FLAG = 5, FLAGS = 19, MAX_FIELDS = 64 };
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

static const char title_names[] = " title name movietitle moviename filmtitle filmname booktitle "
                                  "bookname itemtitle itemname producttitle productname songtitle "
                                  "songname trackname artistname albumtitle gamename animename ";
static const char genre_names[] = " genre genres category categories ";

/* Whether the first line is a header, in which names stand that say which field is which; one that
 * names the item or the title alone is refused. */
static tg_status take_header(reader *r, char *const *field, int fields, bool *is_header)
{
    int again[COLUMNS], place[COLUMNS];
    *is_header = false;
    for (int i = 0; i < fields; i++)
        if (tg_ids_find(r->items, field[i]) >= 0 || (*field[i] >= '0' && *field[i] <= '9'))
            return TG_OK;
    place[ITEM] = tg_header_find(tg_item_names, field, fields, &again[ITEM]);
    place[TITLE] = tg_header_find(title_names, field, fields, &again[TITLE]);
    place[GENRES] = tg_header_find(genre_names, field, fields, &again[GENRES]);
    if (place[ITEM] < 0 && place[TITLE] < 0)
        return TG_OK;
    *is_header = true;
    for (int c = ITEM; c <= TITLE; c++)
        if (place[c] < 0 || again[c] >= 0) {
            r->in->expected = "names as movieId, title, genres, or no header";
            return tg_lines_wrong(r->in, "a header with %s %s",
                                  place[c] < 0 ? "no" : "more than one",
                                  c == ITEM ? "item id" : "title");
        }
    memcpy(r->place, place, sizeof place);
    return TG_OK;
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
    const int place = r->place[GENRES];
    if (r->kind == TG_BARS && fields >= FLAG + FLAGS)
        return join_flags(field + FLAG, text), text;
    if (r->kind == TG_BARS || place < 0 || place >= fields ||
        strcmp(field[place], "(no genres listed)") == 0)
        return "";
    return field[place];
}

static tg_status read_line(reader *r, char *const *field, int fields)
{
    char flags[FLAGS * 16];
    if (fields < 2 || fields <= r->place[ITEM] || fields <= r->place[TITLE])
        return tg_lines_wrong_number(r->in, fields, "");
    const int64_t item = tg_ids_find(r->items, field[r->place[ITEM]]);
    if (item < 0)
        return TG_OK;
    const tg_status status = set_text(&r->titles[item], field[r->place[TITLE]]);
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
        bool is_header = false;
        if (first)
            status = take_header(r, field, fields, &is_header);
        first = false;
        if (status == TG_OK && !is_header)
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
                .place = {ITEM, TITLE, GENRES},
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
