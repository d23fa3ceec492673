/*
 * file-internal.h: what readers and writers of files share; not for programs
 */
#ifndef TG_FILE_INTERNAL_H
#define TG_FILE_INTERNAL_H

#include <stdio.h>

#include "tensor/tensor.h"

/* Writes the content; 0 or an errno. */
typedef int (*tg_file_writer)(FILE *file, const void *context);

/* Write to a temporary name beside `path`, then rename; what is no regular file is written
 * directly. TG_EIO on failure. */
tg_status tg_file_write(const char *path, tg_file_writer write, const void *context);

/* The elements of t, row-major, as they lie in memory; 0 or an errno. */
int tg_file_write_tensor(FILE *file, const tg_tensor *t);

bool tg_is_utf8(const char *text);

#endif
