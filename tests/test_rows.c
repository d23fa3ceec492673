/* Ops along a dimension against plain loops, for all short lengths and around the blocks of rows and
 * columns, with NaN, infinities and equal elements. */
#include <math.h>

#include "tests/helpers.h"

TestSuite(rows, .init = tg_step_begin, .fini = tg_step_end);

enum { LONGEST = 132 };

/* A row of x, and what a loop makes of it: y of all elements, or the first; with the gradient g of y
 * that of x, where it is finite. */
typedef struct row {
    int n;
    double x[LONGEST], g[LONGEST], y[LONGEST], dx[LONGEST];
} row;

static bool goes_before(double a, double b)
{
    return a > b || (isnan(a) && !isnan(b));
}

static int place_of_largest(const row *r)
{
    int best = 0;
    for (int i = 1; i < r->n; i++)
        best = goes_before(r->x[i], r->x[best]) ? i : best;
    return best;
}

static void extreme_row(row *r, double sign)
{
    int count = 0;
    double best = sign * r->x[0];
    for (int i = 1; i < r->n; i++)
        best = goes_before(sign * r->x[i], best) ? sign * r->x[i] : best;
    r->y[0] = sign * best;
    for (int i = 0; i < r->n; i++)
        count += r->x[i] == r->y[0] || (isnan(r->x[i]) && isnan(best));
    for (int i = 0; i < r->n; i++)
        r->dx[i] = r->x[i] == r->y[0] || (isnan(r->x[i]) && isnan(best)) ? r->g[0] / count : 0;
}

static void max_row(row *r)
{
    extreme_row(r, 1);
}

static void min_row(row *r)
{
    extreme_row(r, -1);
}

static void argmax_row(row *r)
{
    r->y[0] = place_of_largest(r);
}

static void sum_row(row *r)
{
    r->y[0] = 0;
    for (int i = 0; i < r->n; i++) {
        r->y[0] += r->x[i];
        r->dx[i] = r->g[0];
    }
}

/* y = softmax(x), with the largest taken from all before; the logarithm of its divisor */
static double softmax(const row *r, double *y)
{
    const double most = r->x[place_of_largest(r)];
    double sum = 0;
    for (int i = 0; i < r->n; i++)
        sum += y[i] = exp(r->x[i] - most);
    for (int i = 0; i < r->n; i++)
        y[i] /= sum;
    return log(sum);
}

static void softmax_row(row *r)
{
    double dot = 0;
    softmax(r, r->y);
    for (int i = 0; i < r->n; i++)
        dot += r->g[i] * r->y[i];
    for (int i = 0; i < r->n; i++)
        r->dx[i] = r->y[i] * (r->g[i] - dot);
}

static void log_softmax_row(row *r)
{
    double e[LONGEST], sum = 0;
    const double log_sum = softmax(r, e);
    for (int i = 0; i < r->n; i++)
        sum += r->g[i];
    for (int i = 0; i < r->n; i++) {
        r->y[i] = r->x[i] - r->x[place_of_largest(r)] - log_sum;
        r->dx[i] = r->g[i] - e[i] * sum;
    }
}

static void logsumexp_row(row *r)
{
    double e[LONGEST];
    const double most = r->x[place_of_largest(r)];
    r->y[0] = softmax(r, e) + most;
    if (isinf(most)) /* nothing but -inf, or an inf and no NaN */
        r->y[0] = most;
    for (int i = 0; i < r->n; i++)
        r->dx[i] = r->g[0] * e[i];
}

static void layer_norm_row(row *r)
{
    double mean = 0, square = 0, sum = 0, dot = 0;
    for (int i = 0; i < r->n; i++)
        mean += r->x[i] / r->n;
    for (int i = 0; i < r->n; i++)
        square += (r->x[i] - mean) * (r->x[i] - mean) / r->n;
    const double root = 1 / sqrt(square + 0.5);
    for (int i = 0; i < r->n; i++) {
        r->y[i] = (r->x[i] - mean) * root;
        sum += r->g[i] / r->n;
        dot += r->g[i] * r->y[i] / r->n;
    }
    for (int i = 0; i < r->n; i++)
        r->dx[i] = root * (r->g[i] - sum - r->y[i] * dot);
}

/* Along dimension d of x. */
static tg_tensor *of_max(tg_tensor *x, int d) { return tg_max_dim(x, true, d); }
static tg_tensor *of_min(tg_tensor *x, int d) { return tg_min_dim(x, true, d); }
static tg_tensor *of_argmax(tg_tensor *x, int d) { return tg_argmax(x, d, true); }
static tg_tensor *of_sum(tg_tensor *x, int d) { return tg_sum_dim(x, true, d); }
static tg_tensor *of_logsumexp(tg_tensor *x, int d) { return tg_logsumexp(x, true, d); }
static tg_tensor *of_softmax(tg_tensor *x, int d) { return tg_softmax(x, d); }
static tg_tensor *of_log_softmax(tg_tensor *x, int d) { return tg_log_softmax(x, d); }
static tg_tensor *of_layer_norm(tg_tensor *x, int d)
{
    return tg_transpose(tg_layer_norm(tg_transpose(x, d, -1), NULL, NULL, 0.5), d, -1);
}

static const struct {
    const char *name;
    tg_tensor *(*op)(tg_tensor *x, int d);
    void (*loop)(row *r);
    bool reduces, has_gradient;
} ops[] = {
    {"max", of_max, max_row, true, true},
    {"min", of_min, min_row, true, true},
    {"argmax", of_argmax, argmax_row, true, false},
    {"sum", of_sum, sum_row, true, true},
    {"logsumexp", of_logsumexp, logsumexp_row, true, true},
    {"softmax", of_softmax, softmax_row, false, true},
    {"log_softmax", of_log_softmax, log_softmax_row, false, true},
    {"layer_norm", of_layer_norm, layer_norm_row, false, true},
};
enum { OPS = sizeof ops / sizeof *ops };

/* A few equal numbers; in one row of two, special ones too. */
static double element(tg_rng *rng, bool is_special)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY, -0., 1e30, -1e30};
    if (is_special && tg_rng_below(rng, 40) == 0)
        return specials[tg_rng_below(rng, 6)];
    const double x = 6 * tg_rng_uniform(rng) - 3;
    return tg_rng_below(rng, 2) ? (double)(float)x : trunc(x);
}

static bool is_near(tg_dtype dtype, double y, double e)
{
    const double allowed = dtype == TG_F64 ? 1e-12 : 2e-6;
    return y == e || (isnan(y) && isnan(e)) || fabs(y - e) <= allowed * fmax(fabs(e), 10);
}

/* The op on x (outer, count, inner) and its gradient, row by row. */
static void check(int o, tg_dtype dtype, const int64_t size[3], tg_rng *rng)
{
    const int64_t count = size[1], inner = size[2], rows = size[0] * inner;
    const int64_t results = ops[o].reduces ? 1 : count;
    tg_tensor *x = tg_requires_grad(tg_zeros(dtype, size[0], count, inner)), *dx = NULL;
    tg_tensor *g = tg_zeros(dtype, size[0], results, inner);
    for (int64_t r = 0; r < rows; r++) {
        const bool is_special = tg_rng_below(rng, 2);
        for (int64_t i = 0; i < count; i++)
            tg_set(x, element(rng, is_special), r / inner, i, r % inner);
        for (int64_t i = 0; i < results; i++)
            tg_set(g, (double)(float)(2 * tg_rng_uniform(rng) - 1), r / inner, i, r % inner);
    }
    tg_tensor *y = ops[o].op(x, 1);
    if (ops[o].has_gradient)
        tg_grad(y, &x, 1, &dx, .grad_output = g);
    y = tg_contiguous(y);
    for (int64_t k = 0; k < rows; k++) {
        row r = {.n = (int)count};
        bool is_finite = true, is_large = false;
        for (int64_t i = 0; i < count; i++) {
            r.x[i] = tg_get(x, k / inner, i, k % inner);
            r.g[i] = tg_get(g, k / inner, ops[o].reduces ? 0 : i, k % inner);
            is_finite = is_finite && isfinite(r.x[i]);
            is_large = is_large || (isfinite(r.x[i]) && fabs(r.x[i]) > 1e9);
        }
        if (is_large && (ops[o].loop == layer_norm_row || ops[o].loop == sum_row))
            continue; /* where f32 rounds otherwise, or its squares are infinite */
        ops[o].loop(&r);
        const bool has_gradient = is_finite && ops[o].has_gradient;
        for (int64_t i = 0; i < results + (has_gradient ? count : 0); i++) {
            const int64_t j = i < results ? i : i - results;
            const double is = tg_get(i < results ? y : dx, k / inner, j, k % inner);
            const double e = i < results ? r.y[j] : r.dx[j];
            cr_assert(is_near(dtype, is, e), "%s%s of (%d, %d, %d), %s: row %d, element %d: %.17g, "
                      "not %.17g", i < results ? "" : "gradient of ", ops[o].name, (int)size[0],
                      (int)count, (int)inner, tg_dtype_name(dtype), (int)k, (int)j, is, e);
        }
    }
}

/* All lengths up to 70, of as many rows as fill one block, none or some; and columns. */
Test(rows, ops__agree_with_loops)
{
    static const int64_t others[][2] = {{1, 1}, {3, 1}, {32, 1}, {45, 1}, {2, 5}, {1, 37}, {2, 131}};
    tg_rng rng = {.seed = 5};
    for (int o = 0; o < OPS; o++)
        for (int64_t count = 1; count <= 72; count++)
            for (int k = 0; k < 7; k++) {
                const int64_t length = count <= 70 ? count : 60 * count - 4190; /* 70, 130 */
                const tg_dtype dtype = (count + k) % 2 ? TG_F32 : TG_F64;
                check(o, dtype, (const int64_t[]){others[k][0], length, others[k][1]}, &rng);
                tg_step_end();
                tg_step_begin();
            }
}

/* The places of the k largest, by a loop that takes one after the other. */
Test(rows, topk__agrees_with_a_loop)
{
    static const tg_dtype dtypes[] = {TG_F32, TG_F64, TG_I64};
    tg_rng rng = {.seed = 6};
    for (int64_t count = 1; count <= 70; count++)
        for (int way = 0; way < 6; way++) {
            const tg_dtype dtype = dtypes[way % 3];
            const int64_t rows = way < 3 ? 40 : 3;
            const int64_t k = (int64_t)tg_rng_below(&rng, (uint64_t)count + 1);
            tg_tensor *x = tg_zeros(dtype, rows, count), *places;
            for (int64_t i = 0; i < rows * count; i++) {
                const double value = element(&rng, true);
                tg_set(x, dtype == TG_I64 ? (double)tg_rng_below(&rng, 9) : value, i / count,
                       i % count);
            }
            tg_topk(x, k, &places);
            for (int64_t r = 0; r < rows; r++) {
                bool taken[LONGEST] = {false};
                for (int64_t j = 0; j < k; j++) {
                    int64_t best = -1;
                    for (int64_t i = 0; i < count; i++)
                        if (!taken[i] && (best < 0 || goes_before(tg_get(x, r, i),
                                                                  tg_get(x, r, best))))
                            best = i;
                    taken[best] = true;
                    cr_assert_eq((int64_t)tg_get(places, r, j), best, "%s: number %d of %d, row %d",
                                 tg_dtype_name(dtype), (int)j, (int)count, (int)r);
                }
            }
            tg_step_end();
            tg_step_begin();
        }
}
