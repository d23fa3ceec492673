/* Ops where numbers end: infinities, NaN, large offsets, no elements, no dimensions, whole numbers
 * beyond 2^53. Expected values are PyTorch's 1.13; its call stands beside them. */
#include <math.h>

#include "tests/helpers.h"

TestSuite(op_corners, .init = tg_step_begin, .fini = tg_step_end);

#define COUNT_OF(type, ...) ((int64_t)(sizeof((type[]){__VA_ARGS__}) / sizeof(type)))
#define LIST(dtype, type, ...)                                                                     \
    tg_from(dtype, ((const type[]){__VA_ARGS__}), COUNT_OF(type, __VA_ARGS__))
#define F32(...) LIST(TG_F32, float, __VA_ARGS__)
#define F64(...) LIST(TG_F64, double, __VA_ARGS__)
#define I64(...) LIST(TG_I64, int64_t, __VA_ARGS__)
#define LEAF(...) tg_requires_grad(F64(__VA_ARGS__))

/* The elements of t, of any shape, within an error relative to the largest expected one. */
static void check(const char *at, const char *call, tg_tensor *t, int64_t count,
                  const double *expected, double allowed)
{
    cr_assert(t && !tg_is_error(t), "%s: %s: %s", at, call, tg_last_error()->message);
    cr_assert_eq(tg_numel(t), count, "%s: %s has %d elements", at, call, (int)tg_numel(t));
    const tg_tensor *flat = tg_reshape(t, -1);
    for (int64_t i = 0; i < count; i++) {
        const double y = tg_get(flat, i), e = expected[i];
        cr_expect(y == e || (isnan(y) && isnan(e)) || fabs(y - e) <= allowed * fabs(e),
                  "%s: %s: element %d is %.17g, not %.17g", at, call, (int)i, y, e);
    }
}
#define IS(call, ...)                                                                              \
    check(TG_HERE, #call, call, COUNT_OF(double, __VA_ARGS__), (const double[]){__VA_ARGS__}, 0)
#define IS_NEAR(allowed, call, ...)                                                                \
    check(TG_HERE, #call, call, COUNT_OF(double, __VA_ARGS__), (const double[]){__VA_ARGS__},      \
          allowed)

/* The gradient of sum(g y) with respect to x. */
static tg_tensor *gradient(tg_tensor *y, tg_tensor *x, tg_tensor *g)
{
    tg_tensor *dx = NULL;
    tg_grad(y, &x, 1, &dx, .grad_output = g);
    return dx;
}

/* ---- softmax --------------------------------------------------------------------------------- */

Test(op_corners, softmax__is_the_same_beside_an_offset)
{
    /* torch.tensor(x).softmax(0), log_softmax(0), logsumexp(0) */
    IS(tg_softmax(F32(1e8F, 1e8F), 0), 0.5, 0.5);
    IS_NEAR(1e-7, tg_softmax(F32(100, 100, 101), 0), 0.21194155514240265, 0.21194155514240265,
            0.5761168599128723);
    IS_NEAR(1e-7, tg_softmax(F32(1e8F, 1e8F + 8), 0), 0.00033535013790242374, 0.9996646642684937);
    IS_NEAR(1e-7, tg_log_softmax(F32(1e8F, 1e8F), 0), -0.6931471824645996, -0.6931471824645996);
    IS_NEAR(1e-7, tg_log_softmax(F32(1e8F, 1e8F + 8), 0), -8.000335693359375,
            -0.00033539868309162557);
    IS_NEAR(1e-15, tg_logsumexp(F64(1e8, 1e8), false, 0), 100000000.69314718);
    /* F.cross_entropy(torch.tensor([[1e8, 1e8]]), torch.tensor([1])) */
    IS_NEAR(1e-7, tg_cross_entropy(tg_full(TG_F32, 1e8, 1, 2), I64(1)), 0.6931471824645996);
}

Test(op_corners, softmax__of_infinities)
{
    const double inf = INFINITY;
    /* torch.tensor(x).softmax(0), log_softmax(0), logsumexp(0) */
    IS_NEAR(1e-15, tg_softmax(F64(-inf, 0, 1), 0), 0, 0.26894142136999512, 0.73105857863000488);
    IS(tg_softmax(F64(-inf, -inf), 0), NAN, NAN);
    IS(tg_softmax(F64(inf, 0, 1), 0), NAN, NAN, NAN);
    IS(tg_softmax(F64(0, NAN, 1), 0), NAN, NAN, NAN);
    IS_NEAR(1e-15, tg_log_softmax(F64(-inf, 0, 1), 0), -inf, -1.3132616875182228,
            -0.31326168751822286);
    IS(tg_log_softmax(F64(-inf, -inf), 0), NAN, NAN);
    IS(tg_log_softmax(F64(inf, -inf, 0), 0), NAN, NAN, NAN);
    IS_NEAR(1e-15, tg_logsumexp(F64(-inf, 0, 1), false, 0), 1.3132616875182228);
    IS(tg_logsumexp(F64(-inf, -inf), false, 0), -inf);
    IS(tg_logsumexp(F64(inf, -inf, 0), false, 0), inf);
    IS(tg_logsumexp(F64(0, NAN, 1), false, 0), NAN);
}

Test(op_corners, softmax__has_gradients_beside_infinities)
{
    const double inf = INFINITY;
    tg_tensor *x = LEAF(-inf, 0, 1), *g = F64(1, 2, 4), *one = tg_scalar(TG_F64, 1);
    tg_tensor *high = LEAF(inf, 0, 1);
    /* y = x.softmax(0); y.backward(torch.tensor([1., 2., 4.])), ... */
    IS_NEAR(4e-15, gradient(tg_softmax(x, 0), x, g), 0, -0.3932238664829638, 0.39322386648296354);
    IS_NEAR(4e-15, gradient(tg_log_softmax(x, 0), x, g), 1, 0.11741005041003427,
            -1.1174100504100344);
    IS_NEAR(4e-15, gradient(tg_logsumexp(x, false, 0), x, one), 0, 0.26894142136999510,
            0.73105857863000490);
    IS(gradient(tg_logsumexp(high, false, 0), high, one), NAN, 0, 0);
}
