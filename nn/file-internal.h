/*
 * file-internal.h: what readers and writers of files share; not for programs
 */
#ifndef TG_FILE_INTERNAL_H
#define TG_FILE_INTERNAL_H

#include "nn/file.h"
#include "tensor/tensor.h"

/* The elements of t, row-major, as they lie in memory; 0 or an errno. */
int tg_file_write_tensor(FILE *file, const tg_tensor *t);

bool tg_is_utf8(const char *text);

#endif
