/* Gradients of all ops: generated from the table of ops and tests/op_samples.h. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tests/op_samples.h"

/* ---- the variants of a sample ---------------------------------------------------------------- */

#define MARGIN 1 /* elements before and behind each dimension of a strided operand's memory */

typedef struct variant {
    const op_sample *sample;
    bool strided; /* each operand is a view of a leaf with its dimensions reversed, and a margin */
    bool shared;  /* one leaf is all operands */
    int only;     /* the one operand that requires a gradient, or -1: all do */
} variant;

static int leaf_count(const variant *v)
{
    return v->shared ? 1 : v->sample->count;
}

static tg_shape leaf_shape(const variant *v, int i)
{
    const tg_shape *shape = &v->sample->operand[i];
    if (!v->strided)
        return *shape;
    tg_shape stored = {.ndim = shape->ndim};
    for (int d = 0; d < shape->ndim; d++)
        stored.size[d] = shape->size[shape->ndim - 1 - d] + 2 * MARGIN;
    return stored;
}

static tg_tensor *operand_of(const variant *v, int i, tg_tensor *leaf)
{
    if (!v->strided)
        return leaf;
    const int ndim = leaf->shape.ndim;
    tg_tensor *x = leaf;
    for (int d = 0; d < ndim; d++)
        x = tg_narrow(x, d, MARGIN, v->sample->operand[i].size[ndim - 1 - d]);
    for (int d = 0; d < ndim / 2; d++)
        x = tg_transpose(x, d, ndim - 1 - d);
    return x;
}

static tg_tensor *apply(void *context, tg_tensor *const *leaf, int count)
{
    (void)count;
    const variant *v = context;
    tg_tensor *x[OP_SAMPLE_OPERANDS];
    for (int i = 0; i < v->sample->count; i++)
        x[i] = v->shared && i > 0 ? x[0] : operand_of(v, i, leaf[v->shared ? 0 : i]);
    return v->sample->apply(x);
}

static bool is_shareable(const op_sample *s)
{
    for (int i = 1; i < s->count; i++)
        if (!tg_shape_equal(&s->operand[i], &s->operand[0]))
            return false;
    return s->count > 1;
}

/* "matmul: tg_matmul(x[0], x[1]) with [2, 3] [3, 4], strided, only x[1] requires a gradient" */
#define NAME_SIZE 1024
static const char *name_of(const variant *v, char name[NAME_SIZE])
{
    const op_sample *s = v->sample;
    char shape[TG_SHAPE_TEXT];
    size_t n = (size_t)snprintf(name, NAME_SIZE, "%s: %s with", s->op, s->call);
    for (int i = 0; i < s->count; i++)
        n += (size_t)snprintf(name + n, NAME_SIZE - n, " %s",
                              tg_shape_format(&s->operand[i], shape));
    n += (size_t)snprintf(name + n, NAME_SIZE - n, "%s%s", v->strided ? ", strided" : "",
                          v->shared ? ", one leaf for all" : "");
    if (v->only >= 0)
        snprintf(name + n, NAME_SIZE - n, ", only x[%d] requires a gradient", v->only);
    return name;
}

static void expect_no_misuse(const variant *v)
{
    char name[NAME_SIZE];
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s: %s", name_of(v, name),
                 tg_last_error()->message);
    tg_clear_error();
}

static void for_each_variant(void (*body)(const variant *v))
{
    tg_set_misuse(TG_MISUSE_RETURN); /* else the first faulty op would hide those behind it */
    for (int i = 0; i < op_sample_count; i++)
        for (int strided = 0; strided < 2; strided++) {
            const op_sample *s = &op_samples[i];
            body(&(variant){s, strided, false, -1});
            if (is_shareable(s))
                body(&(variant){s, strided, true, -1});
            for (int only = 0; s->count > 1 && only < s->count; only++)
                body(&(variant){s, strided, false, only});
        }
}

/* ---- gradients against differences ----------------------------------------------------------- */

typedef bool (*gradient_check)(tg_gradcheck_function function, void *context,
                               tg_tensor *const *input, int count, double tolerance,
                               tg_gradcheck_report *report);

static void check(const variant *v, gradient_check of_order, double tolerance)
{
    char name[NAME_SIZE];
    tg_tensor *leaf[OP_SAMPLE_OPERANDS];
    int64_t elements = 0;
    tg_manual_seed(1 + (uint64_t)(v->sample - op_samples));
    for (int i = 0; i < leaf_count(v); i++) {
        leaf[i] = tg_owned_at(TG_HERE, TG_F64, leaf_shape(v, i));
        tg_fill_uniform(leaf[i], v->sample->low, v->sample->high);
        if (v->only >= 0 && v->only != i)
            continue;
        tg_requires_grad(leaf[i]);
        elements += tg_numel(leaf[i]);
    }
    tg_gradcheck_report report;
    of_order(apply, (void *)v, leaf, leaf_count(v), tolerance, &report);
    cr_expect_eq(report.checked, elements, "%s: %s", name_of(v, name), report.message);
    cr_expect(report.ok || elements == 0, "%s: %s", name_of(v, name), report.message);
    expect_no_misuse(v);
    for (int i = 0; i < leaf_count(v); i++)
        tg_free(leaf[i]);
}

static void check_first(const variant *v)
{
    check(v, tg_gradcheck, 1e-6);
}

static void check_second(const variant *v)
{
    check(v, tg_gradgradcheck, 1e-5);
}

Test(ops, gradients__agree_with_differences)
{
    for_each_variant(check_first);
}

Test(ops, gradients_of_gradients__agree_with_differences)
{
    for_each_variant(check_second);
}

/* ---- f32 against f64 ------------------------------------------------------------------------- */

typedef struct outcome {
    tg_tensor *y, *gradient[OP_SAMPLE_OPERANDS]; /* contiguous; NULL where there is none */
} outcome;

/* The value of the sample, and the gradients of its sum with weights that f32 holds exactly. */
static outcome run(const variant *v, tg_dtype dtype)
{
    tg_tensor *leaf[OP_SAMPLE_OPERANDS];
    tg_manual_seed(1 + (uint64_t)(v->sample - op_samples));
    for (int i = 0; i < leaf_count(v); i++) {
        tg_tensor *drawn = tg_empty_at(TG_HERE, TG_F32, leaf_shape(v, i));
        tg_fill_uniform(drawn, v->sample->low, v->sample->high);
        leaf[i] = tg_empty_at(TG_HERE, dtype, leaf_shape(v, i));
        tg_copy(leaf[i], drawn);
        if (v->only < 0 || v->only == i)
            tg_requires_grad(leaf[i]);
    }
    outcome r = {.y = apply((void *)v, leaf, leaf_count(v))};
    tg_tensor *weight = tg_empty_at(TG_HERE, dtype, r.y->shape);
    tg_fill(weight, 1);
    for (int64_t i = 0; i < tg_numel(weight); i++)
        if (dtype == TG_F32)
            ((float *)weight->data)[i] += (float)(i % 8) / 8;
        else
            ((double *)weight->data)[i] += (double)(i % 8) / 8;
    tg_backward(tg_sum(tg_mul(r.y, weight)));
    for (int i = 0; i < leaf_count(v); i++)
        r.gradient[i] = leaf[i]->grad ? tg_contiguous(tg_to_dense(leaf[i]->grad)) : NULL;
    r.y = tg_contiguous(r.y);
    return r;
}

/* The largest difference, relative to the largest element; infinite where shapes differ. */
static double difference(const tg_tensor *a, const tg_tensor *b)
{
    if (!a || !b)
        return a == b ? 0 : INFINITY;
    if (!tg_shape_equal(&a->shape, &b->shape) || a->dtype != TG_F32 || b->dtype != TG_F64)
        return INFINITY;
    double most = 0, largest = 0;
    for (int64_t i = 0; i < tg_numel(b); i++) {
        const double x = ((const double *)b->data)[i];
        const double d = fabs((double)((const float *)a->data)[i] - x);
        most = d <= most ? most : d; /* NaN stays */
        largest = fmax(largest, fabs(x));
    }
    return most == 0 ? 0 : most / largest;
}

static void compare_types(const variant *v)
{
    const double allowed = 1e-5;
    char name[NAME_SIZE];
    tg_step_begin();
    const outcome single = run(v, TG_F32), full = run(v, TG_F64);
    const double d = difference(single.y, full.y);
    cr_expect(d <= allowed, "%s: values in f32 and f64 differ by %g", name_of(v, name), d);
    for (int i = 0; i < leaf_count(v); i++) {
        const double g = difference(single.gradient[i], full.gradient[i]);
        cr_expect(g <= allowed, "%s: gradients of x[%d] in f32 and f64 differ by %g",
                  name_of(v, name), i, g);
        cr_expect_eq(full.gradient[i] != NULL, v->only < 0 || v->only == i,
                     "%s: gradient of x[%d]", name_of(v, name), i);
    }
    expect_no_misuse(v);
    tg_step_end();
}

Test(ops, f32__agrees_with_f64)
{
    for_each_variant(compare_types);
}

/* ---- operands stay --------------------------------------------------------------------------- */

static void compare_operands(const variant *v)
{
    char name[NAME_SIZE];
    tg_tensor *leaf[OP_SAMPLE_OPERANDS], *before[OP_SAMPLE_OPERANDS];
    tg_step_begin();
    for (int i = 0; i < leaf_count(v); i++) {
        leaf[i] = tg_empty_at(TG_HERE, TG_F64, leaf_shape(v, i));
        tg_fill_uniform(leaf[i], v->sample->low, v->sample->high);
        before[i] = tg_empty_at(TG_HERE, TG_F64, leaf_shape(v, i));
        tg_copy(before[i], leaf[i]);
        tg_requires_grad(leaf[i]);
    }
    tg_backward(tg_sum(apply((void *)v, leaf, leaf_count(v))));
    for (int i = 0; i < leaf_count(v); i++)
        cr_expect_eq(memcmp(leaf[i]->data, before[i]->data,
                            (size_t)tg_numel(leaf[i]) * sizeof(double)),
                     0, "%s changed x[%d]", name_of(v, name), i);
    expect_no_misuse(v);
    tg_step_end();
}

Test(ops, operands__keep_their_values)
{
    for_each_variant(compare_operands);
}
