/*
 * ops.h: the operations
 *
 * Names and meaning are PyTorch's. Shapes stand behind each op; `...` is any number of dimensions,
 * `~` shapes that broadcast: aligned at the right, sizes equal or 1 or missing. Negative dims
 * count from the end. Operands have one floating dtype unless said otherwise. Misuse (a shape,
 * dtype or index that does not fit) is reported with the caller's line: see tensor/error.h.
 */
#ifndef TG_AUTOGRAD_OPS_H
#define TG_AUTOGRAD_OPS_H

#include "tensor/random.h"
#include "tensor/tensor.h"

/* ---- elementwise: one row each in tensor/elementwise.def ------------------------------------- */

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
#define tg_sqrt(x) tg_sqrt_at(TG_HERE, x)
#define tg_exp(x) tg_exp_at(TG_HERE, x)
#define tg_log(x) tg_log_at(TG_HERE, x)                 /* natural; -inf at 0, NaN below */
#define tg_relu(x) tg_relu_at(TG_HERE, x)               /* max(x, 0); derivative 0 at 0 */
#define tg_sigmoid(x) tg_sigmoid_at(TG_HERE, x)         /* 1 / (1 + exp(-x)) */
#define tg_tanh(x) tg_tanh_at(TG_HERE, x)
#define tg_softplus(x) tg_softplus_at(TG_HERE, x)       /* log(1 + exp(x)) */
#define tg_silu(x) tg_silu_at(TG_HERE, x)               /* x sigmoid(x) */
#define tg_gelu(x) tg_gelu_at(TG_HERE, x)               /* x times the normal distribution at x */
/* With a number as second operand: tg_pow(x, tg_scalar(x->dtype, 3)). */
#define tg_leaky_relu(x, slope) tg_leaky_relu_at(TG_HERE, x, slope) /* slope x where x <= 0 */
#define tg_clamp_min(x, bound) tg_clamp_min_at(TG_HERE, x, bound)   /* at least bound */
#define tg_clamp_max(x, bound) tg_clamp_max_at(TG_HERE, x, bound)   /* at most bound */
#define tg_squared_error(a, b) tg_squared_error_at(TG_HERE, a, b)   /* (a - b)^2; a ~ b */
/* d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) */
#define tg_huber(d, delta) tg_huber_at(TG_HERE, d, delta)
/* -(y log s(x) + (1 - y) log(1 - s(x))), s = sigmoid, from logits x and targets y without overflow;
 * x ~ y */
#define tg_logit_cross_entropy(x, y) tg_logit_cross_entropy_at(TG_HERE, x, y)

#define UNARY(name, ...)                                                                           \
    tg_tensor *tg_##name##_at(const char *at, tg_tensor *x);
#define BINARY(name, ...)                                                                          \
    tg_tensor *tg_##name##_at(const char *at, tg_tensor *a, tg_tensor *b);
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

/* ---- products -------------------------------------------------------------------------------- */

/* (m, k) x (k, n) -> (m, n). Transposed operands (tg_t) are read in place. */
#define tg_matmul(a, b) tg_matmul_at(TG_HERE, a, b)
/* x W^T + b: (..., in), (out, in), (out) -> (..., out). b may be NULL. */
#define tg_linear(x, w, b) tg_linear_at(TG_HERE, x, w, b)

tg_tensor *tg_matmul_at(const char *at, tg_tensor *a, tg_tensor *b);
tg_tensor *tg_linear_at(const char *at, tg_tensor *x, tg_tensor *w, tg_tensor *b);

/* ---- lookup ---------------------------------------------------------------------------------- */

/* Rows of a table: (rows, dim), (...) i64 -> (..., dim). The gradient of a table that is an owned
 * leaf is row-sparse: it holds the rows looked up, each once, in the order of their first use. */
#define tg_embedding(weight, index) tg_embedding_at(TG_HERE, weight, index)
tg_tensor *tg_embedding_at(const char *at, tg_tensor *weight, tg_tensor *index);

/* Embedding's gradient: a row-sparse table of `rows` rows, row r the sum of those rows of x whose
 * index is r: (..., dim), (...) i64 -> (rows, dim). */
#define tg_scatter_rows(x, index, rows) tg_scatter_rows_at(TG_HERE, x, index, rows)
tg_tensor *tg_scatter_rows_at(const char *at, tg_tensor *x, tg_tensor *index, int64_t rows);

/* A row-sparse tensor (such as a gradient) as an ordinary one; others are returned as they are. */
#define tg_to_dense(x) tg_to_dense_at(TG_HERE, x)
tg_tensor *tg_to_dense_at(const char *at, tg_tensor *x);

/* ---- shape: views share their operand's data ------------------------------------------------- */

/* Another shape over the same elements in the same order; one size may be -1: "what is left".
 * Misuse where the strides do not allow it: take tg_contiguous first. */
#define tg_view(x, ...) tg_view_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))
#define tg_transpose(x, dim0, dim1) tg_transpose_at(TG_HERE, x, dim0, dim1)
#define tg_t(x) tg_transpose_at(TG_HERE, x, 0, 1)                 /* (m, n) -> (n, m) */
/* `length` elements of dimension dim from `start` on. */
#define tg_narrow(x, dim, start, length) tg_narrow_at(TG_HERE, x, dim, start, length)
/* Repeat along dimensions of size 1 and along new ones in front, with stride 0. */
#define tg_expand(x, ...) tg_expand_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))

tg_tensor *tg_view_at(const char *at, tg_tensor *x, tg_shape shape);
tg_tensor *tg_transpose_at(const char *at, tg_tensor *x, int dim0, int dim1);
tg_tensor *tg_narrow_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t length);
tg_tensor *tg_expand_at(const char *at, tg_tensor *x, tg_shape shape);

/* ---- shape: copies --------------------------------------------------------------------------- */

/* Join along a dimension: tg_cat(-1, a, b, c). All other sizes are equal. */
#define tg_cat(dim, ...)                                                                           \
    tg_cat_at(TG_HERE, dim, (tg_tensor *const[]){__VA_ARGS__},                                     \
              (int)(sizeof((tg_tensor *const[]){__VA_ARGS__}) / sizeof(tg_tensor *)))
/* x itself where it is row-major without gaps, else a copy that is. */
#define tg_contiguous(x) tg_contiguous_at(TG_HERE, x)
/* Zeros of size `size` in dimension dim, with x in place from `start` on: narrow's gradient. */
#define tg_pad(x, dim, start, size) tg_pad_at(TG_HERE, x, dim, start, size)

tg_tensor *tg_cat_at(const char *at, int dim, tg_tensor *const *x, int count);
tg_tensor *tg_contiguous_at(const char *at, tg_tensor *x);
tg_tensor *tg_pad_at(const char *at, tg_tensor *x, int dim, int64_t start, int64_t size);

/* ---- sums ------------------------------------------------------------------------------------ */

#define tg_sum(x) tg_sum_at(TG_HERE, x)                           /* (...) -> () */
#define tg_mean(x) tg_mean_at(TG_HERE, x)                         /* (...) -> () */
/* Along one dimension, which stays with size 1 where keepdim, else goes. */
#define tg_sum_dim(x, dim, keepdim) tg_sum_dim_at(TG_HERE, x, dim, keepdim)
#define tg_mean_dim(x, dim, keepdim) tg_mean_dim_at(TG_HERE, x, dim, keepdim)
/* Undo broadcasting: sum x down to a shape that broadcasts to x's. */
#define tg_sum_to(x, ...) tg_sum_to_at(TG_HERE, x, TG_SHAPE(__VA_ARGS__))

tg_tensor *tg_sum_at(const char *at, tg_tensor *x);
tg_tensor *tg_mean_at(const char *at, tg_tensor *x);
tg_tensor *tg_sum_dim_at(const char *at, tg_tensor *x, int dim, bool keepdim);
tg_tensor *tg_mean_dim_at(const char *at, tg_tensor *x, int dim, bool keepdim);
tg_tensor *tg_sum_to_at(const char *at, tg_tensor *x, tg_shape shape);

/* ---- dropout --------------------------------------------------------------------------------- */

/* Where training, each element becomes 0 with probability p and is divided by 1 - p otherwise;
 * else x itself. 0 <= p <= 1, in steps of 1/65536. The mask is drawn from tg_default_rng(). */
#define tg_dropout(x, p, training) tg_dropout_at(TG_HERE, x, p, training)
tg_tensor *tg_dropout_at(const char *at, tg_tensor *x, double p, bool training);

/* ---- losses: the mean over all elements, () -------------------------------------------------- */

#define tg_mse_loss(x, y) tg_mse_loss_at(TG_HERE, x, y)           /* equal shapes */
#define tg_bce_with_logits_loss(x, y) tg_bce_with_logits_loss_at(TG_HERE, x, y)

tg_tensor *tg_mse_loss_at(const char *at, tg_tensor *x, tg_tensor *y);
tg_tensor *tg_bce_with_logits_loss_at(const char *at, tg_tensor *x, tg_tensor *y);

#endif
