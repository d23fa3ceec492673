#define _XOPEN_SOURCE 700 /* realpath */

#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int write_tensor(FILE *file, const tg_tensor *t)
{
    if (tensor_bytes(t) == 0)
        return 0;
    tg_tensor *copy = tg_is_contiguous(t) ? NULL : tg_retain(t);
    if (copy && tg_is_error(copy))
        return ENOMEM;
    const void *data = copy ? copy->data : t->data;
    const int error = fwrite(data, tensor_bytes(t), 1, file) == 1 ? 0 : errno;
    tg_free(copy);
    return error;
}

static int write_content(FILE *file, const tg_state_dict *state)
{
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
        error = write_tensor(file, state->entry[i].tensor);
    if (error == 0 && fflush(file) != 0)
        error = errno;
    return error;
}

/* Write `path` itself. */
static int write_direct(const char *path, const tg_state_dict *state)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return errno;
    int error = write_content(file, state);
    if (fclose(file) != 0 && error == 0)
        error = errno;
    return error;
}

/* A new file beside `path`, with its name in *name, which the caller frees. Not mkstemp: that would
 * give the file mode 0600, and the umask cannot be asked for without setting it. */
static FILE *open_beside(const char *path, char **name)
{
    const size_t size = strlen(path) + 48;
    *name = malloc(size);
    FILE *file = NULL;
    errno = *name ? EEXIST : ENOMEM;
    for (int i = 0; i < 100 && !file && errno == EEXIST; i++) {
        snprintf(*name, size, "%s.%ld-%d.tmp", path, (long)getpid(), i);
        file = fopen(*name, "wbx");
    }
    return file;
}

/* Put a new file in the place of `path`, or of what it links to. */
static int write_replacement(const char *path, const tg_state_dict *state)
{
    char *name = NULL, *target = realpath(path, NULL);
    if (!target && errno == ENOENT)
        target = strdup(path);
    FILE *file = target ? open_beside(target, &name) : NULL;
    int error = file ? 0 : errno;
    if (file) {
        struct stat old; /* whose permissions stay */
        if (stat(target, &old) == 0)
            fchmod(fileno(file), old.st_mode & 0777);
        error = write_content(file, state);
        if (error == 0 && fsync(fileno(file)) != 0)
            error = errno;
        if (fclose(file) != 0 && error == 0)
            error = errno;
        if (error == 0 && rename(name, target) != 0)
            error = errno;
        if (error != 0)
            unlink(name);
    }
    free(name);
    free(target);
    return error;
}

tg_status tg_safetensors_save(const char *path, const tg_state_dict *state)
{
    const tg_status status = check_state(path, state);
    if (status != TG_OK)
        return status;
    /* Devices, pipes and links to nothing yet hold no old file that a failure could spoil. */
    struct stat link, file;
    const bool direct =
        lstat(path, &link) == 0 && !(stat(path, &file) == 0 && S_ISREG(file.st_mode));
    const int error = direct ? write_direct(path, state) : write_replacement(path, state);
    if (error != 0)
        return tg_failure(TG_EIO, "%s: cannot be written: %s", path, strerror(error));
    return TG_OK;
}
