/* The gradient check finds what is wrong: it is given wrong gradients on purpose. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tensor/random.h"

static tg_tensor *leaf(tg_dtype dtype, double value)
{
    tg_tensor *x = tg_owned(dtype, 2, 3);
    for (int64_t i = 0; i < 6; i++)
        tg_set(x, value + 0.1 * (double)i, i / 3, i % 3);
    return tg_requires_grad(x);
}

static tg_tensor *right(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_mul(tg_tanh(x[0]), x[1]);
}

Test(gradcheck, function__with_right_gradients_passes)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2), leaf(TG_F64, 1)};
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(right, NULL, x, 2, 0, &report), "%s", report.message);
    cr_expect_eq(report.checked, 12);
    cr_expect_lt(report.error, 1e-8);
    cr_expect(report.ok);
    cr_expect_null(x[0]->grad);
    cr_expect_eq(tg_get(x[0], 1, 2), 0.7, "the inputs have their values again");
    tg_free(x[0]);
    tg_free(x[1]);
}

/* x * detach(x) at one element: the tape misses half of the derivative of x^2 there. */
static tg_tensor *wrong_at_one_element(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    tg_tensor *one = tg_narrow(tg_narrow(x[1], 0, 1, 1), 1, 2, 1);
    return tg_add(tg_sum(tg_mul(x[0], x[1])), tg_sum(tg_mul(one, tg_detach(one))));
}

Test(gradcheck, function__with_a_wrong_element_is_reported_by_place_and_values)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2), leaf(TG_F64, 1)};
    tg_gradcheck_report report;
    cr_expect_not(tg_gradcheck(wrong_at_one_element, NULL, x, 2, 0, &report));
    cr_expect_not(report.ok);
    cr_expect_eq(report.input, 1);
    cr_expect_eq(report.element, 5);
    /* weight * (x0 + 2 x1) against weight * (x0 + x1), with x0 = 0.7 and x1 = 1.5 */
    cr_expect_float_eq(report.numeric / report.analytic, 3.7 / 2.2, 1e-6);
    cr_expect_gt(report.error, 0.01);
    cr_expect_gt(strlen(report.message), 20);
    tg_free(x[0]);
    tg_free(x[1]);
}

static tg_tensor *of_the_first_only(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_add(x[0], tg_detach(x[1]));
}

Test(gradcheck, function__with_a_missing_gradient_fails)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2), leaf(TG_F64, 1)};
    tg_gradcheck_report report;
    cr_expect_not(tg_gradcheck(of_the_first_only, NULL, x, 2, 0, &report));
    cr_expect_eq(report.input, 1, "%s", report.message);
    tg_free(x[0]);
    tg_free(x[1]);
}

static tg_tensor *different_each_time(void *context, tg_tensor *const *x, int count)
{
    (void)count;
    return tg_mul(x[0], tg_scalar(TG_F64, ++*(int *)context));
}

Test(gradcheck, function__that_is_not_deterministic_is_named)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    int calls = 0;
    tg_gradcheck_report report;
    cr_expect_not(tg_gradcheck(different_each_time, &calls, x, 1, 0, &report));
    cr_expect_not_null(strstr(report.message, "deterministic"), "%s", report.message);
    tg_free(x[0]);
}

static tg_tensor *with_dropout(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_dropout(tg_exp(x[0]), 0.5, true);
}

Test(gradcheck, dropout__is_replayed)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(with_dropout, NULL, x, 1, 0, &report), "%s", report.message);
    tg_free(x[0]);
}

Test(gradcheck, inputs__must_be_f64)
{
    tg_tensor *x[] = {leaf(TG_F32, 0.2), leaf(TG_F32, 1)};
    tg_gradcheck_report report;
    cr_expect_not(tg_gradcheck(right, NULL, x, 2, 0, &report));
    cr_expect_not_null(strstr(report.message, "f64"), "%s", report.message);
    tg_free(x[0]);
    tg_free(x[1]);
}

static tg_tensor *misused(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_matmul(x[0], x[0]);
}

Test(gradcheck, misuse__inside_the_function_is_passed_on)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    tg_set_misuse(TG_MISUSE_RETURN);
    cr_expect_not(tg_gradcheck(misused, NULL, x, 1, 0, &report));
    cr_expect_not_null(strstr(report.message, "matmul"), "%s", report.message);
    tg_clear_error();
    tg_free(x[0]);
}
