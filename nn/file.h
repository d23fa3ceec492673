/*
 * file.h: files that are written as a whole or not at all
 */
#ifndef TG_NN_FILE_H
#define TG_NN_FILE_H

#include <stdio.h>

#include "tensor/error.h"

/* Writes the content; 0 or an errno. */
typedef int (*tg_file_writer)(FILE *file, const void *context);

/* Write to a temporary name beside `path`, then rename: a file that was there is whole until the new
 * one is. What is no regular file (devices, pipes) is written directly. TG_EIO on failure. */
tg_status tg_file_write(const char *path, tg_file_writer write, const void *context);

#endif
