/*
 * lines.h: the lines of a text file and their fields, for readers of any format
 *
 *     tg_lines *in = tg_lines_open("movies.dat", "item, title and genres");
 *     tg_status status = in ? TG_OK : tg_last_error()->status;
 *     char *line, *field[4];
 *     while (status == TG_OK && (status = tg_lines_next(in, &line)) == TG_OK && line) {
 *         const int fields = tg_fields(TG_COLONS, line, field, 4);
 *         if (fields != 3)
 *             status = tg_lines_wrong_number(in, fields, "");  movies.dat:7: 2 fields; expected ...
 *         ...
 *     }
 *     tg_lines_close(in);
 */
#ifndef TG_DATA_LINES_H
#define TG_DATA_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tensor/error.h"

/* ---- lines ----------------------------------------------------------------------------------- */

enum { TG_LINES_BUFFER = 1 << 16, TG_LINES_LIMIT = 1 << 15 };

typedef struct tg_lines {
    const char *path;     /* for messages, as is `expected` */
    const char *expected; /* what the file should hold: "user, item, rating" */
    FILE *file;
    int64_t line;      /* number of the current line, from 1 */
    char *begin, *end; /* what is in the buffer and not yet given out */
    char *zero;        /* the first byte of value zero in it, or NULL */
    bool at_end;       /* of the file */
    char buffer[TG_LINES_BUFFER + 1];
} tg_lines;

/* "-" is standard input. NULL, and TG_EIO or TG_ENOMEM as the last error, on failure. */
tg_lines *tg_lines_open(const char *path, const char *expected);
void tg_lines_close(tg_lines *lines); /* NULL is accepted */

/* The next line that is not blank, without its end, as text that may be changed; *line is NULL
 * after the last one. A byte-order mark is left out. */
tg_status tg_lines_next(tg_lines *lines, char **line);

/* ---- fields ---------------------------------------------------------------------------------- */

typedef enum tg_separator {
    TG_BLANKS, /* any number of spaces and tabs */
    TG_TABS,   /* one tab */
    TG_COLONS, /* "::" */
    TG_BARS,   /* | */
    TG_COMMAS, /* a field may be quoted: "a, ""b""" is a, "b" */
    TG_SEMICOLONS, /* the same with semicolons */
} tg_separator;

/* Cut a line into fields, in place, without the blanks around them. Gives their number, room + 1
 * for any more than there is room for, and 0 where a quoted field does not end as it should. */
int tg_fields(tg_separator kind, char *line, char **field, int room);

/* The place of the column that a header calls by one of the names, " movie book ", or -1. Names are
 * compared in small letters, without _-. and blanks, and without what follows a colon. "id", "no"
 * and the like may stand behind a name, and which has one counts before which has none; *again
 * becomes another field with as good a claim, or -1. */
int tg_header_find(const char *names, char *const *field, int fields, int *again);

/* Names of items in headers, for tg_header_find. */
extern const char tg_item_names[];

/* A decimal number: false where the field is none. What is too large becomes infinite. */
bool tg_field_number(const char *field, double *value);

bool tg_is_utf8(const char *text);

/* ---- what is wrong with them ----------------------------------------------------------------- */

/* TG_EFORMAT with "FILE:LINE: WHAT; expected EXPECTED". */
tg_status tg_lines_wrong(const tg_lines *lines, const char *format, ...) TG_PRINTF(2, 3);

/* A field as messages show it: short, printable ASCII. Gives `shown`. */
enum { TG_FIELD_SHOWN = 32 };
const char *tg_field_show(const char *field, char shown[TG_FIELD_SHOWN]);

/* "NAME 'FIELD' is WHAT", or "NAME is empty". */
tg_status tg_lines_wrong_field(const tg_lines *lines, const char *name, const char *field,
                               const char *what);

/* "NUMBER fields", for a line that has not as many as it should; 0 as tg_fields gives it. */
tg_status tg_lines_wrong_number(const tg_lines *lines, int number, const char *why);

#endif
