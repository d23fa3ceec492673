/* multinomial: random places, by weight */
#include <math.h>

#include "autograd/ops-internal.h"

/* The place in a row of `count` cumulative weights at which a random number falls; not one of weight
 * 0, whatever is rounded. */
static int64_t draw_one(const double *until, int64_t count)
{
    const double total = until[count - 1], at = tg_rng_uniform(tg_default_rng()) * total;
    int64_t low = 0, high = count - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (until[middle] > at || until[middle] == total)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Without replacement the places of the largest of log(u) / weight, for u uniform in (0, 1] (Efraimidis
 * and Spirakis 2006, 'Weighted random sampling with a reservoir'). */
static void draw_distinct(double *weight, int64_t count, int64_t n, int64_t *place)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] = weight[i] > 0 ? log(1 - tg_rng_uniform(tg_default_rng())) / weight[i] : -INFINITY;
    tg_topk_rows(TG_F64, 1, count, n, place, weight);
}

/* The weights in double; false, and misuse, where they cannot be drawn from. */
static bool weights_of(const tg_node *node, const tg_tensor *x, int64_t row, int64_t least,
                       double *weight)
{
    const int64_t count = tg_size(x, -1);
    double sum = 0;
    int64_t positive = 0;
    bool fits = true;
    for (int64_t i = 0; i < count; i++) {
        weight[i] = tg_element(x, row * count + i);
        fits = fits && weight[i] >= 0 && isfinite(weight[i]);
        sum += weight[i];
        positive += weight[i] > 0;
    }
    if (fits && isfinite(sum) && positive >= least)
        return true;
    tg_reject(node, "row %lld of %s: finite weights of 0 or more, of which at least %lld are not 0, "
              "expected", (long long)row, TG_TEXT(x->shape), (long long)least);
    return false;
}

typedef struct multinomial_attr {
    int64_t n;
    bool replacement;
} multinomial_attr;

static tg_tensor *multinomial_forward(const tg_node *node)
{
    const multinomial_attr *a = node->attr;
    tg_shape shape = node->in[0]->shape;
    if (node->in[0]->dtype == TG_I64 || shape.ndim < 1 || shape.ndim > 2 || a->n < 1)
        return tg_reject(node, "%lld of %s %s: at least one of f32 or f64 (k) or (m, k) expected",
                         (long long)a->n, tg_dtype_name(node->in[0]->dtype), TG_TEXT(shape));
    const tg_tensor *x = tg_contiguous_at(node->at, node->in[0]);
    const int64_t count = shape.size[shape.ndim - 1], rows = shape.ndim > 1 ? shape.size[0] : 1;
    shape.size[shape.ndim - 1] = a->n;
    tg_tensor *y = tg_result(node, TG_I64, shape);
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    double *weight = tg_step_memory((size_t)(count + 1) * sizeof *weight); /* (count) */
    for (int64_t r = 0; r < rows; r++) {
        int64_t *place = (int64_t *)y->data + r * a->n;
        if (!weights_of(node, x, r, a->replacement ? 1 : a->n, weight))
            return tg_error_tensor();
        if (!a->replacement) {
            draw_distinct(weight, count, a->n, place);
            continue;
        }
        for (int64_t i = 1; i < count; i++)
            weight[i] += weight[i - 1];
        for (int64_t i = 0; i < a->n; i++)
            place[i] = draw_one(weight, count);
    }
    return y;
}

const tg_op tg_op_multinomial = {.name = "multinomial", .arity = 1, .forward = multinomial_forward};

tg_tensor *tg_multinomial_at(const char *at, tg_tensor *weights, int64_t n, bool replacement)
{
    const multinomial_attr attr = {n, replacement};
    return tg_apply(at, &tg_op_multinomial, 1, &weights, &attr, sizeof attr);
}
