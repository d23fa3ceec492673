/* Elementwise ops and sums of i64: against C's, modulo 2^64. */
#include <criterion/criterion.h>

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
