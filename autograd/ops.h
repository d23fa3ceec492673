/*
 * ops.h: the operations
 *
 * Names and meaning are PyTorch's. Shapes stand behind each op; `...` is any number of dimensions,
 * `~` shapes that broadcast: aligned at the right, sizes equal or 1 or missing. Negative dims
 * count from the end; reductions and gather take a scalar () for (1). Operands have one floating
 * dtype unless said otherwise. Misuse (a shape, dtype or index that does not fit) is reported with
 * the caller's line: see tensor/error.h.
 */
#ifndef TG_AUTOGRAD_OPS_H
#define TG_AUTOGRAD_OPS_H

#include "autograd/named_options.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

/* ---- elementwise: one row each in tensor/elementwise.def ------------------------------------- */

/* Of f32 and f64. Of i64 there are neg, abs, square, cube, relu, add, sub, mul, minimum, maximum and
 * clamp: a number must be whole then, and results are taken modulo 2^64. */

#define tg_add(a, b) tg_add_at(TG_HERE, a, b)           /* a + b; a ~ b */
#define tg_sub(a, b) tg_sub_at(TG_HERE, a, b)           /* a - b; a ~ b */
#define tg_mul(a, b) tg_mul_at(TG_HERE, a, b)           /* a * b; a ~ b */
#define tg_div(a, b) tg_div_at(TG_HERE, a, b)           /* a / b; a ~ b */
#define tg_pow(a, b) tg_pow_at(TG_HERE, a, b)           /* a^b; a ~ b; NaN for a < 0, b broken */
#define tg_minimum(a, b) tg_minimum_at(TG_HERE, a, b)   /* a ~ b; equal ones share the gradient */
#define tg_maximum(a, b) tg_maximum_at(TG_HERE, a, b)
#define tg_neg(x) tg_neg_at(TG_HERE, x)
#define tg_abs(x) tg_abs_at(TG_HERE, x)                 /* derivative 0 at 0 */
#define tg_square(x) tg_square_at(TG_HERE, x)
#define tg_cube(x) tg_cube_at(TG_HERE, x)
#define tg_sqrt(x) tg_sqrt_at(TG_HERE, x)
#define tg_sign(x) tg_sign_at(TG_HERE, x)               /* -1, 0 or 1 */
#define tg_round(x) tg_round_at(TG_HERE, x)             /* halves to even */
#define tg_floor(x) tg_floor_at(TG_HERE, x)
#define tg_ceil(x) tg_ceil_at(TG_HERE, x)
#define tg_sin(x) tg_sin_at(TG_HERE, x)
#define tg_cos(x) tg_cos_at(TG_HERE, x)
#define tg_exp(x) tg_exp_at(TG_HERE, x)
#define tg_expm1(x) tg_expm1_at(TG_HERE, x)             /* exp(x) - 1, accurate near 0 */
#define tg_log(x) tg_log_at(TG_HERE, x)                 /* natural; -inf at 0, NaN below */
#define tg_log1p(x) tg_log1p_at(TG_HERE, x)             /* log(1 + x), accurate near 0 */
#define tg_relu(x) tg_relu_at(TG_HERE, x)               /* max(x, 0); derivative 0 at 0 */
#define tg_sigmoid(x) tg_sigmoid_at(TG_HERE, x)         /* 1 / (1 + exp(-x)) */
#define tg_tanh(x) tg_tanh_at(TG_HERE, x)
#define tg_softplus(x) tg_softplus_at(TG_HERE, x)       /* log(1 + exp(x)) */
#define tg_logsigmoid(x) tg_logsigmoid_at(TG_HERE, x)   /* log(1 / (1 + exp(-x))) */
#define tg_silu(x) tg_silu_at(TG_HERE, x)               /* x sigmoid(x) */
#define tg_gelu(x) tg_gelu_at(TG_HERE, x)               /* x times the normal distribution at x */
#define tg_leaky_relu(x, slope) tg_leaky_relu_at(TG_HERE, x, slope) /* slope x where x <= 0 */
#define tg_clamp_min(x, bound) tg_clamp_min_at(TG_HERE, x, bound)   /* at least bound */
#define tg_clamp_max(x, bound) tg_clamp_max_at(TG_HERE, x, bound)   /* at most bound */
#define tg_squared_error(a, b) tg_squared_error_at(TG_HERE, a, b)   /* (a - b)^2; a ~ b */
/* d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) */
#define tg_huber(d, delta) tg_huber_at(TG_HERE, d, delta)
/* -(y log s(x) + (1 - y) log(1 - s(x))), s = sigmoid, from logits x and targets y without overflow;
 * x ~ y */
#define tg_logit_cross_entropy(x, y) tg_logit_cross_entropy_at(TG_HERE, x, y)

/* With a number as second operand; tg_NAME_scalar_at is there for every op of two. */
#define tg_add_scalar(x, number) tg_add_scalar_at(TG_HERE, x, number)
#define tg_sub_scalar(x, number) tg_sub_scalar_at(TG_HERE, x, number)
#define tg_mul_scalar(x, number) tg_mul_scalar_at(TG_HERE, x, number)
#define tg_div_scalar(x, number) tg_div_scalar_at(TG_HERE, x, number)
#define tg_pow_scalar(x, number) tg_pow_scalar_at(TG_HERE, x, number)
#define tg_leaky_relu_scalar(x, slope) tg_leaky_relu_scalar_at(TG_HERE, x, slope)

/* low <= high, numbers; the gradient passes where low <= x <= high */
#define tg_clamp(x, low, high) tg_clamp_at(TG_HERE, x, low, high)
tg_tensor *tg_clamp_at(const char *at, tg_tensor *x, double low, double high);

#define UNARY(name, ...)                                                                           \
    tg_tensor *tg_##name##_at(const char *at, tg_tensor *x);
#define BINARY(name, ...)                                                                          \
    tg_tensor *tg_##name##_at(const char *at, tg_tensor *a, tg_tensor *b);                         \
    tg_tensor *tg_##name##_scalar_at(const char *at, tg_tensor *a, double b);
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

/* ---- products -------------------------------------------------------------------------------- */

/* (..., m, k) x (..., k, n) -> (..., m, n), ... ~ .... Transposed operands (tg_t) are read in
 * place. A vector (k) is a row as the first operand, a column as the second, and its dimension of
 * size 1 goes from the result. */
#define tg_matmul(a, b) tg_matmul_at(TG_HERE, a, b)
/* x W^T + b: (..., in), (out, in), (out) -> (..., out). b may be NULL. */
#define tg_linear(x, w, b) tg_linear_at(TG_HERE, x, w, b)

tg_tensor *tg_matmul_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_linear_at(const char *at, tg_tensor *x, tg_tensor *w, tg_tensor *b);

/* A sparse matrix times a dense one, as torch.sparse.mm: (m, n) x (n, d) -> (m, d). The matrix is
 * in compressed rows: the entries of row r are those from crow[r] to crow[r + 1], crow (m + 1) i64;
 * entry e stands in column col[e], col (entries) i64, and is values[e]. Of entries in one place the
 * sum counts. Gradients pass to the values and to x. */
#define tg_sparse_mm(crow, col, values, x) tg_sparse_mm_at(TG_HERE, crow, col, values, x)
/* The elements of a b at the entries of such a matrix, as torch.sparse.sampled_addmm, and as the
 * gradient of its values: (m, d) x (d, n) -> (entries). */
#define tg_sampled_mm(crow, col, a, b) tg_sampled_mm_at(TG_HERE, crow, col, a, b)
tg_tensor *tg_sparse_mm_at(const char *at, tg_tensor *crow, tg_tensor *col, tg_tensor *values,
                           tg_tensor *x);
tg_tensor *tg_sampled_mm_at(const char *at, tg_tensor *crow, tg_tensor *col, tg_tensor *a,
                            tg_tensor *b);

/* ---- images (N, C, H, W) --------------------------------------------------------------------- */

/* Kernels move by `stride` over images with `padding` zeros on each side; their pixels are `dilation`
 * apart. In a direction of size n, a kernel of k has
 *
 *     (n + 2 padding - dilation (k - 1) - 1) / stride + 1
 *
 * windows, rounded down; none is misuse. Options hold for both directions. */
typedef struct tg_window_options {
    int64_t stride, padding, dilation;
    TG_NO_OPTION;
} tg_window_options;
#define TG_WINDOW_DEFAULTS .stride = 1, .padding = 0, .dilation = 1
typedef struct tg_conv_options {
    int64_t stride, padding, dilation, groups;
    TG_NO_OPTION;
} tg_conv_options;
#define TG_CONV_DEFAULTS TG_WINDOW_DEFAULTS, .groups = 1

/* The sum of weight times pixels in each window, plus bias, which may be NULL: (N, C, H, W),
 * (O, C / groups, kh, kw), (O) -> (N, O, windows down, windows across). The O / groups outputs of a
 * group see its C / groups channels. tg_conv2d(x, weight, bias, .padding = 1) */
#define tg_conv2d(...) TG_CONV2D_(__VA_ARGS__, )
#define TG_CONV2D_(x, weight, bias, ...)                                                           \
    tg_conv2d_at(TG_HERE, x, weight, bias,                                                         \
                 TG_OPTIONS_(tg_conv_options, TG_CONV_DEFAULTS, __VA_ARGS__))
/* The largest pixel of each window of kernel x kernel, which are side by side unless a stride is
 * given: (N, C, H, W) -> (N, C, windows down, windows across). Padding, at most half of the kernel,
 * is never the largest; of equal ones the first has the gradient; NaN wins. */
#define tg_max_pool2d(...) TG_MAX_POOL2D_(__VA_ARGS__, )
#define TG_MAX_POOL2D_(x, kernel, ...)                                                             \
    tg_max_pool2d_at(TG_HERE, x, kernel,                                                           \
                     TG_OPTIONS_(tg_window_options, TG_WINDOW_DEFAULTS, .stride = kernel,          \
                                 __VA_ARGS__))
/* The pixels of each window of kh x kw as a column: (N, C, H, W) -> (N, C kh kw, windows). */
#define tg_unfold(...) TG_UNFOLD_(__VA_ARGS__, )
#define TG_UNFOLD_(x, kh, kw, ...)                                                                 \
    tg_unfold_at(TG_HERE, x, kh, kw,                                                               \
                 TG_OPTIONS_(tg_window_options, TG_WINDOW_DEFAULTS, __VA_ARGS__))
/* unfold's gradient: images of h x w, each pixel the sum of where it stands in the columns:
 * (N, C kh kw, windows) -> (N, C, h, w). */
#define tg_fold(...) TG_FOLD_(__VA_ARGS__, )
#define TG_FOLD_(x, h, w, kh, kw, ...)                                                             \
    tg_fold_at(TG_HERE, x, h, w, kh, kw,                                                           \
               TG_OPTIONS_(tg_window_options, TG_WINDOW_DEFAULTS, __VA_ARGS__))

tg_tensor *tg_conv2d_at(const char *at, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                        tg_conv_options options);
tg_tensor *tg_max_pool2d_at(const char *at, tg_tensor *x, int64_t kernel,
                            tg_window_options options);
tg_tensor *tg_unfold_at(const char *at, tg_tensor *x, int64_t kh, int64_t kw,
                        tg_window_options options);
tg_tensor *tg_fold_at(const char *at, tg_tensor *x, int64_t h, int64_t w, int64_t kh, int64_t kw,
                      tg_window_options options);

/* ---- lookup ---------------------------------------------------------------------------------- */

/* Rows of a table: (rows, dim), (...) i64 -> (..., dim). The gradient of a table that is an owned
 * leaf is row-sparse: it holds the rows looked up, each once, in the order of their first use. */
#define tg_embedding(weight, index) tg_embedding_at(TG_HERE, weight, index)
tg_tensor *tg_embedding_at(const char *at, tg_tensor *weight, tg_tensor *index);

/* The sum or mean of the rows of each bag: (rows, dim), (..., n) i64 -> (..., dim); 0 for n = 0. */
#define tg_embedding_bag(weight, index, mean) tg_embedding_bag_at(TG_HERE, weight, index, mean)
tg_tensor *tg_embedding_bag_at(const char *at, tg_tensor *weight, tg_tensor *index, bool mean);

/* Embedding's gradient: a row-sparse table of `rows` rows, row r the sum of those rows of x whose
 * index is r: (..., dim), (...) i64 -> (rows, dim). It shares x's data: nothing is added up yet. */
#define tg_scatter_rows(x, index, rows) tg_scatter_rows_at(TG_HERE, x, index, rows)
tg_tensor *tg_scatter_rows_at(const char *at, tg_tensor *x, tg_tensor *index, int64_t rows);

/* Along dimension dim, element by element: y[i][j] = x[index[i][j]][j] for dim 0. index has as many
 * dimensions as x, and beside dim no larger sizes. */
#define tg_gather(x, dim, index) tg_gather_at(TG_HERE, x, dim, index)
/* gather's gradient: x with source[i][j] added at [index[i][j]][j]; source has index's shape. */
#define tg_scatter_add(x, dim, index, source) tg_scatter_add_at(TG_HERE, x, dim, index, source)
/* Slices of dimension dim: index (n) i64. */
#define tg_index_select(x, dim, index) tg_index_select_at(TG_HERE, x, dim, index)
tg_tensor *tg_gather_at(const char *at, tg_tensor *x, int dim, tg_tensor *index);
tg_tensor *tg_scatter_add_at(const char *at, tg_tensor *x, int dim, tg_tensor *index,
                             tg_tensor *source);
tg_tensor *tg_index_select_at(const char *at, tg_tensor *x, int dim, tg_tensor *index);

/* A row-sparse tensor (such as a gradient) as an ordinary one; others are returned as they are. */
#define tg_to_dense(x) tg_to_dense_at(TG_HERE, x)
tg_tensor *tg_to_dense_at(const char *at, tg_tensor *x);

/* ---- shape: views share their operand's data ------------------------------------------------- */

/* Another shape over the same elements in the same order; one size may be -1: "what is left". A
 * dimension may be split, and neighbours merged through which one stride runs; what would merge
 * others is misuse: take tg_contiguous first. */
#define tg_view(x, ...) tg_view_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))
/* The same for any strides: a view where that is possible, else a copy. */
#define tg_reshape(x, ...) tg_reshape_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))
#define tg_transpose(x, dim0, dim1) tg_transpose_at(TG_HERE, x, dim0, dim1)
#define tg_t(x) tg_t_at(TG_HERE, x)                  /* (m, n) -> (n, m); () and (n) as they are */
/* The dimensions in another order: tg_permute(x, 2, 0, 1) of (a, b, c) is (c, a, b). */
#define tg_permute(x, ...) tg_permute_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))
#define tg_squeeze(x, dim) tg_squeeze_at(TG_HERE, x, dim)   /* without dim if its size is 1 */
#define tg_unsqueeze(x, dim) tg_unsqueeze_at(TG_HERE, x, dim)     /* with a new dim of size 1 */
#define tg_select(x, dim, index) tg_select_at(TG_HERE, x, dim, index) /* dim goes */
/* Parts of `size` along dim, the last may be smaller, into part[], which has room for that many;
 * gives their number: one, empty, of an empty dimension. */
#define tg_split(x, dim, size, part, room) tg_split_at(TG_HERE, x, dim, size, part, room)
/* `length` elements of dimension dim from `start` on, which counts from the end where negative. */
#define tg_narrow(x, dim, start, length) tg_narrow_at(TG_HERE, x, dim, start, length)
/* Repeat along dimensions of size 1 and along new ones in front, with stride 0; -1 keeps a size. */
#define tg_expand(x, ...) tg_expand_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))

tg_tensor *tg_view_at(const char *at, tg_tensor *x, tg_shape shape);
tg_tensor *tg_reshape_at(const char *at, tg_tensor *x, tg_shape shape);
tg_tensor *tg_transpose_at(const char *at, tg_tensor *x, int dim0, int dim1);
tg_tensor *tg_t_at(const char *at, tg_tensor *x);
tg_tensor *tg_permute_at(const char *at, tg_tensor *x, tg_shape dims);
tg_tensor *tg_squeeze_at(const char *at, tg_tensor *x, int dim);
tg_tensor *tg_unsqueeze_at(const char *at, tg_tensor *x, int dim);
tg_tensor *tg_select_at(const char *at, tg_tensor *x, int dim, int64_t index);
int64_t tg_split_at(const char *at, tg_tensor *x, int dim, int64_t size, tg_tensor **part,
                    int64_t room);
tg_tensor *tg_narrow_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t length);
tg_tensor *tg_expand_at(const char *at, tg_tensor *x, tg_shape shape);

/* ---- shape: copies --------------------------------------------------------------------------- */

/* Join along a dimension: tg_cat(-1, a, b, c). All other sizes are equal. */
#define tg_cat(dim, ...)                                                                           \
    tg_cat_at(TG_HERE, dim, (tg_tensor *const[]){__VA_ARGS__},                                     \
              (int)(sizeof((tg_tensor *const[]){__VA_ARGS__}) / sizeof(tg_tensor *)))
/* Join along a new dimension: equal shapes. */
#define tg_stack(dim, ...)                                                                         \
    tg_stack_at(TG_HERE, dim, (tg_tensor *const[]){__VA_ARGS__},                                   \
                (int)(sizeof((tg_tensor *const[]){__VA_ARGS__}) / sizeof(tg_tensor *)))
/* x itself where it is row-major without gaps, else a copy that is. */
#define tg_contiguous(x) tg_contiguous_at(TG_HERE, x)
/* Zeros of size `size` in dimension dim, with x in place from `start` on: narrow's gradient. */
#define tg_pad(x, dim, start, size) tg_pad_at(TG_HERE, x, dim, start, size)
/* x in another dtype: i64 is cut off towards 0; x itself in its own. Of floats, the gradient is cast
 * back. */
#define tg_cast(x, dtype) tg_cast_at(TG_HERE, x, dtype)
/* (..., m, n), 0 above the diagonal, or below it: that of elements (i, i + diagonal). */
#define tg_tril(x, diagonal) tg_tril_at(TG_HERE, x, diagonal)
#define tg_triu(x, diagonal) tg_triu_at(TG_HERE, x, diagonal)

tg_tensor *tg_cat_at(const char *at, int dim, tg_tensor *const *x, int count);
tg_tensor *tg_stack_at(const char *at, int dim, tg_tensor *const *x, int count);
tg_tensor *tg_contiguous_at(const char *at, tg_tensor *x);
tg_tensor *tg_pad_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t size);
tg_tensor *tg_cast_at(const char *at, tg_tensor *x, tg_dtype dtype);
tg_tensor *tg_tril_at(const char *at, tg_tensor *x, int64_t diagonal);
tg_tensor *tg_triu_at(const char *at, tg_tensor *x, int64_t diagonal);

/* ---- in place -------------------------------------------------------------------------------- */

/* t += factor x, where x ~ t, or x is row-sparse (then only its rows are touched). Not recorded:
 * misuse where t or x requires a gradient, unless inside tg_no_grad. One step of SGD by hand:
 *
 *     tg_no_grad { tg_add_scaled(w, -lr, w->grad); }
 *
 * Any other change is a copy: tg_no_grad { tg_copy(w, tg_mul_scalar(w, 0.99)); } */
#define tg_add_scaled(t, factor, x) tg_add_scaled_at(TG_HERE, t, factor, x)
void tg_add_scaled_at(const char *at, tg_tensor *t, double factor, tg_tensor *x);

/* ---- reductions ------------------------------------------------------------------------------ */

/* Sums of i64 are i64, modulo 2^64. */
#define tg_sum(x) tg_sum_at(TG_HERE, x)                           /* (...) -> () */
#define tg_mean(x) tg_mean_at(TG_HERE, x)                         /* (...) -> () */
/* Over the dimensions listed, which stay with size 1 where keepdim, else go: of (a, b, c),
 * tg_sum_dim(x, true, 0, -1) is (1, b, 1). */
#define tg_sum_dim(x, keepdim, ...) tg_sum_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
#define tg_mean_dim(x, keepdim, ...) tg_mean_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* Equal ones share the gradient. NaN wins, before and behind numbers, and has the gradient. */
#define tg_max_dim(x, keepdim, ...) tg_max_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
#define tg_min_dim(x, keepdim, ...) tg_min_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* sum of (x - mean)^2 / (count - 1); NaN of fewer than two */
#define tg_var_dim(x, keepdim, ...) tg_var_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* log of the sum of exp(x), without overflow */
#define tg_logsumexp(x, keepdim, ...) tg_logsumexp_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* sqrt of tg_var_dim, in whose dtype it must fit; derivative 0 where that is 0 */
#define tg_std_dim(x, keepdim, ...) tg_std_dim_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* sqrt of the sum of x^2; derivative 0 at 0 */
#define tg_norm(x, keepdim, ...) tg_norm_at(TG_HERE, x, keepdim, TG_SHAPE(__VA_ARGS__))
/* y[i] = x[0] + ... + x[i] along dim, in the shape of x; of i64 modulo 2^64 */
#define tg_cumsum(x, dim) tg_cumsum_at(TG_HERE, x, dim)
/* Undo broadcasting: sum x down to a shape that broadcasts to x's. */
#define tg_sum_to(x, ...) tg_sum_to_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))

tg_tensor *tg_sum_at(const char *at, tg_tensor *x);
tg_tensor *tg_mean_at(const char *at, tg_tensor *x);
tg_tensor *tg_sum_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_mean_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_max_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_min_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_var_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_logsumexp_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_std_dim_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_norm_at(const char *at, tg_tensor *x, bool keepdim, tg_shape dims);
tg_tensor *tg_cumsum_at(const char *at, tg_tensor *x, int dim);
tg_tensor *tg_sum_to_at(const char *at, tg_tensor *x, tg_shape shape);

/* ---- decisions: no gradient passes to conditions, indices and comparisons -------------------- */

/* i64: 1 where it holds, else 0; a ~ b of one dtype */
#define tg_eq(a, b) tg_eq_at(TG_HERE, a, b)
#define tg_ne(a, b) tg_ne_at(TG_HERE, a, b)
#define tg_lt(a, b) tg_lt_at(TG_HERE, a, b)
#define tg_le(a, b) tg_le_at(TG_HERE, a, b)
#define tg_gt(a, b) tg_gt_at(TG_HERE, a, b)
#define tg_ge(a, b) tg_ge_at(TG_HERE, a, b)
/* i64: 1 where both, one or none are not 0; a ~ b of one dtype */
#define tg_logical_and(a, b) tg_logical_and_at(TG_HERE, a, b)
#define tg_logical_or(a, b) tg_logical_or_at(TG_HERE, a, b)
#define tg_logical_not(x) tg_logical_not_at(TG_HERE, x)
/* Of i64, a ~ b, no b is 0: a / b rounded down, and a - b (a / b), which has the sign of b. */
#define tg_floor_divide(a, b) tg_floor_divide_at(TG_HERE, a, b)
#define tg_remainder(a, b) tg_remainder_at(TG_HERE, a, b)
/* a where the condition (i64) is not 0, else b; condition ~ a ~ b */
#define tg_where(condition, a, b) tg_where_at(TG_HERE, condition, a, b)
/* The number `value` where the mask (i64) is not 0, else x; mask ~ x */
#define tg_masked_fill(x, mask, value) tg_masked_fill_at(TG_HERE, x, mask, value)
/* 1 at the index, else 0: (...) i64 -> (..., classes) i64. */
#define tg_one_hot(index, classes) tg_one_hot_at(TG_HERE, index, classes)
/* The place of the largest along dim, i64; the first of equal ones, NaN before all. */
#define tg_argmax(x, dim, keepdim) tg_argmax_at(TG_HERE, x, dim, keepdim)
/* The k largest of the last dimension in falling order, (..., n) -> (..., k), and their places,
 * unless index is NULL. */
#define tg_topk(x, k, index) tg_topk_at(TG_HERE, x, k, index)
/* The elements along dim in order, rising or descending, and their places, unless index is NULL. NaN
 * is larger than all; equal ones keep their order (torch.sort(stable=True)). */
#define tg_sort(x, dim, descending, index) tg_sort_at(TG_HERE, x, dim, descending, index)
/* Random places, from this thread's generator, each in proportion to its weight: (k) or (m, k) ->
 * (n) or (m, n) i64. Without replacement all of a row differ. Weights need not add up to 1. */
#define tg_multinomial(weights, n, replacement)                                                    \
    tg_multinomial_at(TG_HERE, weights, n, replacement)

tg_tensor *tg_eq_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_ne_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_lt_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_le_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_gt_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_ge_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_logical_and_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_logical_or_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_logical_not_at(const char *at, tg_tensor *x);
tg_tensor *tg_floor_divide_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_remainder_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_where_at(const char *at, tg_tensor *condition, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_masked_fill_at(const char *at, tg_tensor *x, tg_tensor *mask, double value);
tg_tensor *tg_one_hot_at(const char *at, tg_tensor *index, int64_t classes);
tg_tensor *tg_argmax_at(const char *at, tg_tensor *x, int dim, bool keepdim);
tg_tensor *tg_topk_at(const char *at, tg_tensor *x, int64_t k, tg_tensor **index);
tg_tensor *tg_sort_at(const char *at, tg_tensor *x, int dim, bool descending, tg_tensor **index);
tg_tensor *tg_multinomial_at(const char *at, tg_tensor *weights, int64_t n, bool replacement);

/* ---- normalisation --------------------------------------------------------------------------- */

#define tg_softmax(x, dim) tg_softmax_at(TG_HERE, x, dim)
#define tg_log_softmax(x, dim) tg_log_softmax_at(TG_HERE, x, dim)
/* x / max(norm, eps) along dim; PyTorch's eps is 1e-12 */
#define tg_normalize(x, dim, eps) tg_normalize_at(TG_HERE, x, dim, eps)
/* (x - mean) / sqrt(variance + eps) weight + bias over the last dimension n, variance of all n;
 * weight and bias are (n), or NULL */
#define tg_layer_norm(x, weight, bias, eps) tg_layer_norm_at(TG_HERE, x, weight, bias, eps)

tg_tensor *tg_softmax_at(const char *at, tg_tensor *x, int dim);
tg_tensor *tg_log_softmax_at(const char *at, tg_tensor *x, int dim);
tg_tensor *tg_normalize_at(const char *at, tg_tensor *x, int dim, double eps);
tg_tensor *tg_layer_norm_at(const char *at, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                            double eps);

/* ---- dropout --------------------------------------------------------------------------------- */

/* Where training, each element becomes 0 with probability p and is divided by 1 - p otherwise;
 * else x itself. 0 <= p <= 1, in steps of 1/65536. The mask is drawn from tg_default_rng(). */
#define tg_dropout(x, p, training) tg_dropout_at(TG_HERE, x, p, training)
tg_tensor *tg_dropout_at(const char *at, tg_tensor *x, double p, bool training);

/* ---- attention ------------------------------------------------------------------------------- */

/* softmax(q k^T / sqrt(d) + mask) v, with dropout of the weights: (..., t, d), (..., s, d),
 * (..., s, e) -> (..., t, e), the ... broadcast. The mask ~ (..., t, s), or NULL: of an i64 one only
 * keys where it is not 0 take part, any other is added. is_causal: key j for query i only if j <= i;
 * there is no mask then. Queries for which no key takes part give NaN, or 0 where s is 0. */
#define tg_scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)                       \
    tg_scaled_dot_product_attention_at(TG_HERE, q, k, v, mask, dropout_p, is_causal)
tg_tensor *tg_scaled_dot_product_attention_at(const char *at, tg_tensor *q, tg_tensor *k,
                                              tg_tensor *v, tg_tensor *mask, double dropout_p,
                                              bool is_causal);

/* ---- losses: the mean over all elements, () -------------------------------------------------- */

#define tg_mse_loss(x, y) tg_mse_loss_at(TG_HERE, x, y)           /* equal shapes */
#define tg_bce_with_logits_loss(x, y) tg_bce_with_logits_loss_at(TG_HERE, x, y)
#define tg_l1_loss(x, y) tg_l1_loss_at(TG_HERE, x, y)
#define tg_huber_loss(x, y, delta) tg_huber_loss_at(TG_HERE, x, y, delta)
/* -log softmax(x)[target]: logits (n, classes), targets (n) i64 */
#define tg_cross_entropy(x, target) tg_cross_entropy_at(TG_HERE, x, target)
/* -log sigmoid(positive - negative), Bayesian personalised ranking (Rendle et al. 2009) */
#define tg_bpr_loss(positive, negative) tg_bpr_loss_at(TG_HERE, positive, negative)

tg_tensor *tg_mse_loss_at(const char *at, tg_tensor *x, tg_tensor *y);
tg_tensor *tg_bce_with_logits_loss_at(const char *at, tg_tensor *x, tg_tensor *y);
tg_tensor *tg_l1_loss_at(const char *at, tg_tensor *x, tg_tensor *y);
tg_tensor *tg_huber_loss_at(const char *at, tg_tensor *x, tg_tensor *y, double delta);
tg_tensor *tg_cross_entropy_at(const char *at, tg_tensor *x, tg_tensor *target);
tg_tensor *tg_bpr_loss_at(const char *at, tg_tensor *positive, tg_tensor *negative);

#endif
