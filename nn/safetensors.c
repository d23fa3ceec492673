#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/file-internal.h"

/* Here is the writer; safetensors_load.c is the reader. Both move numbers as they lie in memory. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian: this machine would have to swap bytes"
#endif

/* ---- header ---------------------------------------------------------------------------------- */

/* The length of the UTF-8 character at s; 0 where it is none: a wrong or missing byte, a longer
 * form than needed, a surrogate, above U+10FFFF. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    const size_t length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    const bool excluded = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
                          (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F);
    return excluded ? 0 : length;
}

bool tg_is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s && utf8_length(s) > 0)
        s += utf8_length(s);
    return *s == '\0';
}

/* A name must be UTF-8 and the first of its kind. */
static tg_status check_name(const char *path, const char *name, bool is_first)
{
    if (!tg_is_utf8(name))
        return tg_failure(TG_EFORMAT, "%s: the name \"%.80s\" is not UTF-8", path, name);
    if (!is_first || strcmp(name, "__metadata__") == 0)
        return tg_failure(TG_EFORMAT, "%s: the name \"%.80s\" is taken", path, name);
    return TG_OK;
}

/* What other readers would refuse is refused here, before anything is written. */
static tg_status check_state(const char *path, const tg_state_dict *state)
{
    tg_status status = TG_OK;
    for (int64_t i = 0; i < state->count && status == TG_OK; i++) {
        const tg_state_entry *e = &state->entry[i];
        status = check_name(path, e->name, tg_state_dict_get(state, e->name) == e->tensor);
    }
    for (int64_t i = 0; i < state->notes && status == TG_OK; i++) {
        const tg_state_note *n = &state->note[i];
        status = check_name(path, n->key, tg_state_dict_get_note(state, n->key) == n->value);
        if (status == TG_OK && !tg_is_utf8(n->value))
            status = tg_failure(TG_EFORMAT, "%s: the note \"%.80s\" is not UTF-8", path, n->key);
    }
    return status;
}

static size_t tensor_bytes(const tg_tensor *t)
{
    return (size_t)tg_numel(t) * tg_dtype_size(t->dtype);
}

/* In quotes, escaped. */
static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

static void write_notes(FILE *file, const tg_state_dict *state)
{
    fputs("\"__metadata__\":{", file);
    for (int64_t i = 0; i < state->notes; i++) {
        fputs(i > 0 ? "," : "", file);
        write_string(file, state->note[i].key);
        fputc(':', file);
        write_string(file, state->note[i].value);
    }
    fputc('}', file);
}

static void write_entry(FILE *file, const tg_state_entry *entry, size_t begin)
{
    static const char *const dtype[] = {[TG_F32] = "F32", [TG_F64] = "F64", [TG_I64] = "I64"};
    const tg_tensor *t = entry->tensor;
    write_string(file, entry->name);
    fprintf(file, ":{\"dtype\":\"%s\",\"shape\":[", dtype[t->dtype]);
    for (int i = 0; i < t->shape.ndim; i++)
        fprintf(file, "%s%" PRId64, i > 0 ? "," : "", t->shape.size[i]);
    fprintf(file, "],\"data_offsets\":[%zu,%zu]}", begin, begin + tensor_bytes(t));
}

/* The header, which the caller frees; NULL where there is no memory. Spaces at its end let the data
 * begin at a multiple of 8. */
static char *header_text(const tg_state_dict *state, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (!file)
        return NULL;
    fputc('{', file);
    if (state->notes > 0)
        write_notes(file, state);
    size_t begin = 0;
    for (int64_t i = 0; i < state->count; i++) {
        fputs(i > 0 || state->notes > 0 ? "," : "", file);
        write_entry(file, &state->entry[i], begin);
        begin += tensor_bytes(state->entry[i].tensor);
    }
    fputc('}', file);
    while (ftello(file) % 8 != 0)
        fputc(' ', file);
    const bool failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- file: 0 or an errno --------------------------------------------------------------------- */

static int write_content(FILE *file, const void *context)
{
    const tg_state_dict *state = context;
    size_t size;
    char *header = header_text(state, &size);
    if (!header)
        return ENOMEM;
    const uint64_t length = size;
    int error = 0;
    if (fwrite(&length, sizeof length, 1, file) != 1 || fwrite(header, size, 1, file) != 1)
        error = errno;
    free(header);
    for (int64_t i = 0; i < state->count && error == 0; i++)
        error = tg_file_write_tensor(file, state->entry[i].tensor);
    if (error == 0 && fflush(file) != 0)
        error = errno;
    return error;
}

tg_status tg_safetensors_save(const char *path, const tg_state_dict *state)
{
    const tg_status status = check_state(path, state);
    if (status != TG_OK)
        return status;
    return tg_file_write(path, write_content, state);
}
