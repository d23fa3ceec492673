/* The gradient check finds what is wrong: it is given wrong gradients on purpose. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tapegrad.h"

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
    cr_expect_float_eq(report.error, 1 - report.analytic / report.numeric, 1e-12);
    cr_expect_eq(report.checked, 12);
    char expected[256];
    snprintf(expected, sizeof expected, "input 1, element 5: analytic %.10g, numeric %.10g",
             report.analytic, report.numeric);
    cr_expect_not_null(strstr(report.message, expected), "%s\nexpected: %s", report.message,
                       expected);
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
    cr_expect_eq(report.analytic, 0);
    cr_expect_gt(report.numeric, 0.4);
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

/* ---- what cannot be checked ------------------------------------------------------------------ */

/* The check fails with a message that holds `reason`, and leaves x's values and grad alone. */
static void expect_refusal(tg_gradcheck_function function, tg_tensor *x, const char *reason)
{
    tg_gradcheck_report report;
    const double before = tg_get(x, -1, -1);
    cr_expect_not(tg_gradcheck(function, NULL, &x, 1, 0, &report), "%s expected", reason);
    cr_expect_not(report.ok);
    cr_expect_eq(report.checked, 0, "%s", report.message);
    cr_expect_not_null(strstr(report.message, reason), "%s\nexpected: %s", report.message, reason);
    cr_expect_eq(tg_get(x, -1, -1), before);
    cr_expect_null(x->grad);
}

static tg_tensor *same(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_mul(x[0], x[0]);
}

static tg_tensor *detached(void *context, tg_tensor *const *x, int count)
{
    return tg_detach(same(context, x, count));
}

static tg_tensor *nothing(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)x;
    (void)count;
    return NULL;
}

static tg_tensor *in_f32(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)x;
    (void)count;
    return tg_scalar(TG_F32, 1);
}

static tg_tensor *infinite(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_div(x[0], tg_scalar(TG_F64, 0));
}

Test(gradcheck, functions__that_cannot_be_checked_are_named)
{
    tg_tensor *x = leaf(TG_F64, 0.2);
    expect_refusal(detached, x, "does not depend on an input");
    expect_refusal(nothing, x, "no f64 tensor");
    expect_refusal(in_f32, x, "no f64 tensor");
    expect_refusal(infinite, x, "not finite");
    tg_free(x);
}

Test(gradcheck, inputs__must_be_contiguous_leaves)
{
    tg_tensor *x = leaf(TG_F64, 0.2);
    tg_step_begin();
    expect_refusal(same, tg_add(x, x), "input 0: a contiguous leaf");
    expect_refusal(same, tg_requires_grad(tg_t(tg_detach(x))), "input 0: a contiguous leaf");
    tg_step_end();
    tg_free(x);
}

static tg_tensor *times_hidden(void *context, tg_tensor *const *x, int count)
{
    return right(context, (tg_tensor *const[]){x[0], tg_detach(x[1])}, count);
}

/* The second input is hidden from the tape, and nobody asked for its gradient. */
Test(gradcheck, inputs__that_require_no_gradient_are_left_out)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2), leaf(TG_F64, 1)};
    x[1]->requires_grad = false;
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(times_hidden, NULL, x, 2, 0, &report), "%s", report.message);
    cr_expect_eq(report.checked, 6);
    tg_free(x[0]);
    tg_free(x[1]);
}

Test(gradcheck, generator__and_gradients_are_set_back)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    tg_manual_seed(7);
    const uint64_t position = tg_default_rng()->position;
    cr_expect(tg_gradcheck(with_dropout, NULL, x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(tg_default_rng()->position, position);
    cr_expect_null(x[0]->grad);
    tg_free(x[0]);
}

/* Off by two millionths, more than differences are. */
static tg_tensor *nearly_right(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    tg_tensor *missed = tg_mul(tg_detach(x[0]), tg_scalar(TG_F64, 2e-6));
    return tg_add(x[0], missed);
}

Test(gradcheck, tolerance__decides)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    cr_expect_not(tg_gradcheck(nearly_right, NULL, x, 1, 0, &report), "%s", report.message);
    cr_expect_not(tg_gradcheck(nearly_right, NULL, x, 1, 1e-6, &report), "%s", report.message);
    cr_expect(tg_gradcheck(nearly_right, NULL, x, 1, 1e-5, &report), "%s", report.message);
    tg_free(x[0]);
}

/* ---- ops with wrong rules -------------------------------------------------------------------- */

/* x^2 with the gradient g * factor x; x is hidden from the second derivative where told. */
typedef struct square_attr {
    double factor;
    bool hidden;
} square_attr;

static tg_tensor *square_forward(const tg_node *n)
{
    tg_tensor *y = NULL;
    tg_no_grad { y = tg_mul_at(n->at, n->in[0], n->in[0]); }
    return y;
}

static void square_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const square_attr *a = n->attr;
    tg_tensor *x = a->hidden ? tg_detach_at(n->at, n->in[0]) : n->in[0];
    dx[0] = tg_mul_at(n->at, tg_mul_at(n->at, g, x), tg_scalar(TG_F64, a->factor));
}

static const tg_op square_op = {
    .name = "test_square", .arity = 1, .forward = square_forward, .backward = square_backward};

static tg_tensor *squared(void *context, tg_tensor *const *x, int count)
{
    (void)count;
    return tg_apply(TG_HERE, &square_op, 1, x, context, sizeof(square_attr));
}

Test(gradcheck, op__with_a_wrong_rule_is_found)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(squared, &(square_attr){2, false}, x, 1, 0, &report), "%s",
              report.message);
    cr_expect_not(tg_gradcheck(squared, &(square_attr){3, false}, x, 1, 0, &report));
    cr_expect_float_eq(report.analytic / report.numeric, 1.5, 1e-6);
    tg_free(x[0]);
}

Test(gradcheck, op__whose_gradient_has_a_wrong_gradient_is_found)
{
    tg_tensor *x[] = {leaf(TG_F64, 0.2)};
    tg_gradcheck_report report;
    square_attr right_rule = {2, false}, hidden = {2, true};
    cr_expect(tg_gradgradcheck(squared, &right_rule, x, 1, 1e-6, &report), "%s", report.message);
    cr_expect_eq(report.checked, 6);
    cr_expect(tg_gradcheck(squared, &hidden, x, 1, 0, &report), "%s", report.message);
    cr_expect_not(tg_gradgradcheck(squared, &hidden, x, 1, 1e-6, &report));
    /* of the square of x^2, 12 x^2 is right; what is hidden is a third of it */
    cr_expect_float_eq(report.analytic / report.numeric, 2. / 3, 1e-6, "%s", report.message);
    tg_free(x[0]);
}

/* ---- kinks ----------------------------------------------------------------------------------- */

/* relu with a gradient at 0, and left of it, of the context's choice. */
static tg_tensor *bent_forward(const tg_node *n)
{
    tg_tensor *y = NULL;
    tg_no_grad { y = tg_relu_at(n->at, n->in[0]); }
    return y;
}

static void bent_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *zero = tg_scalar(TG_F64, 0), *left = tg_scalar(TG_F64, *(const double *)n->attr);
    tg_tensor *slope = tg_where(tg_gt(tg_detach(n->in[0]), zero), tg_scalar(TG_F64, 1), left);
    dx[0] = tg_mul(g, slope);
}

static const tg_op bent_op = {
    .name = "bent", .arity = 1, .forward = bent_forward, .backward = bent_backward};

static tg_tensor *bent(void *context, tg_tensor *const *x, int count)
{
    (void)count;
    return tg_apply(TG_HERE, &bent_op, 1, x, context, sizeof(double));
}

static tg_tensor *relu_and_one(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_add(tg_relu(x[0]), tg_scalar(TG_F64, 1));
}

static tg_tensor *largest(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_max_dim(x[0], false, 0, 1);
}

static tg_tensor *sharp(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    (void)count;
    return tg_square(tg_mul(x[0], tg_scalar(TG_F64, 1e3)));
}

Test(gradcheck, kink__is_counted_and_said)
{
    tg_tensor *x = leaf(TG_F64, 0.2);
    tg_gradcheck_report report;
    tg_set(x, 0, 0, 1);
    cr_expect(tg_gradcheck(relu_and_one, NULL, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 1);
    cr_expect_eq(report.checked, 6);
    cr_expect_not_null(strstr(report.message, "; 1 at a kink"), "%s", report.message);
    cr_expect(tg_gradgradcheck(relu_and_one, NULL, &x, 1, 1e-5, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 1, "the gradient jumps there");
    tg_fill(x, 2); /* six equal ones: each is the largest as soon as it grows */
    cr_expect(tg_gradcheck(largest, NULL, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 6);
    tg_free(x);
}

Test(gradcheck, kink__does_not_hide_a_wrong_gradient)
{
    tg_tensor *x = leaf(TG_F64, 0.2);
    tg_gradcheck_report report;
    double left = 0.5;
    tg_set(x, 0, 0, 1);
    cr_expect(tg_gradcheck(bent, &left, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 1);
    left = 3; /* not between 0 and 1 */
    cr_expect_not(tg_gradcheck(bent, &left, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.element, 1);
    tg_set(x, -1, 0, 1); /* and where there is no kink, only 0 is right */
    left = 0.5;
    cr_expect_not(tg_gradcheck(bent, &left, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 0);
    tg_free(x);
}

Test(gradcheck, kink__beside_the_point_and_curvature_are_none)
{
    tg_tensor *x = leaf(TG_F64, 0.2);
    tg_gradcheck_report report;
    tg_set(x, 3e-7, 0, 1); /* inside of the first step, outside of the shorter one */
    cr_expect(tg_gradcheck(relu_and_one, NULL, &x, 1, 0, &report), "%s", report.message);
    cr_expect_eq(report.kinks, 0);
    tg_set(x, 0, 0, 1); /* slopes of +-1 from the two sides, because of a curvature of 2e6 */
    tg_gradcheck(sharp, NULL, &x, 1, 0, &report);
    cr_expect_eq(report.kinks, 0, "%s", report.message);
    tg_free(x);
}

/* ---- many elements, and modules -------------------------------------------------------------- */

typedef struct net {
    tg_module base;
    tg_linear_layer *hidden, *output;
    bool wrong;
} net;

static net *net_new(void)
{
    tg_set_default_dtype(TG_F64);
    tg_manual_seed(1);
    net *m = tg_module_new(net);
    m->hidden = tg_child(m, "hidden", tg_linear_new(40, 30));
    m->output = tg_child(m, "output", tg_linear_new(30, 1));
    tg_set_default_dtype(TG_F32);
    return m;
}

/* Where told, the gradient of one element of the 1200 in hidden.weight is missing. */
static tg_tensor *net_forward(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter;
    (void)count;
    net *m = context;
    tg_tensor *x = tg_full(TG_F64, 0.3, 2, 40), *y = tg_linear_forward(m->hidden, x);
    if (m->wrong)
        y = tg_add(y, tg_detach(tg_select(tg_select(m->hidden->weight, 0, 17), 0, 5)));
    return tg_linear_forward(m->output, tg_tanh(y));
}

Test(gradcheck, module__is_checked_as_a_whole)
{
    net *m = net_new();
    tg_gradcheck_report report;
    for (int order = 1; order <= 2; order++) {
        cr_expect(tg_module_gradcheck(&m->base, order, net_forward, m, 1e-6, &report), "%s",
                  report.message);
        cr_expect_eq(report.checked, TG_GRADCHECK_DIRECTIONS + 30 + 30 + 1);
        cr_expect_eq(report.kinks, 0);
    }
    tg_module_free(&m->base);
}

Test(gradcheck, module__with_one_wrong_element_of_many_is_found)
{
    net *m = net_new();
    tg_gradcheck_report report;
    const double before = tg_get(m->hidden->weight, 17, 5);
    m->wrong = true;
    cr_expect_not(tg_module_gradcheck(&m->base, 1, net_forward, m, 1e-6, &report));
    cr_expect_not_null(strstr(report.message, "hidden.weight: worst of 81: input 0, direction "),
                       "%s", report.message);
    cr_expect_eq(tg_get(m->hidden->weight, 17, 5), before);
    tg_module_freeze(&m->hidden->base, true);
    cr_expect(tg_module_gradcheck(&m->base, 1, net_forward, m, 1e-6, &report), "%s",
              report.message);
    cr_expect_eq(report.checked, 31);
    tg_module_free(&m->base);
}
