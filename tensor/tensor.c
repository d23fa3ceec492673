#include "tensor/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/tensor-internal.h"

static _Thread_local struct {
    tg_dtype default_dtype;
    tg_tensor error;
    double nan; /* what the error tensor's data points to */
} local;

/* ---- shapes ---------------------------------------------------------------------------------- */

tg_shape tg_shape_of(const int64_t *size, int ndim)
{
    tg_shape shape = {.ndim = ndim};
    for (int i = 0; i < ndim && i < TG_MAX_DIMS; i++)
        shape.size[i] = size[i];
    return shape;
}

bool tg_shape_equal(const tg_shape *a, const tg_shape *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->size[i] != b->size[i])
            return false;
    return true;
}

int64_t tg_shape_numel(const tg_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->ndim; i++)
        count *= shape->size[i];
    return count;
}

const char *tg_shape_format(const tg_shape *shape, char text[TG_SHAPE_TEXT])
{
    const int ndim = (int)tg_min(shape->ndim, TG_MAX_DIMS);
    size_t n = (size_t)snprintf(text, TG_SHAPE_TEXT, "[");
    for (int i = 0; i < ndim; i++)
        n += (size_t)snprintf(text + n, TG_SHAPE_TEXT - n, "%s%" PRId64, i ? ", " : "",
                              shape->size[i]);
    snprintf(text + n, TG_SHAPE_TEXT - n, "]");
    return text;
}

bool tg_shape_is_valid(const char *at, const char *op, const tg_shape *shape)
{
    if (shape->ndim < 0 || shape->ndim > TG_MAX_DIMS) {
        tg_misuse(at, op, "%d dimensions; at most %d are possible", shape->ndim, TG_MAX_DIMS);
        return false;
    }
    char text[TG_SHAPE_TEXT];
    double count = 1;
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->size[i] < 0) {
            tg_misuse(at, op, "%s: a size is negative", tg_shape_format(shape, text));
            return false;
        }
        count *= shape->size[i] > 0 ? (double)shape->size[i] : 1; /* strides ignore size 0 */
    }
    if (count >= (double)TG_MAX_ELEMENTS) {
        tg_misuse(at, op, "%s: more elements than memory can hold", tg_shape_format(shape, text));
        return false;
    }
    return true;
}

const char *tg_dtype_name(tg_dtype dtype)
{
    static const char *const name[] = {[TG_F32] = "f32", [TG_F64] = "f64", [TG_I64] = "i64"};
    return name[dtype];
}

int64_t tg_numel(const tg_tensor *t)
{
    return tg_shape_numel(&t->shape);
}

int64_t tg_size(const tg_tensor *t, int dim)
{
    if (dim < 0)
        dim += t->shape.ndim;
    if (dim < 0 || dim >= t->shape.ndim) {
        char text[TG_SHAPE_TEXT];
        tg_misuse("tg_size", "size", "%s has no dimension %d", tg_shape_format(&t->shape, text),
                  dim);
        return 0;
    }
    return t->shape.size[dim];
}

void tg_contiguous_strides(const tg_shape *shape, int64_t stride[TG_MAX_DIMS])
{
    int64_t next = 1;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        stride[i] = next;
        next *= shape->size[i] > 0 ? shape->size[i] : 1;
    }
}

bool tg_is_contiguous(const tg_tensor *t)
{
    int64_t next = 1;
    for (int i = t->shape.ndim - 1; i >= 0; i--) {
        const int64_t size = t->shape.size[i];
        if (size != 1 && t->stride[i] != next)
            return tg_numel(t) == 0;
        next *= size;
    }
    return true;
}

void tg_set_default_dtype(tg_dtype dtype)
{
    if (dtype == TG_I64)
        tg_misuse("tg_set_default_dtype", "dtype", "i64; f32 or f64 expected");
    else
        local.default_dtype = dtype;
}

tg_dtype tg_default_dtype(void)
{
    return local.default_dtype;
}

/* ---- the error tensor ------------------------------------------------------------------------ */

tg_tensor *tg_error_tensor(void)
{
    local.nan = NAN;
    local.error = (tg_tensor){.data = &local.nan, .dtype = TG_F64, .node = -1};
    return &local.error;
}

bool tg_is_error(const tg_tensor *t)
{
    return t == &local.error;
}

bool tg_valid(const char *at, const char *op, const tg_tensor *t)
{
    if (t && !tg_is_error(t) && !tg_is_stale(t))
        return true;
    if (!t)
        tg_misuse(at, op, "the tensor is NULL; if it is a ->grad, there is no gradient yet");
    else if (tg_is_foreign(t))
        tg_misuse(at, op, "the tensor belongs to a step of another thread; take one over with "
                  "tg_retain there");
    else if (!tg_is_error(t))
        tg_misuse(at, op, "the tensor %s; keep it with tg_retain",
                  !tg_is_released(t) ? "belongs to a step that has ended"
                  : t->step == 0     ? "is a gradient that was zeroed since"
                                     : "was made by a gradient rule, which has ended");
    return false;
}

bool tg_usable(const char *at, const char *op, const tg_tensor *t)
{
    if (!tg_valid(at, op, t))
        return false;
    const tg_tensor *owner = t->base ? t->base : t;
    if (owner->refresh)
        owner->refresh->rows(owner->refresh, 0, NULL);
    return true;
}

/* Whether two elements lie in one place: where ops made t, along a dimension of stride 0. */
static bool overlaps_itself(const tg_tensor *t)
{
    bool repeats = false;
    for (int i = 0; i < t->shape.ndim; i++) {
        if (t->shape.size[i] == 0)
            return false;
        repeats = repeats || (t->shape.size[i] > 1 && t->stride[i] == 0);
    }
    return repeats;
}

bool tg_writable(const char *at, const char *op, const tg_tensor *t)
{
    if (!tg_usable(at, op, t))
        return false;
    char text[TG_SHAPE_TEXT];
    if (overlaps_itself(t))
        tg_misuse(at, op, "%s: an expanded tensor has several elements in one place; take "
                  "tg_contiguous first", tg_shape_format(&t->shape, text));
    return !overlaps_itself(t);
}

/* ---- tensors of the step --------------------------------------------------------------------- */

static size_t bytes_of(tg_dtype dtype, int64_t count)
{
    return (size_t)(count > 0 ? count : 1) * tg_dtype_size(dtype);
}

static tg_tensor *no_memory(const char *at, const char *op, tg_dtype dtype, const tg_shape *shape)
{
    char text[TG_SHAPE_TEXT];
    return tg_misuse(at, op, "no memory for %s %s", tg_dtype_name(dtype),
                     tg_shape_format(shape, text));
}

/* Contiguous strides, and the number of elements: -1 where tg_shape_is_valid says no. */
static int64_t lay_out(const tg_shape *shape, int64_t stride[TG_MAX_DIMS])
{
    int64_t next = 1;
    bool is_empty = false, is_valid = shape->ndim >= 0 && shape->ndim <= TG_MAX_DIMS;
    for (int i = is_valid ? shape->ndim - 1 : -1; i >= 0; i--) {
        const int64_t size = shape->size[i];
        stride[i] = next;
        is_empty = is_empty || size == 0;
        is_valid = is_valid && size >= 0 && next < TG_MAX_ELEMENTS &&
                   !__builtin_mul_overflow(next, size + (size == 0), &next);
    }
    return is_valid && next < TG_MAX_ELEMENTS ? (is_empty ? 0 : next) : -1;
}

tg_tensor *tg_tensor_new(const char *at, const char *op, tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = tg_arena_header();
    const int64_t count = lay_out(&shape, t->stride);
    if (count < 0) {
        tg_shape_is_valid(at, op, &shape);
        return tg_error_tensor();
    }
    if (!tg_arena_data(t, bytes_of(dtype, count)))
        return no_memory(at, op, dtype, &shape);
    t->dtype = dtype;
    t->shape = shape;
    t->capacity = count;
    return t;
}

tg_tensor *tg_tensor_alias(const tg_tensor *t)
{
    tg_tensor *alias = tg_arena_header();
    alias->data = t->data;
    alias->dtype = t->dtype;
    alias->shape = t->shape;
    memcpy(alias->stride, t->stride, sizeof alias->stride);
    alias->rows = t->rows;
    alias->base = t->base ? t->base : (tg_tensor *)t; /* its version counts for both */
    return alias;
}

tg_tensor *tg_empty_at(const char *at, tg_dtype dtype, tg_shape shape)
{
    return tg_tensor_new(at, "empty", dtype, shape);
}

tg_tensor *tg_zeros_at(const char *at, tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = tg_tensor_new(at, "zeros", dtype, shape);
    if (!tg_is_error(t))
        memset(t->data, 0, bytes_of(dtype, tg_numel(t)));
    return t;
}

/* Misuse where the dtype has no element for the value. */
static bool has_element(const char *at, const char *op, tg_dtype dtype, double value)
{
    const bool fits = dtype != TG_I64 || (value >= -0x1p63 && value < 0x1p63);
    if (!fits)
        tg_misuse(at, op, "%.17g as an i64; a number from -2^63 to below 2^63 expected", value);
    return fits;
}

static void fill(const tg_tensor *t, double value)
{
    if (tg_numel(t) == 1) {
        tg_element_set(t, 0, value);
        return;
    }
    union {
        float f32;
        double f64;
        int64_t i64;
    } element;
    const tg_tensor number = {.data = &element, .dtype = t->dtype};
    tg_element_set(&number, 0, value);
    tg_tensor each = *t; /* each place once */
    for (int d = 0; d < each.shape.ndim; d++)
        if (each.stride[d] == 0 && each.shape.size[d] > 1)
            each.shape.size[d] = 1;
    tg_copy_elements(&each, &number);
}

tg_tensor *tg_full_at(const char *at, tg_dtype dtype, double value, tg_shape shape)
{
    if (!has_element(at, "full", dtype, value))
        return tg_error_tensor();
    tg_tensor *t = tg_tensor_new(at, "full", dtype, shape);
    if (!tg_is_error(t))
        fill(t, value);
    return t;
}

static tg_tensor *from_ints(tg_tensor *t, const int *values)
{
    for (int64_t i = 0; i < tg_numel(t); i++)
        tg_element_set(t, i, values[i]);
    return t;
}

/* From an array whose element type is that of a dtype. */
static tg_tensor *from_elements(const char *at, tg_tensor *t, const void *values, tg_dtype type)
{
    tg_tensor source = *t;
    source.data = (void *)values;
    source.dtype = type;
    if (type != TG_I64 && t->dtype == TG_I64)
        for (int64_t i = 0; i < tg_numel(t); i++)
            if (!has_element(at, "from", TG_I64, tg_element(&source, i)))
                return tg_error_tensor();
    tg_copy_elements(t, &source);
    return t;
}

tg_tensor *tg_from_at(const char *at, tg_dtype dtype, tg_array values, tg_shape shape)
{
    static const size_t size[] = {[TG_C_ANY] = 1, [TG_C_FLOAT] = sizeof(float),
                                  [TG_C_DOUBLE] = sizeof(double), [TG_C_INT] = sizeof(int),
                                  [TG_C_INT64] = sizeof(int64_t)};
    tg_tensor *t = tg_tensor_new(at, "from", dtype, shape);
    if (tg_is_error(t))
        return t;
    const size_t given = values.bytes / size[values.type];
    if (given < (size_t)tg_numel(t)) {
        char text[TG_SHAPE_TEXT];
        return tg_misuse(at, "from", "%s from an array of %zu elements; %" PRId64 " expected",
                         tg_shape_format(&shape, text), given, tg_numel(t));
    }
    switch (values.type) {
    case TG_C_FLOAT: return from_elements(at, t, values.data, TG_F32);
    case TG_C_DOUBLE: return from_elements(at, t, values.data, TG_F64);
    case TG_C_INT64: return from_elements(at, t, values.data, TG_I64);
    case TG_C_INT: return from_ints(t, values.data);
    default: return from_elements(at, t, values.data, dtype);
    }
}

/* ---- tensors of the caller ------------------------------------------------------------------- */

/* Zeroed memory at the start of a cache line, for large arrays without touching them. */
static void *zeroed(size_t bytes)
{
    void *data = tg_memory(bytes);
    if (data)
        memset(data, 0, bytes);
    return data;
}

tg_tensor *tg_owned_header(tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (tg_tensor){
        .dtype = dtype, .shape = shape, .node = -1, .capacity = tg_shape_numel(&shape)};
    tg_contiguous_strides(&shape, t->stride);
    return t;
}

tg_tensor *tg_owned_or_null(tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = tg_owned_header(dtype, shape);
    if (t && t->capacity < TG_MAX_ELEMENTS)
        t->data = zeroed(bytes_of(dtype, t->capacity));
    if (t && !t->data) {
        free(t);
        return NULL;
    }
    return t;
}

tg_tensor *tg_owned_at(const char *at, tg_dtype dtype, tg_shape shape)
{
    if (!tg_shape_is_valid(at, "owned", &shape))
        return tg_error_tensor();
    tg_tensor *t = tg_owned_or_null(dtype, shape);
    return t ? t : no_memory(at, "owned", dtype, &shape);
}

static void data_free(tg_tensor *t)
{
    if (t->block)
        tg_heap_give(t->block);
    else
        free(t->data);
}

void tg_owned_resize(tg_tensor *t, tg_shape shape)
{
    const int64_t count = tg_shape_numel(&shape);
    if (!t->data || count > t->capacity) {
        data_free(t);
        t->block = tg_heap_take(bytes_of(t->dtype, count));
        if (!t->block)
            tg_out_of_memory(bytes_of(t->dtype, count));
        t->data = tg_heap_data(t->block);
        t->capacity = count;
    }
    t->shape = shape;
    tg_contiguous_strides(&shape, t->stride);
}

tg_tensor *tg_retain_at(const char *at, const tg_tensor *t)
{
    if (!tg_usable(at, "retain", t))
        return tg_error_tensor();
    if (t->rows)
        return tg_misuse(at, "retain", "the tensor is row-sparse: take tg_to_dense first");
    tg_tensor *copy = tg_owned_at(at, t->dtype, t->shape);
    if (!tg_is_error(copy))
        tg_copy_elements(copy, t);
    return copy;
}

void tg_free(tg_tensor *t)
{
    if (!t || tg_is_error(t) || t->step != 0)
        return;
    if (t->refresh)
        t->refresh->table = NULL;
    tg_free(t->dense_buffer);
    tg_free(t->sparse_buffer);
    tg_free(t->rows);
    data_free(t);
    free(t);
}

tg_tensor *tg_requires_grad_at(const char *at, tg_tensor *t)
{
    if (!tg_usable(at, "requires_grad", t))
        return tg_error_tensor();
    if (t->dtype == TG_I64)
        return tg_misuse(at, "requires_grad", "the tensor is i64; f32 or f64 expected");
    if (t->node >= 0)
        return tg_misuse(at, "requires_grad", "the tensor is an op's result; a leaf expected");
    t->requires_grad = true;
    return t;
}

/* ---- elements -------------------------------------------------------------------------------- */

/* The offset of an index list in elements; -1 after misuse. */
static int64_t index_offset(const char *at, const char *op, const tg_tensor *t,
                            const tg_shape *index)
{
    if (!tg_usable(at, op, t))
        return -1;
    char text[TG_SHAPE_TEXT], place[TG_SHAPE_TEXT];
    bool fits = index->ndim == t->shape.ndim && !t->rows;
    int64_t offset = 0;
    for (int i = 0; fits && i < index->ndim; i++) {
        const int64_t size = t->shape.size[i];
        const int64_t k = index->size[i] < 0 ? index->size[i] + size : index->size[i];
        fits = k >= 0 && k < size;
        offset += k * t->stride[i];
    }
    if (fits)
        return offset;
    if (t->rows)
        tg_misuse(at, op, "the tensor is row-sparse: take tg_to_dense first");
    else
        tg_misuse(at, op, "index %s does not stand in %s", tg_shape_format(index, place),
                  tg_shape_format(&t->shape, text));
    return -1;
}

double tg_get_at(const char *at, const tg_tensor *t, tg_shape index)
{
    const int64_t offset = index_offset(at, "get", t, &index);
    return offset < 0 ? NAN : tg_element(t, offset);
}

void tg_set_at(const char *at, tg_tensor *t, double value, tg_shape index)
{
    const int64_t offset = index_offset(at, "set", t, &index);
    if (offset >= 0 && has_element(at, "set", t->dtype, value)) {
        tg_element_set(t, offset, value);
        tg_touch(t);
    }
}

double tg_item_at(const char *at, const tg_tensor *t)
{
    if (!tg_usable(at, "item", t))
        return NAN;
    if (tg_numel(t) != 1 || t->rows) {
        char text[TG_SHAPE_TEXT];
        tg_misuse(at, "item", "%s: one element expected", tg_shape_format(&t->shape, text));
        return NAN;
    }
    return tg_element(t, 0);
}

void tg_fill_at(const char *at, tg_tensor *t, double value)
{
    if (!tg_usable(at, "fill", t) || !has_element(at, "fill", t->dtype, value))
        return;
    fill(t, value);
    tg_touch(t);
}

/* The bytes from the first element to behind the last of a tensor that has elements. */
static void extent(const tg_tensor *t, uintptr_t *begin, uintptr_t *end)
{
    int64_t last = 0;
    for (int i = 0; i < t->shape.ndim; i++)
        last += (t->shape.size[i] - 1) * t->stride[i];
    *begin = (uintptr_t)t->data;
    *end = *begin + (uintptr_t)(last + 1) * tg_dtype_size(t->dtype);
}

static bool may_share(const tg_tensor *a, const tg_tensor *b)
{
    uintptr_t begin[2], end[2];
    extent(a, &begin[0], &end[0]);
    extent(b, &begin[1], &end[1]);
    return begin[0] < end[1] && begin[1] < end[0];
}

/* The elements of the source are read before the first is written. */
static void copy_over(const char *at, const tg_tensor *t, const tg_tensor *source)
{
    tg_arena_push();
    const tg_tensor *copy = tg_tensor_new(at, "copy", source->dtype, source->shape);
    if (!tg_is_error(copy)) {
        tg_copy_elements(copy, source);
        tg_copy_elements(t, copy);
    }
    tg_arena_pop();
}

void tg_copy_at(const char *at, tg_tensor *t, const tg_tensor *source)
{
    if (!tg_usable(at, "copy", t) || !tg_usable(at, "copy", source))
        return;
    char to[TG_SHAPE_TEXT], from[TG_SHAPE_TEXT];
    if (t->rows || source->rows)
        tg_misuse(at, "copy", "a row-sparse tensor: take tg_to_dense first");
    else if (!tg_shape_equal(&t->shape, &source->shape))
        tg_misuse(at, "copy", "%s from %s: shapes differ", tg_shape_format(&t->shape, to),
                  tg_shape_format(&source->shape, from));
    else if (tg_writable(at, "copy", t)) {
        if (tg_numel(t) > 0 && may_share(t, source))
            copy_over(at, t, source);
        else
            tg_copy_elements(t, source);
        tg_touch(t);
    }
}

/* An i64 exactly, floats with as many digits as an f32 holds. */
static void print_element(const tg_tensor *t, int64_t offset)
{
    if (t->dtype == TG_I64)
        printf(" %" PRId64, ((const int64_t *)t->data)[offset]);
    else
        printf(" %.7g", tg_element(t, offset));
}

void tg_print(const tg_tensor *t)
{
    if (!tg_usable("tg_print", "print", t))
        return;
    enum { SHOWN = 8 };
    char text[TG_SHAPE_TEXT];
    printf("%s %s%s:", tg_dtype_name(t->dtype), tg_shape_format(&t->shape, text),
           t->rows ? " (row-sparse)" : "");
    const int64_t count = t->rows ? 0 : tg_numel(t);
    for (int64_t i = 0; i < count && i < SHOWN; i++)
        print_element(t, tg_element_offset(t, i));
    puts(count > SHOWN ? " ..." : "");
}
