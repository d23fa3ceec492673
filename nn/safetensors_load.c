#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nn/json-internal.h"

/* The bound that the format's own library sets. */
#define MAX_HEADER 100000000

/* More than any machine has, and far from an overflow. */
#define MAX_BYTES (INT64_C(1) << 56)

/* ---- the header: one record a tensor --------------------------------------------------------- */

typedef struct record {
    char *name;
    tg_dtype dtype;
    tg_shape shape;
    int64_t begin, end; /* of its data, in bytes from the end of the header */
    unsigned seen;      /* a bit for each member that has been read */
} record;

typedef struct header {
    record *record;
    int64_t count, capacity;
    tg_state_dict *state; /* takes the notes */
    bool has_notes;
} header;

static bool read_dtype(tg_json *j, record *r)
{
    static const char *const known[] = {[TG_F32] = "F32", [TG_F64] = "F64", [TG_I64] = "I64"};
    char *text = tg_json_string(j);
    if (!text)
        return false;
    int i = 0;
    while (i < 3 && strcmp(text, known[i]) != 0)
        i++;
    if (i == 3)
        tg_json_fail(j, "%.80s: dtype %.20s; expected F32, F64 or I64", r->name, text);
    r->dtype = (tg_dtype)i;
    free(text);
    return i < 3;
}

static bool read_shape(tg_json *j, record *r)
{
    if (!tg_json_integers(j, r->shape.size, TG_MAX_DIMS, &r->shape.ndim))
        return false;
    return r->shape.ndim <= TG_MAX_DIMS ||
           tg_json_fail(j, "%.80s: %d dimensions; expected at most %d", r->name, r->shape.ndim,
                        TG_MAX_DIMS);
}

static bool read_offsets(tg_json *j, record *r)
{
    int64_t offset[2];
    int count;
    if (!tg_json_integers(j, offset, 2, &count))
        return false;
    if (count != 2)
        return tg_json_fail(j, "%.80s: %d data_offsets; expected 2", r->name, count);
    r->begin = offset[0];
    r->end = offset[1];
    return true;
}

static bool record_member(tg_json *j, const char *key, void *context)
{
    static const struct {
        const char *key;
        bool (*read)(tg_json *j, record *r);
    } known[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};
    record *r = context;
    for (int i = 0; i < 3; i++)
        if (strcmp(key, known[i].key) == 0 && !(r->seen & 1u << i)) {
            r->seen |= 1u << i;
            return known[i].read(j, r);
        }
    return tg_json_fail(j, "%.80s: member \"%.20s\"; expected dtype, shape and data_offsets, once",
                        r->name, key);
}

/* The data that a shape asks for; -1 where it is beyond MAX_BYTES. A size 0 counts as 1 on the way,
 * since strides are products of the other sizes. */
static int64_t record_bytes(const record *r)
{
    int64_t bytes = (int64_t)tg_dtype_size(r->dtype);
    bool empty = false;
    for (int i = 0; i < r->shape.ndim; i++) {
        const int64_t size = r->shape.size[i];
        empty = empty || size == 0;
        if (size > 0 && bytes > MAX_BYTES / size)
            return -1;
        bytes *= size > 0 ? size : 1;
    }
    return empty ? 0 : bytes;
}

static bool check_record(tg_json *j, const record *r)
{
    if (r->seen != 7)
        return tg_json_fail(j, "%.80s: a member is missing; expected dtype, shape and data_offsets",
                            r->name);
    char shape[TG_SHAPE_TEXT];
    tg_shape_format(&r->shape, shape);
    const int64_t bytes = record_bytes(r);
    if (bytes < 0)
        return tg_json_fail(j, "%.80s: shape %s; expected one that fits into memory", r->name,
                            shape);
    if (r->end < r->begin || r->end - r->begin != bytes)
        return tg_json_fail(j, "%.80s: data_offsets [%" PRId64 ", %" PRId64 "]; expected %" PRId64
                            " bytes for %s %s", r->name, r->begin, r->end, bytes,
                            tg_dtype_name(r->dtype), shape);
    return true;
}

static bool note_member(tg_json *j, const char *key, void *context)
{
    char *value = tg_json_string(j);
    if (value)
        tg_state_dict_note(context, key, value);
    free(value);
    return value != NULL;
}

static bool header_member(tg_json *j, const char *key, void *context)
{
    header *h = context;
    if (strcmp(key, "__metadata__") == 0) {
        if (h->has_notes)
            return tg_json_fail(j, "__metadata__ occurs twice; expected once");
        h->has_notes = true;
        return tg_json_object(j, note_member, h->state);
    }
    if (h->count == h->capacity) {
        const int64_t capacity = h->capacity ? 2 * h->capacity : 16;
        record *larger = realloc(h->record, (size_t)capacity * sizeof *larger);
        if (!larger)
            return tg_json_no_memory(j);
        h->record = larger;
        h->capacity = capacity;
    }
    record *r = &h->record[h->count];
    *r = (record){.name = strdup(key)};
    if (!r->name)
        return tg_json_no_memory(j);
    h->count++;
    return tg_json_object(j, record_member, r) && check_record(j, r);
}

static void header_release(header *h)
{
    for (int64_t i = 0; i < h->count; i++)
        free(h->record[i].name);
    free(h->record);
}

/* ---- the header as a whole ------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const record *x = *(const record *const *)a, *y = *(const record *const *)b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must fill the data without holes and overlaps, as the format asks. So every place
 * lies inside the file, and a header cannot ask for more memory than the file is long. */
static bool check_places(tg_json *j, const header *h, int64_t data_size)
{
    const record **sorted = malloc((size_t)(h->count + 1) * sizeof *sorted);
    if (!sorted)
        return tg_json_no_memory(j);
    for (int64_t i = 0; i < h->count; i++)
        sorted[i] = &h->record[i];
    qsort(sorted, (size_t)h->count, sizeof *sorted, compare_places);
    int64_t end = 0;
    bool ok = true;
    for (int64_t i = 0; i < h->count && ok; i++) {
        if (sorted[i]->begin != end)
            ok = tg_json_fail(j, "%.80s: data begin at byte %" PRId64 "; expected %" PRId64
                              ", where those before end", sorted[i]->name, sorted[i]->begin, end);
        end = sorted[i]->end;
    }
    free(sorted);
    if (ok && end != data_size)
        ok = tg_json_fail(j, "%" PRId64 " bytes after the header; expected %" PRId64, data_size,
                          end);
    return ok;
}

static tg_status parse_header(tg_json *j, header *h, int64_t data_size)
{
    if (!tg_json_object(j, header_member, h) || !tg_json_end(j) || !check_places(j, h, data_size))
        return j->status;
    const tg_state_dict *state = h->state;
    tg_status status = tg_json_check_keys(j->path, h->record, h->count, sizeof *h->record);
    if (status == TG_OK)
        status = tg_json_check_keys(j->path, state->note, state->notes, sizeof *state->note);
    return status;
}

/* ---- the file -------------------------------------------------------------------------------- */

static tg_status read_bytes(const char *path, FILE *file, void *data, size_t size)
{
    if (size == 0 || fread(data, size, 1, file) == 1)
        return TG_OK;
    return tg_failure(TG_EIO, "%s: cannot be read: %s", path,
                      ferror(file) ? strerror(errno) : "it ends before its size");
}

/* The text of the header, which the caller frees, and how many bytes follow it. */
static tg_status read_header(const char *path, FILE *file, char **text, size_t *size,
                             int64_t *data_size)
{
    struct stat about;
    if (fstat(fileno(file), &about) != 0)
        return tg_failure(TG_EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return tg_failure(TG_EIO, "%s: not a regular file; expected a safetensors file", path);
    if (about.st_size < 8)
        return tg_failure(TG_EFORMAT, "%s: %" PRId64 " bytes; expected 8 with the header's length",
                          path, (int64_t)about.st_size);
    const uint64_t rest = (uint64_t)about.st_size - 8;
    uint64_t length;
    const tg_status status = read_bytes(path, file, &length, sizeof length);
    if (status != TG_OK)
        return status;
    if (length > rest || length > MAX_HEADER)
        return tg_failure(TG_EFORMAT, "%s: a header of %" PRIu64 " bytes; expected at most %" PRIu64
                          " (is it a safetensors file, and whole?)", path, length,
                          rest < MAX_HEADER ? rest : MAX_HEADER);
    *size = (size_t)length;
    *data_size = (int64_t)(rest - length);
    *text = malloc(*size + 1);
    if (!*text)
        return tg_failure(TG_ENOMEM, "%s: no memory for its header", path);
    return read_bytes(path, file, *text, *size);
}

static tg_status read_tensor(const char *path, FILE *file, const record *r, int64_t data_start,
                             tg_state_dict *state)
{
    tg_tensor *t = tg_owned_at(TG_HERE, r->dtype, r->shape);
    if (tg_is_error(t))
        return tg_failure(TG_ENOMEM, "%s: no memory for %.80s", path, r->name);
    tg_state_dict_add(state, r->name, t);
    if (fseeko(file, (off_t)(data_start + r->begin), SEEK_SET) != 0)
        return tg_failure(TG_EIO, "%s: cannot be read: %s", path, strerror(errno));
    return read_bytes(path, file, t->data, (size_t)(r->end - r->begin));
}

static tg_status read_file(const char *path, FILE *file, tg_state_dict *state)
{
    char *text = NULL;
    size_t size = 0;
    int64_t data_size = 0;
    header h = {.state = state};
    tg_status status = read_header(path, file, &text, &size, &data_size);
    if (status == TG_OK)
        status = parse_header(&(tg_json){.path = path, .text = text, .size = size}, &h, data_size);
    for (int64_t i = 0; i < h.count && status == TG_OK; i++)
        status = read_tensor(path, file, &h.record[i], 8 + (int64_t)size, state);
    header_release(&h);
    free(text);
    return status;
}

tg_status tg_safetensors_load(const char *path, tg_state_dict *state)
{
    *state = (tg_state_dict){.owns_tensors = true};
    FILE *file = fopen(path, "rb");
    if (!file)
        return tg_failure(TG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    const tg_status status = read_file(path, file, state);
    fclose(file);
    if (status != TG_OK)
        tg_state_dict_release(state);
    return status;
}
