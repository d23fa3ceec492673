/*
 * json-internal.h: as much JSON as the header of a safetensors file holds; not for programs
 *
 * That is objects, strings, and lists of whole numbers. A reader walks over text that nobody has
 * checked. Every function below gives false (or NULL) on text that it does not accept; then
 * tg_last_error() has the reason and the place:
 *
 *     model.safetensors: header byte 57: found '['; expected ':'
 */
#ifndef TG_NN_JSON_INTERNAL_H
#define TG_NN_JSON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tensor/error.h"

typedef struct tg_json {
    const char *path; /* of the file, for messages */
    const char *text;
    size_t size;      /* bytes */
    size_t at;        /* the next one to read */
    tg_status status; /* of the failure, if there was one */
} tg_json;

/* An object: `member` is called for each key and reads its value. */
typedef bool (*tg_json_member)(tg_json *j, const char *key, void *context);
bool tg_json_object(tg_json *j, tg_json_member member, void *context);

/* A string, which the caller frees: UTF-8 without NUL. */
char *tg_json_string(tg_json *j);

/* A list of whole numbers from 0 on. *count is how many there are, and the first `room` of them are
 * put into `value`. */
bool tg_json_integers(tg_json *j, int64_t *value, int room, int *count);

/* Nothing but white space is left. */
bool tg_json_end(tg_json *j);

/* Fail with a message of the caller's, and where memory is short. */
bool tg_json_fail(tg_json *j, const char *format, ...) TG_PRINTF(2, 3);
bool tg_json_no_memory(tg_json *j);

/* Write a string in quotes, escaped. */
void tg_json_write_string(FILE *file, const char *text);

bool tg_json_is_utf8(const char *text);

/* The keys of an object must be distinct and UTF-8. They are the first members (char *) of `count`
 * structs of `size` bytes each. */
tg_status tg_json_check_keys(const char *path, const void *structs, int64_t count, size_t size);

#endif
