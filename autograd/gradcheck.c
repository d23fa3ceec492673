#include "autograd/gradcheck.h"

#include <math.h>
#include <stdio.h>

#include "autograd/ops-internal.h"

/* Weights of the random projection: a stream of its own, so that the function's draws stay. */
#define PROJECTION_SEED 1
#define PROJECTION_STREAM 0x70726f6a

typedef struct check {
    tg_gradcheck_function function;
    void *context;
    tg_tensor *const *input;
    int count;
    int order;  /* 1: of the function, 2: of its gradients */
    tg_rng rng; /* what the function finds at each evaluation */
    tg_gradcheck_report *report;
} check;

static bool fail(const check *c, const char *message)
{
    c->report->ok = false;
    snprintf(c->report->message, sizeof c->report->message, "%s", message);
    return false;
}

/* sum of y weighted with fixed random numbers */
static tg_tensor *weighted(tg_tensor *y, tg_rng *rng)
{
    tg_tensor *weight = tg_empty_at(TG_HERE, TG_F64, y->shape);
    for (int64_t i = 0; i < tg_numel(weight); i++)
        ((double *)weight->data)[i] = 0.5 + tg_rng_uniform(rng);
    return tg_sum(tg_mul(y, weight));
}

/* The weighted sum of loss's gradients; zero, and not differentiable, where there are none. */
static tg_tensor *weighted_gradients(const check *c, tg_tensor *loss, tg_rng *rng)
{
    tg_tensor *sum = tg_scalar(TG_F64, 0);
    for (int i = 0; i < c->count && loss->requires_grad; i++) {
        tg_tensor *dx = NULL;
        if (c->input[i]->requires_grad)
            tg_grad(loss, &c->input[i], 1, &dx, .create_graph = true);
        if (dx)
            sum = tg_add(sum, weighted(dx, rng));
    }
    return sum;
}

/* What is differentiated: L, a number. Inside a step. */
static tg_tensor *projected(const check *c)
{
    *tg_default_rng() = c->rng;
    tg_tensor *y = c->function(c->context, c->input, c->count);
    if (!y || tg_is_error(y) || y->dtype != TG_F64)
        return NULL;
    tg_rng rng = {.seed = PROJECTION_SEED, .stream = PROJECTION_STREAM};
    y = tg_to_dense(y);
    if (c->order == 1)
        return weighted(y, &rng);
    y = weighted_gradients(c, weighted(tg_square(y), &rng), &rng);
    return tg_is_error(y) ? NULL : y;
}

static double value(const check *c)
{
    tg_step_begin();
    tg_tensor *loss = NULL;
    if (c->order == 1)
        tg_no_grad { loss = projected(c); }
    else
        loss = projected(c);
    const double result = loss ? tg_item(loss) : NAN;
    tg_step_end();
    return result;
}

static bool input_is_valid(const check *c, int i)
{
    const tg_tensor *x = c->input[i];
    if (!x->requires_grad || (x->dtype == TG_F64 && x->node < 0 && tg_is_contiguous(x)))
        return true;
    char text[128];
    snprintf(text, sizeof text, "input %d: a contiguous leaf of f64 expected", i);
    return fail(c, text);
}

/* The analytic gradients, as leaves' grads. */
static bool analytic(const check *c)
{
    for (int i = 0; i < c->count; i++)
        c->input[i]->grad = NULL;
    tg_tensor *loss = projected(c);
    if (!loss)
        return fail(c, tg_last_error()->status == TG_EMISUSE ? tg_last_error()->message
                                                              : "the function gave no f64 tensor");
    if (!isfinite(tg_item(loss)))
        return fail(c, "the function's value is not finite");
    if (loss->requires_grad)
        tg_backward(loss);
    else if (c->order == 1)
        return fail(c, "the function's value does not depend on an input that requires a gradient");
    const double first = tg_item(loss), again = value(c);
    if (first != again)
        return fail(c, "the function is not deterministic: two values for one input");
    return true;
}

/* Move one element both ways and compare. */
static void compare_element(const check *c, int i, int64_t element, double gradient)
{
    tg_gradcheck_report *r = c->report;
    double *x = (double *)c->input[i]->data + element;
    const double keep = *x, h = 1e-6 * fmax(1, fabs(keep));
    *x = keep + h;
    const double above = value(c);
    *x = keep - h;
    const double below = value(c);
    *x = keep;
    const double numeric = (above - below) / (2 * h);
    double error = fabs(gradient - numeric) / fmax(1, fmax(fabs(gradient), fabs(numeric)));
    if (isnan(error)) /* must not pass for small */
        error = INFINITY;
    if (r->checked++ == 0 || error > r->error) {
        r->error = error;
        r->input = i;
        r->element = element;
        r->analytic = gradient;
        r->numeric = numeric;
    }
}

static bool run(check c, double tolerance)
{
    tg_gradcheck_report *report = c.report;
    tg_tensor *const *input = c.input;
    const int count = c.count;
    *report = (tg_gradcheck_report){.ok = true};
    for (int i = 0; i < count; i++)
        if (!input_is_valid(&c, i))
            return false;
    tg_step_begin();
    bool done = analytic(&c);
    for (int i = 0; done && i < count; i++) {
        if (!input[i]->requires_grad)
            continue;
        const tg_tensor *grad =
            input[i]->grad ? tg_contiguous(tg_to_dense(input[i]->grad)) : NULL;
        for (int64_t k = 0; k < tg_numel(input[i]); k++)
            compare_element(&c, i, k, grad ? ((const double *)grad->data)[k] : 0);
    }
    for (int i = 0; i < count; i++)
        input[i]->grad = NULL;
    tg_step_end();
    *tg_default_rng() = c.rng;
    if (!done)
        return false;
    const double allowed = tolerance > 0 ? tolerance : 1e-6;
    report->ok = report->checked > 0 && report->error <= allowed;
    snprintf(report->message, sizeof report->message,
             "worst of %lld elements: input %d, element %lld: analytic %.10g, numeric %.10g, "
             "relative error %.2e (allowed %.0e)",
             (long long)report->checked, report->input, (long long)report->element,
             report->analytic, report->numeric, report->error, allowed);
    return report->ok;
}

bool tg_gradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input, int count,
                  double tolerance, tg_gradcheck_report *report)
{
    return run((check){function, context, input, count, 1, *tg_default_rng(), report}, tolerance);
}

bool tg_gradgradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input,
                      int count, double tolerance, tg_gradcheck_report *report)
{
    return run((check){function, context, input, count, 2, *tg_default_rng(), report}, tolerance);
}
