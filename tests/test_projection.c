/* Rows of many dimensions as points of a picture: principal components and t-SNE. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/projection.h"
#include "models/cli/tsne_parts.h"

static const double TURN = 6.283185307179586;

static void one_thread(void)
{
    tg_set_num_threads(1);
}

TestSuite(projection, .fini = one_thread, .timeout = 300);

static float *new_floats(int64_t count)
{
    float *x = calloc((size_t)count, sizeof *x);
    cr_assert_not_null(x);
    return x;
}

/* ---- principal components -------------------------------------------------------------------- */

/* ROWS points of an ellipse with half axes 5 and 2, in the plane of two waves of `dim` values, away
 * from the origin. */
enum { ROWS = 200 };
static float *ellipse(int64_t dim)
{
    float *x = new_floats(ROWS * dim);
    for (int64_t i = 0; i < ROWS * dim; i++) {
        const double t = TURN * (double)(i / dim) / ROWS;
        const double wave = TURN * ((double)(i % dim) + 0.3) / (double)dim;
        x[i] = (float)(3 + sqrt(2. / (double)dim) * (5 * cos(t) * cos(wave) +
                                                     2 * sin(t) * sin(wave)));
    }
    return x;
}

/* +1 or -1: the largest coordinate of component `column` of y (ROWS, k), as a direction. */
static double sign_of_axis(const float *x, int64_t dim, const float *y, int64_t k, int64_t column)
{
    double largest = 0;
    for (int64_t d = 0; d < dim; d++) {
        double axis = 0;
        for (int64_t i = 0; i < ROWS; i++)
            axis += (double)y[i * k + column] * (double)x[i * dim + d];
        if (fabs(axis) > fabs(largest))
            largest = axis;
    }
    return largest > 0 ? 1 : -1;
}

Test(projection, pca__finds_the_axes_of_an_ellipse)
{
    static const int64_t dims[] = {3, 7, 99}; /* the last needs more than one round */
    for (int c = 0; c < 3; c++) {
        float *x = ellipse(dims[c]), y[ROWS * 2];
        double share[2];
        cr_assert_eq(pca(x, ROWS, dims[c], 2, y, share), TG_OK);
        const double first = y[0] > 0 ? 1 : -1, second = y[101] > 0 ? 1 : -1;
        for (int64_t i = 0; i < ROWS; i++) {
            const double t = TURN * (double)i / ROWS;
            cr_expect_float_eq((double)y[2 * i], first * 5 * cos(t), 2e-6, "%d", (int)dims[c]);
            cr_expect_float_eq((double)y[2 * i + 1], second * 2 * sin(t), 2e-6, "%d", (int)dims[c]);
        }
        cr_expect_float_eq(share[0], 25. / 29, 1e-6);
        cr_expect_float_eq(share[1], 4. / 29, 1e-6);
        cr_expect_eq(sign_of_axis(x, dims[c], y, 2, 0), 1);
        cr_expect_eq(sign_of_axis(x, dims[c], y, 2, 1), 1);
        free(x);
    }
}

Test(projection, pca__is_zero_beyond_the_rank)
{
    float *x = ellipse(3), y[ROWS * 4];
    double share[4];
    cr_assert_eq(pca(x, ROWS, 3, 4, y, share), TG_OK);
    for (int64_t i = 0; i < ROWS; i++) {
        cr_expect_float_eq((double)y[4 * i + 2], 0, 1e-5);
        cr_expect_eq(y[4 * i + 3], 0);
    }
    cr_expect_float_eq(share[2], 0, 1e-9);
    cr_expect_eq(share[3], 0);
    const float same[] = {1, 2, 1, 2, 1, 2};
    cr_assert_eq(pca(same, 3, 2, 2, y, share), TG_OK);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(y[i], 0);
    cr_expect_eq(share[0], 0);
    free(x);
}

Test(projection, rows_that_are_not_finite__are_named)
{
    float x[] = {1, 2, 3, 4, 5, NAN, 7, 8}, y[8];
    double share[2];
    cr_expect_eq(pca(x, 4, 2, 2, y, share), TG_EFORMAT);
    cr_expect_str_eq(tg_last_error()->message,
                     "row 2 of the embedding holds nan; expected finite numbers");
    tg_clear_error();
    cr_expect_eq(tsne(x, 4, 2, (tsne_options){.seed = 1}, y), TG_EFORMAT);
    cr_expect_eq(tg_last_error()->status, TG_EFORMAT);
}

/* ---- neighbours and affinities --------------------------------------------------------------- */

/* Whole coordinates, so that many are equally near and products are exact; rows enough for several
 * tiles. */
Test(projection, neighbours__are_those_of_plain_loops)
{
    enum { N = 2500, DIM = 3, K = 7 };
    static float x[N * DIM], square[N * K];
    static int32_t index[N * K];
    tg_rng rng = {.seed = 4};
    for (int i = 0; i < N * DIM; i++)
        x[i] = (float)tg_rng_below(&rng, 12) - 6;
    tg_set_num_threads(3);
    cr_assert_eq(neighbours_find(x, N, DIM, K, index, square), TG_OK);
    static float far[N];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            far[j] = j == i ? INFINITY : 0;
            for (int d = 0; d < DIM; d++)
                far[j] += (x[i * DIM + d] - x[j * DIM + d]) * (x[i * DIM + d] - x[j * DIM + d]);
        }
        for (int rank = 0; rank < K; rank++) {
            int nearest = 0;
            for (int j = 1; j < N; j++)
                nearest = far[j] < far[nearest] ? j : nearest;
            cr_assert_eq(index[i * K + rank], nearest, "row %d, neighbour %d", i, rank);
            cr_assert_eq(square[i * K + rank], far[nearest]);
            far[nearest] = INFINITY;
        }
    }
}

/* Points of a circle all see the same, so p_ij = p_j|i / n, whose perplexity is known. */
Test(projection, affinities__have_the_perplexity_asked)
{
    enum { N = 300, K = 60 };
    static float x[N * 2], square[N * K];
    static int32_t index[N * K];
    for (int i = 0; i < N; i++) {
        x[2 * i] = (float)cos(TURN * i / N);
        x[2 * i + 1] = (float)sin(TURN * i / N);
    }
    affinities a;
    cr_assert_eq(neighbours_find(x, N, 2, K, index, square), TG_OK);
    cr_assert_eq(affinities_new(&a, N, K, index, square, 20), TG_OK);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double entropy = 0;
        for (int64_t e = a.begin[i]; e < a.begin[i + 1]; e++) {
            const double p = (double)a.p[e] * N;
            entropy -= p > 0 ? p * log(p) : 0;
            sum += (double)a.p[e];
        }
        cr_expect_float_eq(exp(entropy), 20, 0.01, "row %d: %g", i, exp(entropy));
    }
    cr_expect_float_eq(sum, 1, 1e-5);
    affinities_release(&a);
}

/* p as a full matrix (n, n). */
static double *dense(const affinities *a)
{
    double *p = calloc((size_t)(a->n * a->n), sizeof *p);
    cr_assert_not_null(p);
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t e = a->begin[i]; e < a->begin[i + 1]; e++) {
            cr_assert(e == a->begin[i] || a->column[e] > a->column[e - 1], "row %d", (int)i);
            p[i * a->n + a->column[e]] = (double)a->p[e];
        }
    return p;
}

/* Affinities of n rows drawn from N(0, 1) in 5 dimensions. */
static affinities random_affinities(int64_t n, int64_t k, double perplexity)
{
    float *x = new_floats(n * 5), *square = new_floats(n * k);
    int32_t *index = calloc((size_t)(n * k), sizeof *index);
    affinities a;
    tg_rng rng = {.seed = 8};
    for (int64_t i = 0; i < n * 5; i++)
        x[i] = (float)tg_rng_normal(&rng);
    cr_assert_eq(neighbours_find(x, n, 5, k, index, square), TG_OK);
    cr_assert_eq(affinities_new(&a, n, k, index, square, perplexity), TG_OK);
    free(index);
    free(square);
    free(x);
    return a;
}

Test(projection, affinities__are_symmetric)
{
    affinities a = random_affinities(100, 9, 3);
    double *p = dense(&a);
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(p[i * 100 + i], 0);
        for (int j = 0; j < i; j++)
            cr_expect_float_eq(p[i * 100 + j], p[j * 100 + i], 1e-9, "%d, %d", i, j);
    }
    free(p);
    affinities_release(&a);
}

/* ---- the gradient ---------------------------------------------------------------------------- */

/* sum of p log(p / q) by its definition */
static double divergence(int64_t n, const double *p, const float *y)
{
    double z = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                const double dx = (double)y[2 * i] - (double)y[2 * j];
                const double dy = (double)y[2 * i + 1] - (double)y[2 * j + 1];
                const double w = i == j ? 0 : 1 / (1 + dx * dx + dy * dy);
                z += pass == 0 ? w : 0;
                if (pass == 1 && p[i * n + j] > 0)
                    sum += p[i * n + j] * log(p[i * n + j] * z / w);
            }
    return sum;
}

Test(projection, gradient__is_that_of_the_divergence)
{
    enum { N = 40 };
    const float step = 1.f / 256; /* added to multiples of itself: no rounding */
    affinities a = random_affinities(N, 9, 3);
    double *p = dense(&a);
    float y[2 * N], dy[2 * N];
    tg_rng rng = {.seed = 2};
    for (int i = 0; i < 2 * N; i++)
        y[i] = (float)round(tg_rng_normal(&rng) / (double)step) * step;
    repulsion *r = repulsion_new(N);
    tsne_gradient(&a, r, y, 0, 1, dy);
    for (int i = 0; i < 2 * N; i++) {
        const float kept = y[i];
        y[i] = kept + step;
        const double above = divergence(N, p, y);
        y[i] = kept - step;
        const double below = divergence(N, p, y);
        y[i] = kept;
        cr_expect_float_eq((double)dy[i], (above - below) / (2 * (double)step), 1e-5,
                           "coordinate %d: %g", i, (double)dy[i]);
    }
    repulsion_free(r);
    free(p);
    affinities_release(&a);
}

/* The relative distance of force from `exact` (n, 2). */
static double error_of(int64_t n, const float *force, const double *exact)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < 2 * n; i++) {
        error += ((double)force[i] - exact[i]) * ((double)force[i] - exact[i]);
        size += exact[i] * exact[i];
    }
    return sqrt(error / size);
}

/* The sums by plain loops; gives Z. */
static double exact_repulsion(int64_t n, const float *y, double *force)
{
    double z = 0;
    memset(force, 0, (size_t)(2 * n) * sizeof *force);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double dx = (double)y[2 * i] - (double)y[2 * j];
            const double dy = (double)y[2 * i + 1] - (double)y[2 * j + 1];
            const double w = 1 / (1 + dx * dx + dy * dy);
            z += j == i ? 0 : w;
            force[2 * i] += w * w * dx;
            force[2 * i + 1] += w * w * dy;
        }
    return z;
}

/* In a small, a middling and a large picture of clusters, some points in one place. */
Test(projection, repulsion__is_near_the_exact_sums)
{
    enum { N = 2003 };
    static float y[2 * N], force[2 * N];
    static double exact[2 * N];
    repulsion *r = repulsion_new(N);
    for (double scale = 1e-4; scale < 1e2; scale *= 100) {
        tg_rng rng = {.seed = 6};
        for (int i = 0; i < N; i++)
            for (int d = 0; d < 2; d++)
                y[2 * i + d] = (float)(scale * (i < 50 ? 1 : 3 * (i * (d + 1) % 7) +
                                                             tg_rng_normal(&rng)));
        const double z = exact_repulsion(N, y, exact);
        cr_expect_float_eq(repulsion_sum(r, y, 0.5, force) / z, 1, 0.005);
        cr_expect_lt(error_of(N, force, exact), 0.02, "scale %g: %g", scale,
                     error_of(N, force, exact));
        cr_expect_float_eq(repulsion_sum(r, y, 0, force) / z, 1, 1e-5);
        cr_expect_lt(error_of(N, force, exact), 1e-4, "scale %g, theta 0: %g", scale,
                     error_of(N, force, exact));
    }
    repulsion_free(r);
}

Test(projection, repulsion__of_points_in_one_place_is_zero)
{
    enum { N = 20000 };
    static float y[2 * N], force[2 * N];
    for (int i = 0; i < N; i++)
        y[2 * i] = 3, y[2 * i + 1] = -2;
    repulsion *r = repulsion_new(N);
    cr_expect_float_eq(repulsion_sum(r, y, 0.5, force) / ((double)N * (N - 1)), 1, 1e-6);
    for (int i = 0; i < 2 * N; i++)
        cr_expect_eq(force[i], 0);
    repulsion_free(r);
}

/* ---- t-SNE ----------------------------------------------------------------------------------- */

/* n rows (n, DIM) around 5 centres: row i belongs to i % 5. */
enum { DIM = 20 };
static float *clusters(int64_t n)
{
    float *x = new_floats(n * DIM);
    for (int64_t i = 0; i < n * DIM; i++) {
        tg_rng centre = {.seed = 11, .position = (uint64_t)(i / DIM % 5 * DIM + i % DIM)};
        tg_rng noise = {.seed = 12, .position = (uint64_t)i};
        x[i] = (float)(1.5 * tg_rng_normal(&centre) + tg_rng_normal(&noise));
    }
    return x;
}

static double distance(const float *a, const float *b)
{
    return hypot((double)a[0] - (double)b[0], (double)a[1] - (double)b[1]);
}

Test(projection, tsne__separates_clusters)
{
    enum { N = 600 };
    float *x = clusters(N), y[2 * N];
    cr_assert_eq(tsne(x, N, DIM, (tsne_options){.seed = 1}, y), TG_OK);
    int agree = 0;
    double within = 0, between = 0, pairs_within = 0, pairs_between = 0;
    for (int i = 0; i < N; i++) {
        int nearest = i == 0;
        for (int j = 0; j < N; j++) {
            const double far = distance(y + 2 * i, y + 2 * j);
            if (j != i && far < distance(y + 2 * i, y + 2 * nearest))
                nearest = j;
            *(i % 5 == j % 5 ? &within : &between) += far;
            *(i % 5 == j % 5 ? &pairs_within : &pairs_between) += 1;
        }
        agree += nearest % 5 == i % 5;
    }
    cr_expect_geq(agree, N * 95 / 100, "the nearest neighbour of %d of %d is of its cluster", agree,
                  N);
    const double ratio = between / pairs_between / (within / pairs_within);
    cr_expect_gt(ratio, 4, "distances between clusters are %g times those within", ratio);
    free(x);
}

Test(projection, tsne__gives_the_same_bits_for_a_seed_and_any_number_of_threads)
{
    enum { N = 300 };
    float *x = clusters(N), y[3][2 * N];
    for (int run = 0; run < 3; run++) {
        tg_set_num_threads(run == 1 ? 3 : 1);
        const tsne_options o = {.iterations = 100, .seed = run == 2};
        cr_assert_eq(tsne(x, N, DIM, o, y[run]), TG_OK);
    }
    cr_expect_arr_eq(y[0], y[1], sizeof y[0]);
    cr_expect_neq(memcmp(y[0], y[2], sizeof y[0]), 0, "the seed has no effect");
    free(x);
}

Test(projection, tsne__draws_few_rows_and_equal_ones)
{
    float *x = clusters(5), y[400];
    for (int64_t n = 1; n <= 5; n++) {
        cr_assert_eq(tsne(x, n, DIM, (tsne_options){.seed = 1}, y), TG_OK);
        for (int i = 0; i < 2 * n; i++)
            cr_expect(isfinite(y[i]), "%d rows", (int)n);
    }
    cr_expect_gt(distance(y, y + 2), 0);
    float *same = new_floats(200);
    cr_assert_eq(tsne(same, 200, 1, (tsne_options){.seed = 1}, y), TG_OK);
    for (int i = 0; i < 400; i++)
        cr_expect(isfinite(y[i]));
    cr_expect_gt(distance(y, y + 2), 0);
    free(same);
    free(x);
}
