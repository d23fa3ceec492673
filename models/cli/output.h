/*
 * output.h: the files that a command writes; "-", or none (NULL), is standard output
 */
#ifndef NCF_OUTPUT_H
#define NCF_OUTPUT_H

#include "tapegrad.h"

/* Whether a file can be written, to be asked before work that takes long: an exit status; the
 * reason has been said. */
int output_check(const char *path);

/* Write a file, which is then complete or as it was before. An exit status; the reason has been
 * said, or is said by main, which looks at standard output. */
int output_write(const char *path, tg_file_writer write, const void *context);

/* Whether both names are of one regular file, which either need not be there yet. */
bool output_is_same(const char *a, const char *b);

#endif
