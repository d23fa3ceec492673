/*
 * Reading safetensors. The header is text that nobody has checked. After a failure the functions
 * below do nothing, so that they can be called one after the other; the reason is in
 * tg_last_error():
 *
 *     model.safetensors: header byte 57: expected ':'
 */
#include "nn/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nn/file-internal.h"
#include "tensor/tensor-internal.h"

#define MAX_BYTES 0x1p56 /* more than any machine has, and far from an overflow */

/* Where the data of a tensor lie, in bytes from the end of the header. */
typedef struct place {
    int64_t begin, end, entry; /* of the state */
} place;

typedef struct reader {
    const char *path;
    FILE *file;
    char *text;         /* the header, ended by NUL */
    const char *at;     /* the next byte of it */
    int64_t data_start; /* place in the file */
    int64_t data_size, data_read;
    tg_state_dict *state;
    place *place; /* of each tensor of the state */
    int64_t room;
    tg_status status;
} reader;

#define fail(r, kind, ...) ((r)->status = (r)->status ? (r)->status : tg_failure(kind, __VA_ARGS__))

static void reject(reader *r, const char *expected)
{
    fail(r, TG_EFORMAT, "%s: header byte %td: expected %s", r->path, r->at - r->text, expected);
}

/* ---- JSON: objects, strings, lists of whole numbers ------------------------------------------ */

/* Step over `c` if it comes next. */
static bool take(reader *r, char c)
{
    r->at += strspn(r->at, " \t\r\n");
    if (r->status != TG_OK || *r->at != c)
        return false;
    r->at++;
    return true;
}

static void expect(reader *r, char c)
{
    if (!take(r, c))
        reject(r, (const char[]){'\'', c, '\'', '\0'});
}

/* The code of \uXXXX; 0 where it is none. */
static uint32_t unicode(const char *s)
{
    char digits[5] = "";
    if (s[0] != '\\' || s[1] != 'u' || strspn(s + 2, "0123456789abcdefABCDEF") < 4)
        return 0;
    memcpy(digits, s + 2, 4);
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* One of \n and its like, or \uXXXX, or \uXXXX\uXXXX for what lies above U+FFFF. */
static void escape(reader *r, char **out)
{
    static const char escapes[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *known = r->at[1] ? strchr(escapes, r->at[1]) : NULL;
    if (known) {
        *(*out)++ = meaning[known - escapes];
        r->at += 2;
        return;
    }
    uint32_t code = unicode(r->at);
    const uint32_t low = code >= 0xD800 && code < 0xDC00 ? unicode(r->at + 6) : 0;
    if (low >= 0xDC00 && low < 0xE000)
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    if (code == 0 || (code >= 0xD800 && code < 0xE000)) {
        reject(r, "an escape that stands for a character");
        return;
    }
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *(*out)++ = (char)(lead[more] | code >> 6 * more);
    for (int i = more - 1; i >= 0; i--)
        *(*out)++ = (char)(0x80 | (code >> 6 * i & 0x3F));
    r->at += low ? 12 : 6;
}

/* The caller frees it; NULL after a failure. */
static char *string(reader *r)
{
    expect(r, '"');
    const char *end = r->at; /* of what is between the quotes; it means no more bytes than it has */
    while (*end && *end != '"')
        end += *end == '\\' && end[1] ? 2 : 1;
    char *text = malloc((size_t)(end - r->at) + 1), *out = text;
    if (!text)
        fail(r, TG_ENOMEM, "%s: no memory for its header", r->path);
    while (r->status == TG_OK && r->at < end) {
        if (*r->at == '\\')
            escape(r, &out);
        else
            *out++ = *r->at++;
    }
    if (text)
        *out = '\0';
    if (r->status == TG_OK && !tg_is_utf8(text))
        reject(r, "UTF-8 before it");
    expect(r, '"');
    if (r->status == TG_OK)
        return text;
    free(text);
    return NULL;
}

/* A list of whole numbers from 0 on: the first `room` of them; gives how many there are, room + 1
 * for any more. */
static int integers(reader *r, int64_t *value, int room)
{
    int count = 0;
    expect(r, '[');
    if (take(r, ']'))
        return 0;
    do {
        r->at += strspn(r->at, " \t\r\n");
        char *end = (char *)r->at;
        const long long v = strtoll(r->at, &end, 10);
        if (*r->at < '0' || *r->at > '9')
            reject(r, "a whole number from 0 on");
        if (count < room)
            value[count] = v;
        count += count <= room;
        r->at = end;
    } while (take(r, ','));
    expect(r, ']');
    return count;
}

/* Calls `member` for each key, to read its value. */
static void object(reader *r, void (*member)(reader *r, const char *key, void *context),
                   void *context)
{
    expect(r, '{');
    if (take(r, '}'))
        return;
    do {
        char *key = string(r);
        expect(r, ':');
        if (r->status == TG_OK)
            member(r, key, context);
        free(key);
    } while (take(r, ','));
    expect(r, '}');
}

/* ---- tensors --------------------------------------------------------------------------------- */

typedef struct record {
    const char *name;
    int dtype, offsets; /* -1, as shape.ndim: not read yet */
    tg_shape shape;
    int64_t data[2]; /* where it begins and ends */
} record;

static void record_member(reader *r, const char *key, void *context)
{
    static const char *const known[] = {[TG_F32] = "F32", [TG_F64] = "F64", [TG_I64] = "I64"};
    record *t = context;
    const bool is_shape = strcmp(key, "shape") == 0, is_dtype = strcmp(key, "dtype") == 0;
    const bool is_offsets = strcmp(key, "data_offsets") == 0;
    if ((is_shape && t->shape.ndim >= 0) || (is_offsets && t->offsets >= 0) ||
        (is_dtype && t->dtype >= 0)) {
        fail(r, TG_EFORMAT, "%s: %.80s: the name \"%s\" occurs twice", r->path, t->name, key);
    } else if (is_shape) {
        t->shape.ndim = integers(r, t->shape.size, TG_MAX_DIMS);
    } else if (is_offsets) {
        t->offsets = integers(r, t->data, 2);
    } else if (is_dtype) {
        char *text = string(r);
        for (int i = TG_F32; text && i <= TG_I64; i++)
            if (strcmp(text, known[i]) == 0)
                t->dtype = i;
        if (text && t->dtype < 0)
            fail(r, TG_EFORMAT, "%s: %.80s: dtype %.20s; expected F32, F64 or I64", r->path,
                 t->name, text);
        free(text);
    } else {
        reject(r, "dtype, shape or data_offsets");
    }
}

/* The bytes that dtype and shape ask for; -1 where they are too many, or strides would be. */
static int64_t bytes_of(const record *t)
{
    double bytes = (double)tg_dtype_size((tg_dtype)t->dtype), strides = bytes;
    for (int i = 0; i < t->shape.ndim; i++) {
        bytes *= (double)t->shape.size[i];
        strides *= t->shape.size[i] > 0 ? (double)t->shape.size[i] : 1;
    }
    return strides > MAX_BYTES ? -1 : (int64_t)bytes;
}

/* For check_places, as soon as the state has the tensor. */
static void keep_place(reader *r, const record *t)
{
    const int64_t i = r->state->count - 1;
    if (i == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        place *more = realloc(r->place, (size_t)r->room * sizeof *more);
        if (!more) {
            fail(r, TG_ENOMEM, "%s: no memory for its header", r->path);
            return;
        }
        r->place = more;
    }
    r->place[i] = (place){t->data[0], t->data[1], i};
}

/* Data must lie inside of the file, and all together be as long: so a header cannot ask for more
 * memory than the file is long. */
static void read_tensor(reader *r, const record *t)
{
    char shape[TG_SHAPE_TEXT];
    if (t->dtype < 0 || t->shape.ndim < 0 || t->shape.ndim > TG_MAX_DIMS || t->offsets != 2) {
        fail(r, TG_EFORMAT, "%s: %.80s: expected dtype, a shape of at most %d dimensions, and 2 "
             "data_offsets", r->path, t->name, TG_MAX_DIMS);
        return;
    }
    const int64_t bytes = bytes_of(t), begin = t->data[0];
    r->data_read += bytes;
    if (bytes < 0 || begin > r->data_size - bytes || t->data[1] != begin + bytes ||
        r->data_read > r->data_size) {
        fail(r, TG_EFORMAT, "%s: %.80s: %s %s at data_offsets [%" PRId64 ", %" PRId64 "]; expected "
             "its size, inside of %" PRId64 " bytes", r->path, t->name,
             tg_dtype_name((tg_dtype)t->dtype), tg_shape_format(&t->shape, shape), begin,
             t->data[1], r->data_size);
        return;
    }
    tg_tensor *tensor = tg_owned_or_null((tg_dtype)t->dtype, t->shape);
    if (!tensor) {
        fail(r, TG_ENOMEM, "%s: no memory for %.80s", r->path, t->name);
        return;
    }
    tg_state_dict_add(r->state, t->name, tensor);
    keep_place(r, t);
    if (fseeko(r->file, (off_t)(r->data_start + begin), SEEK_SET) != 0 ||
        (bytes > 0 && fread(tensor->data, (size_t)bytes, 1, r->file) != 1))
        fail(r, TG_EIO, "%s: cannot be read: %s", r->path, strerror(errno));
}

static void note_member(reader *r, const char *key, void *context)
{
    (void)context;
    char *value = string(r);
    if (tg_state_dict_get_note(r->state, key))
        fail(r, TG_EFORMAT, "%s: the name \"%.80s\" occurs twice", r->path, key);
    if (value)
        tg_state_dict_note(r->state, key, value);
    free(value);
}

static void header_member(reader *r, const char *key, void *context)
{
    bool *has_notes = context;
    const bool is_notes = strcmp(key, "__metadata__") == 0;
    record t = {.name = key, .dtype = -1, .offsets = -1, .shape = {.ndim = -1}};
    if (is_notes ? *has_notes : tg_state_dict_get(r->state, key) != NULL)
        fail(r, TG_EFORMAT, "%s: the name \"%.80s\" occurs twice", r->path, key);
    if (is_notes) {
        *has_notes = true;
        object(r, note_member, NULL);
        return;
    }
    object(r, record_member, &t);
    if (r->status == TG_OK)
        read_tensor(r, &t);
}

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
                                : (x->end > y->end) - (x->end < y->end);
}

/* One after the other, the data of all tensors must be what follows the header. */
static void check_places(reader *r)
{
    if (r->data_read != r->data_size)
        fail(r, TG_EFORMAT, "%s: %" PRId64 " bytes after the header; expected %" PRId64, r->path,
             r->data_size, r->data_read);
    if (r->status != TG_OK || r->state->count == 0)
        return;
    qsort(r->place, (size_t)r->state->count, sizeof *r->place, by_place);
    int64_t end = 0;
    for (const place *p = r->place; p < r->place + r->state->count; p++) {
        if (p->begin != end)
            fail(r, TG_EFORMAT, "%s: %.80s: data_offsets [%" PRId64 ", %" PRId64 "]; expected to "
                 "begin at %" PRId64 ", where the data before it end", r->path,
                 r->state->entry[p->entry].name, p->begin, p->end, end);
        end = p->end;
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static void read_header(reader *r)
{
    struct stat about;
    uint64_t length = 0;
    if (fstat(fileno(r->file), &about) != 0 || !S_ISREG(about.st_mode)) {
        fail(r, TG_EIO, "%s: not a regular file; expected a safetensors file", r->path);
        return;
    }
    const int64_t size = about.st_size;
    if (size < 8 || fread(&length, sizeof length, 1, r->file) != 1 || length > (uint64_t)size - 8) {
        if (size > 8 && fgetc(r->file) == '{')
            fail(r, TG_EFORMAT, "%s: a header of %" PRIu64 " bytes in a file of %" PRId64
                 "; expected all of the file", r->path, length, size);
        else
            fail(r, TG_EFORMAT, "%s: not a safetensors file; expected the length of a header in 8 "
                 "bytes, and '{'", r->path);
        return;
    }
    r->data_start = 8 + (int64_t)length;
    r->data_size = size - r->data_start;
    r->text = calloc((size_t)length + 1, 1);
    if (!r->text)
        fail(r, TG_ENOMEM, "%s: no memory for its header", r->path);
    else if (length > 0 && fread(r->text, (size_t)length, 1, r->file) != 1)
        fail(r, TG_EIO, "%s: cannot be read: %s", r->path, strerror(errno));
    r->at = r->text;
}

static void read_file(reader *r)
{
    read_header(r);
    if (r->status != TG_OK)
        return;
    bool has_notes = false;
    if (*r->at != '{') /* no blanks before it */
        reject(r, "'{'");
    object(r, header_member, &has_notes);
    r->at += strspn(r->at, " ");
    if (r->at != r->text + r->data_start - 8)
        reject(r, "nothing but spaces after the last '}'");
    check_places(r);
}

tg_status tg_safetensors_load(const char *path, tg_state_dict *state)
{
    *state = (tg_state_dict){.owns_tensors = true};
    reader r = {.path = path, .file = fopen(path, "rb"), .state = state};
    if (!r.file)
        return tg_failure(TG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    read_file(&r);
    free(r.text);
    free(r.place);
    fclose(r.file);
    if (r.status != TG_OK)
        tg_state_dict_release(state);
    return r.status;
}
