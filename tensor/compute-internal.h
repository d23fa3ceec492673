/*
 * compute-internal.h: from tensors to kernels; not for programs
 *
 * These run the kernels of tensor/kernels/ over tensors of any strides, on all threads.
 */
#ifndef TG_COMPUTE_INTERNAL_H
#define TG_COMPUTE_INTERNAL_H

#include "tensor/kernels/kernels.h"
#include "tensor/tensor-internal.h"

#define TG_MAP_INPUTS 4

/* The kernels for f32 or f64. */
const tg_type_kernels *tg_kernels_of(tg_dtype dtype);

/* ---- maps: maps.c ---------------------------------------------------------------------------- */

/* out = kernel(in[0], ..., in[nin - 1]), element by element, of any strides; each input broadcasts to
 * out's shape. An input may be out itself. */
void tg_map(tg_map_kernel kernel, const tg_tensor *out, int nin, const tg_tensor *const in[]);

/* ---- products: multiply.c -------------------------------------------------------------------- */

/* c = start + a b: (..., m, n) = (n) + (..., m, k) (..., k, n), the ... broadcast, of any strides;
 * c is contiguous. start may be NULL. A sum over many rows, as of a transposed a, is made of two
 * halves (multiply.c). */
void tg_multiply(const tg_tensor *c, const tg_tensor *a, const tg_tensor *b,
                 const tg_tensor *start);

/* ---- products with sparse matrices: csr.c ---------------------------------------------------- */

/* The kernels of kernels.h on all threads; out of the transposed product has `size` rows. */
void tg_csr_product(tg_dtype dtype, const tg_csr *t);
void tg_csr_transposed_product(tg_dtype dtype, int64_t size, const tg_csr *t);
void tg_csr_sample(tg_dtype dtype, const tg_csr *t);

/* ---- kernels that move over images: convolve.c ----------------------------------------------- */

/* columns (planes, kh, kw, out_h, out_w) = the windows of x (planes, h, w); and x = the sum of the
 * columns at the pixels that they are of. */
void tg_unfold_planes(tg_dtype dtype, const tg_windows *s, int64_t planes, const void *x,
                      void *columns);
void tg_fold_planes(tg_dtype dtype, const tg_windows *s, int64_t planes, void *x,
                    const void *columns);

/* place (planes, out_h, out_w): where in x (h, w) the largest pixel of each window is. */
void tg_max_places(tg_dtype dtype, const tg_windows *s, int64_t planes, const void *x,
                   int64_t *place);

/* A convolution: x (images, groups, in, h, w), weight (groups, out, in, kh, kw), bias (groups, out)
 * or NULL, y (images, groups, out, out_h, out_w). */
typedef struct tg_convolution {
    tg_windows windows;
    int64_t images, groups, in, out;
    const void *weight, *bias;
    void *x, *y;
} tg_convolution;

/* y; x = the gradient of x where y is that of y; and dweight from x and such a y. */
void tg_convolve(tg_dtype dtype, const tg_convolution *c);
void tg_convolve_back(tg_dtype dtype, const tg_convolution *c);
void tg_convolve_weight(tg_dtype dtype, const tg_convolution *c, void *dweight);

/* ---- along one dimension: rows.c ------------------------------------------------------------- */

/* A contiguous array (outer, count, inner), whose rows run along the middle. */
typedef struct tg_rows {
    int64_t outer, count, inner;
} tg_rows;

/* An array of rows, or with one element for each. */
typedef struct tg_row_operand {
    void *data;
    int64_t step;  /* bytes from one outer index to the next, 0 if all have the same */
    int64_t count; /* elements of a row, or 1 */
    int64_t size;  /* bytes of an element */
} tg_row_operand;

/* out = the kernel of the operands, on all rows; no operand may be `out`. */
#define TG_ROW_INPUTS 4
void tg_along_rows(tg_row_kernel kernel, tg_rows rows, tg_row_operand out, int nin,
                   const tg_row_operand *in);

/* place (rows, k) = where the k largest of x (rows, count) are, NaN before all, of equal ones the
 * first. */
void tg_topk_rows(tg_dtype dtype, int64_t rows, int64_t count, int64_t k, int64_t *place,
                  const void *x);

/* place (rows, count) = where the elements of each row of x, contiguous, go in order: the smallest
 * first, or the largest; NaN is larger than all, and equal ones keep their order. */
void tg_sort_rows(const tg_tensor *x, int64_t rows, int64_t count, bool descending,
                  int64_t *place);

/* out (outer, inner) = sums of the rows of x. */
void tg_sum_middle(tg_dtype dtype, tg_rows rows, void *out, const void *x);

/* The sum of `count` elements. */
double tg_total(tg_dtype dtype, int64_t count, const void *x);

/* y; and dx, dweight, dbias, of which the last two may be NULL. */
void tg_norm_rows(tg_dtype dtype, const tg_norm *t);
void tg_norm_gradients(tg_dtype dtype, const tg_norm *t);

/* ---- dropout: each element is zero with probability threshold / 65536 (0 to 65536) ----------- */

/* How many random words that takes of `count` elements, in whole groups (kernels.h). */
int64_t tg_dropout_words(int64_t count, uint32_t threshold);

/* Whole groups of words from this thread's generator. */
void tg_draw_words(int64_t words, uint32_t *word);

/* out = x over the share that is kept, or zero, as the words say; both contiguous, of one shape. */
void tg_drop(const tg_tensor *out, const tg_tensor *x, const uint32_t *word, uint32_t threshold);

#endif
