/*
 * terminal.h: text that fits a terminal's width
 */
#ifndef NCF_TERMINAL_H
#define NCF_TERMINAL_H

#include <stdbool.h>

#include "tapegrad.h"

/* The columns of help, and of a terminal that does not tell how many it has. */
enum { TERMINAL_COLUMNS = 80 };

/* The columns of the terminal that standard error is, asked for anew, since its window may have
 * changed; INT_MAX where it is none. */
int terminal_columns(void);

/* A line of ASCII fields, of which only those at the left are kept where there is not room for
 * all. */
typedef struct screen_line {
    int columns, length; /* room, and what is taken */
    bool is_full;        /* a field has been left out, and so are all that follow */
    char text[256];
} screen_line;

screen_line screen_line_begin(int columns);
void screen_line_add(screen_line *line, const char *format, ...) TG_PRINTF(2, 3);

/* Print words on stdout, in lines of at most TERMINAL_COLUMNS; the first begins at `column`,
 * further ones at `indent`. */
void print_wrapped(const char *text, int column, int indent);

#endif
