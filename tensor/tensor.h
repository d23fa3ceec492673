/*
 * tensor.h: the tensor, its two lifetimes, and access to its elements
 *
 * A tensor is a dtype, a shape of up to TG_MAX_DIMS dimensions, strides counted in elements, and a
 * pointer. Views (tg_view, tg_transpose, tg_narrow, tg_expand in autograd/ops.h) share the data.
 *
 * Who owns what, in one sentence: parameters, optimiser state and data sets belong to whoever made
 * them (tg_owned, tg_retain; ended by tg_free); everything else that a function returns belongs to
 * the step (tg_step_begin, tg_step_end in autograd/autograd.h) and is gone at its end. Outside any
 * step it lives as long as the thread.
 *
 * Sizes are written as a list: tg_zeros(TG_F32, 256, 64) is (256, 64). A scalar has no dimension.
 */
#ifndef TG_TENSOR_TENSOR_H
#define TG_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/error.h"

#define TG_MAX_DIMS 8

typedef enum tg_dtype { TG_F32, TG_F64, TG_I64 } tg_dtype;

typedef struct tg_shape {
    int ndim;
    int64_t size[TG_MAX_DIMS];
} tg_shape;

typedef struct tg_tensor tg_tensor;
struct tg_tensor {
    void *data;
    tg_dtype dtype;
    bool requires_grad; /* a leaf that wants a gradient, or a result that depends on one */
    tg_shape shape;
    int64_t stride[TG_MAX_DIMS]; /* in elements; 0 along an expanded dimension */

    /* The gradient of a leaf: NULL before tg_backward and after zeroing. It has the leaf's shape
     * and is row-sparse where only an embedding lookup reached the leaf: see `rows`. */
    tg_tensor *grad;

    /* Row-sparse tensors only: (n) i64, row numbers. data then holds n rows (n, size[1]), in that
     * order and stride[0] apart; all other rows of the shape are zero. A leaf's gradient has each
     * row once; of those that stand there twice, as in tg_scatter_rows, the sum counts. */
    tg_tensor *rows;

    /* Private to the library. */
    tg_tensor *base;          /* whose data this shares; NULL where it is its own */
    struct tg_refresh *refresh; /* a table whose rows may be behind: tensor-internal.h */
    uint64_t version;         /* changes in place of its own data */
    bool retains_grad;        /* a result whose gradient is kept: tg_retain_grad */
    tg_tensor *(*hook)(void *context, tg_tensor *g); /* sees the gradient: tg_register_hook */
    void *hook_context;
    int64_t node;             /* the tape's node that made it; -1 for a leaf */
    int64_t pending;          /* a leaf's place among those that tg_backward has reached */
    uint64_t step;            /* the step it belongs to; 0 when owned */
    struct tg_heap_block *block; /* of the data, where these are large: memory.c */
    int32_t holders;          /* gradients of a walk over the tape that share its memory: tape.c */
    bool is_temporary;        /* made by a rule: its memory goes with the last of them */
    tg_tensor *dense_buffer;  /* memory for a leaf's gradient, kept between steps */
    tg_tensor *sparse_buffer; /* the same for a row-sparse one */
    int64_t capacity;         /* elements that data has room for; 0 for a view */
};

/* ---- shapes ---------------------------------------------------------------------------------- */

/* A shape from a list of sizes: TG_SHAPE(2, 3). */
#define TG_SHAPE(...)                                                                              \
    tg_shape_of((const int64_t[]){__VA_ARGS__},                                                    \
                (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
tg_shape tg_shape_of(const int64_t *size, int ndim);

bool tg_shape_equal(const tg_shape *a, const tg_shape *b);
int64_t tg_shape_numel(const tg_shape *shape);

/* "[256, 64]", written into `text` and returned. */
#define TG_SHAPE_TEXT 192
const char *tg_shape_format(const tg_shape *shape, char text[TG_SHAPE_TEXT]);

const char *tg_dtype_name(tg_dtype dtype); /* "f32", "f64", "i64" */
static inline size_t tg_dtype_size(tg_dtype dtype) /* bytes */
{
    return dtype == TG_F32 ? 4 : 8;
}

int64_t tg_numel(const tg_tensor *t);
int64_t tg_size(const tg_tensor *t, int dim); /* dim counts from the end where negative */
bool tg_is_contiguous(const tg_tensor *t);    /* row-major without gaps, or empty */
bool tg_is_error(const tg_tensor *t);         /* the error tensor: see error.h */

/* The dtype of new layers and of random tensors in nn/: f32 unless set (torch.set_default_dtype).
 * Gradient checks set f64. */
void tg_set_default_dtype(tg_dtype dtype);
tg_dtype tg_default_dtype(void);

/* ---- C arrays -------------------------------------------------------------------------------- */

typedef enum tg_c_type { TG_C_ANY, TG_C_FLOAT, TG_C_DOUBLE, TG_C_INT, TG_C_INT64 } tg_c_type;

/* An array with its element type, which the compiler tells, and its size. */
typedef struct tg_array {
    const void *data;
    tg_c_type type;
    size_t bytes; /* SIZE_MAX: a pointer */
} tg_array;

#define TG_ARRAY(values) ((tg_array){values, TG_C_TYPE(values), TG_BYTES(values)})
#define TG_C_TYPE(values)                                                                          \
    _Generic((values), void *: TG_C_ANY, const void *: TG_C_ANY,                                   \
        TG_C_CASES(float, TG_C_FLOAT),                                                             \
        TG_C_CASES(double, TG_C_DOUBLE),                                                           \
        TG_C_CASES(int, TG_C_INT),                                                                 \
        TG_C_CASES(long, TG_C_LONG),                                                               \
        TG_C_CASES(long long, TG_C_INT64))
/* Elements of that type, and rows of them. */
#define TG_C_CASES(type, name)                                                                     \
    type *: name, const type *: name, type (*)[]: name, const type (*)[]: name
#define TG_C_LONG (sizeof(long) == sizeof(int) ? TG_C_INT : TG_C_INT64)
/* ?: turns an array into a pointer, which is another type. */
#define TG_BYTES(values)                                                                           \
    (__builtin_types_compatible_p(__typeof__(values), __typeof__(1 ? (values) : (values)))         \
         ? SIZE_MAX                                                                                \
         : sizeof(__typeof__(values)))

/* ---- tensors of the step --------------------------------------------------------------------- */

#define tg_zeros(dtype, ...) tg_zeros_at(TG_HERE, dtype, TG_SHAPE(__VA_ARGS__))
#define tg_full(dtype, value, ...) tg_full_at(TG_HERE, dtype, value, TG_SHAPE(__VA_ARGS__))
#define tg_scalar(dtype, value) tg_full_at(TG_HERE, dtype, value, (tg_shape){.ndim = 0})
/* A copy of the row-major array `values` of float, double, int or int64_t, or of rows of those,
 * converted to dtype. An array of fewer elements than the shape is misuse; of a pointer only the
 * type is known, and of a void * nothing: it points to elements of dtype's own type. */
#define tg_from(dtype, values, ...)                                                                \
    tg_from_at(TG_HERE, dtype, TG_ARRAY(values), TG_SHAPE(__VA_ARGS__))
/* Elements not set to anything. */
#define tg_empty(dtype, ...) tg_empty_at(TG_HERE, dtype, TG_SHAPE(__VA_ARGS__))
/* start, start + step, ... before end: (n). The step leads towards the end; of an i64 tensor, start
 * and step are whole, and all up to 2^53. */
#define tg_arange(dtype, start, end, step) tg_arange_at(TG_HERE, dtype, start, end, step)
/* (n, n), 1 on the diagonal, else 0. */
#define tg_eye(dtype, n) tg_eye_at(TG_HERE, dtype, n)
/* Of the dtype and shape of x. */
#define tg_full_like(x, value) tg_full_like_at(TG_HERE, x, value)
#define tg_zeros_like(x) tg_full_like_at(TG_HERE, x, 0)

tg_tensor *tg_zeros_at(const char *at, tg_dtype dtype, tg_shape shape);
tg_tensor *tg_full_at(const char *at, tg_dtype dtype, double value, tg_shape shape);
tg_tensor *tg_from_at(const char *at, tg_dtype dtype, tg_array values, tg_shape shape);
tg_tensor *tg_empty_at(const char *at, tg_dtype dtype, tg_shape shape);
tg_tensor *tg_arange_at(const char *at, tg_dtype dtype, double start, double end, double step);
tg_tensor *tg_eye_at(const char *at, tg_dtype dtype, int64_t n);
tg_tensor *tg_full_like_at(const char *at, const tg_tensor *x, double value);

/* ---- tensors of the caller ------------------------------------------------------------------- */

/* Zeros that belong to the caller until tg_free. */
#define tg_owned(dtype, ...) tg_owned_at(TG_HERE, dtype, TG_SHAPE(__VA_ARGS__))
tg_tensor *tg_owned_at(const char *at, tg_dtype dtype, tg_shape shape);

/* A contiguous copy of `t` that belongs to the caller: the way out of a step. It is a leaf. */
#define tg_retain(t) tg_retain_at(TG_HERE, t)
tg_tensor *tg_retain_at(const char *at, const tg_tensor *t);

/* End an owned tensor and its gradient. NULL and tensors of a step are left alone. */
void tg_free(tg_tensor *t);

/* Mark a leaf as wanting a gradient; gives it back. Floating point only. */
#define tg_requires_grad(t) tg_requires_grad_at(TG_HERE, t)
tg_tensor *tg_requires_grad_at(const char *at, tg_tensor *t);

/* ---- elements -------------------------------------------------------------------------------- */

/* The element at an index list, as a double: tg_get(t, 2, 3); an index counts from the end where
 * negative. NaN on misuse. A double holds every i64 up to 2^53; for larger ones use t->data. */
#define tg_get(t, ...) tg_get_at(TG_HERE, t, TG_SHAPE(__VA_ARGS__))
#define tg_set(t, value, ...) tg_set_at(TG_HERE, t, value, TG_SHAPE(__VA_ARGS__))
/* The one element of a tensor that has one. */
#define tg_item(t) tg_item_at(TG_HERE, t)
double tg_get_at(const char *at, const tg_tensor *t, tg_shape index);
void tg_set_at(const char *at, tg_tensor *t, double value, tg_shape index);
double tg_item_at(const char *at, const tg_tensor *t);

/* A number for an i64 tensor (tg_full's as well) is cut off towards 0, and misuse where that is no
 * i64; tg_copy takes the nearest i64 instead, and 0 for NaN.
 *
 * In place: every element of `t` becomes `value`; `t` takes the elements of `source` (the same
 * shape, any strides, any dtype; they may share memory). Neither is recorded on the tape. Elements
 * of an expanded tensor lie in one place: tg_set and tg_fill change all of them, and functions that
 * give each a value of its own, such as tg_copy, are misuse. */
#define tg_fill(t, value) tg_fill_at(TG_HERE, t, value)
#define tg_copy(t, source) tg_copy_at(TG_HERE, t, source)
void tg_fill_at(const char *at, tg_tensor *t, double value);
void tg_copy_at(const char *at, tg_tensor *t, const tg_tensor *source);

/* Print shape, dtype and the first elements to stdout: floats with 7 digits, i64 exactly. */
void tg_print(const tg_tensor *t);

#endif
