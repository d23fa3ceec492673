/* Principal components by subspace iteration with Rayleigh-Ritz (Saad, Numerical Methods for Large
 * Eigenvalue Problems, 5.1). The covariance matrix is never formed. */
#include <math.h>
#include <string.h>

#include "models/cli/projection.h"

enum {
    BLOCK = 64, /* directions at once: rows of at most so many dimensions need one round */
    ROUNDS = 200,
};

/* ---- small dense matrices, f64 --------------------------------------------------------------- */

/* One of Jacobi's rotations: makes a[p][q] zero. a and v are (n, n). */
static void rotate(double *a, double *v, int64_t n, int64_t p, int64_t q)
{
    const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    const double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int64_t i = 0; i < n; i++) {
        const double ip = a[i * n + p], iq = a[i * n + q];
        a[i * n + p] = c * ip - s * iq;
        a[i * n + q] = s * ip + c * iq;
    }
    for (int64_t i = 0; i < n; i++) {
        const double pi = a[p * n + i], qi = a[q * n + i];
        a[p * n + i] = c * pi - s * qi;
        a[q * n + i] = s * pi + c * qi;
    }
    for (int64_t i = 0; i < n; i++) {
        const double ip = v[i * n + p], iq = v[i * n + q];
        v[i * n + p] = c * ip - s * iq;
        v[i * n + q] = s * ip + c * iq;
    }
}

/* Exchange columns p and q of v (n, n). */
static void swap_columns(double *v, int64_t n, int64_t p, int64_t q)
{
    for (int64_t i = 0; i < n; i++) {
        const double kept = v[i * n + p];
        v[i * n + p] = v[i * n + q];
        v[i * n + q] = kept;
    }
}

/* The eigenvalues of the symmetric a (n, n), falling, and its eigenvectors in the columns of v
 * (n, n). a is used up. */
static void eigen(double *a, int64_t n, double *value, double *v)
{
    double scale = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++)
            v[i * n + j] = i == j;
        scale = fmax(scale, a[i * n + i]);
    }
    bool is_diagonal = false;
    for (int sweep = 0; sweep < 50 && !is_diagonal; sweep++) {
        is_diagonal = true;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                if (fabs(a[p * n + q]) > 1e-15 * scale) {
                    rotate(a, v, n, p, q);
                    is_diagonal = false;
                }
    }
    for (int64_t i = 0; i < n; i++)
        value[i] = fmax(a[i * n + i], 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t largest = i;
        for (int64_t j = i + 1; j < n; j++)
            if (value[j] > value[largest])
                largest = j;
        const double kept = value[i];
        value[i] = value[largest];
        value[largest] = kept;
        swap_columns(v, n, i, largest);
    }
}

/* Make the columns of q (rows, n) orthonormal, from the left (Gram and Schmidt, twice for
 * precision). A column that the ones before it span becomes zero. */
static void orthonormalise(double *q, int64_t rows, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        double before = 0, after = 0;
        for (int64_t r = 0; r < rows; r++)
            before += q[r * n + j] * q[r * n + j];
        for (int64_t i = 0; i < 2 * j; i++) {
            double dot = 0;
            for (int64_t r = 0; r < rows; r++)
                dot += q[r * n + i % j] * q[r * n + j];
            for (int64_t r = 0; r < rows; r++)
                q[r * n + j] -= dot * q[r * n + i % j];
        }
        for (int64_t r = 0; r < rows; r++)
            after += q[r * n + j] * q[r * n + j];
        const double factor = after > 1e-24 * before ? 1 / sqrt(after) : 0;
        for (int64_t r = 0; r < rows; r++)
            q[r * n + j] *= factor;
    }
}

/* ---- principal components -------------------------------------------------------------------- */

static tg_status check_finite(const float *x, int64_t n, int64_t dim)
{
    for (int64_t i = 0; i < n * dim; i++)
        if (!isfinite(x[i]))
            return tg_failure(TG_EFORMAT, "row %lld of the embedding holds %g; expected finite "
                              "numbers", (long long)(i / dim), (double)x[i]);
    return TG_OK;
}

/* x (n, dim) less the mean of its rows, in f64; *whole is the sum of its squares. */
static tg_tensor *centre(const float *x, int64_t n, int64_t dim, double *whole)
{
    tg_tensor *c = tg_owned(TG_F64, n, dim);
    tg_step_begin();
    tg_copy(c, tg_from(TG_F32, x, n, dim));
    tg_copy(c, tg_sub(c, tg_mean_dim(c, true, 0)));
    *whole = tg_item(tg_sum(tg_square(c)));
    tg_step_end();
    return c;
}

/* q (rows, n): orthonormal columns of random directions. */
static tg_tensor *random_directions(int64_t rows, int64_t n)
{
    tg_tensor *q = tg_owned(TG_F64, rows, n);
    tg_rng rng = {.seed = 1};
    for (int64_t i = 0; i < rows * n; i++)
        ((double *)q->data)[i] = tg_rng_normal(&rng);
    orthonormalise(q->data, rows, n);
    return q;
}

static bool has_converged(const double *value, const double *last, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        if (fabs(value[i] - last[i]) > 1e-10 * value[0])
            return false;
    return true;
}

/* Columns of w whose largest coordinate in the axes q w is negative change their sign. */
static void fix_signs(tg_tensor *q, tg_tensor *w)
{
    const int64_t rows = tg_size(q, 0), n = tg_size(w, 1);
    const double *axis = tg_matmul(q, w)->data; /* (rows, n) */
    double *rotation = w->data;                 /* (n, n) */
    for (int64_t j = 0; j < n; j++) {
        double largest = 0;
        for (int64_t r = 0; r < rows; r++)
            if (fabs(axis[r * n + j]) > fabs(largest))
                largest = axis[r * n + j];
        for (int64_t i = 0; i < n && largest < 0; i++)
            rotation[i * n + j] = -rotation[i * n + j];
    }
}

/* Turn q (dim, block) towards the leading directions of c (n, dim), and give what c is along them:
 * y (n, block) of the step, value (block) the sums of squares of its columns. */
static tg_tensor *iterate(tg_tensor *c, tg_tensor *q, double *value, bool *is_done,
                          const double *last, int64_t k)
{
    const int64_t block = tg_size(q, 1);
    tg_tensor *y = tg_matmul(c, q), *w = tg_empty(TG_F64, block, block);
    eigen(tg_matmul(tg_t(y), y)->data, block, value, w->data);
    *is_done = *is_done || block == tg_size(c, 1) || has_converged(value, last, k);
    if (*is_done)
        fix_signs(q, w);
    y = tg_matmul(y, w);
    if (!*is_done) {
        tg_copy(q, tg_matmul(tg_t(c), y));
        orthonormalise(q->data, tg_size(q, 0), block);
    }
    return y;
}

/* The first k columns of from (n, block), and zeros where there are fewer. */
static void copy_columns(const tg_tensor *from, int64_t k, float *y)
{
    const int64_t n = tg_size(from, 0), block = tg_size(from, 1);
    const double *row = from->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            y[i * k + j] = j < block ? (float)row[i * block + j] : 0;
}

tg_status pca(const float *x, int64_t n, int64_t dim, int64_t k, float *y, double *share)
{
    const tg_status status = check_finite(x, n, dim);
    if (status != TG_OK)
        return status;
    double value[BLOCK], last[BLOCK] = {0}, whole;
    const int64_t block = dim < BLOCK ? dim : BLOCK, known = k < block ? k : block;
    tg_tensor *c = centre(x, n, dim, &whole), *q = random_directions(dim, block);
    bool is_done = false;
    for (int round = 1; !is_done; round++) {
        tg_step_begin();
        is_done = round == ROUNDS;
        const tg_tensor *columns = iterate(c, q, value, &is_done, last, known);
        if (is_done)
            copy_columns(columns, k, y);
        tg_step_end();
        memcpy(last, value, sizeof last);
    }
    for (int64_t i = 0; i < k; i++)
        share[i] = i < known && whole > 0 ? value[i] / whole : 0;
    tg_free(q);
    tg_free(c);
    return TG_OK;
}
