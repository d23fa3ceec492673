/*
 * The example models learn what they are for, from tiny data made here.
 *
 * Each bound is something known about the data: what the truth that made them would reach, or what
 * a predictor reaches that lacks what the model is to show. Seeds are fixed.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "models/autorec.h"
#include "models/bpr.h"
#include "models/classifier.h"
#include "models/fm.h"
#include "models/logistic.h"
#include "models/mf.h"

/* `steps` steps of Adam on loss_of(data), all of the data at once; gives the last loss. */
static double fit(const tg_module *m, tg_tensor *(*loss_of)(void *data), void *data, double lr,
                  int steps)
{
    double last = NAN;
    tg_optimizer *opt = tg_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = lr));
    for (int step = 0; step < steps; step++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *loss = loss_of(data);
        tg_backward(loss);
        tg_optimizer_step(opt);
        last = tg_item(loss);
        tg_step_end();
    }
    tg_optimizer_free(opt);
    return last;
}

static double sign(int64_t i)
{
    return i % 2 ? 1 : -1;
}

/* ---- logistic regression --------------------------------------------------------------------- */

typedef struct labelled_points {
    logistic *m;
    float x[400][2], label[400];
} labelled_points;

static tg_tensor *loss_of_points(void *data)
{
    labelled_points *p = data;
    return logistic_loss(p->m, tg_from(TG_F32, p->x, 400, 2), tg_from(TG_F32, p->label, 400));
}

/* Labels are drawn with the odds 2 x0 - x1 + 0.5. The maximum of the likelihood lies above that of
 * the truth, so a model that found it has no larger loss; without inputs the least is log 2. */
Test(examples, logistic__is_as_likely_as_the_truth)
{
    labelled_points p;
    tg_rng rng = {.seed = 1};
    for (int i = 0; i < 400; i++) {
        p.x[i][0] = (float)tg_rng_normal(&rng);
        p.x[i][1] = (float)tg_rng_normal(&rng);
        const double odds = 2 * (double)p.x[i][0] - (double)p.x[i][1] + 0.5;
        p.label[i] = tg_rng_uniform(&rng) < 1 / (1 + exp(-odds));
    }
    tg_manual_seed(1);
    p.m = logistic_new(2);
    const double loss = fit(&p.m->base, loss_of_points, &p, 0.1, 300);
    tg_set(p.m->linear->weight, 2, 0, 0);
    tg_set(p.m->linear->weight, -1, 0, 1);
    tg_set(p.m->linear->bias, 0.5, 0);
    const double truth = tg_item(loss_of_points(&p));
    cr_expect_leq(loss, truth);
    cr_expect_lt(truth, 0.8 * log(2), "the data are to be learned from");
    tg_module_free(&p.m->base);
}

/* ---- classifier ------------------------------------------------------------------------------ */

typedef struct rings {
    classifier *m;
    float x[300][2];
    int64_t label[300];
} rings;

static void draw_rings(rings *r, tg_rng *rng)
{
    for (int i = 0; i < 300; i++) {
        r->label[i] = i % 3;
        const double radius = 1 + i % 3 + 0.1 * tg_rng_normal(rng);
        const double angle = 2 * 3.14159265 * tg_rng_uniform(rng);
        r->x[i][0] = (float)(radius * cos(angle));
        r->x[i][1] = (float)(radius * sin(angle));
    }
}

static tg_tensor *loss_of_rings(void *data)
{
    rings *r = data;
    return classifier_loss(r->m, tg_from(TG_F32, r->x, 300, 2), tg_from(TG_I64, r->label, 300));
}

static double accuracy(rings *r, int64_t k)
{
    return classifier_accuracy(r->m, tg_from(TG_F32, r->x, 300, 2),
                               tg_from(TG_I64, r->label, 300), k);
}

/* Three rings, ten standard deviations apart: the truth makes no error, a constant is right for
 * one in three, and no straight line parts them. Measured on points not trained on. */
Test(examples, classifier__tells_rings_apart)
{
    rings r;
    tg_rng rng = {.seed = 2};
    draw_rings(&r, &rng);
    tg_manual_seed(2);
    r.m = classifier_new(2, 32, 3, 0.1);
    fit(&r.m->base, loss_of_rings, &r, 0.02, 300);
    draw_rings(&r, &rng);
    tg_eval(r.m);
    cr_expect_geq(accuracy(&r, 1), 0.97, "%g", accuracy(&r, 1));
    cr_expect_geq(accuracy(&r, 2), accuracy(&r, 1));
    cr_expect_eq(accuracy(&r, 3), 1);
    tg_module_free(&r.m->base);
}

/* ---- autoencoder ----------------------------------------------------------------------------- */

enum { READERS = 60, BOOKS = 20 };

typedef struct shelf {
    autorec *m;
    float rating[READERS][BOOKS]; /* NaN where held out */
    int64_t observed[READERS][BOOKS];
} shelf;

static tg_tensor *loss_of_shelf(void *data)
{
    shelf *s = data;
    return autorec_loss(s->m, tg_from(TG_F32, s->rating, READERS, BOOKS),
                        tg_from(TG_I64, s->observed, READERS, BOOKS));
}

/* Two kinds of readers and of books; like likes like: +- 1.5 about the mean, with noise of 0.3. A
 * third is held out. A constant's error there is 1.5, the truth's 0.3; asked for is 0.5. */
Test(examples, autorec__fills_the_gaps)
{
    shelf s;
    float truth[READERS][BOOKS];
    tg_rng rng = {.seed = 3};
    for (int u = 0; u < READERS; u++)
        for (int i = 0; i < BOOKS; i++) {
            truth[u][i] = (float)(1.5 * sign(u) * sign(i) + 0.3 * tg_rng_normal(&rng));
            s.observed[u][i] = tg_rng_uniform(&rng) < 0.67;
            s.rating[u][i] = s.observed[u][i] ? truth[u][i] : NAN;
        }
    tg_manual_seed(3);
    s.m = autorec_new(BOOKS, 4);
    fit(&s.m->base, loss_of_shelf, &s, 0.02, 200);
    tg_step_begin();
    const tg_tensor *y = autorec_forward(s.m, tg_from(TG_F32, s.rating, READERS, BOOKS),
                                         tg_from(TG_I64, s.observed, READERS, BOOKS));
    double square = 0;
    int count = 0;
    for (int u = 0; u < READERS; u++)
        for (int i = 0; i < BOOKS; i++)
            if (!s.observed[u][i]) {
                square += pow(tg_get(y, u, i) - (double)truth[u][i], 2);
                count++;
            }
    tg_step_end();
    cr_expect_gt(count, READERS * BOOKS / 4);
    cr_expect_lt(sqrt(square / count), 0.5, "%g", sqrt(square / count));
    tg_module_free(&s.m->base);
}

/* ---- factorisation machine ------------------------------------------------------------------- */

enum { VISITORS = 8, SHOWS = 8, DAYS = 2, VISITS = VISITORS * SHOWS * DAYS };

typedef struct visits {
    fm *m;
    int64_t feature[VISITS][3], count;
    float stars[VISITS];
} visits;

static tg_tensor *loss_of_visits(void *data)
{
    visits *v = data;
    return fm_loss(v->m, tg_from(TG_I64, v->feature, v->count, 3),
                   tg_from(TG_F32, v->stars, v->count));
}

/* stars = 3 +- 0.5 by day, +- 1 by whether visitor and show go together. Without pairs, the last
 * term is lost: a squared error of 1. Measured on the quarter of the visits not trained on. */
Test(examples, fm__learns_pairs)
{
    visits train = {.m = NULL}, test = {.m = NULL};
    tg_rng rng = {.seed = 4};
    for (int64_t i = 0; i < VISITS; i++) {
        const int64_t visitor = i % VISITORS, show = i / VISITORS % SHOWS, day = i / 64;
        visits *v = tg_rng_uniform(&rng) < 0.75 ? &train : &test;
        v->feature[v->count][0] = visitor;
        v->feature[v->count][1] = VISITORS + show;
        v->feature[v->count][2] = VISITORS + SHOWS + day;
        v->stars[v->count++] = (float)(3 + 0.5 * sign(day) + sign(visitor) * sign(show));
    }
    tg_manual_seed(4);
    train.m = test.m = fm_new(VISITORS + SHOWS + DAYS, 2);
    fit(&train.m->base, loss_of_visits, &train, 0.02, 600);
    cr_expect_gt(test.count, VISITS / 8);
    const double loss = tg_item(loss_of_visits(&test));
    cr_expect_lt(loss, 0.1, "%g", loss);
    tg_module_free(&train.m->base);
}

/* The identity against the sum over pairs that it replaces; rows of two and of four features. */
Test(examples, fm__sums_over_pairs)
{
    static const int64_t feature[] = {1, 3, 0, 2};
    tg_manual_seed(5);
    fm *m = fm_new(5, 3);
    tg_fill_normal(m->w->weight, 0, 1);
    tg_fill(m->bias, 0.25);
    for (int64_t n = 2; n <= 4; n += 2) {
        double y = 0.25;
        for (int64_t a = 0; a < n; a++) {
            y += tg_get(m->w->weight, feature[a], 0);
            for (int64_t b = a + 1; b < n; b++)
                for (int64_t d = 0; d < 3; d++)
                    y += tg_get(m->v->weight, feature[a], d) * tg_get(m->v->weight, feature[b], d);
        }
        cr_expect_float_eq(tg_item(fm_forward(m, tg_from(TG_I64, feature, 1, n))), y, 1e-6);
    }
    tg_module_free(&m->base);
}

/* ---- matrix factorisation -------------------------------------------------------------------- */

enum { USERS = 40, ITEMS = 30, PAIRS = USERS * ITEMS };

typedef struct pairs {
    mf *m;
    int64_t user[PAIRS], item[PAIRS], count;
    float rating[PAIRS];
} pairs;

static tg_tensor *loss_of_pairs(void *data)
{
    pairs *p = data;
    tg_tensor *y = mf_forward(p->m, tg_from(TG_I64, p->user, p->count),
                              tg_from(TG_I64, p->item, p->count));
    return tg_mse_loss(y, tg_from(TG_F32, p->rating, p->count));
}

static void draw(tg_rng *rng, int count, double std, double *x)
{
    for (int i = 0; i < count; i++)
        x[i] = std * tg_rng_normal(rng);
}

/* Ratings of biases and two factors, with noise of 0.2; half are held out. There the model does
 * better than the true mean and biases do, which leave out the product of factors. */
Test(examples, mf__learns_biases_and_factors)
{
    pairs train = {.m = NULL}, test = {.m = NULL};
    double bu[USERS], bi[ITEMS], p[2 * USERS], q[2 * ITEMS], noise, sum = 0, without_factors = 0;
    tg_rng rng = {.seed = 6};
    draw(&rng, USERS, 0.4, bu);
    draw(&rng, ITEMS, 0.4, bi);
    draw(&rng, 2 * USERS, 0.7, p);
    draw(&rng, 2 * ITEMS, 0.7, q);
    for (int64_t i = 0; i < PAIRS; i++) {
        const int64_t u = i / ITEMS, k = i % ITEMS;
        const double product = p[2 * u] * q[2 * k] + p[2 * u + 1] * q[2 * k + 1];
        const bool is_test = tg_rng_uniform(&rng) < 0.5;
        pairs *part = is_test ? &test : &train;
        draw(&rng, 1, 0.2, &noise);
        part->user[part->count] = u;
        part->item[part->count] = k;
        part->rating[part->count] = (float)(3.5 + bu[u] + bi[k] + product + noise);
        without_factors += is_test ? pow(product + noise, 2) : 0;
        sum += is_test ? 0 : (double)part->rating[part->count];
        part->count++;
    }
    without_factors /= (double)test.count;
    tg_manual_seed(6);
    train.m = test.m = mf_new(USERS, ITEMS, (model_options){.factors = 2, .dropout = 0});
    tg_fill(train.m->mean, sum / (double)train.count);
    fit(&train.m->base, loss_of_pairs, &train, 0.02, 400);
    const double loss = tg_item(loss_of_pairs(&test));
    cr_expect_lt(loss, without_factors / 2, "%g, without factors %g", loss, without_factors);
    tg_module_free(&train.m->base);
}

/* ---- ranking by pairs ------------------------------------------------------------------------ */

enum { BUYERS = 40, GOODS = 20, BOUGHT = 7 }; /* the last of BOUGHT is held out */

typedef struct baskets {
    bpr *m;
    int64_t bought[BUYERS][BOUGHT];
    bool has[BUYERS][GOODS];
    tg_rng rng;
} baskets;

/* Nine of ten are of the buyer's own kind of goods. */
static void draw_baskets(baskets *b)
{
    for (int64_t u = 0; u < BUYERS; u++)
        for (int n = 0; n < BOUGHT;) {
            const bool own_kind = tg_rng_uniform(&b->rng) < 0.9;
            const int64_t kind = own_kind ? u % 2 : 1 - u % 2;
            const int64_t i = 2 * (int64_t)tg_rng_below(&b->rng, GOODS / 2) + kind;
            if (!b->has[u][i])
                b->bought[u][n++] = i;
            b->has[u][i] = true;
        }
}

/* All that was bought, each with goods drawn afresh that were not. */
static tg_tensor *loss_of_baskets(void *data)
{
    enum { N = BUYERS * (BOUGHT - 1) };
    baskets *b = data;
    int64_t user[N], taken[N], other[N];
    for (int64_t n = 0; n < N; n++) {
        user[n] = n % BUYERS;
        taken[n] = b->bought[n % BUYERS][n / BUYERS];
        do
            other[n] = (int64_t)tg_rng_below(&b->rng, GOODS);
        while (b->has[user[n]][other[n]]);
    }
    return bpr_loss(b->m, tg_from(TG_I64, user, N), tg_from(TG_I64, taken, N),
                    tg_from(TG_I64, other, N));
}

/* How often the item held out comes before one never bought; equal scores count half. The scores
 * are the model's, or 1 for the buyer's own kind and 0 for the other where m is NULL. */
static double auc(const baskets *b, bpr *m)
{
    double right = 0, count = 0;
    for (int64_t u = 0; u < BUYERS; u++) {
        double score[GOODS];
        for (int64_t i = 0; i < GOODS; i++) {
            tg_step_begin();
            score[i] = m ? tg_item(bpr_forward(m, tg_full(TG_I64, (double)u, 1),
                                               tg_full(TG_I64, (double)i, 1)))
                         : (double)(i % 2 == u % 2);
            tg_step_end();
        }
        const double held_out = score[b->bought[u][BOUGHT - 1]];
        for (int64_t i = 0; i < GOODS; i++)
            if (!b->has[u][i]) {
                right += held_out > score[i] ? 1 : held_out == score[i] ? 0.5 : 0;
                count++;
            }
    }
    return right / count;
}

/* Who knows the kinds reaches what `truth` says, chance 0.5. */
Test(examples, bpr__ranks_nearly_as_well_as_the_truth)
{
    baskets b = {.rng = {.seed = 7}};
    draw_baskets(&b);
    tg_manual_seed(7);
    b.m = bpr_new(BUYERS, GOODS, 2);
    const double untrained = auc(&b, b.m);
    fit(&b.m->base, loss_of_baskets, &b, 0.02, 150);
    const double trained = auc(&b, b.m), truth = auc(&b, NULL);
    cr_expect_gt(trained, truth - 0.05, "%g, truth %g", trained, truth);
    cr_expect_lt(untrained, 0.6, "%g", untrained);
    cr_expect_gt(truth, 0.7, "the data are to be learned from: %g", truth);
    tg_module_free(&b.m->base);
}
