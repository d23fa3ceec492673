/*
 * kernels.h: the inner loops, one table of them for each instruction set
 *
 * The only folder that knows about CPUs. Each of portable.c, avx2.c, avx512.c and neon.c sets its
 * vector size and includes the same templates (*.inc) for float and double. One table is chosen at
 * first use: the best one that the machine supports, or the one that the environment variable
 * TAPEGRAD_KERNELS names.
 *
 * Arrays are contiguous unless a stride stands beside them. An output may be one of the inputs,
 * element for element, but not overlap it otherwise. All sets give the same bits, those of NaN apart:
 * elementwise functions and updates fuse no multiply-adds and call nothing of libm, each sum has a
 * fixed number of lanes, and each element of a product is one chain of fused multiply-adds in the
 * order of the inner index (a fixed number of chains where c is one column). Only products of the
 * portable set differ, where its machine has no fused multiply-add.
 */
#ifndef TG_KERNELS_H
#define TG_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* Rows of tensor/elementwise.def. */
#define UNARY(name, ...) TG_ROW_##name,
#define BINARY(name, ...) TG_ROW_##name,
enum {
#include "tensor/elementwise.def"
    TG_ROWS
};
#undef UNARY
#undef BINARY

/* What a row computes: its value, or from g, the gradient of that, g times a derivative. */
typedef enum tg_map_kind { TG_VALUE, TG_DA, TG_DB, TG_DAA, TG_DAB, TG_DBB, TG_MAPS } tg_map_kind;

/* out[i] = f(in[0][i], in[1][i], ...) for i < n */
typedef void (*tg_map_kernel)(int64_t n, void *out, const void *const in[]);

/* c = start + a b: (m, n), (m, k), (k, n), all with strides in elements, c's and start's columns
 * side by side. start may be NULL (zeros), c itself (accumulate), or a row for all (start_row 0).
 * The more of a is zero, from three eighths on, the faster. */
typedef struct tg_gemm {
    int64_t m, n, k;
    const void *a;
    int64_t a_row, a_col;
    const void *b;
    int64_t b_row, b_col;
    void *c;
    int64_t c_row;
    const void *start;
    int64_t start_row;
} tg_gemm;

/* m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 * p = shrink p - rate * m / (root_scale * sqrt(v) + eps),   where g = gradient + weight_decay p */
typedef struct tg_adam_update {
    double beta1, beta2, eps, weight_decay, shrink, rate, root_scale;
} tg_adam_update;

/* Many updates of p at once, from moments that stay: with x = 1 / (sqrt(v) + eps)
 * p -= m sum x (1 + variance x^2)                                    (optim/catch_up.c) */
typedef struct tg_adam_late {
    double sum, eps, variance;
} tg_adam_late;

/* m = keep1 m + add1 g;  v = keep2 v + add2 g^2 */
typedef struct tg_moments_update {
    double keep1, keep2, add1, add2;
} tg_moments_update;

/* v = momentum v + g;  p -= lr v, or lr (g + momentum v),   where g = gradient + weight_decay p */
typedef struct tg_sgd_update {
    double lr, momentum, weight_decay;
    bool nesterov;
} tg_sgd_update;

/* v = keep v + add g^2;  p -= lr g / (sqrt(v) + eps),   where g = gradient + weight_decay p */
typedef struct tg_rmsprop_update {
    double lr, keep, add, eps, weight_decay;
} tg_rmsprop_update;

/* Random words stand in rows of 16, and four rows are a group: word w of the group's block number i
 * is word i of row w. Dropout takes the fewest of 1, 2, 4, 8, 16 bits an element that tell the
 * threshold apart: element i takes the piece number i / 16 of that many bits in the column i % 16,
 * rows in their order, low bits first, and is kept where they are at least the threshold's upper
 * bits. */
#define TG_WORD_ROW 16
#define TG_WORD_GROUP (4 * TG_WORD_ROW)

static inline int tg_dropout_bits(uint32_t threshold)
{
    int bits = 16;
    while (bits > 1 && threshold % (1u << (16 - bits / 2)) == 0)
        bits /= 2;
    return bits;
}

#define TG_SUM_COLUMNS 64

/* The kernels of one element type. */
typedef struct tg_type_kernels {
    /* Unary: in = {x} for the value, {g, x, y} for derivatives; binary: {a, b}, {g, a, b, y}. */
    const tg_map_kernel (*map)[TG_MAPS]; /* by row and kind; NULL for an unary row's b */
    int tile_rows; /* rows of c that gemm works on at a time */
    void (*gemm)(const tg_gemm *product);
    /* out[j] = sum over i of x[i * row + j], in double: (count, inner) -> (inner), by
     * TG_SUM_COLUMNS columns at a time */
    void (*sum)(int64_t count, int64_t inner, int64_t row, void *out, const void *x);
    /* out = x scale, or zero with probability threshold / 65536 (0 to 65536), as the words say. */
    void (*dropout)(int64_t n, void *out, const void *x, const uint32_t *word, uint32_t threshold,
                    double scale);
    /* g NULL counts as zeros. Subnormal m and v are set to zero. */
    void (*adam)(int64_t n, void *p, const void *g, void *m, void *v, const tg_adam_update *u);
    void (*adam_late)(int64_t n, void *p, const void *m, const void *v, const tg_adam_late *u);
    void (*moments)(int64_t n, const void *g, void *m, void *v, const tg_moments_update *u);
    /* v NULL without momentum. */
    void (*sgd)(int64_t n, void *p, const void *g, void *v, const tg_sgd_update *u);
    void (*rmsprop)(int64_t n, void *p, const void *g, void *v, const tg_rmsprop_update *u);
} tg_type_kernels;

typedef struct tg_kernels {
    const char *name;               /* "avx2" */
    /* Groups of random words: Philox4x32-10 (Salmon et al. 2011) from block number `first` on. */
    void (*philox)(uint64_t seed, uint64_t stream, uint64_t first, int64_t groups, uint32_t *word);
    const tg_type_kernels *type[2]; /* by tg_dtype: f32, f64 */
} tg_kernels;

/* While one waits in a loop: leave the core to its other thread. */
static inline void tg_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The table in use. */
const tg_kernels *tg_kernels_get(void);

/* The tables that this machine supports, best first, for tests: NULL past the end. */
const tg_kernels *tg_kernels_supported(int i);

extern const tg_kernels tg_kernels_portable, tg_kernels_avx2, tg_kernels_avx512, tg_kernels_neon;

#endif
