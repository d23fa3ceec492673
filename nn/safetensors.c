#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/file-internal.h"
#include "nn/json-internal.h"

/* Here is the writer; safetensors_load.c is the reader. Both move numbers as they lie in memory. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian: this machine would have to swap bytes"
#endif

/* ---- header ---------------------------------------------------------------------------------- */

/* What a reader would refuse is refused here, before anything is written. */
static tg_status check_state(const char *path, const tg_state_dict *state)
{
    tg_status status = tg_json_check_keys(path, state->entry, state->count, sizeof *state->entry);
    if (status == TG_OK)
        status = tg_json_check_keys(path, state->note, state->notes, sizeof *state->note);
    if (status == TG_OK && tg_state_dict_get(state, "__metadata__"))
        status = tg_failure(TG_EFORMAT, "%s: a tensor is named __metadata__; expected another name",
                            path);
    for (int64_t i = 0; i < state->notes && status == TG_OK; i++)
        if (!tg_json_is_utf8(state->note[i].value))
            status = tg_failure(TG_EFORMAT, "%s: the note \"%.80s\" is not UTF-8", path,
                                state->note[i].key);
    return status;
}

static size_t tensor_bytes(const tg_tensor *t)
{
    return (size_t)tg_numel(t) * tg_dtype_size(t->dtype);
}

static void write_notes(FILE *file, const tg_state_dict *state)
{
    fputs("\"__metadata__\":{", file);
    for (int64_t i = 0; i < state->notes; i++) {
        fputs(i > 0 ? "," : "", file);
        tg_json_write_string(file, state->note[i].key);
        fputc(':', file);
        tg_json_write_string(file, state->note[i].value);
    }
    fputc('}', file);
}

static void write_entry(FILE *file, const tg_state_entry *entry, size_t begin)
{
    static const char *const dtype[] = {[TG_F32] = "F32", [TG_F64] = "F64", [TG_I64] = "I64"};
    const tg_tensor *t = entry->tensor;
    tg_json_write_string(file, entry->name);
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
