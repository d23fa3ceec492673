#include "data/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

tg_lines *tg_lines_open(const char *path, const char *expected)
{
    const bool standard_input = strcmp(path, "-") == 0;
    tg_lines *lines = malloc(sizeof *lines);
    if (!lines) {
        tg_failure(TG_ENOMEM, "%s: no memory to read it", path);
        return NULL;
    }
    lines->path = standard_input ? "standard input" : path;
    lines->expected = expected;
    lines->file = standard_input ? stdin : fopen(path, "rb");
    lines->line = 0;
    lines->begin = lines->end = lines->buffer;
    lines->zero = NULL;
    lines->at_end = false;
    if (lines->file)
        return lines;
    tg_failure(TG_EIO, "%s: %s", path, strerror(errno));
    free(lines);
    return NULL;
}

void tg_lines_close(tg_lines *lines)
{
    if (lines && lines->file != stdin)
        fclose(lines->file);
    free(lines);
}

tg_status tg_lines_wrong(const tg_lines *lines, const char *format, ...)
{
    char what[256];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return tg_failure(TG_EFORMAT, "%s:%lld: %s; expected %s", lines->path, (long long)lines->line,
                      what, lines->expected);
}

const char *tg_field_show(const char *field, char shown[TG_FIELD_SHOWN])
{
    snprintf(shown, TG_FIELD_SHOWN, "%.28s%s", field, strlen(field) > 28 ? "..." : "");
    for (char *s = shown; *s; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    return shown;
}

tg_status tg_lines_wrong_field(const tg_lines *lines, const char *name, const char *field,
                               const char *what)
{
    if (!*field)
        return tg_lines_wrong(lines, "%s is empty", name);
    char shown[TG_FIELD_SHOWN];
    return tg_lines_wrong(lines, "%s '%s' is %s", name, tg_field_show(field, shown), what);
}

tg_status tg_lines_wrong_number(const tg_lines *lines, int number, const char *why)
{
    if (number == 0)
        return tg_lines_wrong(lines, "a field in quotes has no end, or something behind it");
    return tg_lines_wrong(lines, "%d field%s%s", number, number == 1 ? "" : "s", why);
}

static tg_status fill_buffer(tg_lines *lines)
{
    const size_t kept = (size_t)(lines->end - lines->begin);
    memmove(lines->buffer, lines->begin, kept);
    const size_t got = fread(lines->buffer + kept, 1, TG_LINES_BUFFER - kept, lines->file);
    if (ferror(lines->file))
        return tg_failure(TG_EIO, "%s: %s", lines->path, strerror(errno));
    lines->at_end = got < TG_LINES_BUFFER - kept;
    lines->begin = lines->buffer;
    lines->end = lines->buffer + kept + got;
    lines->zero = memchr(lines->buffer, '\0', kept + got);
    return TG_OK;
}

static bool is_blank_line(const char *line)
{
    while (*line == ' ' || *line == '\t')
        line++;
    return *line == '\0';
}

/* The line from lines->begin on, which is not empty. */
static tg_status take_line(tg_lines *lines, char *newline, char **line)
{
    lines->line++;
    *line = lines->begin;
    char *end = newline ? newline : lines->end;
    lines->begin = newline ? newline + 1 : lines->end;
    if (end - *line > TG_LINES_LIMIT)
        return tg_lines_wrong(lines, "a very long line: this is no text");
    if (lines->zero && lines->zero < end)
        return tg_lines_wrong(lines, "a byte of value zero: this is no text");
    if (end > *line && end[-1] == '\r')
        end--;
    *end = '\0';
    if (lines->line == 1 && strncmp(*line, "\xEF\xBB\xBF", 3) == 0)
        *line += 3;
    return TG_OK;
}

tg_status tg_lines_next(tg_lines *lines, char **line)
{
    tg_status status = TG_OK;
    do {
        char *newline = memchr(lines->begin, '\n', (size_t)(lines->end - lines->begin));
        if (!newline && !lines->at_end) {
            status = fill_buffer(lines);
            if (status != TG_OK)
                return status;
            newline = memchr(lines->begin, '\n', (size_t)(lines->end - lines->begin));
        }
        *line = NULL;
        if (lines->begin == lines->end)
            return TG_OK;
        status = take_line(lines, newline, line);
    } while (status == TG_OK && is_blank_line(*line));
    return status;
}
