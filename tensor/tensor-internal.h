/*
 * tensor-internal.h: what the floors of the library share about tensors; not for programs
 *
 * Step memory is an arena of chained blocks: allocation moves a pointer, the end of a step moves it
 * back. Data from TG_HEAP_LEAST bytes on are blocks of a heap of their own each, which come back
 * there as soon as they are not needed. Blocks and chunks of the heap are kept, so that a loop of
 * equal steps asks malloc for nothing after the first.
 * Tensor headers live in a pool of their own and are used again in the order in which they were
 * released, the oldest first, so that the header of a tensor whose step has ended can still be read
 * and recognised.
 */
#ifndef TG_TENSOR_INTERNAL_H
#define TG_TENSOR_INTERNAL_H

#include "tensor/random.h"
#include "tensor/tensor.h"

/* ---- memory: memory.c ------------------------------------------------------------------------ */

#define TG_LINE ((size_t)64) /* of the caches */

/* Like malloc, at the start of a line; large blocks in huge pages where the system has them, for
 * looking up rows of a table costs the processor a page each. */
void *tg_memory(size_t bytes);

/* A block of the heap that all threads share, for steps and for gradients; its data begin at the next
 * line. NULL where there is no memory. */
typedef struct tg_heap_block tg_heap_block;
struct tg_heap_block {
    tg_heap_block *next, *previous; /* for whoever has it, as a list */
    tg_heap_block *below, *above;   /* its neighbours; NULL at the ends of a chunk */
    size_t size;                    /* bytes of data */
    bool is_free;
};
#define TG_HEAP_LEAST ((size_t)4096) /* bytes of a tensor that are worth a block */
tg_heap_block *tg_heap_take(size_t bytes);
void tg_heap_give(tg_heap_block *b);

static inline void *tg_heap_data(tg_heap_block *b)
{
    return (char *)b + TG_LINE;
}

/* What is free is not to be read or written: AddressSanitizer reports it. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define TG_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define TG_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define TG_POISON(p, n) ((void)(p), (void)(n))
#define TG_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* Ask the memory for bytes that are used soon. Rows of a batch lie scattered over tables that no
 * cache holds; whoever goes through a list asks for those TG_ROWS_AHEAD places on. Into L2: more
 * requests can wait there than at L1. Functions that do no more than this must be inline, always:
 * gcc would find that they have no effect and leave out their calls. */
enum { TG_ROWS_AHEAD = 8 };
#define TG_ALWAYS_INLINE static inline __attribute__((always_inline))
TG_ALWAYS_INLINE void tg_prefetch(const void *p, size_t bytes)
{
    for (size_t b = 0; b < bytes; b += TG_LINE)
        __builtin_prefetch((const char *)p + b, 0, 2);
}

/* ---- step memory: arena.c -------------------------------------------------------------------- */

void tg_arena_push(void);
void tg_arena_pop(void);
bool tg_arena_in_step(void);

/* Memory of the current step, not set to anything; aligned to a cache line from 64 bytes on, else
 * to 16. NULL where there is none to be had. */
void *tg_arena_alloc(size_t bytes);

/* The same for bookkeeping, which has no way back: without memory the program ends. */
void *tg_step_memory(size_t bytes);

/* A zeroed header of the current step: a leaf. */
tg_tensor *tg_arena_header(void);

/* Memory for the data of t, a header of the current step; false where there is none to be had. */
bool tg_arena_data(tg_tensor *t, size_t bytes);

/* The end of t, a tensor of the current step with data of its own: the memory serves the next ones,
 * and to use t, or a view of it, is misuse. Left alone if t is of another step. */
void tg_arena_release(tg_tensor *t);

/* Release what the current step made after `latest` (NULL: all) and nobody holds; what is held
 * becomes temporary, to be released by the last holder. */
tg_tensor *tg_arena_latest(void);
void tg_arena_release_after(const tg_tensor *latest);

/* t, which the caller owns and which has no data, takes over those of `from`, a tensor of the current
 * step with a block: the end of `from`. */
void tg_arena_move(tg_tensor *t, tg_tensor *from);

/* Whether the tensor's step is one of another thread; has ended, or the tensor was released; and
 * which of the two. */
bool tg_is_foreign(const tg_tensor *t);
bool tg_is_stale(const tg_tensor *t);
bool tg_is_released(const tg_tensor *t);

/* The innermost step, as tensor->step has it; never 0. */
uint64_t tg_arena_step(void);

/* `owned` ends with the step of `t`, which is one of this thread. */
void tg_arena_adopt(const tg_tensor *t, tg_tensor *owned);

/* ---- tensors: tensor.c ----------------------------------------------------------------------- */

/* A contiguous tensor of the step whose elements are not set; misuse of `op` on a bad shape. */
tg_tensor *tg_tensor_new(const char *at, const char *op, tg_dtype dtype, tg_shape shape);

/* A zeroed tensor of the caller's, of a valid shape; NULL where there is no memory: tg_owned for
 * functions that give a status. The other one has no data yet. */
tg_tensor *tg_owned_or_null(tg_dtype dtype, tg_shape shape);
tg_tensor *tg_owned_header(tg_dtype dtype, tg_shape shape);

/* A bound of the number of elements, by which sizes in bytes stay addressable. */
#define TG_MAX_ELEMENTS (INT64_C(1) << 60)

/* Negative sizes, too many dimensions and more elements than can be addressed are misuse. */
bool tg_shape_is_valid(const char *at, const char *op, const tg_shape *shape);

/* A second header of the step for the same data: a leaf without gradient. */
tg_tensor *tg_tensor_alias(const tg_tensor *t);

tg_tensor *tg_error_tensor(void);

/* How often the data of t were changed in place, and that they were once more. */
static inline uint64_t tg_version(const tg_tensor *t)
{
    return t->base ? t->base->version : t->version;
}

static inline void tg_touch(tg_tensor *t)
{
    (t->base ? t->base : t)->version++;
}

/* A table of which an optimiser has put off updates of some rows. Whoever reads it calls `rows`
 * before: for `count` rows, which may repeat, or for all (row NULL). */
typedef struct tg_refresh tg_refresh;
struct tg_refresh {
    void (*rows)(tg_refresh *self, int64_t count, const int64_t *row);
    tg_tensor *table; /* NULL once it is gone */
};

/* NULL and stale tensors are misuse, an error tensor is not reported again: false for each. */
bool tg_valid(const char *at, const char *op, const tg_tensor *t);

/* The same, and all rows of a table are brought up to date. */
bool tg_usable(const char *at, const char *op, const tg_tensor *t);

/* The same for a tensor of which every element is given a value of its own: misuse where two of
 * them lie in one place. */
bool tg_writable(const char *at, const char *op, const tg_tensor *t);

void tg_contiguous_strides(const tg_shape *shape, int64_t stride[TG_MAX_DIMS]);

/* Make an owned tensor hold another shape, its elements not set, keeping its memory where that is
 * large enough, else in a block. */
void tg_owned_resize(tg_tensor *t, tg_shape shape);

static inline int64_t tg_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- random numbers: random.c ---------------------------------------------------------------- */

/* What tg_rng_below(rng, bound), tg_rng_below(rng, bound - 1), ... give, one after the other; count
 * is at most bound. */
void tg_rng_below_each(tg_rng *rng, int64_t count, uint64_t bound, uint64_t *out);

/* The number of the dtype that u in [0, 1) stands for between low and high, as the dtype rounds
 * them. It is below high, to which the sum may be rounded, unless low is high. */
double tg_uniform_between(tg_dtype dtype, double low, double high, double u);

/* ---- elements: maps.c, strided.c ------------------------------------------------------------- */

/* dst takes src's elements, which broadcast to its shape; any strides, any dtypes. */
void tg_copy_elements(const tg_tensor *dst, const tg_tensor *src);

/* Position of element number `i` (row-major) of the tensor, in elements from data. */
int64_t tg_element_offset(const tg_tensor *t, int64_t i);

/* The element at an offset, as a double: exact for i64 up to 2^53. */
static inline double tg_element(const tg_tensor *t, int64_t offset)
{
    return t->dtype == TG_F32   ? (double)((const float *)t->data)[offset]
           : t->dtype == TG_F64 ? ((const double *)t->data)[offset]
                                : (double)((const int64_t *)t->data)[offset];
}

/* Towards 0; the nearest i64 for what is beyond them, and 0 for NaN. */
static inline int64_t tg_to_i64(double value)
{
    return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value
           : value > 0                        ? INT64_MAX
           : value < 0                        ? INT64_MIN
                                              : 0;
}

static inline void tg_element_set(const tg_tensor *t, int64_t offset, double value)
{
    if (t->dtype == TG_F32)
        ((float *)t->data)[offset] = (float)value;
    else if (t->dtype == TG_F64)
        ((double *)t->data)[offset] = value;
    else
        ((int64_t *)t->data)[offset] = tg_to_i64(value);
}

/* ---- whose misuse it is: error.c ------------------------------------------------------------- */

/* The first line of a function made of ops: misuse of an op until its end is reported as misuse of
 * `name`, since that is what the caller wrote. Of functions inside of each other, the outermost. */
#define TG_FUNCTION(name)                                                                          \
    __attribute__((cleanup(tg_function_end), unused)) const bool tg_function_ =                    \
        tg_function_begin(name)
bool tg_function_begin(const char *name);
void tg_function_end(const bool *is_outermost);

/* ---- the one error that has no way back ------------------------------------------------------ */

/* Say so and exit(1): for the small blocks of bookkeeping. */
_Noreturn void tg_out_of_memory(size_t bytes);

#endif
