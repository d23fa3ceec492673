/* Ops that move, join, look up and sum elements: against numbers written by hand. And what each op
 * says of shapes, dtypes and indices that do not fit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "tensor/kernels/kernels.h"

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* Row-major elements, and the shape. */
static void check(const char *at, const char *call, tg_tensor *t, tg_shape shape,
                  const double *expected)
{
    char got[TG_SHAPE_TEXT], wanted[TG_SHAPE_TEXT];
    cr_assert(tg_shape_equal(&t->shape, &shape), "%s: %s is %s, expected %s", at, call,
              tg_shape_format(&t->shape, got), tg_shape_format(&shape, wanted));
    const tg_tensor *flat = tg_view(tg_contiguous(tg_to_dense(t)), -1);
    for (int64_t i = 0; i < tg_numel(flat); i++)
        cr_expect(same(tg_get(flat, i), expected[i]), "%s: %s: element %d is %g, expected %g", at,
                  call, (int)i, tg_get(flat, i), expected[i]);
}
#define IS(call, shape, ...) check(TG_HERE, #call, call, shape, (const double[]){__VA_ARGS__})
#define SCALAR ((tg_shape){.ndim = 0})

/* first, first + 1, ... */
static tg_tensor *counting(double first, tg_shape shape)
{
    tg_tensor *t = tg_empty_at(TG_HERE, TG_F64, shape);
    for (int64_t i = 0; i < tg_numel(t); i++)
        ((double *)t->data)[i] = first + (double)i;
    return t;
}
#define COUNT(first, ...) counting(first, TG_SHAPE(__VA_ARGS__))
#define IDS(...)                                                                                   \
    tg_from(TG_I64, ((const int64_t[]){__VA_ARGS__}),                                              \
            sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

TestSuite(op_shapes, .init = tg_step_begin, .fini = tg_step_end);

/* ---- views ----------------------------------------------------------------------------------- */

Test(op_shapes, view__keeps_the_order_of_elements)
{
    tg_tensor *x = COUNT(0, 2, 3);
    IS(tg_view(x, 3, 2), TG_SHAPE(3, 2), 0, 1, 2, 3, 4, 5);
    IS(tg_view(x, 3, -1), TG_SHAPE(3, 2), 0, 1, 2, 3, 4, 5);
    IS(tg_view(x, 1, 6, 1), TG_SHAPE(1, 6, 1), 0, 1, 2, 3, 4, 5);
    IS(tg_view(tg_narrow(x, 0, 1, 1), -1), TG_SHAPE(3), 3, 4, 5);
    IS(tg_view_at(TG_HERE, COUNT(7, 1), SCALAR), SCALAR, 7);
    IS(tg_view(COUNT(0, 0, 3), -1), TG_SHAPE(0), 0);
}

Test(op_shapes, transpose__exchanges_two_dimensions)
{
    IS(tg_t(COUNT(0, 2, 3)), TG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
    IS(tg_transpose(COUNT(0, 2, 1, 3), -1, 0), TG_SHAPE(3, 1, 2), 0, 3, 1, 4, 2, 5);
    IS(tg_transpose(COUNT(0, 2, 2, 2), 1, 2), TG_SHAPE(2, 2, 2), 0, 2, 1, 3, 4, 6, 5, 7);
}

Test(op_shapes, narrow__takes_a_part)
{
    tg_tensor *x = COUNT(0, 3, 4);
    IS(tg_narrow(x, 0, 1, 2), TG_SHAPE(2, 4), 4, 5, 6, 7, 8, 9, 10, 11);
    IS(tg_narrow(x, -1, 1, 2), TG_SHAPE(3, 2), 1, 2, 5, 6, 9, 10);
    IS(tg_narrow(tg_t(x), 0, 3, 1), TG_SHAPE(1, 3), 3, 7, 11);
    IS(tg_narrow(x, 1, 4, 0), TG_SHAPE(3, 0), 0);
    IS(tg_narrow(x, 0, -2, 1), TG_SHAPE(1, 4), 4, 5, 6, 7); /* from the end */
}

Test(op_shapes, expand__repeats)
{
    IS(tg_expand(COUNT(0, 2, 1), 2, 3), TG_SHAPE(2, 3), 0, 0, 0, 1, 1, 1);
    IS(tg_expand(COUNT(0, 3), 2, 3), TG_SHAPE(2, 3), 0, 1, 2, 0, 1, 2);
    IS(tg_expand(tg_t(COUNT(0, 1, 2)), 2, 2, 2), TG_SHAPE(2, 2, 2), 0, 0, 1, 1, 0, 0, 1, 1);
    IS(tg_expand(tg_scalar(TG_F64, 7), 2), TG_SHAPE(2), 7, 7);
}

Test(op_shapes, views__share_their_operands_elements)
{
    tg_tensor *x = COUNT(0, 2, 3);
    tg_tensor *view = tg_view(x, 6), *narrow = tg_narrow(x, 1, 1, 2), *t = tg_t(x);
    tg_tensor *expand = tg_expand(x, 2, 2, 3);
    tg_set(x, 9, 1, 2);
    cr_expect_eq(tg_get(view, 5), 9);
    cr_expect_eq(tg_get(narrow, 1, 1), 9);
    cr_expect_eq(tg_get(t, 2, 1), 9);
    cr_expect_eq(tg_get(expand, 0, 1, 2), 9);
    cr_expect_eq(tg_get(expand, 1, 1, 2), 9);
}

/* ---- copies ---------------------------------------------------------------------------------- */

Test(op_shapes, contiguous__is_the_operand_itself_or_a_copy)
{
    tg_tensor *x = COUNT(0, 2, 3);
    cr_expect_eq(tg_contiguous(x), x);
    tg_tensor *copy = tg_contiguous(tg_t(x));
    cr_expect(tg_is_contiguous(copy));
    tg_set(x, 9, 0, 0);
    IS(copy, TG_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
}

Test(op_shapes, pad__adds_zeros)
{
    IS(tg_pad(COUNT(1, 2, 2), 0, 1, 4), TG_SHAPE(4, 2), 0, 0, 1, 2, 3, 4, 0, 0);
    IS(tg_pad(COUNT(1, 2, 2), -1, 0, 3), TG_SHAPE(2, 3), 1, 2, 0, 3, 4, 0);
    IS(tg_pad(tg_t(COUNT(1, 2, 2)), 1, 1, 3), TG_SHAPE(2, 3), 0, 1, 3, 0, 2, 4);
    IS(tg_pad(COUNT(1, 0), 0, 1, 2), TG_SHAPE(2), 0, 0);
}

Test(op_shapes, cat__joins)
{
    IS(tg_cat(0, COUNT(0, 1, 2), COUNT(10, 2, 2)), TG_SHAPE(3, 2), 0, 1, 10, 11, 12, 13);
    IS(tg_cat(-1, COUNT(0, 2, 1), COUNT(10, 2, 2)), TG_SHAPE(2, 3), 0, 10, 11, 1, 12, 13);
    IS(tg_cat(1, tg_t(COUNT(0, 2, 2)), tg_expand(COUNT(8, 1, 1), 2, 2)), TG_SHAPE(2, 4),
       0, 2, 8, 8, 1, 3, 8, 8);
    IS(tg_cat(1, COUNT(0, 2, 1, 2), COUNT(10, 2, 1, 2)), TG_SHAPE(2, 2, 2),
       0, 1, 10, 11, 2, 3, 12, 13);
    IS(tg_cat(0, COUNT(0, 2), COUNT(0, 0), COUNT(5, 1), COUNT(0, 0), COUNT(6, 2)), TG_SHAPE(5),
       0, 1, 5, 6, 7);
    IS(tg_cat(0, IDS(3, 1), IDS(2)), TG_SHAPE(3), 3, 1, 2);
}

/* ---- lookup ---------------------------------------------------------------------------------- */

Test(op_shapes, embedding__takes_rows)
{
    tg_tensor *table = COUNT(0, 4, 2);
    IS(tg_embedding(table, IDS(3, 0, 3)), TG_SHAPE(3, 2), 6, 7, 0, 1, 6, 7);
    IS(tg_embedding(table, tg_t(tg_view(IDS(0, 1, 2, 3), 2, 2))), TG_SHAPE(2, 2, 2),
       0, 1, 4, 5, 2, 3, 6, 7);
    IS(tg_embedding(tg_t(COUNT(0, 2, 3)), IDS(2, 1)), TG_SHAPE(2, 2), 2, 5, 1, 4);
    IS(tg_embedding(table, tg_scalar(TG_I64, 2)), TG_SHAPE(2), 4, 5);
    IS(tg_embedding(table, tg_zeros(TG_I64, 0)), TG_SHAPE(0, 2), 0);
}

Test(op_shapes, scatter_rows__adds_rows_of_one_index)
{
    tg_tensor *sum = tg_scatter_rows(COUNT(1, 3, 2), IDS(2, 0, 2), 4);
    IS(sum, TG_SHAPE(4, 2), 3, 4, 0, 0, 6, 8, 0, 0);
    IS(sum->rows, TG_SHAPE(3), 2, 0, 2);
    IS(tg_scatter_rows(tg_t(COUNT(0, 2, 3)), IDS(1, 1, 0), 2), TG_SHAPE(2, 2), 2, 5, 1, 7);
    IS(tg_scatter_rows(COUNT(0, 0, 2), tg_zeros(TG_I64, 0), 2), TG_SHAPE(2, 2), 0, 0, 0, 0);
}

/* More rows than any table of slots begins with, against sums in a loop. */
Test(op_shapes, scatter_rows__adds_many_rows)
{
    enum { LOOKUPS = 5000, ROWS = 700 };
    static double expected[ROWS];
    tg_tensor *x = tg_rand(TG_F64, LOOKUPS, 1), *index = tg_empty(TG_I64, LOOKUPS);
    for (int64_t i = 0; i < LOOKUPS; i++) {
        const int64_t row = (int64_t)tg_rng_below(tg_default_rng(), ROWS);
        ((int64_t *)index->data)[i] = row;
        expected[row] += tg_get(x, i, 0);
    }
    const tg_tensor *sum = tg_to_dense(tg_scatter_rows(x, index, ROWS));
    for (int64_t i = 0; i < ROWS; i++)
        cr_expect_float_eq(tg_get(sum, i, 0), expected[i], 1e-12, "scatter_rows: row %d", (int)i);
}

Test(op_shapes, to_dense__returns_dense_tensors_as_they_are)
{
    tg_tensor *x = COUNT(0, 2, 3);
    cr_expect_eq(tg_to_dense(x), x);
}

/* ---- sums ------------------------------------------------------------------------------------ */

Test(op_shapes, sum_to__undoes_broadcasting)
{
    tg_tensor *x = COUNT(0, 2, 3);
    IS(tg_sum_to(x, 3), TG_SHAPE(3), 3, 5, 7);
    IS(tg_sum_to(x, 2, 1), TG_SHAPE(2, 1), 3, 12);
    IS(tg_sum_to(x, 1, 3), TG_SHAPE(1, 3), 3, 5, 7);
    IS(tg_sum_to(x, 1), TG_SHAPE(1), 15);
    IS(tg_sum_to(COUNT(0, 2, 2, 2), 2, 1, 2), TG_SHAPE(2, 1, 2), 2, 4, 10, 12);
    IS(tg_sum_to(COUNT(0, 2, 2, 2), 1, 2, 1), TG_SHAPE(1, 2, 1), 10, 18);
    IS(tg_sum_to(tg_t(x), 2), TG_SHAPE(2), 3, 12);
    IS(tg_sum_to(tg_expand(x, 4, 2, 3), 2, 3), TG_SHAPE(2, 3), 0, 4, 8, 12, 16, 20);
    IS(tg_sum_to(COUNT(0, 0, 2), 2), TG_SHAPE(2), 0, 0);
    IS(tg_sum_to(x, 2, 3), TG_SHAPE(2, 3), 0, 1, 2, 3, 4, 5);
}

Test(op_shapes, sums_and_means__of_all_or_one_dimension)
{
    tg_tensor *x = COUNT(0, 2, 3);
    IS(tg_sum(x), SCALAR, 15);
    IS(tg_mean(x), SCALAR, 2.5);
    IS(tg_sum_dim(x, false, 0), TG_SHAPE(3), 3, 5, 7);
    IS(tg_sum_dim(x, true, -1), TG_SHAPE(2, 1), 3, 12);
    IS(tg_mean_dim(x, true, 0), TG_SHAPE(1, 3), 1.5, 2.5, 3.5);
    IS(tg_mean_dim(x, false, 1), TG_SHAPE(2), 1, 4);
    IS(tg_sum_dim(COUNT(0, 2, 2, 2), false, 1), TG_SHAPE(2, 2), 2, 4, 10, 12);
}

Test(op_shapes, sums_and_means__of_nothing)
{
    IS(tg_sum(tg_zeros(TG_F64, 0)), SCALAR, 0);
    IS(tg_mean(tg_zeros(TG_F64, 0)), SCALAR, NAN);
    IS(tg_sum_dim(tg_zeros(TG_F64, 0, 2), false, 0), TG_SHAPE(2), 0, 0);
    IS(tg_mean_dim(tg_zeros(TG_F32, 0, 2), false, 0), TG_SHAPE(2), NAN, NAN);
    IS(tg_mse_loss(tg_zeros(TG_F64, 0), tg_zeros(TG_F64, 0)), SCALAR, NAN);
}

/* Added one by one in f32, a million tenths give 100958. */
Test(op_shapes, sum__does_not_drift_in_f32)
{
    const double tenth = (double)0.1F;
    cr_expect_float_eq(tg_item(tg_sum(tg_full(TG_F32, 0.1, 1000000))), 1e6 * tenth, 0.01, "sum");
    const tg_tensor *columns = tg_sum_dim(tg_full(TG_F32, 0.1, 500000, 2), false, 0);
    cr_expect_float_eq(tg_get(columns, 1), 5e5 * tenth, 0.01, "sum_dim");
}

/* ---- losses ---------------------------------------------------------------------------------- */

Test(op_shapes, losses__are_means_over_all_elements)
{
    IS(tg_mse_loss(COUNT(0, 2, 2), tg_full(TG_F64, 1, 2, 2)), SCALAR, 1.5);
    const double bce = tg_item(tg_bce_with_logits_loss(tg_zeros(TG_F64, 3), COUNT(0, 3)));
    cr_expect_float_eq(bce, log(2), 1e-15, "bce_with_logits_loss: %g", bce);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

/* The result is the error tensor, and the kept message starts with the caller's place, the op, and
 * what was found. */
static void refused(const char *at, const char *call, const tg_tensor *result, const char *found)
{
    const tg_error *error = tg_last_error();
    char expected[512];
    const int length = snprintf(expected, sizeof expected, "%s: %s", at, found);
    cr_expect(tg_is_error(result), "%s: %s was accepted", at, call);
    cr_expect_eq(error->status, TG_EMISUSE, "%s: %s", at, call);
    cr_expect_eq(strncmp(error->message, expected, (size_t)length), 0, "%s gave\n%s\nexpected\n%s",
                 call, error->message, expected);
    tg_clear_error();
}
#define REFUSED(call, found) refused(TG_HERE, #call, call, found)

Test(op_shapes, misuse__of_views_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *scalar = tg_scalar(TG_F64, 1);
#define VIEW_OF(as) "view: [2, 3] as " as
    REFUSED(tg_view(x, 1, 1, 1, 1, 1, 1, 1, 1, 6), "view: 9 dimensions; at most 8 expected");
    REFUSED(tg_view(x, 4), VIEW_OF("[4]"));
    REFUSED(tg_view(x, 4, -1), VIEW_OF("[4, -1]"));
    REFUSED(tg_view(x, -1, -1), VIEW_OF("[-1, -1]"));
    REFUSED(tg_view(x, -2, -3), VIEW_OF("[-2, -3]"));
    REFUSED(tg_view(x, 0, -1), VIEW_OF("[0, -1]"));
    REFUSED(tg_view(x, INT64_C(1) << 32, INT64_C(1) << 32), VIEW_OF("[4294967296, 4294967296]"));
    REFUSED(tg_view(tg_t(x), 6), "view: [3, 2] has gaps or another order");
    REFUSED(tg_transpose(x, 0, 2), "transpose: dimensions 0 and 2 of [2, 3]");
    REFUSED(tg_transpose(x, -3, 0), "transpose: dimensions -3 and 0 of [2, 3]");
    REFUSED(tg_transpose(scalar, 0, 1), "transpose: dimensions 0 and 1 of []");
#define NARROW_OF(what) "narrow: " what " of [2, 3]"
    REFUSED(tg_narrow(x, 2, 0, 1), NARROW_OF("1 elements from 0 on in dimension 2"));
    REFUSED(tg_narrow(x, 1, -1, 2), NARROW_OF("2 elements from -1 on in dimension 1"));
    REFUSED(tg_narrow(x, 0, -3, 1), NARROW_OF("1 elements from -3 on in dimension 0"));
    REFUSED(tg_narrow(x, 1, 2, 2), NARROW_OF("2 elements from 2 on in dimension 1"));
    REFUSED(tg_narrow(x, 1, 4, 0), NARROW_OF("0 elements from 4 on in dimension 1"));
    REFUSED(tg_narrow(x, 1, 0, -1), NARROW_OF("-1 elements from 0 on in dimension 1"));
    REFUSED(tg_narrow(x, 1, 1, INT64_MAX), "narrow: 9223372036854775807 elements from 1 on");
    REFUSED(tg_expand(x, 3), "expand: [2, 3] does not broadcast to [3]");
    REFUSED(tg_expand(x, 4, 3), "expand: [2, 3] does not broadcast to [4, 3]");
    REFUSED(tg_expand(x, 2, 1), "expand: [2, 3] does not broadcast to [2, 1]");
}

Test(op_shapes, misuse__of_copies_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *single = tg_zeros(TG_F32, 2, 3);
    REFUSED(tg_pad(x, 2, 0, 3), "pad: [2, 3] from 0 on in dimension 2 of size 3");
    REFUSED(tg_pad(x, 0, -1, 3), "pad: [2, 3] from -1 on in dimension 0 of size 3");
    REFUSED(tg_pad(x, 0, 2, 3), "pad: [2, 3] from 2 on in dimension 0 of size 3");
    REFUSED(tg_pad(x, 0, 0, 1), "pad: [2, 3] from 0 on in dimension 0 of size 1");
#define CAT_OF(other) "cat: f64 [2, 3] and " other
    REFUSED(tg_cat(0, x, COUNT(0, 2, 4)), CAT_OF("f64 [2, 4]"));
    REFUSED(tg_cat(0, x, COUNT(0, 3)), CAT_OF("f64 [3]"));
    REFUSED(tg_cat(0, x, x, single), CAT_OF("f32 [2, 3]"));
    REFUSED(tg_cat(2, x, x), "cat: dimension 2 of [2, 3]");
    REFUSED(tg_cat(0, tg_scalar(TG_F64, 1)), "cat: dimension 0 of []");
    REFUSED(tg_cat_at(TG_HERE, 0, &x, 0), "cat: no tensors");
}

/* As in PyTorch: a view of the result does not depend on how the operand lies in memory. */
Test(op_shapes, results_along_a_dimension__are_contiguous)
{
    tg_tensor *x = tg_permute(COUNT(0, 2, 3, 4), 2, 0, 1);
    tg_tensor *const results[] = {
        tg_softmax(x, 1), tg_log_softmax(x, 1), tg_logsumexp(x, false, 1), tg_max_dim(x, false, 1),
        tg_min_dim(x, false, 1), tg_sum_dim(x, false, 1), tg_mean_dim(x, false, 1),
        tg_var_dim(x, false, 1), tg_argmax(x, 1, false), tg_sum_to(x, 4, 1, 3)};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        cr_expect(!tg_is_error(tg_view(results[i], -1)), "result %zu", i);
}

Test(op_shapes, misuse__of_lookups_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *table = COUNT(0, 4, 2), *whole = tg_zeros(TG_I64, 4, 2);
#define INDEX(i, at) "index " #i " at element " #at "; a table of 4 rows has 0 to 3"
    REFUSED(tg_embedding(table, IDS(0, 4)), "embedding: " INDEX(4, 1));
    REFUSED(tg_embedding(table, IDS(-1)), "embedding: " INDEX(-1, 0));
    REFUSED(tg_embedding(table, tg_t(tg_view(IDS(0, 1, 2, 9), 2, 2))), "embedding: " INDEX(9, 3));
    REFUSED(tg_embedding(table, COUNT(0, 2)), "embedding: the index is f64");
    REFUSED(tg_embedding(COUNT(0, 4), IDS(0)), "embedding: a table of f64 [4]");
    REFUSED(tg_embedding(whole, IDS(0)), "embedding: a table of i64 [4, 2]");
    cr_expect(tg_is_error(tg_embedding(COUNT(0, 0, 2), IDS(0))), "a row of an empty table");
    tg_clear_error();
    REFUSED(tg_scatter_rows(table, IDS(0, 1, 2, 4), 4), "scatter_rows: " INDEX(4, 3));
    REFUSED(tg_scatter_rows(table, IDS(0, 1, -2, 3), 4), "scatter_rows: " INDEX(-2, 2));
    REFUSED(tg_scatter_rows(table, COUNT(0, 4), 4), "scatter_rows: the index is f64");
    REFUSED(tg_scatter_rows(table, IDS(0, 1), 4), "scatter_rows: rows [4, 2] with index [2]");
    REFUSED(tg_scatter_rows(whole, IDS(0, 1, 2, 3), 4), "scatter_rows: i64 [4, 2]");
    REFUSED(tg_scatter_rows(tg_scalar(TG_F64, 1), IDS(0), 4), "scatter_rows: f64 []");
}

Test(op_shapes, misuse__of_products_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *w = COUNT(0, 4, 3), *single = tg_zeros(TG_F32, 3, 2);
    REFUSED(tg_matmul(x, w), "matmul: [2, 3] x [4, 3]");
    REFUSED(tg_matmul(x, COUNT(0, 2)), "matmul: [2, 3] x [2, 1]");
    REFUSED(tg_matmul(x, tg_scalar(TG_F64, 1)), "matmul: [2, 3] x []");
    REFUSED(tg_matmul(x, single), "matmul: f64 x f32");
#define LINEAR(w, b) "linear: [2, 3] with weight " w " and bias " b
    REFUSED(tg_linear(x, COUNT(0, 4, 2), NULL), LINEAR("[4, 2]", "NULL"));
    REFUSED(tg_linear(x, COUNT(0, 3), NULL), LINEAR("[3]", "NULL"));
    REFUSED(tg_linear(x, w, COUNT(0, 3)), LINEAR("[4, 3]", "[3]"));
    REFUSED(tg_linear(x, w, COUNT(0, 1, 4)), LINEAR("[4, 3]", "[1, 4]"));
    REFUSED(tg_linear(x, w, tg_zeros(TG_F32, 4)), "linear: operand 2 is f32");
    cr_expect(tg_is_error(tg_linear(tg_scalar(TG_F64, 1), w, NULL)), "x without a dimension");
    cr_expect(tg_is_error(tg_linear(COUNT(0, 2, 2, 2), w, NULL)), "x with dimensions in front");
}

Test(op_shapes, misuse__of_sums_dropout_and_losses_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *single = tg_zeros(TG_F32, 2, 3), *row = COUNT(0, 3);
    REFUSED(tg_sum_to(x, 2), "sum_to: [2] does not broadcast to [2, 3]");
    REFUSED(tg_sum_to(x, 2, 2, 3), "sum_to: [2, 2, 3] does not broadcast to [2, 3]");
    REFUSED(tg_sum_to(x, 2, -1), "sum_to: [2, -1] does not broadcast to [2, 3]");
    REFUSED(tg_sum_dim(x, true, 2), "sum_dim: dimensions [2] of [2, 3]");
    REFUSED(tg_sum_dim(tg_scalar(TG_F64, 1), true, 1), "sum_dim: dimensions [1] of []");
    REFUSED(tg_sum_dim(tg_scalar(TG_F64, 1), true, 0, -1), "sum_dim: dimensions [0, -1] of []");
    cr_expect(tg_is_error(tg_mean_dim(x, false, -3)), "mean_dim");
    tg_clear_error();
    REFUSED(tg_dropout(x, -0.1, true), "dropout: probability -0.1");
    REFUSED(tg_dropout(x, 1.5, false), "dropout: probability 1.5");
    REFUSED(tg_dropout(x, NAN, true), "dropout: probability nan");
    REFUSED(tg_mse_loss(x, row), "mse_loss: [2, 3] and [3]");
    REFUSED(tg_bce_with_logits_loss(x, row), "bce_with_logits_loss: [2, 3] and [3]");
    REFUSED(tg_huber_loss(x, row, 1), "huber_loss: [2, 3] and [3]");
    REFUSED(tg_bpr_loss(x, row), "bpr_loss: [2, 3] and [3]");
#define NORM_WITH(what) "layer_norm: [2, 3] with weight or bias " what
    REFUSED(tg_layer_norm(x, COUNT(0, 2, 1), NULL, 1e-5), NORM_WITH("[2, 1]: (..., n) and (n)"));
    REFUSED(tg_layer_norm(x, row, COUNT(0, 1), 1e-5), NORM_WITH("[1]"));
    REFUSED(tg_layer_norm(tg_scalar(TG_F64, 1), NULL, NULL, 1e-5), "layer_norm: []");
    cr_expect(tg_is_error(tg_mse_loss(x, single)), "mse_loss of two dtypes");
    tg_clear_error();
    cr_expect(tg_is_error(tg_bce_with_logits_loss(x, single)), "bce_with_logits_loss, two dtypes");
}

/* Not by the ops that they are made of. */
Test(op_shapes, misuse__of_functions_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *whole = IDS(1, 2), *table = COUNT(0, 4, 2), *places;
    REFUSED(tg_softmax(whole, 0), "softmax: i64; f32 or f64 expected");
    REFUSED(tg_log_softmax(x, 2), "log_softmax: dimensions [2] of [2, 3]");
    REFUSED(tg_mean_dim(x, false, -3), "mean_dim: dimensions [-3] of [2, 3]");
    REFUSED(tg_mean(whole), "mean: operand 0 is i64; f32 or f64 expected");
    REFUSED(tg_var_dim(whole, true, 0), "var_dim: operand 0 is i64");
    REFUSED(tg_min_dim(whole, true, 0), "min_dim: i64");
    REFUSED(tg_max_dim(COUNT(0, 2, 0), true, 1), "max_dim: [2, 0] to [2, 1]: of no elements");
    REFUSED(tg_argmax(COUNT(0, 2, 0), 1, true), "argmax: dimension 1 of [2, 0]: of no elements");
    REFUSED(tg_topk(x, 4, &places), "topk: 4 of [2, 3]");
    REFUSED(tg_index_select(x, 1, IDS(3)), "index_select: index 3 of dimension 1 of [2, 3]");
    REFUSED(tg_clamp(whole, 0.5, 1), "clamp: the number 0.5 and i64: a whole number expected");
    REFUSED(tg_mul_scalar(whole, 2.5), "mul_scalar: the number 2.5 and i64");
    REFUSED(tg_add_scalar(whole, NAN), "add_scalar: the number nan and i64");
    REFUSED(tg_add_scalar(whole, 0x1p63), "add_scalar: 9.2233720368547758e+18 as an i64");
    REFUSED(tg_div_scalar(whole, 2), "div_scalar: operand 0 is i64");
    REFUSED(tg_embedding_bag(table, tg_scalar(TG_I64, 1), true), "embedding_bag: index []");
    REFUSED(tg_embedding_bag(table, tg_full(TG_I64, 4, 1, 1), true), "embedding_bag: index 4 at");
    REFUSED(tg_cross_entropy(x, IDS(0, -100)), "cross_entropy: index -100 of dimension 1");
    REFUSED(tg_layer_norm(whole, NULL, NULL, 1e-5), "layer_norm: i64");
    REFUSED(tg_mse_loss(whole, whole), "mse_loss: operand 0 is i64");
    REFUSED(tg_stack(0, x, table), "stack: f64 [1, 2, 3] and f64 [1, 4, 2]");
    REFUSED(tg_sum(tg_sum_dim(x, true, 5)), "sum_dim: dimensions [5] of [2, 3]"); /* the first */
    REFUSED(tg_exp(whole), "exp: operand 0 is i64"); /* no name is left behind */
}

Test(op_shapes, misuse__of_elementwise_ops_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = COUNT(0, 2, 3), *whole = IDS(1, 2, 3), *single = tg_zeros(TG_F32, 3);
    const tg_map_kernel *integer = tg_kernels_get()->integer;
#define UNARY(op, ...)                                                                             \
    if (!integer[TG_ROW_##op])                                                                     \
        REFUSED(tg_##op(whole), #op ": operand 0 is i64");
#define BINARY(op, ...)                                                                            \
    REFUSED(tg_##op(whole, x),                                                                     \
            integer[TG_ROW_##op] ? #op ": i64 and f64" : #op ": operand 0 is i64");                \
    REFUSED(tg_##op(x, whole),                                                                     \
            integer[TG_ROW_##op] ? #op ": f64 and i64" : #op ": operand 1 is i64");                \
    REFUSED(tg_##op(x, single), #op ": f64 and f32");                                              \
    REFUSED(tg_##op(x, COUNT(0, 2)), #op ": [2, 3] and [2] do not broadcast");                     \
    REFUSED(tg_##op(COUNT(0, 2), COUNT(0, 4, 3)), #op ": [2] and [4, 3] do not broadcast");
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY
}

/* An op that lets such sizes through makes the next one read what is not there. */
Test(op_shapes, misuse__by_impossible_sizes_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *none = tg_zeros(TG_I64, 0), *rows = COUNT(0, 0, 2), *one = COUNT(0, 1);
    const int64_t huge = INT64_C(1) << 40;
#define IMPOSSIBLE(call) cr_expect(tg_is_error(call), "%s was accepted", #call)
    IMPOSSIBLE(tg_expand(one, -1, 1));
    IMPOSSIBLE(tg_expand(one, -2, 1));
    IMPOSSIBLE(tg_expand(one, huge, huge));
    IMPOSSIBLE(tg_scatter_rows(rows, none, -1));
    IMPOSSIBLE(tg_view(none, 0, huge, huge));
    IMPOSSIBLE(tg_view(none, huge, huge, 0));
    IMPOSSIBLE(tg_pad(one, 0, 0, INT64_MIN));
    IMPOSSIBLE(tg_pad(one, 0, 0, INT64_MAX));
    tg_tensor *half = tg_expand(one, INT64_C(1) << 59), *many[16];
    for (int i = 0; i < 16; i++)
        many[i] = half;
    IMPOSSIBLE(tg_cat_at(TG_HERE, 0, many, 16));
}
