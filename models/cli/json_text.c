#include "models/cli/json_text.h"

#include <math.h>

static void write_string(FILE *file, const char *text)
{
    putc('"', file);
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(file, "\\%c", *s);
        else if (*s < ' ' || *s == 0x7F)
            fprintf(file, "\\u%04x", *s);
        else
            putc(*s, file);
    }
    putc('"', file);
}

static void begin_member(json *j, const char *key)
{
    if (j->count++)
        putc(',', j->file);
    if (key) {
        write_string(j->file, key);
        putc(':', j->file);
    }
}

static void open_member(json *j, const char *key, const char ends[2])
{
    begin_member(j, key);
    putc(ends[0], j->file);
    j->close[j->depth++] = ends[1];
    j->count = 0;
}

json json_begin(FILE *file)
{
    json j = {.file = file};
    open_member(&j, NULL, "{}");
    return j;
}

void json_end(json *j)
{
    json_close(j);
    putc('\n', j->file);
}

void json_object(json *j, const char *key)
{
    open_member(j, key, "{}");
}

void json_list(json *j, const char *key)
{
    open_member(j, key, "[]");
}

void json_close(json *j)
{
    putc(j->close[--j->depth], j->file);
    j->count = 1;
}

void json_string(json *j, const char *key, const char *text)
{
    begin_member(j, key);
    write_string(j->file, text);
}

void json_integer(json *j, const char *key, int64_t number)
{
    begin_member(j, key);
    fprintf(j->file, "%lld", (long long)number);
}

void json_number(json *j, const char *key, double number)
{
    begin_member(j, key);
    if (isfinite(number))
        fprintf(j->file, "%.7g", number);
    else
        fputs("null", j->file);
}

void json_boolean(json *j, const char *key, bool value)
{
    begin_member(j, key);
    fputs(value ? "true" : "false", j->file);
}
