/*
 * lines-internal.h: the lines of a text file, for the readers of data/; not for programs
 */
#ifndef TG_LINES_INTERNAL_H
#define TG_LINES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tensor/error.h"

enum { TG_LINES_BUFFER = 1 << 16, TG_LINES_LIMIT = 4096 };

typedef struct tg_lines {
    const char *path;     /* for messages, as is `expected` */
    const char *expected; /* what the file should hold: "user, item, rating" */
    FILE *file;
    int64_t line;      /* number of the current line, from 1 */
    char *begin, *end; /* what is in the buffer and not yet given out */
    bool at_end;       /* of the file */
    char buffer[TG_LINES_BUFFER + 1];
} tg_lines;

/* "-" is standard input where it is asked for. NULL, and TG_EIO or TG_ENOMEM as the last error, on
 * failure. */
tg_lines *tg_lines_open(const char *path, bool or_standard_input, const char *expected);
void tg_lines_close(tg_lines *lines);

/* The next line, without its end, as text that may be changed; *line is NULL after the last one. A
 * byte-order mark is left out. */
tg_status tg_lines_next(tg_lines *lines, char **line);

/* TG_EFORMAT with "FILE:LINE: WHAT; expected EXPECTED". */
tg_status tg_lines_wrong(const tg_lines *lines, const char *format, ...) TG_PRINTF(2, 3);

/* A field for a message: short and printable. */
#define TG_SHOWN 32
const char *tg_lines_shown(const char *field, char text[TG_SHOWN]);

#endif
