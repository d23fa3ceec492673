#include "nn/npy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "nn/file-internal.h"
#include "tensor/tensor-internal.h"

/* 6 bytes of magic, 2 of version, 2 of the header's length; then the header, a Python dict. */
static const unsigned char MAGIC[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
enum { PREFIX = 10, HEADER_LIMIT = 4096 };
static const char *const descr[] = {[TG_F32] = "'<f4'", [TG_F64] = "'<f8'", [TG_I64] = "'<i8'"};

/* ---- writing --------------------------------------------------------------------------------- */

static int write_content(FILE *file, const void *context)
{
    const tg_tensor *t = context;
    char header[512];
    int n = snprintf(header, sizeof header, "{'descr': %s, 'fortran_order': False, 'shape': (",
                     descr[t->dtype]);
    for (int d = 0; d < t->shape.ndim; d++)
        n += snprintf(header + n, sizeof header - (size_t)n, "%lld,%s",
                      (long long)t->shape.size[d], d + 1 < t->shape.ndim ? " " : "");
    n += snprintf(header + n, sizeof header - (size_t)n, "), }");
    while ((PREFIX + n + 1) % 64 != 0) /* the data begin at a multiple of 64 */
        header[n++] = ' ';
    header[n++] = '\n';
    const unsigned char length[2] = {(unsigned char)(n & 0xFF), (unsigned char)(n >> 8)};
    if (fwrite(MAGIC, sizeof MAGIC, 1, file) != 1 || fwrite(length, 2, 1, file) != 1 ||
        fwrite(header, (size_t)n, 1, file) != 1)
        return errno;
    const int error = tg_file_write_tensor(file, t);
    return error == 0 && fflush(file) != 0 ? errno : error;
}

tg_status tg_npy_save(const char *path, const tg_tensor *t)
{
    if (!tg_is_error(t) && !t->rows)
        return tg_file_write(path, write_content, t);
    return tg_failure(TG_EMISUSE, "%s: an ordinary tensor expected", path);
}

/* ---- the header: text that nobody has checked ------------------------------------------------ */

typedef struct header {
    tg_dtype dtype;
    bool fortran_order;
    tg_shape shape;
} header;

/* Step over blanks, and over `word` if it comes next. */
static bool take(const char **at, const char *word)
{
    *at += strspn(*at, " ");
    const size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

/* Behind an element: the comma, which may be missing before what closes the list. */
static bool take_comma(const char **at, char closing)
{
    return take(at, ",") || **at == closing;
}

static bool take_dtype(const char **at, header *h)
{
    for (int i = TG_F32; i <= TG_I64; i++)
        if (take(at, descr[i])) {
            h->dtype = (tg_dtype)i;
            return true;
        }
    return false;
}

static bool take_order(const char **at, header *h)
{
    h->fortran_order = take(at, "True");
    return h->fortran_order || take(at, "False");
}

static bool take_shape(const char **at, header *h)
{
    tg_shape *shape = &h->shape;
    if (!take(at, "("))
        return false;
    for (double count = 1; !take(at, ")");) {
        char *end;
        const long long size = strtoll(*at, &end, 10);
        if (**at < '0' || **at > '9' || shape->ndim == TG_MAX_DIMS)
            return false;
        shape->size[shape->ndim++] = size;
        count *= size > 0 ? (double)size : 1;
        *at = end;
        if (count >= 0x1p56 || !take_comma(at, ')')) /* far from an overflow, also of strides */
            return false;
    }
    return true;
}

/* A Python dict of three members, in any order, with spaces up to `end`. */
static bool parse_header(const char *at, const char *end, header *h)
{
    static const struct {
        const char *key;
        bool (*take_value)(const char **at, header *h);
    } member[] = {
        {"'descr'", take_dtype}, {"'fortran_order'", take_order}, {"'shape'", take_shape}};
    enum { MEMBERS = sizeof member / sizeof *member };
    bool is_known[MEMBERS] = {false};
    if (!take(&at, "{"))
        return false;
    while (!take(&at, "}")) {
        int m = 0;
        while (m < MEMBERS && !take(&at, member[m].key))
            m++;
        if (m == MEMBERS || is_known[m] || !take(&at, ":") || !member[m].take_value(&at, h) ||
            !take_comma(&at, '}'))
            return false;
        is_known[m] = true;
    }
    return is_known[0] && is_known[1] && is_known[2] && at + strspn(at, " \n") == end;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void reverse(tg_shape *shape)
{
    for (int a = 0, b = shape->ndim - 1; a < b; a++, b--) {
        const int64_t size = shape->size[a];
        shape->size[a] = shape->size[b];
        shape->size[b] = size;
    }
}

/* The same elements with the dimensions in the other order, as an owned tensor; t is freed. */
static tg_tensor *reversed(tg_tensor *t)
{
    tg_shape order = {.ndim = t->shape.ndim};
    for (int d = 0; d < order.ndim; d++)
        order.size[d] = order.ndim - 1 - d;
    tg_step_begin();
    tg_tensor *copy = tg_retain(tg_permute_at(TG_HERE, t, order));
    tg_step_end();
    tg_free(t);
    return copy;
}

static tg_status read_file(const char *path, FILE *file, tg_tensor **t)
{
    unsigned char prefix[PREFIX];
    char text[HEADER_LIMIT + 1];
    header h = {.dtype = TG_F32};
    if (fread(prefix, PREFIX, 1, file) != 1 || memcmp(prefix, MAGIC, sizeof MAGIC) != 0)
        return tg_failure(TG_EFORMAT, "%s: does not begin as a file of numpy.save does", path);
    const size_t length = prefix[8] | (size_t)prefix[9] << 8;
    if (length > HEADER_LIMIT || fread(text, 1, length, file) != length)
        return tg_failure(TG_EFORMAT, "%s: the header is cut short or too long", path);
    text[length] = '\0';
    if (!parse_header(text, text + length, &h))
        return tg_failure(TG_EFORMAT, "%s: header %.100s; expected <f4, <f8 or <i8 and a shape of "
                          "at most %d dimensions", path, text, TG_MAX_DIMS);
    double bytes = (double)tg_dtype_size(h.dtype);
    for (int d = 0; d < h.shape.ndim; d++)
        bytes *= (double)h.shape.size[d];
    const long start = ftell(file);
    if (start < 0 || fseek(file, 0, SEEK_END) != 0 || (double)(ftell(file) - start) != bytes ||
        fseek(file, start, SEEK_SET) != 0)
        return tg_failure(TG_EFORMAT, "%s: %.0f bytes of data expected behind the header", path,
                          bytes);
    if (h.fortran_order)
        reverse(&h.shape);
    *t = tg_owned_or_null(h.dtype, h.shape);
    if (bytes > 0 && *t && fread((*t)->data, (size_t)bytes, 1, file) != 1)
        return tg_failure(TG_EIO, "%s: cannot be read: %s", path, strerror(errno));
    if (h.fortran_order && *t)
        *t = reversed(*t);
    return *t && !tg_is_error(*t) ? TG_OK
                                  : tg_failure(TG_ENOMEM, "%s: no memory for its data", path);
}

tg_status tg_npy_load(const char *path, tg_tensor **t)
{
    *t = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return tg_failure(TG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    const tg_status status = read_file(path, file, t);
    fclose(file);
    if (status != TG_OK) {
        tg_free(*t);
        *t = NULL;
    }
    return status;
}
