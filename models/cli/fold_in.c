#include "models/cli/fold_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEGATIVES = 4 }; /* weight of all items that are not a user's, over that of his */

/* What the vector is to give, and the linear model near it. */
typedef struct samples {
    int64_t count;
    int64_t *item;    /* (count) */
    double *wanted;   /* (count): a rating, or 1 and 0 */
    double *weight;   /* (count): of the sample in the loss */
    double *output;   /* (count): what the model gives */
    double *target;   /* (count): what the linear model is to give, less what it gives for x = 0 */
    double *variance; /* (count): of the target */
    float *slope;     /* (count, dim): d output / d x */
} samples;

/* The model's mean squared error on its training ratings, up to SAMPLE of them. */
static tg_status measure_noise(const recommender *r, double *noise)
{
    enum { SAMPLE = 20000 };
    const int64_t all = tg_numel(r->seen_item), stride = all / SAMPLE + 1, n = all / stride;
    tg_dataset pairs = tg_dataset_of(tg_owned(TG_I64, n), tg_owned(TG_I64, n));
    float *prediction = malloc(((size_t)n + 1) * sizeof *prediction);
    int64_t *user = tg_dataset_rows(&pairs, TG_USER), *item = tg_dataset_rows(&pairs, TG_ITEM);
    double squares = 0;
    for (int64_t i = 0, u = 0; i < n; i++) {
        while (((const int64_t *)r->seen_start->data)[u + 1] <= i * stride)
            u++;
        user[i] = u;
        item[i] = ((const int64_t *)r->seen_item->data)[i * stride];
    }
    if (prediction)
        recommender_predict(r, &pairs, prediction);
    for (int64_t i = 0; prediction && i < n; i++) {
        const double rating = (double)((const float *)r->seen_rating->data)[i * stride];
        squares += (prediction[i] - rating) * (prediction[i] - rating);
    }
    *noise = n ? fmax(squares / (double)n, 1e-4) : 1;
    tg_dataset_release(&pairs);
    free(prediction);
    return prediction ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld ratings", (long long)n);
}

tg_status fold_in_init(fold_in *f, const recommender *r)
{
    tg_status status = user_model_init(&f->user, r);
    if (status == TG_OK)
        status = measure_noise(r, &f->noise);
    if (status != TG_OK)
        user_model_release(&f->user);
    return status;
}

void fold_in_release(fold_in *f)
{
    user_model_release(&f->user);
}

/* ---- samples --------------------------------------------------------------------------------- */

static void samples_release(samples *s)
{
    free(s->item);
    free(s->wanted);
    free(s->slope);
    *s = (samples){0};
}

static tg_status samples_alloc(const fold_in *f, int64_t count, samples *s)
{
    const size_t n = (size_t)count + 1, dim = (size_t)f->user.dim;
    *s = (samples){.item = malloc(n * sizeof *s->item),
                   .wanted = malloc(5 * n * sizeof *s->wanted), /* and the four others */
                   .slope = malloc(n * dim * sizeof *s->slope)};
    if (!s->item || !s->wanted || !s->slope) {
        samples_release(s);
        return tg_failure(TG_ENOMEM, "no memory to fit a user to %lld ratings", (long long)count);
    }
    s->weight = s->wanted + n;
    s->output = s->weight + n;
    s->target = s->output + n;
    s->variance = s->target + n;
    return TG_OK;
}

static void add_sample(samples *s, int64_t item, double wanted, double weight)
{
    s->item[s->count] = item;
    s->wanted[s->count] = wanted;
    s->weight[s->count++] = weight;
}

/* The ratings come first, in their order. */
static tg_status make_samples(const fold_in *f, seen_items ratings, samples *s)
{
    const bool is_rating = f->user.r->task == TASK_RATING;
    const int64_t items = f->user.r->items.count, others = items - ratings.count;
    const tg_status status = samples_alloc(f, is_rating ? ratings.count : items, s);
    if (status != TG_OK)
        return status;
    for (int64_t i = 0; i < ratings.count; i++)
        add_sample(s, ratings.item[i], is_rating ? (double)ratings.rating[i] : 1, 1);
    for (int64_t i = 0, next = 0; i < items && !is_rating; i++) {
        while (next < ratings.count && ratings.item[next] < i)
            next++;
        if (next == ratings.count || ratings.item[next] != i)
            add_sample(s, i, 0, (double)(NEGATIVES * ratings.count) / (double)others);
    }
    return TG_OK;
}

/* ---- the linear model ------------------------------------------------------------------------ */

static double dot_slope(const fold_in *f, const samples *s, int64_t i, const double *x)
{
    double sum = 0;
    for (int64_t d = 0; d < f->user.dim; d++)
        sum += (double)s->slope[i * f->user.dim + d] * x[d];
    return sum;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* Of a logit against 1 or 0. */
static double cross_entropy(double x, double wanted)
{
    return log1p(exp(-fabs(x))) + fmax(x, 0) - x * wanted;
}

/* Outputs, slopes and the linear model at x; gives the loss. */
static double linearise(fold_in *f, samples *s)
{
    double loss = 0;
    user_model_set(&f->user);
    user_model_run(&f->user, s->item, s->count, s->output, s->slope);
    for (int64_t d = 0; d < f->user.dim; d++)
        loss += f->user.x[d] * f->user.x[d] / 2;
    for (int64_t i = 0; i < s->count; i++) {
        const double y = s->output[i], missing = s->wanted[i] - y, w = s->weight[i];
        if (f->user.r->task == TASK_RATING) {
            loss += w * missing * missing / 2 / f->noise;
            s->variance[i] = f->noise / w;
            s->target[i] = missing;
        } else {
            const double p = logistic(y), curvature = fmax(p * (1 - p), 1e-6);
            loss += w * cross_entropy(y, s->wanted[i]);
            s->variance[i] = 1 / (w * curvature);
            s->target[i] = (s->wanted[i] - p) / curvature;
        }
        s->target[i] += dot_slope(f, s, i, f->user.x);
    }
    return loss;
}

/* ---- the linear system ----------------------------------------------------------------------- */

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* z (dim) = sum_i a_i slope_i */
static void combine_slopes(const fold_in *f, const samples *s, const double *a, double *z)
{
    memset(z, 0, (size_t)f->user.dim * sizeof *z);
    for (int64_t i = 0; i < s->count; i++)
        for (int64_t d = 0; d < f->user.dim; d++)
            z[d] += a[i] * (double)s->slope[i * f->user.dim + d];
}

/* Solve (K + V) a = b, K_ij = slope_i . slope_j, V the variances, all (count): conjugate gradients
 * with the diagonal as preconditioner (Hestenes and Stiefel 1952). scratch is (4 count + dim). */
static void solve(const fold_in *f, const samples *s, const double *b, double *a, double *scratch)
{
    enum { STEPS = 1000 };
    const int64_t n = s->count;
    double *rest = scratch, *way = rest + n, *image = way + n, *scale = image + n, *z = scale + n;
    for (int64_t i = 0; i < n; i++) {
        double own = s->variance[i];
        for (int64_t d = 0; d < f->user.dim; d++)
            own += (double)s->slope[i * f->user.dim + d] * (double)s->slope[i * f->user.dim + d];
        scale[i] = 1 / own;
        a[i] = 0;
        rest[i] = b[i];
        way[i] = scale[i] * b[i];
    }
    double now = dot(rest, way, n);
    const double enough = 1e-16 * now;
    for (int step = 0; step < STEPS && now > enough; step++) {
        combine_slopes(f, s, way, z);
        for (int64_t i = 0; i < n; i++)
            image[i] = dot_slope(f, s, i, z) + s->variance[i] * way[i];
        const double length = now / dot(way, image, n), before = now;
        now = 0;
        for (int64_t i = 0; i < n; i++) {
            a[i] += length * way[i];
            rest[i] -= length * image[i];
            now += scale[i] * rest[i] * rest[i];
        }
        for (int64_t i = 0; i < n; i++)
            way[i] = scale[i] * rest[i] + now / before * way[i];
    }
}

/* ---- the fit --------------------------------------------------------------------------------- */

/* The best x of the linear model, into best (dim). */
static void solve_for_best(const fold_in *f, const samples *s, double *best, double *scratch)
{
    double *a = scratch;
    solve(f, s, s->target, a, scratch + s->count);
    combine_slopes(f, s, a, best);
}

/* From x towards `best`, half as far each time until the loss falls; gives the loss. x stays where
 * it does not. */
static double step_towards(fold_in *f, samples *s, const double *best, double loss, double *from)
{
    enum { HALVINGS = 12 };
    double part = 1;
    memcpy(from, f->user.x, (size_t)f->user.dim * sizeof *from);
    for (int i = 0; i < HALVINGS; i++, part /= 2) {
        for (int64_t d = 0; d < f->user.dim; d++)
            f->user.x[d] = from[d] + part * (best[d] - from[d]);
        const double now = linearise(f, s);
        if (now < loss)
            return now;
    }
    memcpy(f->user.x, from, (size_t)f->user.dim * sizeof *from);
    return loss;
}

/* RMSE or cross entropy: weighted means over the samples as they are. */
static double measure(const fold_in *f, const samples *s)
{
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const double missing = s->wanted[i] - s->output[i];
        weights += s->weight[i];
        sum += s->weight[i] * (f->user.r->task == TASK_RATING
                                   ? missing * missing
                                   : cross_entropy(s->output[i], s->wanted[i]));
    }
    return f->user.r->task == TASK_RATING ? sqrt(sum / weights) : sum / weights;
}

tg_status fold_in_fit(fold_in *f, seen_items ratings, fitted *how)
{
    enum { STEPS = 30 };
    samples s;
    tg_status status = make_samples(f, ratings, &s);
    if (status != TG_OK)
        return status;
    const size_t n = (size_t)s.count, dim = (size_t)f->user.dim;
    double *scratch = malloc((5 * n + 3 * dim) * sizeof *scratch);
    if (!scratch) {
        samples_release(&s);
        return tg_failure(TG_ENOMEM, "no memory to fit a user to %zu ratings", n);
    }
    double *best = scratch + 5 * n + dim, *from = best + dim;
    memset(f->user.x, 0, dim * sizeof *f->user.x);
    double loss = linearise(f, &s), before = INFINITY;
    *how = (fitted){.measure = f->user.r->task == TASK_RATING ? "RMSE" : "cross entropy",
                    .before = measure(f, &s)};
    for (; how->steps < STEPS && before - loss > 1e-4 * loss; how->steps++) {
        before = loss;
        solve_for_best(f, &s, best, scratch);
        loss = step_towards(f, &s, best, loss, from);
    }
    linearise(f, &s);
    how->after = measure(f, &s);
    free(scratch);
    samples_release(&s);
    return TG_OK;
}

/* ---- explanation ----------------------------------------------------------------------------- */

/* part (ratings) and *base of an item with these slopes (dim), which gives `output`. kernel, weight
 * (count) and scratch as for solve are overwritten. */
static double explain_item(const fold_in *f, const samples *s, int64_t ratings, double output,
                           const double *slope, double *scratch, double *part)
{
    double *kernel = scratch, *weight = kernel + s->count;
    double base = output - dot(slope, f->user.x, f->user.dim);
    for (int64_t i = 0; i < s->count; i++)
        kernel[i] = dot_slope(f, s, i, slope);
    solve(f, s, kernel, weight, weight + s->count);
    for (int64_t i = 0; i < s->count; i++) {
        if (i < ratings)
            part[i] = weight[i] * s->target[i];
        else
            base += weight[i] * s->target[i];
    }
    return base;
}

tg_status fold_in_explain(fold_in *f, seen_items ratings, int64_t item, double *part, double *base)
{
    samples s;
    tg_status status = make_samples(f, ratings, &s);
    if (status != TG_OK)
        return status;
    const size_t n = (size_t)s.count, dim = (size_t)f->user.dim;
    double *scratch = malloc((6 * n + 2 * dim) * sizeof *scratch);
    float *slope = malloc(dim * sizeof *slope); /* of the item's prediction */
    if (scratch && slope) {
        double output, *wide = scratch + 6 * n + dim;
        linearise(f, &s);
        user_model_run(&f->user, &item, 1, &output, slope);
        for (size_t d = 0; d < dim; d++)
            wide[d] = (double)slope[d];
        *base = explain_item(f, &s, ratings.count, output, wide, scratch, part);
    } else {
        status = tg_failure(TG_ENOMEM, "no memory to explain by %zu ratings", n);
    }
    free(scratch);
    free(slope);
    samples_release(&s);
    return status;
}
