#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/projection.h"
#include "models/cli/tsne_parts.h"

enum {
    INPUTS = 50,         /* principal components that count */
    EXAGGERATION = 12,   /* of the affinities in the first third: clusters form and can move */
    LEAST_RATE = 50,
};

/* ---- affinities ------------------------------------------------------------------------------ */

typedef struct conditional { /* p_j|i, an entry of row i */
    int32_t column;
    float p;
} conditional;

/* row (k): p = exp(-beta square) over their sum, with the beta that makes the perplexity what is
 * asked. */
static void fit_width(int64_t k, const float *square, double perplexity, conditional *row)
{
    double low = 0, high = INFINITY, beta = 1;
    for (int round = 0; round < 100; round++) {
        double sum = 0, weighted = 0;
        for (int64_t j = 0; j < k; j++) {
            const double far = (double)square[j] - (double)square[0];
            const double w = exp(-beta * far);
            row[j].p = (float)w;
            sum += w;
            weighted += w * far;
        }
        for (int64_t j = 0; j < k; j++)
            row[j].p /= (float)sum;
        const double excess = log(sum) + beta * weighted / sum - log(perplexity); /* of entropy */
        if (fabs(excess) < 1e-5)
            return;
        if (excess > 0)
            low = beta;
        else
            high = beta;
        beta = isinf(high) ? 2 * beta : (low + high) / 2;
    }
}

static int by_column(const void *a, const void *b)
{
    const int32_t left = ((const conditional *)a)->column, right = ((const conditional *)b)->column;
    return (left > right) - (left < right);
}

typedef struct widths {
    int64_t k;
    const int32_t *index; /* (n, k) */
    const float *square;  /* (n, k) */
    double perplexity;
    conditional *row; /* (n, k), sorted by column */
} widths;

static void fit_rows(void *context, int64_t begin, int64_t end)
{
    const widths *w = context;
    for (int64_t i = begin; i < end; i++) {
        conditional *row = w->row + i * w->k;
        for (int64_t j = 0; j < w->k; j++)
            row[j].column = w->index[i * w->k + j];
        fit_width(w->k, w->square + i * w->k, w->perplexity, row);
        qsort(row, (size_t)w->k, sizeof *row, by_column);
    }
}

/* The entries of `row` (n, k) with rows and columns exchanged: those of column c are
 * begin[c] to begin[c + 1] of `column`, sorted. */
static void exchange(int64_t n, int64_t k, const conditional *row, int64_t *begin,
                     conditional *column)
{
    memset(begin, 0, (size_t)(n + 1) * sizeof *begin);
    for (int64_t e = 0; e < n * k; e++)
        begin[row[e].column]++;
    for (int64_t c = 0, sum = 0; c <= n; c++) {
        sum += begin[c];
        begin[c] = sum; /* the end, which becomes the begin below */
    }
    for (int64_t e = n * k - 1; e >= 0; e--)
        column[--begin[row[e].column]] = (conditional){(int32_t)(e / k), row[e].p};
}

/* One row of p + its transpose, both sorted by column: merged behind `at`, which is given back. */
static int64_t merge_row(affinities *a, int64_t at, const conditional *left,
                         const conditional *left_end, const conditional *right,
                         const conditional *right_end)
{
    while (left < left_end || right < right_end) {
        const bool takes_left =
            right == right_end || (left < left_end && left->column <= right->column);
        const bool takes_right =
            left == left_end || (right < right_end && right->column <= left->column);
        a->column[at] = takes_left ? left->column : right->column;
        a->p[at] = (takes_left ? left->p : 0) + (takes_right ? right->p : 0);
        a->p[at++] /= 2 * (float)a->n;
        left += takes_left;
        right += takes_right;
    }
    return at;
}

tg_status affinities_new(affinities *a, int64_t n, int64_t k, const int32_t *index,
                         const float *square, double perplexity)
{
    const size_t entries = (size_t)(n * k);
    conditional *row = malloc(entries * sizeof *row), *column = malloc(entries * sizeof *column);
    int64_t *begin = malloc((size_t)(n + 1) * sizeof *begin);
    *a = (affinities){.n = n,
                      .begin = malloc((size_t)(n + 1) * sizeof *a->begin),
                      .column = malloc(2 * entries * sizeof *a->column),
                      .p = malloc(2 * entries * sizeof *a->p)};
    const bool has_memory = row && column && begin && a->begin && a->column && a->p;
    if (has_memory) {
        widths w = {k, index, square, perplexity, row};
        tg_parallel_for(n, 16, fit_rows, &w);
        exchange(n, k, row, begin, column);
        a->begin[0] = 0;
        for (int64_t i = 0; i < n; i++)
            a->begin[i + 1] = merge_row(a, a->begin[i], row + i * k, row + (i + 1) * k,
                                        column + begin[i], column + begin[i + 1]);
    } else {
        affinities_release(a);
    }
    free(row);
    free(column);
    free(begin);
    return has_memory ? TG_OK
                      : tg_failure(TG_ENOMEM, "no memory for %zu pairs of neighbours", entries);
}

void affinities_release(affinities *a)
{
    free(a->begin);
    free(a->column);
    free(a->p);
    *a = (affinities){0};
}

/* ---- the gradient ---------------------------------------------------------------------------- */

typedef struct attraction {
    const affinities *a;
    const float *y; /* (n, 2) */
    float exaggeration, z;
    float *dy; /* (n, 2): on entry the repulsion */
} attraction;

static void attract(void *context, int64_t begin, int64_t end)
{
    const attraction *t = context;
    const affinities *a = t->a;
    for (int64_t i = begin; i < end; i++) {
        const float x = t->y[2 * i], y = t->y[2 * i + 1];
        float fx = 0, fy = 0;
        for (int64_t e = a->begin[i]; e < a->begin[i + 1]; e++) {
            const float dx = x - t->y[2 * a->column[e]], dy = y - t->y[2 * a->column[e] + 1];
            const float pull = a->p[e] / (1 + dx * dx + dy * dy);
            fx += pull * dx;
            fy += pull * dy;
        }
        t->dy[2 * i] = 4 * (t->exaggeration * fx - t->dy[2 * i] / t->z);
        t->dy[2 * i + 1] = 4 * (t->exaggeration * fy - t->dy[2 * i + 1] / t->z);
    }
}

void tsne_gradient(const affinities *a, repulsion *r, const float *y, double theta,
                   double exaggeration, float *dy)
{
    const double z = repulsion_sum(r, y, theta, dy);
    attraction t = {a, y, (float)exaggeration, (float)z, dy};
    tg_parallel_for(a->n, 64, attract, &t);
}

/* ---- descent --------------------------------------------------------------------------------- */

/* y moves against dy, with momentum; a coordinate's gain grows while its direction stays (Jacobs
 * 1988). The picture's centre stays where it is. All (n, 2). */
static void descend(int64_t n, double rate, double momentum, const float *dy, float *gain,
                    float *velocity, float *y)
{
    double centre[2] = {0, 0};
    for (int64_t i = 0; i < 2 * n; i++) {
        const bool turns = (dy[i] > 0) == (velocity[i] > 0);
        gain[i] = turns ? fmaxf(0.8f * gain[i], 0.01f) : gain[i] + 0.2f;
        velocity[i] = (float)momentum * velocity[i] - (float)rate * gain[i] * dy[i];
        y[i] += velocity[i];
        centre[i % 2] += (double)y[i] / (double)n;
    }
    for (int64_t i = 0; i < 2 * n; i++)
        y[i] -= (float)centre[i % 2];
}

static void report(const tsne_options *o, int64_t done)
{
    if (o->progress)
        o->progress(o->context, done, o->iterations);
}

static tg_status optimise(const affinities *a, const tsne_options *o, float *y)
{
    const size_t count = 2 * (size_t)a->n;
    repulsion *r = repulsion_new(a->n);
    float *dy = calloc(count, sizeof *dy), *gain = calloc(count, sizeof *gain);
    float *velocity = calloc(count, sizeof *velocity);
    const bool has_memory = r && dy && gain && velocity;
    for (size_t i = 0; has_memory && i < count; i++)
        gain[i] = 1;
    const double rate = fmax((double)a->n / EXAGGERATION / 4, LEAST_RATE);
    for (int64_t i = 0; has_memory && i < o->iterations; i++) {
        const bool is_early = i < o->iterations / 3;
        tsne_gradient(a, r, y, o->theta, is_early ? EXAGGERATION : 1, dy);
        descend(a->n, rate, is_early ? 0.5 : 0.8, dy, gain, velocity, y);
        report(o, i + 1);
    }
    free(velocity);
    free(gain);
    free(dy);
    repulsion_free(r);
    return has_memory ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld points",
                                           (long long)a->n);
}

/* y (n, 2): the first two columns of x (n, dim), made small, and a little noise so that equal rows
 * can part. */
static void set_out(const float *x, int64_t n, int64_t dim, uint64_t seed, float *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i * dim] * (double)x[i * dim];
    const double scale = sum > 0 ? 1e-4 / sqrt(sum / (double)n) : 0;
    tg_rng rng = {.seed = seed};
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < 2; d++) {
            const double start = d < dim ? scale * (double)x[i * dim + d] : 0;
            y[2 * i + d] = (float)(start + 1e-6 * tg_rng_normal(&rng));
        }
}

/* The rest, from the principal components x (n, dim). */
static tg_status draw(const float *x, int64_t n, int64_t dim, const tsne_options *o, float *y)
{
    const double most = (double)(n - 1) / 3, perplexity = fmin(o->perplexity, most);
    const int64_t k = (int64_t)ceil(3 * perplexity);
    int32_t *index = malloc((size_t)(n * k) * sizeof *index);
    float *square = malloc((size_t)(n * k) * sizeof *square);
    affinities a = {0};
    report(o, 0);
    tg_status status = index && square ? neighbours_find(x, n, dim, k, index, square)
                                       : tg_failure(TG_ENOMEM, "no memory for %lld neighbours",
                                                    (long long)(n * k));
    if (status == TG_OK)
        status = affinities_new(&a, n, k, index, square, perplexity);
    free(index);
    free(square);
    set_out(x, n, dim, o->seed, y);
    if (status == TG_OK)
        status = optimise(&a, o, y);
    affinities_release(&a);
    return status;
}

tg_status tsne(const float *x, int64_t n, int64_t dim, tsne_options o, float *y)
{
    o.perplexity = o.perplexity > 0 ? o.perplexity : 30;
    o.theta = o.theta > 0 ? o.theta : 0.5;
    o.iterations = o.iterations > 0 ? o.iterations : 750;
    const int64_t width = dim < INPUTS ? dim : INPUTS;
    double share[INPUTS];
    float *component = malloc((size_t)(n * width) * sizeof *component);
    if (!component)
        return tg_failure(TG_ENOMEM, "no memory for %lld x %lld components", (long long)n,
                          (long long)width);
    tg_status status = pca(x, n, dim, width, component, share);
    if (status == TG_OK && n == 1)
        y[0] = y[1] = 0;
    else if (status == TG_OK)
        status = draw(component, n, width, &o, y);
    free(component);
    return status;
}
