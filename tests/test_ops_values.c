/* What the ops compute: against formulas in double, loops, and numbers written by hand. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tests/op_samples.h"

/* Equal, or both not a number. */
static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* ---- elementwise ops: references ------------------------------------------------------------- */

#define REFERENCES(OF)                                                                             \
    OF(neg, 0 - a)                                                                                 \
    OF(abs, a < 0 ? 0 - a : a)                                                                     \
    OF(square, pow(a, 2))                                                                          \
    OF(cube, pow(a, 3))                                                                            \
    OF(sqrt, pow(a, 0.5))                                                                          \
    OF(sign, a > 0 ? 1 : a < 0 ? -1 : 0)                                                           \
    OF(round, rint(a))                                                                             \
    OF(floor, -ceil(-a))                                                                           \
    OF(ceil, -floor(-a))                                                                           \
    OF(sin, 2 * tan(a / 2) / (1 + pow(tan(a / 2), 2)))                                             \
    OF(cos, 1 - 2 * pow(sin(a / 2), 2))                                                            \
    OF(expm1, exp(a) - 1)                                                                          \
    OF(log1p, log(1 + a))                                                                          \
    OF(softplus, log(1 + exp(a)))                                                                  \
    OF(logsigmoid, log(1 / (1 + exp(-a))))                                                         \
    OF(silu, a * (1 + tanh(a / 2)) / 2)                                                            \
    OF(gelu, a * (1 + erf(a / sqrt(2))) / 2)                                                       \
    OF(pow, exp(b * log(a)))                                                                       \
    OF(minimum, fmin(a, b))                                                                        \
    OF(maximum, fmax(a, b))                                                                        \
    OF(clamp_min, fmax(a, b))                                                                      \
    OF(clamp_max, fmin(a, b))                                                                      \
    OF(leaky_relu, fmax(a, 0) + b * fmin(a, 0))                                                    \
    OF(huber, fabs(a) < b ? a * a / 2 : fabs(a) * b - b * b / 2)                                   \
    OF(relu, a > 0 ? a : 0)                                                                        \
    OF(sigmoid, (1 + tanh(a / 2)) / 2)                                                             \
    OF(tanh, 1 - 2 / (exp(2 * a) + 1))                                                             \
    OF(exp, pow(2.718281828459045235, a))                                                          \
    OF(log, log2(a) * 0.6931471805599453094)                                                       \
    OF(add, a + b)                                                                                 \
    OF(sub, a - b)                                                                                 \
    OF(mul, a * b)                                                                                 \
    OF(div, a / b)                                                                                 \
    OF(squared_error, a * a - 2 * a * b + b * b)                                                   \
    OF(logit_cross_entropy,                                                                        \
       -b * log(1 / (1 + exp(-a))) - (1 - b) * log(1 - 1 / (1 + exp(-a))))

#define OF(op, value)                                                                              \
    static double op##_of(double a, double b)                                                      \
    {                                                                                              \
        (void)b;                                                                                   \
        return value;                                                                              \
    }
REFERENCES(OF)
#undef OF

typedef double (*reference)(double a, double b);

static reference reference_of(const char *op)
{
    static const struct {
        const char *op;
        reference of;
    } references[] = {
#define OF(op, value) {#op, op##_of},
        REFERENCES(OF)
#undef OF
    };
    for (size_t i = 0; i < sizeof references / sizeof *references; i++)
        if (strcmp(references[i].op, op) == 0)
            return references[i].of;
    return NULL;
}

Test(op_values, every_elementwise_op__has_a_reference)
{
    static const char *const elementwise[] = {
#define UNARY(op, ...) #op,
#define BINARY(op, ...) #op,
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY
    };
    for (size_t i = 0; i < sizeof elementwise / sizeof *elementwise; i++)
        cr_expect(reference_of(elementwise[i]), "%s has no formula in REFERENCES", elementwise[i]);
}

/* The element of t that stands at `index` of a shape to which t broadcasts. */
static double broadcast_get(const tg_tensor *t, const tg_shape *index)
{
    tg_shape own = {.ndim = t->shape.ndim};
    for (int d = 0; d < own.ndim; d++)
        own.size[d] = t->shape.size[d] == 1 ? 0 : index->size[index->ndim - own.ndim + d];
    return tg_get_at(TG_HERE, t, own);
}

/* The row-major index of element number i. */
static tg_shape index_of(const tg_shape *shape, int64_t i)
{
    tg_shape index = {.ndim = shape->ndim};
    for (int d = shape->ndim - 1; d >= 0; d--) {
        index.size[d] = i % shape->size[d];
        i /= shape->size[d];
    }
    return index;
}

/* A tensor of the shape, stored with its dimensions reversed where `strided`. */
static tg_tensor *drawn(const op_sample *s, tg_dtype dtype, const tg_shape *shape, bool strided)
{
    const int ndim = shape->ndim;
    tg_shape stored = *shape;
    for (int d = 0; strided && d < ndim; d++)
        stored.size[d] = shape->size[ndim - 1 - d];
    tg_tensor *t = tg_empty_at(TG_HERE, dtype, stored);
    tg_fill_uniform(t, s->low, s->high);
    for (int d = 0; strided && d < ndim / 2; d++)
        t = tg_transpose(t, d, ndim - 1 - d);
    return t;
}

static void compare_with_reference(const op_sample *s, tg_dtype dtype, bool strided)
{
    const double allowed = dtype == TG_F32 ? 4e-7 : 4e-15;
    char text[TG_SHAPE_TEXT];
    tg_tensor *x[2];
    for (int i = 0; i < s->count; i++)
        x[i] = drawn(s, dtype, &s->operand[i], strided);
    const tg_tensor *y = s->apply(x);
    const bool broadcasts = s->count == 2 && x[1]->shape.ndim > x[0]->shape.ndim;
    cr_expect_eq(y->shape.ndim, x[broadcasts]->shape.ndim, "%s gave %s", s->op,
                 tg_shape_format(&y->shape, text));
    for (int64_t i = 0; i < tg_numel(y); i++) {
        const tg_shape index = index_of(&y->shape, i);
        const double a = broadcast_get(x[0], &index);
        const double b = s->count == 2 ? broadcast_get(x[1], &index) : 0;
        const double got = tg_get_at(TG_HERE, y, index), expected = reference_of(s->op)(a, b);
        cr_expect(fabs(got - expected) <= allowed * fmax(4, fabs(expected)),
                  "%s of %s%s: f(%.17g, %.17g) is %.17g, expected %.17g", s->op,
                  tg_dtype_name(dtype), strided ? ", strided" : "", a, b, got, expected);
    }
}

Test(op_values, elementwise_ops__agree_with_formulas)
{
    tg_step_begin();
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; k < 4; k++)
            if (reference_of(op_samples[i].op))
                compare_with_reference(&op_samples[i], k & 1 ? TG_F64 : TG_F32, k & 2);
    tg_step_end();
}

/* Longer than the pieces in which strided operands are gathered, and with many threads. */
Test(op_values, elementwise_ops__agree_with_formulas_on_large_operands)
{
    static const tg_shape shapes[][2] = {
        {{2, {3, 1100}}, {2, {3, 1100}}},
        {{2, {1100, 3}}, {1, {3}}},
        {{2, {40, 300}}, {2, {40, 1}}},
    };
    tg_set_num_threads(3);
    for (int i = 0; i < op_sample_count; i++) {
        op_sample s = op_samples[i];
        if (!reference_of(s.op) || (i > 0 && strcmp(s.op, op_samples[i - 1].op) == 0))
            continue;
        for (int k = 0; k < 12; k++) {
            memcpy(s.operand, shapes[k / 4], sizeof shapes[0]);
            tg_step_begin();
            compare_with_reference(&s, k & 1 ? TG_F64 : TG_F32, k & 2);
            tg_step_end();
        }
    }
    tg_set_num_threads(1);
}

/* ---- elementwise ops: special values --------------------------------------------------------- */

/* As PyTorch 1.13 has them. */
typedef struct special {
    const char *op;
    double a, b, y, da, db; /* operands, value and derivatives; NAN where not a number */
} special;

static const special specials[] = {
    {"relu", NAN, 0, NAN, 1, 0},
    {"relu", -0.0, 0, 0, 0, 0},
    {"relu", INFINITY, 0, INFINITY, 1, 0},
    {"relu", -INFINITY, 0, 0, 0, 0},
    {"sigmoid", 1000, 0, 1, 0, 0},
    {"sigmoid", -1000, 0, 0, 0, 0},
    {"sigmoid", INFINITY, 0, 1, 0, 0},
    {"sigmoid", -INFINITY, 0, 0, 0, 0},
    {"sigmoid", NAN, 0, NAN, NAN, 0},
    {"tanh", 1000, 0, 1, 0, 0},
    {"tanh", -1000, 0, -1, 0, 0},
    {"tanh", NAN, 0, NAN, NAN, 0},
    {"exp", 1000, 0, INFINITY, INFINITY, 0},
    {"exp", -1000, 0, 0, 0, 0},
    {"exp", NAN, 0, NAN, NAN, 0},
    {"log", 0, 0, -INFINITY, INFINITY, 0},
    {"log", -1, 0, NAN, -1, 0},
    {"log", INFINITY, 0, INFINITY, 0, 0},
    {"add", INFINITY, -INFINITY, NAN, 1, 1},
    {"sub", INFINITY, INFINITY, NAN, 1, -1},
    {"mul", INFINITY, 0, NAN, 0, INFINITY},
    {"div", 1, 0, INFINITY, INFINITY, -INFINITY},
    {"div", -1, 0, -INFINITY, INFINITY, INFINITY},
    {"div", 0, 0, NAN, INFINITY, NAN},
    {"squared_error", NAN, 1, NAN, NAN, NAN},
    {"logit_cross_entropy", 1000, 1, 0, 0, -1000},
    {"logit_cross_entropy", 1000, 0, 1000, 1, -1000},
    {"logit_cross_entropy", -1000, 1, 1000, -1, 1000},
    {"logit_cross_entropy", -1000, 0, 0, 0, 1000},
    {"logit_cross_entropy", NAN, 1, NAN, NAN, NAN},
    {"logit_cross_entropy", INFINITY, 0, INFINITY, 1, -INFINITY},
    {"logit_cross_entropy", INFINITY, 0.5, INFINITY, 0.5, -INFINITY},
    {"logit_cross_entropy", -INFINITY, 1, INFINITY, -1, INFINITY},
    {"abs", 0, 0, 0, 0, 0},
    {"abs", -INFINITY, 0, INFINITY, -1, 0},
    {"square", -INFINITY, 0, INFINITY, -INFINITY, 0},
    {"sqrt", 0, 0, 0, INFINITY, 0},
    {"sqrt", -1, 0, NAN, NAN, 0},
    {"sqrt", INFINITY, 0, INFINITY, 0, 0},
    {"softplus", 1000, 0, 1000, 1, 0},
    {"softplus", -1000, 0, 0, 0, 0},
    {"softplus", INFINITY, 0, INFINITY, 1, 0},
    {"softplus", -INFINITY, 0, 0, 0, 0},
    {"silu", 1000, 0, 1000, 1, 0},
    {"silu", -1000, 0, 0, 0, 0},
    {"gelu", 1000, 0, 1000, 1, 0},
    {"gelu", -1000, 0, 0, 0, 0},
    {"pow", 0, 0, 1, 0, 0},
    {"pow", 0, 2, 0, 0, 0},
    {"pow", 0, 0.5, 0, INFINITY, 0},
    {"pow", 0, -1, INFINITY, -INFINITY, -INFINITY},
    {"pow", -2, 3, -8, 12, NAN},
    {"pow", -2, 0.5, NAN, NAN, NAN},
    {"minimum", 1, 1, 1, 0.5, 0.5},
    {"minimum", INFINITY, -INFINITY, -INFINITY, 0, 1},
    {"maximum", 1, 1, 1, 0.5, 0.5},
    {"maximum", INFINITY, -INFINITY, INFINITY, 1, 0},
    {"clamp_min", 1, 1, 1, 1, 0},
    {"clamp_min", -INFINITY, 1, 1, 0, 1},
    {"clamp_max", 1, 1, 1, 1, 0},
    {"clamp_max", INFINITY, 1, 1, 0, 1},
    {"leaky_relu", 0, 0.5, 0, 0.5, 0},
    {"leaky_relu", -INFINITY, 0.5, -INFINITY, 0.5, -INFINITY},
    {"huber", 0, 1, 0, 0, 0},
    {"huber", -2, 2, 2, -2, 0},
    {"huber", -INFINITY, 1, INFINITY, -1, INFINITY},
};

static void check_special(const special *s, const op_sample *sample, tg_dtype dtype, int64_t n)
{
    tg_tensor *x[] = {tg_requires_grad(tg_full(dtype, s->a, n)),
                      tg_requires_grad(tg_full(dtype, s->b, n))};
    tg_tensor *y = sample->apply(x);
    tg_backward(tg_sum(y));
    for (int64_t i = 0; i < n; i++) {
        const double value = tg_get(y, i), da = tg_get(x[0]->grad, i);
        const double db = sample->count == 2 ? tg_get(x[1]->grad, i) : 0;
        cr_expect(same(value, s->y) && same(da, s->da) && same(db, s->db),
                  "%s(%g, %g) of %s, element %d of %d: %g with derivatives %g and %g; "
                  "%g, %g and %g expected",
                  s->op, s->a, s->b, tg_dtype_name(dtype), (int)i, (int)n, value, da, db, s->y,
                  s->da, s->db);
    }
}

Test(op_values, elementwise_ops__keep_nan_and_infinity)
{
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        int k = 0;
        while (strcmp(op_samples[k].op, specials[i].op) != 0)
            k++;
        for (int type = 0; type < 2; type++) {
            tg_step_begin();
            check_special(&specials[i], &op_samples[k], type ? TG_F64 : TG_F32, 1);
            check_special(&specials[i], &op_samples[k], type ? TG_F64 : TG_F32, 37);
            tg_step_end();
        }
    }
}

/* For 37 elements: whole vectors and a rest. The sign is 0, as in PyTorch. */
Test(op_values, elementwise_ops__of_nan_are_nan)
{
    for (int k = 0; k < op_sample_count; k++)
        for (int type = 0; type < 2 && reference_of(op_samples[k].op); type++) {
            const bool is_sign = strcmp(op_samples[k].op, "sign") == 0;
            const tg_dtype dtype = type ? TG_F64 : TG_F32;
            tg_step_begin();
            tg_tensor *x[] = {tg_full(dtype, NAN, 37), tg_full(dtype, 1, 37)};
            const tg_tensor *y = op_samples[k].apply(x);
            for (int64_t i = 0; i < 37; i++)
                cr_expect(is_sign ? tg_get(y, i) == 0 : isnan(tg_get(y, i)), "%s of %s, element %d: %g", op_samples[k].op,
                          tg_dtype_name(dtype), (int)i, tg_get(y, i));
            tg_step_end();
        }
}

Test(op_values, bce_with_logits_loss__is_finite_for_large_logits)
{
    tg_step_begin();
    static const float logits[] = {1000, -1000, 1000, -1000}, targets[] = {1, 0, 0, 1};
    tg_tensor *x = tg_requires_grad(tg_from(TG_F32, logits, 4));
    tg_tensor *y = tg_from(TG_F32, targets, 4);
    tg_tensor *loss = tg_bce_with_logits_loss(x, y);
    tg_backward(loss);
    cr_expect_eq(tg_item(loss), 500);
    static const double expected[] = {0, 0, 0.25, -0.25};
    for (int64_t i = 0; i < 4; i++)
        cr_expect_eq(tg_get(x->grad, i), expected[i], "element %d", (int)i);
    tg_step_end();
}

/* ---- matmul and linear: against loops -------------------------------------------------------- */

/* (rows, columns), stored transposed where told. */
static tg_tensor *matrix(tg_dtype dtype, int64_t rows, int64_t columns, bool transposed)
{
    tg_tensor *t = transposed ? tg_empty(dtype, columns, rows) : tg_empty(dtype, rows, columns);
    tg_fill_uniform(t, -1, 1);
    return transposed ? tg_t(t) : t;
}

/* c (m, n) = a (m, k) b (k, n) + bias (n) */
static void check_product(const char *op, const tg_tensor *c, const tg_tensor *a,
                          const tg_tensor *b, const tg_tensor *bias)
{
    const int64_t m = tg_size(a, 0), k = tg_size(a, 1), n = tg_size(b, 1);
    const double epsilon = c->dtype == TG_F32 ? FLT_EPSILON : DBL_EPSILON;
    cr_assert(c->shape.ndim == 2 && tg_size(c, 0) == m && tg_size(c, 1) == n, "%s of %dx%dx%d", op,
              (int)m, (int)k, (int)n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = bias ? tg_get(bias, j) : 0, size = fabs(sum);
            for (int64_t p = 0; p < k; p++) {
                const double term = tg_get(a, i, p) * tg_get(b, p, j);
                sum += term;
                size += fabs(term);
            }
            cr_expect(fabs(tg_get(c, i, j) - sum) <= epsilon * (double)(k + 1) * size,
                      "%s of %s, %dx%dx%d: element %d, %d is %.17g, expected %.17g", op,
                      tg_dtype_name(c->dtype), (int)m, (int)k, (int)n, (int)i, (int)j,
                      tg_get(c, i, j), sum);
        }
}

Test(op_values, matmul_and_linear__agree_with_loops)
{
    static const int64_t sizes[][3] = {{1, 1, 1},  {2, 3, 4},  {9, 300, 1}, {1, 17, 35}, {3, 0, 5},
                                       {0, 3, 5},  {3, 5, 0},  {17, 8, 16}, {8, 9, 33},  {7, 1, 19},
                                       {5, 270, 9}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int way = 0; way < 8; way++) {
            tg_step_begin();
            const tg_dtype dtype = way & 4 ? TG_F64 : TG_F32;
            const int64_t m = sizes[s][0], k = sizes[s][1], n = sizes[s][2];
            tg_tensor *a = matrix(dtype, m, k, way & 1), *b = matrix(dtype, k, n, way & 2);
            tg_tensor *bias = tg_rand(dtype, n);
            check_product("matmul", tg_matmul(a, b), a, b, NULL);
            check_product("linear", tg_linear(a, tg_t(b), NULL), a, b, NULL);
            check_product("linear with bias", tg_linear(a, tg_t(b), bias), a, b, bias);
            tg_step_end();
        }
}
