#include "models/cli/terminal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_columns(void)
{
    struct winsize size;
    if (!isatty(STDERR_FILENO))
        return INT_MAX;
    const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : TERMINAL_COLUMNS;
}

screen_line screen_line_begin(int columns)
{
    return (screen_line){.columns = columns};
}

void screen_line_add(screen_line *line, const char *format, ...)
{
    const int room = (int)sizeof line->text - line->length;
    char *end = line->text + line->length;
    va_list list;
    va_start(list, format);
    const int length = line->is_full ? 0 : vsnprintf(end, (size_t)room, format, list);
    va_end(list);
    line->is_full = line->is_full || length >= room || length > line->columns - line->length;
    if (line->is_full)
        *end = '\0';
    else
        line->length += length;
}

void print_wrapped(const char *text, int column, int indent)
{
    while (*text) {
        const int length = (int)strcspn(text, " ");
        const bool is_first = column <= indent;
        if (!is_first && column + 1 + length > TERMINAL_COLUMNS)
            column = printf("\n%*s", indent, "") - 1;
        else if (!is_first)
            column += printf(" ");
        column += printf("%.*s", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}
