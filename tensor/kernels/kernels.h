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

/* A block of `rows` rows of n elements in each of some operands; strides in elements. */
#define TG_BLOCK_OPERANDS 5
typedef struct tg_block {
    int64_t rows, n;
    char *data[TG_BLOCK_OPERANDS];
    int64_t row[TG_BLOCK_OPERANDS], stride[TG_BLOCK_OPERANDS]; /* to the next row, element */
} tg_block;

typedef enum tg_comparison {
    TG_EQ, TG_NE, TG_LT, TG_LE, TG_GT, TG_GE, TG_AND, TG_OR, TG_COMPARISONS
} tg_comparison;

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
    void *workspace; /* tg_gemm_workspace(n, bytes of an element) at a multiple of 64, for a and b that
                      * do not fit the caches; or NULL */
} tg_gemm;
#define TG_GEMM_PANEL 256         /* inner indices of a packed block */
#define TG_GEMM_BLOCK_A (1 << 18) /* bytes of a packed block, at most */
#define TG_GEMM_BLOCK_B (1 << 20)
static inline int64_t tg_gemm_workspace(int64_t n, int64_t size)
{
    const int64_t b = (n + 63) / 64 * 64 * TG_GEMM_PANEL * size;
    return TG_GEMM_BLOCK_A + (b < TG_GEMM_BLOCK_B ? b : TG_GEMM_BLOCK_B);
}

/* A sparse matrix in compressed rows: row r has the entries crow[r] .. crow[r + 1]; entry e stands in
 * column col[e]. b and out are dense, with rows of `columns` elements side by side. */
typedef struct tg_csr {
    int64_t rows, columns;
    const int64_t *crow, *col;
    const void *a; /* the entries' values, or NULL: ones; for csr_sample dense as well */
    const void *b;
    void *out; /* of csr_sample the entries' values */
} tg_csr;

/* A kernel of kh x kw pixels, `dilation` apart, that moves over images of h x w by `stride`, in
 * out_h x out_w windows; the first begins `padding` outside of the upper left corner. */
typedef struct tg_windows {
    int64_t h, w, kh, kw, stride, padding, dilation, out_h, out_w;
} tg_windows;

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

/* Rows of `count` elements: one row, side by side (row 1), or columns of a matrix, side by side, their
 * elements `row` apart: TG_ROW_COLUMNS of them, or up to TG_ROW_LANES. Operands and results lie as x
 * does, except those in brackets, which have one element for each row. */
#define TG_ROW_LANES 32
#define TG_ROW_COLUMNS 64
#define TG_COLUMNS_K 16
typedef void (*tg_row_kernel)(int64_t count, int64_t width, int64_t row, void *out,
                              const void *const in[]);
typedef enum tg_along {
    TG_ALONG_SUM,                     /* [out], of x */
    TG_ALONG_MAX,                     /* [out], of x: NaN if there is one */
    TG_ALONG_MIN,
    TG_ALONG_MAX_GRADIENT,            /* of x, [y], [g]; that of min as well */
    TG_ALONG_SOFTMAX,                 /* of x */
    TG_ALONG_SOFTMAX_GRADIENT,        /* of y, g */
    TG_ALONG_LOG_SOFTMAX,             /* of x */
    TG_ALONG_LOG_SOFTMAX_GRADIENT,    /* of y, g */
    TG_ALONG_LOGSUMEXP,               /* [out], of x */
    TG_ALONG_LOGSUMEXP_GRADIENT,      /* of x, [g] */
    TG_ALONG_LOG_SUMS,                /* two for each row: the largest element of x, and the log of
                                       * the sum of exp(x - largest) */
    TG_ALONG_CROSS_ENTROPY_GRADIENT,  /* of x, [i64 target], those two, one number g for all */
    /* (4, TG_ROW_LANES), for up to TG_ROW_LANES rows; u and z as in tg_norm */
    TG_ALONG_NORM_MOMENTS,            /* mean and root, of x and the double eps; and mean(u) and
                                       * mean(u z), of g and weight, where g is not NULL */
    TG_ALONGS
} tg_along;

/* Up to TG_ROW_LANES rows of n elements, weight and bias (n) or NULL. With z = (x - mean) root, where
 * root = 1 / sqrt(variance + eps):  y = z weight + bias
 * and with u = g weight:  dx = root (u - mean(u) - z mean(u z)),  dweight += g z,  dbias += g */
typedef struct tg_norm {
    int64_t rows, n;
    double eps;
    const void *x, *weight, *bias, *g;
    const void *moments; /* as the kernel along rows gives them */
    void *y, *dx, *dweight, *dbias;
} tg_norm;

/* The kernels of one element type. */
typedef struct tg_type_kernels {
    /* Unary: in = {x} for the value, {g, x, y} for derivatives; binary: {a, b}, {g, a, b, y}. */
    const tg_map_kernel (*map)[TG_MAPS]; /* by row and kind; NULL for an unary row's b */
    tg_map_kernel add_scaled;             /* {x, factor, y}: x + factor y */
    int tile_rows; /* rows of c that gemm works on at a time */
    void (*gemm)(const tg_gemm *product);
    /* The matrix times b, for its rows begin .. end; out += the matrix transposed times b, for columns
     * begin .. end; and the elements of a b^T at the entries of rows begin .. end. */
    void (*csr_product)(const tg_csr *t, int64_t begin, int64_t end);
    void (*csr_transposed_product)(const tg_csr *t, int64_t begin, int64_t end);
    void (*csr_sample)(const tg_csr *t, int64_t begin, int64_t end);
    /* For rows first .. last of windows: columns (channels, kh, kw, rows, out_w) = their pixels in x
     * (channels, h, w), 0 outside; x += columns. */
    void (*unfold)(const tg_windows *s, int64_t channels, const void *x, int64_t first,
                   int64_t last, void *columns);
    void (*fold)(const tg_windows *s, int64_t channels, void *x, int64_t first, int64_t last,
                 const void *columns);
    /* place (out_h, out_w) = where in x (h, w) each window's largest pixel is, the last NaN or else
     * the first of equal ones, and values (out_h, out_w) what it is. */
    void (*max_places)(const tg_windows *s, const void *x, void *values, int64_t *place);
    const tg_row_kernel *rows;                   /* by tg_along */
    double (*total)(int64_t n, const void *x);   /* the sum of n elements */
    void (*norm)(const tg_norm *t);              /* y */
    void (*norm_gradient)(const tg_norm *t);     /* dx, dweight, dbias; none may be NULL */
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
    /* i64: values by row of elementwise.def, NULL where it has none; a row kernel for sums. */
    const tg_map_kernel *integer;
    tg_row_kernel integer_sum;
    /* {a, b}: a / b towards minus infinity, and a - b times that; no b may be 0. */
    tg_map_kernel floor_divide, remainder;
    tg_row_kernel cumsum[3], cumsum_from_end[3]; /* by tg_dtype: sums of x so far, and from the end */
    /* By tg_dtype: f32, f64, i64. NaN goes before all, of equal ones the first. [i64 out], of x: the
     * place of the largest element in its row, which is not empty. Places of the k first of `count`
     * elements, in order; and place (rows, k) of those of the first `rows` columns of x (count,
     * TG_ROW_LANES), for k up to TG_COLUMNS_K and count up to 2^24. */
    tg_row_kernel argmax[3];
    void (*topk[3])(int64_t count, int64_t k, int64_t *place, const void *x);
    void (*topk_columns[3])(int64_t count, int64_t k, int64_t rows, int64_t *place, const void *x);
    void (*copy[3])(const tg_block *block);    /* data[0] = data[1], bit for bit */
    tg_map_kernel convert[3][3];               /* to the second dtype from the first */
    tg_map_kernel compare[3][TG_COMPARISONS];  /* {a, b} to i64: 1 where true, else 0 */
    tg_map_kernel where[3];                    /* {i64, a, b}: a where not 0, else b */
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

/* Of x, 2^23 or more in size: its quarter turn n, and high - excess = x - n pi/2. */
uint64_t tg_far_angle(double x, double *high, double *excess);

/* The table in use. */
const tg_kernels *tg_kernels_get(void);

/* The tables that this machine supports, best first, for tests: NULL past the end. */
const tg_kernels *tg_kernels_supported(int i);

extern const tg_kernels tg_kernels_portable, tg_kernels_avx2, tg_kernels_avx512, tg_kernels_neon;

#endif
