#include "models/cli/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("ncf: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

int say_last_error(void)
{
    say("%s", tg_last_error()->message);
    return EXIT_FAILED;
}

int usage_error(const char *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("ncf: ", stderr);
    vfprintf(stderr, format, list);
    fprintf(stderr, "; see ncf %s%s--help\n", command ? command : "", command ? " " : "");
    va_end(list);
    return EXIT_USAGE;
}

static int smallest(int a, int b, int c)
{
    const int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance: insertions, deletions and replacements that make a into b. */
enum { WORD_LIMIT = 40 };
static int distance(const char *a, const char *b)
{
    int row[WORD_LIMIT + 1];
    const int width = (int)strlen(b);
    if (width > WORD_LIMIT)
        return WORD_LIMIT;
    for (int j = 0; j <= width; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < width; j++) {
            const int replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = smallest(replaced, row[j] + 1, row[j + 1] + 1);
        }
    }
    return row[width];
}

const char *suggest(const char *word, const char *const *names, int count, char text[SUGGESTION])
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (distance(word, names[i]) < distance(word, names[best]))
            best = i;
    const bool is_near = count && distance(word, names[best]) <= 1 + (int)strlen(names[best]) / 3;
    *text = '\0';
    if (is_near)
        snprintf(text, SUGGESTION, "; did you mean '%s'?", names[best]);
    return text;
}
