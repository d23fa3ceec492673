/* Ops that move, join, look up and sum elements: against numbers written by hand. */
#include <criterion/criterion.h>
#include <math.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"

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
    IS(sum->rows, TG_SHAPE(2), 2, 0);
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
    cr_expect_eq(tg_sum_to(x, 2, 3), x);
}

Test(op_shapes, sums_and_means__of_all_or_one_dimension)
{
    tg_tensor *x = COUNT(0, 2, 3);
    IS(tg_sum(x), SCALAR, 15);
    IS(tg_mean(x), SCALAR, 2.5);
    IS(tg_sum_dim(x, 0, false), TG_SHAPE(3), 3, 5, 7);
    IS(tg_sum_dim(x, -1, true), TG_SHAPE(2, 1), 3, 12);
    IS(tg_mean_dim(x, 0, true), TG_SHAPE(1, 3), 1.5, 2.5, 3.5);
    IS(tg_mean_dim(x, 1, false), TG_SHAPE(2), 1, 4);
    IS(tg_sum_dim(COUNT(0, 2, 2, 2), 1, false), TG_SHAPE(2, 2), 2, 4, 10, 12);
}

Test(op_shapes, sums_and_means__of_nothing)
{
    IS(tg_sum(tg_zeros(TG_F64, 0)), SCALAR, 0);
    IS(tg_mean(tg_zeros(TG_F64, 0)), SCALAR, NAN);
    IS(tg_sum_dim(tg_zeros(TG_F64, 0, 2), 0, false), TG_SHAPE(2), 0, 0);
    IS(tg_mean_dim(tg_zeros(TG_F32, 0, 2), 0, false), TG_SHAPE(2), NAN, NAN);
    IS(tg_mse_loss(tg_zeros(TG_F64, 0), tg_zeros(TG_F64, 0)), SCALAR, NAN);
}

/* Added one by one in f32, a million tenths give 100958. */
Test(op_shapes, sum__does_not_drift_in_f32)
{
    const double tenth = (double)0.1F;
    cr_expect_float_eq(tg_item(tg_sum(tg_full(TG_F32, 0.1, 1000000))), 1e6 * tenth, 0.01, "sum");
    const tg_tensor *columns = tg_sum_dim(tg_full(TG_F32, 0.1, 500000, 2), 0, false);
    cr_expect_float_eq(tg_get(columns, 1), 5e5 * tenth, 0.01, "sum_dim");
}

/* ---- losses ---------------------------------------------------------------------------------- */

Test(op_shapes, losses__are_means_over_all_elements)
{
    IS(tg_mse_loss(COUNT(0, 2, 2), tg_full(TG_F64, 1, 2, 2)), SCALAR, 1.5);
    const double bce = tg_item(tg_bce_with_logits_loss(tg_zeros(TG_F64, 3), COUNT(0, 3)));
    cr_expect_float_eq(bce, log(2), 1e-15, "bce_with_logits_loss: %g", bce);
}
