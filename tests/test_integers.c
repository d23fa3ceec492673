/* Elementwise ops and sums of i64: against C's, modulo 2^64. */
#include <criterion/criterion.h>
#include <math.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"

enum { COUNT = 9 };
static const int64_t values[COUNT] = {
    0, 1, -1, 7, -12, INT64_C(1) << 53, -(INT64_C(1) << 53) - 1, INT64_MAX, INT64_MIN};

#define U(a) ((uint64_t)(a))
static int64_t neg(int64_t a, int64_t b) { return (void)b, (int64_t)-U(a); }
static int64_t absolute(int64_t a, int64_t b) { return a < 0 ? neg(a, b) : a; }
static int64_t square(int64_t a, int64_t b) { return (void)b, (int64_t)(U(a) * U(a)); }
static int64_t cube(int64_t a, int64_t b) { return (void)b, (int64_t)(U(a) * U(a) * U(a)); }
static int64_t relu(int64_t a, int64_t b) { return (void)b, a < 0 ? 0 : a; }
static int64_t add(int64_t a, int64_t b) { return (int64_t)(U(a) + U(b)); }
static int64_t sub(int64_t a, int64_t b) { return (int64_t)(U(a) - U(b)); }
static int64_t mul(int64_t a, int64_t b) { return (int64_t)(U(a) * U(b)); }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t floor_quotient(int64_t a, int64_t b)
{
    if (b == -1)
        return neg(a, b);
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
static int64_t modulo(int64_t a, int64_t b) { return sub(a, mul(floor_quotient(a, b), b)); }
static int64_t both(int64_t a, int64_t b) { return a != 0 && b != 0; }
static int64_t one_of(int64_t a, int64_t b) { return a != 0 || b != 0; }
static int64_t none(int64_t a, int64_t b) { return (void)b, a == 0; }

static void expect(const char *call, const tg_tensor *y, const tg_tensor *a, const tg_tensor *b,
                   int64_t (*f)(int64_t, int64_t))
{
    cr_assert(!tg_is_error(y), "%s: %s", call, tg_last_error()->message);
    cr_assert_eq(y->dtype, TG_I64);
    for (int64_t i = 0; i < tg_numel(y); i++) {
        const int64_t p = ((const int64_t *)a->data)[i], q = ((const int64_t *)b->data)[i];
        cr_expect_eq(((const int64_t *)y->data)[i], f(p, q), "%s of %lld and %lld", call,
                     (long long)p, (long long)q);
    }
}

Test(integers, elementwise_ops__are_those_of_c)
{
    tg_step_begin();
    tg_tensor *row = tg_from(TG_I64, values, COUNT);
    tg_tensor *b = tg_contiguous(tg_expand(row, COUNT, COUNT));
    tg_tensor *column = tg_view(row, COUNT, 1), *a = tg_contiguous(tg_expand(column, COUNT, COUNT));
#define UNARY(call, f) expect(#call, call(a), a, a, f)
#define BINARY(call, f) expect(#call, call(column, row), a, b, f)
    UNARY(tg_neg, neg);
    UNARY(tg_abs, absolute);
    UNARY(tg_square, square);
    UNARY(tg_cube, cube);
    UNARY(tg_relu, relu);
    BINARY(tg_add, add);
    BINARY(tg_sub, sub);
    BINARY(tg_mul, mul);
    BINARY(tg_minimum, smaller);
    BINARY(tg_maximum, larger);
    BINARY(tg_clamp_min, larger);
    BINARY(tg_clamp_max, smaller);
    BINARY(tg_logical_and, both);
    BINARY(tg_logical_or, one_of);
    UNARY(tg_logical_not, none);
    row = tg_narrow(row, 0, 1, COUNT - 1); /* without 0 */
    b = tg_contiguous(tg_expand(row, COUNT, COUNT - 1));
    a = tg_contiguous(tg_expand(column, COUNT, COUNT - 1));
    BINARY(tg_floor_divide, floor_quotient);
    BINARY(tg_remainder, modulo);
    expect("tg_add_scalar", tg_add_scalar(a, 3), a, tg_full(TG_I64, 3, COUNT, COUNT), add);
    tg_step_end();
}

Test(integers, sums__are_exact)
{
    tg_step_begin();
    const int64_t large = (INT64_C(1) << 53) + 1;
    tg_tensor *x = tg_from(TG_I64, ((int64_t[]){large, 2, 4, large, -3, 5}), 2, 3);
    cr_expect_eq(*(int64_t *)tg_sum(x)->data, 2 * large + 8);
    const int64_t *by_row = tg_sum_dim(x, false, 1)->data, *by_column = tg_sum_dim(x, false, 0)->data;
    cr_expect_eq(by_row[0], large + 6);
    cr_expect_eq(by_row[1], large + 2);
    cr_expect_eq(by_column[0], 2 * large);
    cr_expect_eq(by_column[1], -1);
    cr_expect_eq(by_column[2], 9);
    cr_expect_eq(*(int64_t *)tg_sum(tg_gt(x, tg_scalar(TG_I64, 3)))->data, 4, "of a mask");
    cr_expect_eq(*(int64_t *)tg_sum(tg_expand(tg_scalar(TG_I64, 7), 1000))->data, 7000);
    cr_expect_eq(*(int64_t *)tg_sum(tg_zeros(TG_I64, 0))->data, 0);
    tg_step_end();
}

static void expect_values(const char *call, const tg_tensor *y, const double *value)
{
    cr_assert(!tg_is_error(y), "%s: %s", call, tg_last_error()->message);
    for (int64_t i = 0; i < tg_numel(y); i++)
        cr_expect_eq(tg_get(tg_view((tg_tensor *)y, -1), i), value[i], "%s: element %lld", call,
                     (long long)i);
}
#define EXPECT(call, ...) expect_values(#call, call, (double[]){__VA_ARGS__})

Test(integers, made_tensors__have_their_values)
{
    tg_step_begin();
    EXPECT(tg_arange(TG_I64, 2, 9, 3), 2, 5, 8);
    EXPECT(tg_arange(TG_F32, 1, 0, -0.25), 1, 0.75, 0.5, 0.25);
    EXPECT(tg_eye(TG_F64, 2), 1, 0, 0, 1);
    EXPECT(tg_full_like(tg_zeros(TG_F32, 2, 1), 3), 3, 3);
    EXPECT(tg_zeros_like(tg_arange(TG_I64, 1, 3, 1)), 0, 0);
    EXPECT(tg_one_hot(tg_arange(TG_I64, 1, 3, 1), 3), 0, 1, 0, 0, 0, 1);
    EXPECT(tg_cast(tg_arange(TG_F32, -1.5, 2, 1), TG_I64), -1, 0, 0, 1);
    EXPECT(tg_cast(tg_arange(TG_I64, 0, 2, 1), TG_F32), 0, 1);
    EXPECT(tg_cumsum(tg_arange(TG_I64, 1, 5, 1), 0), 1, 3, 6, 10);
    EXPECT(tg_triu(tg_full(TG_I64, 7, 2, 3), 1), 0, 7, 7, 0, 0, 7);
    cr_expect_eq(tg_numel(tg_arange(TG_F32, 3, 3, 1)), 0);
    tg_step_end();
}

Test(integers, cast__has_a_gradient_of_its_operands_dtype)
{
    tg_step_begin();
    tg_tensor *x = tg_requires_grad(tg_from(TG_F32, ((double[]){1, 2}), 2));
    tg_backward(tg_sum(tg_square(tg_cast(x, TG_F64))));
    cr_expect_eq(x->grad->dtype, TG_F32);
    EXPECT(x->grad, 2, 4);
    cr_expect(!tg_cast(x, TG_I64)->requires_grad);
    cr_expect_eq(tg_cast(x, TG_F32), x);
    tg_step_end();
}

Test(integers, sort__puts_nan_last_and_keeps_the_order_of_equal_ones)
{
    tg_step_begin();
    const double x[] = {0.0, -0.0, NAN, 3, -INFINITY, 3, -1};
    tg_tensor *index, *y = tg_sort(tg_from(TG_F64, x, 7), 0, false, &index);
    expect_values("places", index, (double[]){4, 6, 0, 1, 3, 5, 2});
    cr_expect(isnan(tg_get(y, 6)));
    tg_sort(tg_from(TG_F32, x, 7), -1, true, &index);
    expect_values("places, descending", index, (double[]){2, 3, 5, 0, 1, 6, 4});
    tg_sort(tg_from(TG_I64, values, COUNT), 0, false, &index);
    expect_values("places of i64", index, (double[]){8, 6, 4, 2, 0, 1, 3, 5, 7});
    tg_manual_seed(3);
    tg_tensor *many = tg_randint(-1000, 1000, 3, 5000);
    y = tg_sort(many, 1, false, &index);
    for (int64_t i = 1; i < 5000; i++) {
        const double before = tg_get(y, 2, i - 1), after = tg_get(y, 2, i);
        cr_assert(before < after ||
                  (before == after && tg_get(index, 2, i - 1) < tg_get(index, 2, i)));
    }
    tg_step_end();
}

Test(integers, random_ones__cover_their_range)
{
    enum { DRAWS = 60000 };
    tg_manual_seed(4);
    tg_step_begin();
    double count[6] = {0};
    const int64_t *drawn = tg_randint(-2, 4, DRAWS)->data;
    for (int i = 0; i < DRAWS; i++) {
        cr_assert(drawn[i] >= -2 && drawn[i] < 4);
        count[drawn[i] + 2]++;
    }
    for (int k = 0; k < 6; k++) /* standard deviation 91 */
        cr_expect(fabs(count[k] - DRAWS / 6) < 450, "%d: %g", k - 2, count[k]);
    tg_tensor *index, *order = tg_randperm(1000), *sorted = tg_sort(order, 0, false, &index);
    cr_expect_eq(tg_item(tg_sum(tg_eq(sorted, tg_arange(TG_I64, 0, 1000, 1)))), 1000);
    cr_expect_lt(tg_item(tg_sum(tg_eq(order, sorted))), 20);
    tg_step_end();
}

Test(integers, multinomial__draws_in_proportion)
{
    enum { DRAWS = 40000 };
    tg_manual_seed(5);
    tg_step_begin();
    tg_tensor *weights = tg_from(TG_F32, ((double[]){0, 1, 3, 0, 4, 0}), 6);
    double count[6] = {0}, first[6] = {0};
    const int64_t *drawn = tg_multinomial(weights, DRAWS, true)->data;
    for (int i = 0; i < DRAWS; i++)
        count[drawn[i]]++;
    for (int i = 0; i < DRAWS / 40; i++) {
        const int64_t *row = tg_multinomial(weights, 3, false)->data;
        cr_assert(row[0] != row[1] && row[0] != row[2] && row[1] != row[2]);
        first[row[0]] += 40;
    }
    for (int k = 0; k < 6; k++) { /* standard deviations up to 100, and 630 */
        const double expected = DRAWS / 8 * tg_get(weights, k);
        cr_expect(fabs(count[k] - expected) <= 500 * (expected > 0), "%d: %g", k, count[k]);
        cr_expect(fabs(first[k] - expected) <= 3200 * (expected > 0), "%d: %g", k, first[k]);
    }
    tg_tensor *rows = tg_multinomial(tg_eye(TG_F64, 3), 2, true);
    cr_expect_eq(tg_size(rows, 0), 3);
    cr_expect_eq(tg_get(rows, 2, 1), 2);
    tg_step_end();
}
