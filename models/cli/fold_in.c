#include "models/cli/fold_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/embeddings.h"
#include "models/scorer.h"

enum { ROWS = 256, NEGATIVES = 4 };

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

struct fold_in {
    const recommender *r;
    tg_module *module;     /* the model for ROWS users, all of them this one */
    embeddings user;       /* of the module */
    embeddings trained;    /* of the recommender */
    int64_t dim;           /* numbers of a vector */
    float *vector;         /* (dim) */
    double *mean, *spread; /* (dim): of the trained vectors; the spread is the standard deviation */
    double *x;             /* (dim): the vector is mean + spread x */
    double noise;
};

/* ---- the module of one user ------------------------------------------------------------------ */

/* A module like the recommender's, whose user tables alone want gradients. */
static void make_module(fold_in *f)
{
    recommender few = *f->r;
    few.users.count = ROWS;
    recommender_build(&few);
    f->module = few.module;
    tg_module_train(f->module, false);
    tg_module_freeze(f->module, true);
    tg_state_dict of = tg_module_state_dict(f->r->module), to = tg_module_state_dict(f->module);
    for (int64_t i = 0; i < to.count; i++)
        if (tg_shape_equal(&to.entry[i].tensor->shape, &of.entry[i].tensor->shape))
            tg_copy(to.entry[i].tensor, of.entry[i].tensor);
    tg_state_dict_release(&of);
    tg_state_dict_release(&to);
    f->trained = embeddings_of(f->r->module, SIDE_USER);
    f->user = embeddings_of(f->module, SIDE_USER);
    f->dim = f->user.dim;
    for (int t = 0; t < f->user.tables; t++)
        tg_requires_grad(f->user.table[t]);
}

/* The mean vector of the users that have training ratings, and the spread around it. */
static void measure_users(fold_in *f)
{
    int64_t count = 0;
    for (int64_t u = 0; u < f->r->users.count; u++)
        if (recommender_seen(f->r, u).count > 0) {
            embeddings_row(&f->trained, u, f->vector);
            for (int64_t d = 0; d < f->dim; d++)
                f->mean[d] += (double)f->vector[d];
            count++;
        }
    for (int64_t d = 0; d < f->dim && count; d++)
        f->mean[d] /= (double)count;
    for (int64_t u = 0; u < f->r->users.count; u++)
        if (recommender_seen(f->r, u).count > 0) {
            embeddings_row(&f->trained, u, f->vector);
            for (int64_t d = 0; d < f->dim; d++)
                f->spread[d] += pow((double)f->vector[d] - f->mean[d], 2);
        }
    for (int64_t d = 0; d < f->dim && count; d++)
        f->spread[d] = sqrt(f->spread[d] / (double)count);
}

/* The model's mean squared error on its training ratings, up to SAMPLE of them. */
static tg_status measure_noise(fold_in *f)
{
    enum { SAMPLE = 20000 };
    const recommender *r = f->r;
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
    f->noise = n ? fmax(squares / (double)n, 1e-4) : 1;
    tg_dataset_release(&pairs);
    free(prediction);
    return prediction ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld ratings", (long long)n);
}

fold_in *fold_in_new(const recommender *r)
{
    fold_in *f = calloc(1, sizeof *f);
    if (!f) {
        tg_failure(TG_ENOMEM, "no memory to fold users in");
        return NULL;
    }
    f->r = r;
    make_module(f);
    const size_t dim = (size_t)f->dim;
    f->vector = calloc(dim, sizeof *f->vector);
    f->mean = calloc(dim, sizeof *f->mean);
    f->spread = calloc(dim, sizeof *f->spread);
    f->x = calloc(dim, sizeof *f->x);
    if (!f->vector || !f->mean || !f->spread || !f->x)
        tg_failure(TG_ENOMEM, "no memory to fold users in");
    else if (measure_noise(f) == TG_OK)
        return measure_users(f), f;
    fold_in_free(f);
    return NULL;
}

void fold_in_free(fold_in *f)
{
    if (!f)
        return;
    tg_module_free(f->module);
    free(f->vector);
    free(f->mean);
    free(f->spread);
    free(f->x);
    free(f);
}

/* ---- the model and its slopes ---------------------------------------------------------------- */

/* Make x's vector every row of the module's user tables. */
static void write_rows(const fold_in *f)
{
    const float *from = f->vector;
    for (int64_t d = 0; d < f->dim; d++)
        f->vector[d] = (float)(f->mean[d] + f->spread[d] * f->x[d]);
    for (int t = 0; t < f->user.tables; t++) {
        const int64_t width = embeddings_width(&f->user, t);
        float *to = f->user.table[t]->data;
        for (int64_t row = 0; row < ROWS; row++)
            memcpy(to + row * width, from, (size_t)width * sizeof *to);
        from += width;
    }
}

/* d output / d x of the samples from `from` on, out of the tables' gradients. */
static void read_slopes(const fold_in *f, int64_t from, samples *s)
{
    int64_t first = 0;
    for (int t = 0; t < f->user.tables; t++) {
        const int64_t width = embeddings_width(&f->user, t);
        const tg_tensor *g = f->user.table[t]->grad;
        for (int64_t i = 0; i < tg_numel(g->rows); i++) {
            const int64_t row = ((const int64_t *)g->rows->data)[i];
            const float *slope = (const float *)g->data + i * width;
            for (int64_t d = 0; d < width; d++)
                s->slope[(from + row) * f->dim + first + d] =
                    (float)f->spread[first + d] * slope[d];
        }
        tg_zero_grad_tensor(f->user.table[t]);
        first += width;
    }
}

/* The model's outputs and slopes at x: sample i of a batch is of the module's user i, so that each
 * has a row of the gradient to itself. */
static void run_model(const fold_in *f, samples *s)
{
    write_rows(f);
    for (int64_t from = 0; from < s->count; from += ROWS) {
        const int64_t n = s->count - from < ROWS ? s->count - from : ROWS;
        int64_t row[ROWS];
        for (int64_t i = 0; i < n; i++)
            row[i] = i;
        tg_step_begin();
        tg_tensor *y = f->r->model->forward(f->module, tg_from(TG_I64, row, n),
                                            tg_from(TG_I64, s->item + from, n)); /* (n) */
        for (int64_t i = 0; i < n; i++)
            s->output[from + i] = (double)((const float *)y->data)[i];
        tg_backward(tg_sum(y));
        tg_step_end();
        read_slopes(f, from, s);
    }
}

static double dot_slope(const fold_in *f, const samples *s, int64_t i, const double *x)
{
    double sum = 0;
    for (int64_t d = 0; d < f->dim; d++)
        sum += (double)s->slope[i * f->dim + d] * x[d];
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
static double linearise(const fold_in *f, samples *s)
{
    double loss = 0;
    run_model(f, s);
    for (int64_t d = 0; d < f->dim; d++)
        loss += f->x[d] * f->x[d] / 2;
    for (int64_t i = 0; i < s->count; i++) {
        const double y = s->output[i], missing = s->wanted[i] - y, w = s->weight[i];
        if (f->r->task == TASK_RATING) {
            loss += w * missing * missing / 2 / f->noise;
            s->variance[i] = f->noise / w;
            s->target[i] = missing;
        } else {
            const double p = logistic(y), curvature = fmax(p * (1 - p), 1e-6);
            loss += w * cross_entropy(y, s->wanted[i]);
            s->variance[i] = 1 / (w * curvature);
            s->target[i] = (s->wanted[i] - p) / curvature;
        }
        s->target[i] += dot_slope(f, s, i, f->x);
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
    memset(z, 0, (size_t)f->dim * sizeof *z);
    for (int64_t i = 0; i < s->count; i++)
        for (int64_t d = 0; d < f->dim; d++)
            z[d] += a[i] * (double)s->slope[i * f->dim + d];
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
        for (int64_t d = 0; d < f->dim; d++)
            own += (double)s->slope[i * f->dim + d] * (double)s->slope[i * f->dim + d];
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
    const size_t n = (size_t)count + 1, dim = (size_t)f->dim;
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
    const bool is_rating = f->r->task == TASK_RATING;
    const int64_t items = f->r->items.count, others = items - ratings.count;
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
    memcpy(from, f->x, (size_t)f->dim * sizeof *from);
    for (int i = 0; i < HALVINGS; i++, part /= 2) {
        for (int64_t d = 0; d < f->dim; d++)
            f->x[d] = from[d] + part * (best[d] - from[d]);
        const double now = linearise(f, s);
        if (now < loss)
            return now;
    }
    memcpy(f->x, from, (size_t)f->dim * sizeof *from);
    return loss;
}

/* RMSE, or mean cross entropy, of the first `count` samples as they are. */
static double measure(const fold_in *f, const samples *s, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double missing = s->wanted[i] - s->output[i];
        sum += f->r->task == TASK_RATING ? missing * missing : cross_entropy(s->output[i], 1);
    }
    sum /= (double)count;
    return f->r->task == TASK_RATING ? sqrt(sum) : sum;
}

tg_status fold_in_fit(fold_in *f, seen_items ratings, fitted *how)
{
    enum { STEPS = 30 };
    samples s;
    tg_status status = make_samples(f, ratings, &s);
    if (status != TG_OK)
        return status;
    const size_t n = (size_t)s.count, dim = (size_t)f->dim;
    double *scratch = malloc((5 * n + 3 * dim) * sizeof *scratch);
    if (!scratch) {
        samples_release(&s);
        return tg_failure(TG_ENOMEM, "no memory to fit a user to %zu ratings", n);
    }
    double *best = scratch + 5 * n + dim, *from = best + dim;
    memset(f->x, 0, dim * sizeof *f->x);
    double loss = linearise(f, &s), before = INFINITY;
    *how = (fitted){.measure = f->r->task == TASK_RATING ? "RMSE" : "cross entropy",
                    .before = measure(f, &s, ratings.count)};
    for (; how->steps < STEPS && before - loss > 1e-4 * loss; how->steps++) {
        before = loss;
        solve_for_best(f, &s, best, scratch);
        loss = step_towards(f, &s, best, loss, from);
    }
    linearise(f, &s);
    how->after = measure(f, &s, ratings.count);
    free(scratch);
    samples_release(&s);
    return TG_OK;
}

void fold_in_take(fold_in *f, int64_t user)
{
    embeddings_row(&f->trained, user, f->vector);
    for (int64_t d = 0; d < f->dim; d++)
        f->x[d] = f->spread[d] > 0 ? ((double)f->vector[d] - f->mean[d]) / f->spread[d] : 0;
    write_rows(f);
}

tg_status fold_in_score(const fold_in *f, float *score)
{
    scorer *all = scorer_new(f->r->model, f->module);
    if (!all)
        return tg_failure(TG_ENOMEM, "no memory to score all items");
    scorer_score(all, 0, score);
    scorer_free(all);
    return TG_OK;
}

tg_status fold_in_explain(fold_in *f, seen_items ratings, int64_t item, double *part, double *base)
{
    samples s, one;
    tg_status status = make_samples(f, ratings, &s);
    if (status == TG_OK && samples_alloc(f, 1, &one) != TG_OK) {
        samples_release(&s);
        status = TG_ENOMEM;
    }
    if (status != TG_OK)
        return status;
    const size_t n = (size_t)s.count;
    double *scratch = malloc((6 * n + (size_t)f->dim) * sizeof *scratch);
    if (scratch) {
        double *kernel = scratch, *weight = scratch + n;
        add_sample(&one, item, 0, 1);
        linearise(f, &s);
        run_model(f, &one);
        double *slope = weight + n; /* (dim): of the item's prediction; scratch afterwards */
        for (int64_t d = 0; d < f->dim; d++)
            slope[d] = (double)one.slope[d];
        *base = one.output[0] - dot(slope, f->x, f->dim);
        for (size_t i = 0; i < n; i++)
            kernel[i] = dot_slope(f, &s, (int64_t)i, slope);
        solve(f, &s, kernel, weight, weight + n);
        for (int64_t i = 0; i < s.count; i++) {
            if (i < ratings.count)
                part[i] = weight[i] * s.target[i];
            else
                *base += weight[i] * s.target[i];
        }
    } else {
        status = tg_failure(TG_ENOMEM, "no memory to explain %zu ratings", n);
    }
    free(scratch);
    samples_release(&s);
    samples_release(&one);
    return status;
}
