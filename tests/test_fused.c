/*
 * Kernels of gradients against the rules: tg_backward, which takes the kernels, and tg_grad with
 * create_graph, which takes the rules, give the same for each sample call of each op that has both.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "autograd/ops-internal.h"
#include "nn/init.h"
#include "tests/op_samples.h"

/* How a sample is called. */
enum {
    STRIDED = 1,  /* with views */
    SUMMED = 2,   /* the loss is the plain sum: its gradient is expanded */
    SPECIAL = 4,  /* some elements are infinite, NaN or equal */
    WAYS = 8
};

static tg_tensor *leaf(const op_sample *s, int i, int way)
{
    static const double special[] = {INFINITY, 0.5, NAN, -INFINITY, 0.5, 0.5, 0.5, -0., 0};
    tg_tensor *x = tg_zeros_at(TG_HERE, TG_F64, s->operand[i]);
    tg_fill_uniform(x, s->low, s->high);
    for (int64_t k = 0; way & SPECIAL && k < tg_numel(x); k++)
        if (tg_rng_below(tg_default_rng(), 4) == 0)
            ((double *)x->data)[k] = special[tg_rng_below(tg_default_rng(), 9)];
    return tg_requires_grad(x);
}

/* The same elements at other strides. */
static tg_tensor *view_of(tg_tensor *x)
{
    if (x->shape.ndim < 2)
        return x;
    return tg_transpose(tg_contiguous(tg_transpose(x, 0, -1)), 0, -1);
}

static bool any_fused(void)
{
    bool found = false;
    for (int64_t i = 0; tg_tape_node(i); i++)
        found = found || tg_tape_node(i)->op->fused;
    return found;
}

static bool is_near(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-13 * fmax(1, fabs(a));
}

/* Whether an op with both took part. */
static bool check(const op_sample *s, int way)
{
    tg_tensor *x[OP_SAMPLE_OPERANDS], *in[OP_SAMPLE_OPERANDS], *dx[OP_SAMPLE_OPERANDS];
    for (int i = 0; i < s->count; i++) {
        x[i] = leaf(s, i, way);
        in[i] = way & STRIDED ? view_of(x[i]) : x[i];
    }
    tg_tensor *y = s->apply(in);
    const bool found = any_fused();
    if (!found)
        return false;
    tg_tensor *loss = tg_sum(way & SUMMED ? y : tg_mul(y, tg_rand_at(TG_HERE, TG_F64, y->shape)));
    tg_grad(loss, x, s->count, dx, .create_graph = true);
    tg_backward(loss);
    for (int i = 0; i < s->count; i++)
        for (int64_t k = 0; k < tg_numel(x[i]); k++) {
            const double rule = tg_element(dx[i], tg_element_offset(dx[i], k));
            const double kernel = ((const double *)x[i]->grad->data)[k];
            cr_expect(is_near(kernel, rule), "%s, way %d: operand %d, element %d: %.17g, rule %.17g",
                      s->call, way, i, (int)k, kernel, rule);
        }
    return true;
}

Test(fused, gradients__are_those_of_the_rule)
{
    int found = 0;
    tg_manual_seed(3);
    tg_set_default_dtype(TG_F64);
    for (int s = 0; s < op_sample_count; s++)
        for (int way = 0; way < 5 * WAYS; way++) {
            tg_step_begin();
            found += check(&op_samples[s], way % WAYS);
            tg_step_end();
        }
    cr_expect_gt(found, 20 * WAYS);
}
