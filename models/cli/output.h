/*
 * output.h: the one file that a command writes; "-", or none (NULL), is standard output
 */
#ifndef NCF_OUTPUT_H
#define NCF_OUTPUT_H

#include <stdio.h>

/* NULL where the file cannot be written, which is then said. */
FILE *output_open(const char *path);

/* Close it after writing; `error` is the errno of what failed meanwhile, or 0. An exit status; what
 * failed has been said, or is said by main, which looks at standard output. */
int output_close(FILE *file, const char *path, int error);

#endif
