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

/* ---- NaN ------------------------------------------------------------------------------------- */

/* What takes one of several elements, and which gradient the others have if that is NaN. */
typedef struct choice {
    const char *name;
    tg_tensor *(*of)(tg_tensor *x); /* (n) -> () */
} choice;

static tg_tensor *largest(tg_tensor *x)
{
    return tg_max_dim(x, false, 0);
}

static tg_tensor *smallest(tg_tensor *x)
{
    return tg_min_dim(x, false, 0);
}

static tg_tensor *first_of_topk(tg_tensor *x)
{
    tg_tensor *places;
    return tg_select(tg_topk(x, 2, &places), 0, 0);
}

static tg_tensor *at_argmax(tg_tensor *x)
{
    return tg_squeeze(tg_index_select(x, 0, tg_argmax(x, 0, true)), 0);
}

static tg_tensor *chain(tg_tensor *x, tg_tensor *(*of)(const char *at, tg_tensor *a, tg_tensor *b))
{
    tg_tensor *y = tg_select(x, 0, 0);
    for (int i = 1; i < tg_size(x, 0); i++)
        y = of(TG_HERE, y, tg_select(x, 0, i));
    return y;
}

static tg_tensor *maximum_of_all(tg_tensor *x)
{
    return chain(x, tg_maximum_at);
}

static tg_tensor *minimum_of_all(tg_tensor *x)
{
    return chain(x, tg_minimum_at);
}

static tg_tensor *raised(tg_tensor *x)
{
    return chain(x, tg_clamp_min_at);
}

static tg_tensor *lowered(tg_tensor *x)
{
    return chain(x, tg_clamp_max_at);
}

static const choice choices[] = {
    {"max_dim", largest},        {"min_dim", smallest},
    {"topk", first_of_topk},     {"argmax", at_argmax},
    {"maximum", maximum_of_all}, {"minimum", minimum_of_all},
    {"clamp_min", raised},       {"clamp_max", lowered},
};

/* All sets of places among four elements in falling, rising and mixed order. */
Test(op_corners, choices__take_nan_at_any_place)
{
    static const double orders[][4] = {{4, 3, 2, 1}, {1, 2, 3, 4}, {2, 4, 1, 3}};
    for (size_t c = 0; c < sizeof choices / sizeof *choices; c++)
        for (int way = 0; way < 2 * 3 * 15; way++) {
            const int places = 1 + way / 6;
            tg_tensor *x = tg_empty_at(TG_HERE, way % 2 ? TG_F32 : TG_F64, TG_SHAPE(4));
            for (int i = 0; i < 4; i++)
                tg_set(x, places >> i & 1 ? NAN : orders[way / 2 % 3][i], i);
            cr_expect(isnan(tg_item(choices[c].of(x))), "%s: NaN at places %d", choices[c].name,
                      places);
        }
}

/* x = torch.tensor([...], requires_grad=True); x.max().backward(): what is NaN shares it. */
Test(op_corners, max_dim__has_the_gradient_where_nan_is)
{
    tg_tensor *x = LEAF(3, NAN, NAN, 2), *y = LEAF(NAN, 1, 2), *g = tg_scalar(TG_F64, 1);
    IS(gradient(tg_max_dim(x, false, 0), x, g), 0, 0.5, 0.5, 0);
    IS(gradient(tg_min_dim(x, false, 0), x, g), 0, 0.5, 0.5, 0);
    IS(gradient(tg_max_dim(y, false, 0), y, g), 1, 0, 0);
    IS(gradient(tg_min_dim(y, false, 0), y, g), 1, 0, 0);
}

/* torch.tensor([1., nan, 3., nan]).topk(4), argmax(); torch.sort sorts equal ones by their place */
Test(op_corners, topk__puts_nan_first)
{
    tg_tensor *x = F64(1, NAN, 3, NAN), *places;
    IS(tg_topk(x, 4, &places), NAN, NAN, 3, 1);
    IS(places, 1, 3, 2, 0);
    IS(tg_argmax(x, 0, false), 1);
}

/* Logits and differences: no comparison in a formula may drop NaN. All derivatives are 0 or NaN
 * but those that pass g on, and abs: torch.sgn(nan) is 0. */
Test(op_corners, losses__of_nan_are_nan)
{
    tg_tensor *x = LEAF(0, NAN), *y = F64(1, 1);
    tg_tensor *const loss[] = {
        tg_l1_loss(x, y),   tg_huber_loss(x, y, 1), tg_bce_with_logits_loss(x, y),
        tg_mse_loss(x, y),  tg_bpr_loss(x, y),      tg_var_dim(x, false, 0),
        tg_logsumexp(x, false, 0)};
    for (size_t i = 0; i < sizeof loss / sizeof *loss; i++)
        cr_expect(isnan(tg_item(loss[i])), "loss number %d", (int)i);
    /* F.huber_loss(x, y).backward(), ... */
    IS(gradient(tg_huber_loss(x, y, 1), x, NULL), -0.5, NAN);
    IS(gradient(tg_mse_loss(x, y), x, NULL), -1, NAN);
    IS(gradient(tg_bce_with_logits_loss(x, y), x, NULL), -0.25, NAN);
    IS(gradient(tg_l1_loss(x, y), x, NULL), -0.5, 0);
}

/* ---- what was not chosen --------------------------------------------------------------------- */

/* Ops that choose: the gradients of what they leave out are 0, those of what they take are g. */
typedef struct selection {
    const char *name;
    tg_tensor *(*of)(tg_tensor *x); /* x[0] has a gradient of 0, x[1] of g */
    double x[2];
} selection;

static tg_tensor *positive(tg_tensor *x)
{
    return tg_relu(x);
}

static tg_tensor *above_half(tg_tensor *x)
{
    return tg_clamp_min_scalar_at(TG_HERE, x, 0.5);
}

static tg_tensor *below_half(tg_tensor *x)
{
    return tg_clamp_max_scalar_at(TG_HERE, x, 0.5);
}

static tg_tensor *between(tg_tensor *x)
{
    return tg_clamp(x, 0, 2);
}

static tg_tensor *or_more(tg_tensor *x)
{
    return tg_maximum_scalar_at(TG_HERE, x, 0.5);
}

static tg_tensor *or_less(tg_tensor *x)
{
    return tg_minimum_scalar_at(TG_HERE, x, 0.5);
}

static tg_tensor *only_second(tg_tensor *x)
{
    return tg_where(I64(0, 1), x, tg_scalar(x->dtype, 0));
}

static tg_tensor *largest_kept(tg_tensor *x)
{
    return tg_max_dim(x, true, 0);
}

static tg_tensor *smallest_kept(tg_tensor *x)
{
    return tg_min_dim(x, true, 0);
}

static tg_tensor *first_power(tg_tensor *x)
{
    return tg_pow(x, F64(0, 1));
}

static const selection selections[] = {
    {"relu", positive, {-1, 1}},           {"relu", positive, {0, 1}},
    {"clamp_min", above_half, {0, 1}},     {"clamp_max", below_half, {1, 0}},
    {"clamp", between, {-1, 1}},           {"clamp", between, {3, 1}},
    {"maximum", or_more, {0, 1}},          {"minimum", or_less, {1, 0}},
    {"where", only_second, {1, 1}},        {"max_dim", largest_kept, {1, 2}},
    {"min_dim", smallest_kept, {2, 1}},    {"pow", first_power, {0, 1}},
};

/* torch.relu(x).backward(torch.tensor([inf, inf])) and the like: x.grad is [0, inf]. */
Test(op_corners, selections__stop_infinite_gradients)
{
    static const double infinite[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof selections / sizeof *selections; i++)
        for (size_t k = 0; k < 3; k++) {
            const selection *s = &selections[i];
            tg_tensor *x = LEAF(s->x[0], s->x[1]), *y = s->of(x);
            tg_tensor *g = tg_full_at(TG_HERE, TG_F64, infinite[k], y->shape);
            const tg_tensor *dx = gradient(y, x, g);
            const double left = tg_get(dx, 0), taken = tg_get(dx, 1);
            cr_expect(left == 0 && (taken == infinite[k] || (isnan(taken) && k == 2)),
                      "%s of %g, %g from g = %g: %g, %g", s->name, s->x[0], s->x[1], infinite[k],
                      left, taken);
        }
}

/* Those that multiply, as in PyTorch: torch.abs(x).backward(inf) at 0, ... */
Test(op_corners, products__pass_infinite_gradients)
{
    tg_tensor *x = LEAF(0, 1), *g = tg_full(TG_F64, INFINITY, 2);
    IS(gradient(tg_abs(x), x, g), NAN, INFINITY);
    IS(gradient(tg_square(x), x, g), NAN, INFINITY);
    IS(gradient(tg_mul(x, tg_detach(x)), x, g), NAN, INFINITY);
    IS(gradient(tg_huber_scalar_at(TG_HERE, x, 1), x, g), NAN, INFINITY);
    IS(gradient(tg_leaky_relu_scalar(x, 0), x, g), NAN, INFINITY);
}

/* An infinite derivative behind an op that chooses, and before one. */
Test(op_corners, dead_branches__have_no_gradient)
{
    tg_tensor *x = LEAF(-1, 0, 4), *above = tg_gt(tg_detach(x), tg_scalar(TG_F64, 0));
    tg_tensor *zero = tg_scalar(TG_F64, 0), *g = F64(1, 1, 1);
    /* torch.relu(x).sqrt(), torch.relu(x).log(), 1 / x.clamp(0), torch.relu(x) ** 0.5 */
    IS(gradient(tg_sqrt(tg_relu(x)), x, g), 0, 0, 0.25);
    IS(gradient(tg_log(tg_relu(x)), x, g), 0, 0, 0.25);
    IS(gradient(tg_div(g, tg_relu(x)), x, g), 0, 0, -0.0625);
    IS(gradient(tg_pow_scalar(tg_relu(x), 0.5), x, g), 0, 0, 0.25);
    /* torch.where(x > 0, x.sqrt(), 0) and so on: NaN in PyTorch, which multiplies 0 with it */
    IS(gradient(tg_where(above, tg_sqrt(x), zero), x, g), 0, 0, 0.25);
    IS(gradient(tg_where(above, tg_log(x), zero), x, g), 0, 0, 0.25);
    IS(gradient(tg_where(above, tg_div(g, x), zero), x, g), 0, 0, -0.0625);
    IS(gradient(tg_where(above, tg_pow_scalar(x, 0.5), zero), x, g), 0, 0, 0.25);
}

/* F.normalize(torch.zeros(2), dim=0).sum().backward() */
Test(op_corners, normalising_zeros__has_finite_gradients)
{
    tg_tensor *x = LEAF(0, 0), *dx, *again;
    tg_tensor *norm = tg_sqrt(tg_sum(tg_square(x)));
    tg_tensor *y = tg_div(x, tg_clamp_min_scalar_at(TG_HERE, norm, 1e-12));
    tg_grad(tg_sum(y), &x, 1, &dx, .create_graph = true);
    IS_NEAR(1e-15, dx, 1e12, 1e12);
    tg_grad(tg_sum(tg_square(dx)), &x, 1, &again, 0);
    IS(again, 0, 0);
}

/* ---- second derivatives that are zero everywhere --------------------------------------------- */

/* g, = torch.autograd.grad(loss, x, create_graph=True); torch.autograd.grad(g.sum(), x) */
static tg_tensor *second(tg_tensor *loss, tg_tensor *x)
{
    tg_tensor *dx = NULL, *again = NULL;
    tg_grad(loss, &x, 1, &dx, .create_graph = true);
    if (dx->requires_grad)
        tg_grad(tg_sum(dx), &x, 1, &again, 0);
    return again;
}

Test(op_corners, second_derivatives__of_finite_elements_stay_finite)
{
    tg_tensor *x = LEAF(INFINITY, 1, -2, 0), *zeros = tg_zeros(TG_F64, 4);
    IS(second(tg_mse_loss(x, zeros), x), 0.5, 0.5, 0.5, 0.5);
    IS(second(tg_mean(tg_square(x)), x), 0.5, 0.5, 0.5, 0.5);
    IS(second(tg_sum(tg_square(tg_add(x, x))), x), 8, 8, 8, 8);
    IS(second(tg_sum(tg_square(tg_relu(x))), x), 2, 2, 0, 0);
    IS(second(tg_sum(tg_mul(x, tg_neg(x))), x), -2, -2, -2, -2);
    IS(second(tg_huber_loss(x, zeros, 1.5), x), 0, 0.25, 0, 0.25);
}

/* b (b - 1) is infinite, a^(b - 2) is 0. */
/* As in PyTorch: a derivative that is 0 does not depend on the gradient that it would multiply. */
Test(op_corners, gradient_of_a_step__has_none_itself)
{
    tg_tensor *x = LEAF(0.5, -1.5), *g = LEAF(2, 3);
    tg_tensor *(*const step[])(const char *, tg_tensor *) = {tg_floor_at, tg_ceil_at, tg_round_at,
                                                             tg_sign_at};
    for (int i = 0; i < 4; i++) {
        tg_tensor *dx = NULL;
        tg_grad(step[i](TG_HERE, x), &x, 1, &dx, .grad_output = g, .create_graph = true);
        IS(dx, 0, 0);
        cr_expect(!dx->requires_grad);
    }
}

Test(op_corners, second_derivative_of_pow__does_not_overflow)
{
    tg_tensor *x = LEAF(0.5);
    IS(second(tg_sum(tg_pow_scalar(x, 1e200)), x), 0);
}

/* torch.relu(torch.tensor([-0.0, nan])) */
Test(op_corners, relu__keeps_negative_zero_and_nan)
{
    const tg_tensor *y = tg_relu(F64(-0.0, NAN));
    cr_expect(tg_get(y, 0) == 0 && signbit(tg_get(y, 0)), "%g", tg_get(y, 0));
    cr_expect(isnan(tg_get(y, 1)), "%g", tg_get(y, 1));
}

/* There is none, or zeros, in PyTorch. */
Test(op_corners, straight_functions__have_no_second_derivative)
{
    tg_tensor *x = LEAF(1, -2, 3), *two = tg_scalar(TG_F64, 2);
    tg_tensor *const y[] = {tg_neg(x), tg_add(x, two), tg_sub(two, x), tg_mul(x, two),
                            tg_div(x, two), tg_relu(x), tg_abs(x), tg_clamp(x, -1, 2),
                            tg_maximum(x, two), tg_max_dim(x, false, 0),
                            tg_leaky_relu_scalar(x, 0.1)};
    for (size_t i = 0; i < sizeof y / sizeof *y; i++)
        cr_expect_null(second(tg_sum(y[i]), x), "function number %d", (int)i);
}

/* ---- whole numbers beyond 2^53 --------------------------------------------------------------- */

Test(op_corners, whole_numbers__are_compared_exactly)
{
    const int64_t big = INT64_C(1) << 53; /* in a double, big + 1 is big */
    static const struct {
        int64_t a, b;
    } pairs[] = {{1, 2},
                 {INT64_C(1) << 53, (INT64_C(1) << 53) + 1},
                 {INT64_MAX - 1, INT64_MAX},
                 {INT64_MIN, INT64_MIN + 1},
                 {-(INT64_C(1) << 53) - 1, -(INT64_C(1) << 53)}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tg_tensor *x = I64(pairs[i].a, pairs[i].b, pairs[i].b), *y = I64(pairs[i].b);
        IS(tg_eq(x, y), 0, 1, 1);
        IS(tg_ne(x, y), 1, 0, 0);
        IS(tg_lt(x, y), 1, 0, 0);
        IS(tg_le(x, y), 1, 1, 1);
        IS(tg_gt(x, y), 0, 0, 0);
        IS(tg_ge(x, y), 0, 1, 1);
        IS(tg_gt(y, x), 1, 0, 0);
        IS(tg_argmax(x, 0, false), 1);
    }
    tg_tensor *ids = I64(big, big + 3, big + 1, big + 2), *places;
    const tg_tensor *most = tg_topk(ids, 3, &places);
    IS(places, 1, 3, 2);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(((const int64_t *)most->data)[i], big + 3 - i);
}

/* Moved bit for bit: index_select, where, gather, cat of ids. */
Test(op_corners, whole_numbers__are_moved_exactly)
{
    const int64_t odd = INT64_MAX - 2;
    tg_tensor *ids = I64(1, odd), *last = I64(1), *none = I64(0);
    const tg_tensor *const moved[] = {
        tg_index_select(ids, 0, last), tg_gather(ids, 0, last), tg_where(last, I64(odd), none),
        tg_where(none, none, I64(odd)), tg_narrow(tg_contiguous(tg_cat(0, none, ids)), 0, 2, 1)};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        cr_expect_eq(*(const int64_t *)moved[i]->data, odd, "%d", (int)i);
}

/* Of NaN only "not equal" holds. torch.ne(torch.tensor(nan), 1.), ... */
Test(op_corners, comparisons__with_nan_are_false)
{
    tg_tensor *x = F32(NAN, 1, NAN), *y = F32(1, NAN, NAN);
    IS(tg_eq(x, y), 0, 0, 0);
    IS(tg_ne(x, y), 1, 1, 1);
    IS(tg_lt(x, y), 0, 0, 0);
    IS(tg_le(x, y), 0, 0, 0);
    IS(tg_gt(x, y), 0, 0, 0);
    IS(tg_ge(x, y), 0, 0, 0);
}

/* ---- no elements, no dimensions -------------------------------------------------------------- */

static void check_shape(const char *at, const char *call, const tg_tensor *t, tg_shape expected)
{
    char got[TG_SHAPE_TEXT], wanted[TG_SHAPE_TEXT];
    cr_expect(tg_shape_equal(&t->shape, &expected), "%s: %s is %s, not %s", at, call,
              tg_shape_format(&t->shape, got), tg_shape_format(&expected, wanted));
}
#define HAS_SHAPE(call, ...) check_shape(TG_HERE, #call, call, TG_SHAPE(__VA_ARGS__))

Test(op_corners, reductions__over_no_elements)
{
    tg_tensor *none = tg_zeros(TG_F64, 0), *rows = tg_zeros(TG_F32, 2, 0);
    const double inf = INFINITY;
    /* torch.zeros(0).var(0), torch.zeros(2, 0).var(1), torch.ones(1).var(0), ... */
    IS(tg_var_dim(none, false, 0), NAN);
    IS(tg_var_dim(rows, false, 1), NAN, NAN);
    IS(tg_var_dim(F64(1), false, 0), NAN);
    IS(tg_logsumexp(none, false, 0), -inf);
    IS(tg_logsumexp(rows, true, 1), -inf, -inf);
    IS(tg_sum_dim(rows, false, 1), 0, 0);
    IS(tg_mean_dim(rows, false, 1), NAN, NAN);
    IS(tg_embedding_bag(tg_full(TG_F64, 3, 4, 1), tg_zeros(TG_I64, 2, 0), true), 0, 0);
    HAS_SHAPE(tg_softmax(none, 0), 0);
    HAS_SHAPE(tg_softmax(rows, 1), 2, 0);
    HAS_SHAPE(tg_log_softmax(rows, -1), 2, 0);
    HAS_SHAPE(tg_log_softmax(rows, 0), 2, 0);
    HAS_SHAPE(tg_logsumexp(rows, false, 0), 0);
    HAS_SHAPE(tg_var_dim(rows, false, 0), 0);
    HAS_SHAPE(tg_max_dim(rows, true, 0), 1, 0);
    HAS_SHAPE(tg_argmax(rows, 0, false), 0);
    HAS_SHAPE(tg_topk(rows, 0, &(tg_tensor *){NULL}), 2, 0);
    HAS_SHAPE(tg_layer_norm(rows, NULL, NULL, 1e-5), 2, 0);
}

/* torch.zeros(2, 0).amax(1), argmax(1) are errors as well. */
Test(op_corners, reductions__that_choose_among_nothing_are_misuse)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *rows = tg_zeros(TG_F32, 2, 0), *scalar = tg_scalar(TG_F64, 3);
    cr_expect(tg_is_error(tg_max_dim(rows, false, 1)));
    cr_expect(tg_is_error(tg_min_dim(rows, false, 1)));
    cr_expect(tg_is_error(tg_argmax(rows, 1, false)));
    cr_expect(tg_is_error(tg_topk(scalar, 2, &(tg_tensor *){NULL})));
    cr_expect(tg_is_error(tg_topk(scalar, 0, &(tg_tensor *){NULL})));
    cr_expect(tg_is_error(tg_gather(scalar, 0, I64(1))));
    cr_expect(tg_is_error(tg_gather(tg_zeros(TG_F64, 2, 3), 0, tg_scalar(TG_I64, 0))));
    cr_expect(tg_is_error(tg_index_select(scalar, 0, I64(0, 0))));
    cr_expect(tg_is_error(tg_index_select(scalar, 1, I64(0))));
}

static void check_scalar(const char *at, const char *call, const tg_tensor *t, double expected)
{
    cr_expect(!tg_is_error(t), "%s: %s: %s", at, call, tg_last_error()->message);
    check_shape(at, call, t, (tg_shape){.ndim = 0});
    const double y = tg_item(t);
    cr_expect(y == expected || (isnan(y) && isnan(expected)), "%s: %s is %g, not %g", at, call, y,
              expected);
}
#define IS_SCALAR(call, expected) check_scalar(TG_HERE, #call, call, expected)

/* x = torch.tensor(3.); x.sum(0), x.sum(-1), x.mean(0), ... */
Test(op_corners, scalars__have_a_dimension_to_run_along)
{
    tg_tensor *x = tg_scalar(TG_F64, 3), *zero = tg_scalar(TG_I64, 0), *places;
    for (int dim = -1; dim <= 0; dim++)
        for (int keep = 0; keep < 2; keep++) {
            IS_SCALAR(tg_sum_dim(x, keep, dim), 3);
            IS_SCALAR(tg_mean_dim(x, keep, dim), 3);
            IS_SCALAR(tg_max_dim(x, keep, dim), 3);
            IS_SCALAR(tg_min_dim(x, keep, dim), 3);
            IS_SCALAR(tg_var_dim(x, keep, dim), NAN);
            IS_SCALAR(tg_logsumexp(x, keep, dim), 3);
            IS_SCALAR(tg_softmax(x, dim), 1);
            IS_SCALAR(tg_log_softmax(x, dim), 0);
            IS_SCALAR(tg_argmax(x, dim, keep), 0);
            IS_SCALAR(tg_gather(x, dim, zero), 3);
            IS_SCALAR(tg_scatter_add(x, dim, zero, x), 6);
            IS_SCALAR(tg_index_select(x, dim, I64(0)), 3);
        }
    IS_SCALAR(tg_topk(x, 1, &places), 3);
    IS_SCALAR(places, 0);
    IS(tg_gather(x, 0, I64(0, 0)), 3, 3);
    IS_SCALAR(tg_gather(F64(1, 2), 0, tg_scalar(TG_I64, 1)), 2);
    HAS_SHAPE(tg_index_select(F64(1, 2), 0, tg_scalar(TG_I64, 1)), 1);
}

/* ---- nothing to reduce ----------------------------------------------------------------------- */

/* y = x.sum(1, keepdim=True), x of (2, 1): torch.autograd.grad((2 * y + 5 * x).sum(), y) is 2. */
static void check_own(const char *at, const char *call, tg_tensor *y, tg_tensor *x, double value)
{
    tg_tensor *dy = NULL;
    cr_assert(y != x && !tg_is_error(y), "%s: %s is x itself", at, call);
    tg_tensor *loss = tg_add(tg_mul_scalar(tg_sum(y), 2), tg_mul_scalar(tg_sum(x), 5));
    tg_grad(loss, &y, 1, &dy, 0);
    check(at, call, tg_reshape(dy, -1), tg_numel(y), (const double[]){2, 2}, 0);
    tg_fill(x, 7);
    cr_expect_eq(tg_get(tg_reshape(y, -1), 0), value, "%s: %s shares x's elements", at, call);
}
#define IS_OWN(call, x, value) check_own(TG_HERE, #call, call, x, value)

/* (2, 1), each element `value` */
static tg_tensor *columns(double value)
{
    return tg_requires_grad(tg_full(TG_F64, value, 2, 1));
}

static tg_tensor *number(double value)
{
    return tg_requires_grad(tg_scalar(TG_F64, value));
}

Test(op_corners, reductions__over_nothing_are_tensors_of_their_own)
{
    tg_tensor *x;
    x = columns(3), IS_OWN(tg_sum_dim(x, true, 1), x, 3);
    x = columns(3), IS_OWN(tg_sum_dim(x, false, -1), x, 3);
    x = columns(3), IS_OWN(tg_sum_to(x, 2, 1), x, 3);
    x = tg_requires_grad(tg_full(TG_F64, 3, 1, 2)), IS_OWN(tg_sum_to(x, 2), x, 3);
    x = columns(3), IS_OWN(tg_mean_dim(x, true, 1), x, 3);
    x = columns(3), IS_OWN(tg_max_dim(x, true, 1), x, 3);
    x = columns(3), IS_OWN(tg_max_dim(x, false, 1), x, 3);
    x = columns(3), IS_OWN(tg_min_dim(x, true, 1), x, 3);
    x = columns(3), IS_OWN(tg_logsumexp(x, true, 1), x, 3);
    x = number(3), IS_OWN(tg_sum(x), x, 3);
    x = number(3), IS_OWN(tg_mean(x), x, 3);
    x = number(3), IS_OWN(tg_sum_dim(x, true, 0), x, 3);
    x = number(3), IS_OWN(tg_max_dim(x, true, 0), x, 3);
    x = number(3), IS_OWN(tg_embedding_bag(tg_reshape(x, 1, 1), tg_zeros(TG_I64, 1, 1), false), x,
                          3);
}

/* ---- attention ------------------------------------------------------------------------------- */

Test(op_corners, attention__of_masks)
{
    tg_tensor *q = tg_view(F64(1, 2, 3, -1), 2, 2), *k = tg_view(F64(0.5, 1, -1, 2, 2, 0), 3, 2);
    tg_tensor *v = tg_view(F64(1, 0, 0, 1, 3, -2), 3, 2);
    tg_tensor *bias = tg_view(F64(0, 1, -2, -INFINITY, 0, 1), 2, 3);
    /* functional._scaled_dot_product_attention(q, k, v, mask, 0.0, False, is_causal)[0] */
#define ATTENTION(mask, is_causal) tg_scaled_dot_product_attention(q, k, v, mask, 0, is_causal)
    IS_NEAR(1e-15, ATTENTION(NULL, false), 0.9936851967708016, 0.006314803229198251,
            2.95867854928868, -1.95867854928868);
    IS_NEAR(1e-15, ATTENTION(I64(1, 0, 1), false), 1.8250419983207806, -0.8250419983207805,
            2.959892725677827, -1.959892725677827);
    IS_NEAR(1e-15, ATTENTION(bias, false), 0.25876843738204647, 0.7412315626179535,
            2.999537894044176, -1.9995378940441761);
    IS_NEAR(1e-15, ATTENTION(NULL, true), 1, 0, 0.9799463628389135, 0.02005363716108668);
    IS(ATTENTION(I64(0, 0, 0), false), NAN, NAN, NAN, NAN);
}

/* Without a mask, blocks of queries; with a mask of ones, made of ops. Heads lie side by side. */
Test(op_corners, attention__in_blocks)
{
    enum { T = 150, S = 70, HEADS = 2, DIM = 5, WIDTH = HEADS * DIM };
    tg_manual_seed(4);
    for (int causal = 0; causal < 2; causal++) {
        tg_tensor *x[3], *heads[3], *y[2], *dx[2][3];
        for (int i = 0; i < 3; i++) {
            x[i] = tg_requires_grad(tg_randn(TG_F64, 1, i ? S : T, WIDTH));
            heads[i] = tg_transpose(tg_view(x[i], 1, i ? S : T, HEADS, DIM), 1, 2);
        }
        tg_tensor *mask = tg_full(TG_I64, 1, T, S), *g = tg_randn(TG_F64, 1, HEADS, T, DIM);
        for (int i = 0; i < T && causal; i++)
            for (int j = i + 1; j < S; j++)
                tg_set(mask, 0, i, j);
        for (int w = 0; w < 2; w++) {
            y[w] = tg_scaled_dot_product_attention(heads[0], heads[1], heads[2], w ? mask : NULL, 0,
                                                   !w && causal);
            tg_grad(y[w], x, 3, dx[w], .grad_output = g);
        }
        cr_expect(tg_is_contiguous(tg_transpose(y[0], 1, 2)), "heads are where they were");
        double most = tg_item(tg_sum(tg_abs(tg_sub(y[0], y[1]))));
        for (int i = 0; i < 3; i++)
            most = fmax(most, tg_item(tg_sum(tg_abs(tg_sub(dx[0][i], dx[1][i])))));
        cr_expect_lt(most, 1e-10, "%g", most);
    }
}

/* Whatever is added to all logits of a row. */
Test(op_corners, cross_entropy__does_not_depend_on_the_size_of_logits)
{
    static const double shift[] = {0, 1e8, -1e12, 1e17, -1e300};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    for (size_t i = 0; i < sizeof shift / sizeof *shift; i++) {
        tg_tensor *x = tg_requires_grad(tg_full(TG_F64, shift[i], 1, 3));
        tg_tensor *loss = tg_cross_entropy(x, tg_zeros(TG_I64, 1));
        tg_backward(loss);
        cr_expect_float_eq(tg_item(loss), log(3), 1e-15, "%g: %g", shift[i], tg_item(loss));
        for (int k = 0; k < 3; k++)
            cr_expect_float_eq(tg_get(x->grad, 0, k), 1. / 3 - (k == 0), 1e-15, "%g", shift[i]);
    }
    tg_step_end();
}
