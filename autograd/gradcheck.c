#include "autograd/gradcheck.h"

#include <math.h>
#include <stdio.h>

#include "autograd/ops-internal.h"

/* Weights and directions are drawn from streams of their own, so that the function's draws stay. */
#define PROJECTION_SEED 1
#define PROJECTION_STREAM 0x70726f6a
#define DIRECTION_STREAM 0x64697265

typedef struct check {
    tg_gradcheck_function function;
    void *context;
    tg_tensor *const *input;
    int count;
    int order;  /* 1: of the function, 2: of its gradients */
    double allowed;
    tg_rng rng;  /* what the function finds at each evaluation */
    double here; /* L at the inputs' own values */
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

/* The analytic gradients, as leaves' grads, and L. */
static bool analytic(check *c)
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
    c->here = tg_item(loss);
    if (value(c) != c->here)
        return fail(c, "the function is not deterministic: two values for one input");
    return true;
}

/* ---- slopes ---------------------------------------------------------------------------------- */

/* A straight line through an input: elements x[i] = keep[i] + h direction[i]. */
typedef struct line {
    int64_t count;
    double *x;
    const double *keep, *direction;
} line;

static double value_at(const check *c, const line *l, double h)
{
    for (int64_t i = 0; i < l->count; i++)
        l->x[i] = l->keep[i] + h * l->direction[i];
    const double result = value(c);
    for (int64_t i = 0; i < l->count; i++)
        l->x[i] = l->keep[i];
    return result;
}

/* The slopes of L at x from the two sides. */
typedef struct slopes {
    double below, above;
} slopes;

static slopes slopes_of(const check *c, const line *l, double h)
{
    return (slopes){(c->here - value_at(c, l, -h)) / h, (value_at(c, l, h) - c->here) / h};
}

static double gap_of(slopes s)
{
    return fabs(s.above - s.below);
}

static double size_of(double analytic, double numeric)
{
    return fmax(1, fmax(fabs(analytic), fabs(numeric)));
}

/* The slope that `analytic` is to be compared with. Curvature lets the sides differ in proportion
 * to the step, a kink does not. */
static double numeric_of(const check *c, const line *l, double analytic, bool *is_kink)
{
    double h = 1e-6;
    for (int64_t i = 0; i < l->count; i++)
        h = fmax(h, 1e-6 * fabs(l->keep[i]));
    const slopes s = slopes_of(c, l, h);
    const double numeric = (s.below + s.above) / 2, size = size_of(analytic, numeric);
    *is_kink = false;
    if (gap_of(s) <= 1e-4 * size && fabs(analytic - numeric) <= c->allowed * size)
        return numeric;
    const slopes closer = slopes_of(c, l, h / 16);
    *is_kink = gap_of(closer) > 1e-4 * size && gap_of(closer) > gap_of(s) / 8;
    if (!*is_kink) /* none, or one beside x that the shorter step does not reach */
        return (closer.below + closer.above) / 2;
    const double low = fmin(closer.below, closer.above), high = fmax(closer.below, closer.above);
    return fmin(fmax(analytic, low), high);
}

static void compare(const check *c, int input, int64_t number, const line *l, const double *grad)
{
    tg_gradcheck_report *r = c->report;
    double analytic = 0;
    for (int64_t i = 0; grad && i < l->count; i++)
        analytic += grad[i] * l->direction[i];
    bool is_kink;
    const double numeric = numeric_of(c, l, analytic, &is_kink);
    double error = fabs(analytic - numeric) / size_of(analytic, numeric);
    if (isnan(error)) /* must not pass for small */
        error = INFINITY;
    r->kinks += is_kink;
    if (r->checked++ == 0 || error > r->error) {
        r->error = error;
        r->input = input;
        r->element = number;
        r->analytic = analytic;
        r->numeric = numeric;
    }
}

static void compare_elements(const check *c, int input, const double *grad)
{
    double *x = c->input[input]->data;
    for (int64_t i = 0; i < tg_numel(c->input[input]); i++) {
        const double keep = x[i];
        compare(c, input, i, &(line){1, x + i, &keep, (const double[]){1}}, grad ? grad + i : NULL);
    }
}

static void compare_directions(const check *c, int input, const double *grad)
{
    tg_tensor *x = c->input[input];
    tg_tensor *keep = tg_empty_at(TG_HERE, TG_F64, x->shape);
    tg_tensor *direction = tg_empty_at(TG_HERE, TG_F64, x->shape);
    if (tg_is_error(keep) || tg_is_error(direction))
        return;
    tg_copy_elements(keep, x);
    tg_rng rng = {.seed = PROJECTION_SEED, .stream = DIRECTION_STREAM};
    for (int64_t k = 0; k < TG_GRADCHECK_DIRECTIONS; k++) {
        for (int64_t i = 0; i < tg_numel(x); i++)
            ((double *)direction->data)[i] = tg_rng_uniform(&rng) < 0.5 ? -1 : 1;
        compare(c, input, k, &(line){tg_numel(x), x->data, keep->data, direction->data}, grad);
    }
}

/* ---- all inputs ------------------------------------------------------------------------------ */

static void compare_inputs(const check *c)
{
    for (int i = 0; i < c->count; i++) {
        const tg_tensor *x = c->input[i];
        if (!x->requires_grad)
            continue;
        const double *grad = x->grad ? tg_contiguous(tg_to_dense(x->grad))->data : NULL;
        (tg_numel(x) > TG_GRADCHECK_ELEMENTS ? compare_directions : compare_elements)(c, i, grad);
    }
}

static bool summarise(const check *c)
{
    tg_gradcheck_report *r = c->report;
    const bool directed = r->checked > 0 &&
                          tg_numel(c->input[r->input]) > TG_GRADCHECK_ELEMENTS;
    r->ok = r->checked > 0 && r->error <= c->allowed;
    const int length = snprintf(
        r->message, sizeof r->message,
        "worst of %lld: input %d, %s %lld: analytic %.10g, numeric %.10g, relative error %.2e "
        "(allowed %.0e)",
        (long long)r->checked, r->input, directed ? "direction" : "element",
        (long long)r->element, r->analytic, r->numeric, r->error, c->allowed);
    if (r->kinks > 0)
        snprintf(r->message + length, sizeof r->message - (size_t)length,
                 "; %lld at a kink, where a gradient between the slopes of both sides is right",
                 (long long)r->kinks);
    return r->ok;
}

static bool run(check c)
{
    *c.report = (tg_gradcheck_report){.ok = true};
    for (int i = 0; i < c.count; i++)
        if (!input_is_valid(&c, i))
            return false;
    tg_step_begin();
    const bool done = analytic(&c);
    if (done)
        compare_inputs(&c);
    for (int i = 0; i < c.count; i++)
        c.input[i]->grad = NULL;
    tg_step_end();
    *tg_default_rng() = c.rng;
    return done && summarise(&c);
}

bool tg_gradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input, int count,
                  double tolerance, tg_gradcheck_report *report)
{
    return run((check){function, context, input, count, 1, tolerance > 0 ? tolerance : 1e-6,
                       *tg_default_rng(), 0, report});
}

bool tg_gradgradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input,
                      int count, double tolerance, tg_gradcheck_report *report)
{
    return run((check){function, context, input, count, 2, tolerance > 0 ? tolerance : 1e-6,
                       *tg_default_rng(), 0, report});
}
