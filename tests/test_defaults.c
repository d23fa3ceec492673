/* Named options: what is left out has its default, and what is given counts, a zero too. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tapegrad.h"

typedef struct point {
    tg_module base;
    tg_tensor *p; /* (2) */
} point;

static point *point_new(void)
{
    point *m = tg_module_new(point);
    m->p = tg_param(m, "p", tg_owned(TG_F64, 2));
    tg_set(m->p, 0.75, 0);
    tg_set(m->p, -0.5, 1);
    return m;
}

/* ---- optimisers ------------------------------------------------------------------------------ */

/* The same in PyTorch 1.13, for each optimiser below:
 *
 *     p = torch.nn.Parameter(torch.tensor([.75, -.5], dtype=torch.float64))
 *     o = torch.optim.SGD([p], 1e-3)
 *     for c in ([1, -2], [.5, .25], [-1, 3.]):
 *         o.zero_grad()
 *         (p * torch.tensor(c)).sum().backward()
 *         o.step()
 *     print(p)
 *
 * SparseAdam refuses a dense gradient there; here it treats one as Adam does. */
#define ADAMS(X, adam, D, x, y)                                                                    \
    X(adam##_none, tg_##adam(m), x, y)                                                             \
    X(adam##_0, tg_##adam(m, 0), x, y)                                                             \
    X(adam##_struct, tg_##adam##_new(&m->base, (tg_adam_options){D}), x, y)                        \
    X(adam##_lr, tg_##adam(m, .lr = 0), 0.75, -0.5)
#define CASES(X)                                                                                   \
    X(sgd_none, tg_sgd(m), 0.74950000000000006, -0.50124999999999997)                              \
    X(sgd_0, tg_sgd(m, 0), 0.74950000000000006, -0.50124999999999997)                              \
    X(sgd_struct, tg_sgd_new(&m->base, (tg_sgd_options){TG_SGD_DEFAULTS}),                         \
      0.74950000000000006, -0.50124999999999997)                                                   \
    X(sgd_lr, tg_sgd(m, .lr = 0, .momentum = 0.9), 0.75, -0.5)                                     \
    X(sgd_momentum, tg_sgd(m, .momentum = 0, .lr = 0.1), 0.69999999999999996, -0.625)              \
    ADAMS(X, adam, TG_ADAM_DEFAULTS, 0.74795703731293872, -0.49871123775897658)                    \
    X(adam_beta1, tg_adam(m, .beta1 = 0), 0.74952215000964062, -0.50061288032104978)               \
    X(adam_beta2, tg_adam(m, .beta2 = 0), 0.74743037487049713, -0.49593425921430112)               \
    X(adam_eps, tg_adam(m, .lr = 0.1, .eps = 0), 0.54570372898664909, -0.37112377513181077)        \
    ADAMS(X, sparse_adam, TG_ADAM_DEFAULTS, 0.74795703731293872, -0.49871123775897658)             \
    X(sparse_adam_beta1, tg_sparse_adam(m, .beta1 = 0), 0.74952215000964062,                       \
      -0.50061288032104978)                                                                        \
    ADAMS(X, adamw, TG_ADAMW_DEFAULTS, 0.74793456685963411, -0.49869626363422176)                  \
    X(adamw_decay, tg_adamw(m, .weight_decay = 0), 0.74795703731293872, -0.49871123775897658)      \
    X(adamw_beta1, tg_adamw(m, .beta1 = 0), 0.74949967656004435, -0.50059789871640781)             \
    X(adagrad_none, tg_adagrad(m), 0.74219453071262254, -0.49954092091249375)                      \
    X(adagrad_struct, tg_adagrad_new(&m->base, (tg_adagrad_options){TG_ADAGRAD_DEFAULTS}),         \
      0.74219453071262254, -0.49954092091249375)                                                   \
    X(adagrad_lr, tg_adagrad(m, .lr = 0), 0.75, -0.5)                                              \
    X(adagrad_eps, tg_adagrad(m, .eps = 0), 0.74219453071166708, -0.49954092091228497)             \
    X(rmsprop_none, tg_rmsprop(m, 0), 0.67209970111958606, -0.49572680437490779)                   \
    X(rmsprop_struct, tg_rmsprop_new(&m->base, (tg_rmsprop_options){TG_RMSPROP_DEFAULTS}),         \
      0.67209970111958606, -0.49572680437490779)                                                   \
    X(rmsprop_lr, tg_rmsprop(m, .lr = 0), 0.75, -0.5)                                              \
    X(rmsprop_alpha, tg_rmsprop(m, .alpha = 0), 0.74000000020000001, -0.50999999961666664)         \
    X(rmsprop_eps, tg_rmsprop(m, .eps = 0), 0.67209969157646532, -0.49572680230725508)

#define FUNCTION(name, call, x, y)                                                                 \
    static tg_optimizer *name(point *m) { return call; }
CASES(FUNCTION)

#define ROW(name, call, x, y) {#call, name, {x, y}},
static const struct {
    const char *call;
    tg_optimizer *(*make)(point *m);
    double expected[2];
} cases[] = {CASES(ROW)};

static void take_step(const point *m, tg_optimizer *opt, double c0, double c1)
{
    tg_step_begin();
    tg_zero_grad(opt);
    tg_backward(tg_sum(tg_mul(m->p, tg_from(TG_F64, ((double[]){c0, c1}), 2))));
    tg_optimizer_step(opt);
    tg_step_end();
}

Test(defaults, zero__of_the_caller_is_a_zero)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        point *m = point_new();
        tg_optimizer *opt = cases[i].make(m);
        take_step(m, opt, 1, -2);
        take_step(m, opt, 0.5, 0.25);
        take_step(m, opt, -1, 3);
        for (int k = 0; k < 2; k++)
            cr_expect_float_eq(tg_get(m->p, k), cases[i].expected[k], 1e-15, "%s: %.17g, not %.17g",
                               cases[i].call, tg_get(m->p, k), cases[i].expected[k]);
        tg_optimizer_free(opt);
        tg_module_free(&m->base);
    }
}

/* Without momentum absent rows stay, so there is nothing to put off. */
Test(defaults, beta1__of_zero_goes_with_catch_up)
{
    tg_tensor *end[2];
    for (int late = 0; late < 2; late++) {
        tg_manual_seed(1);
        tg_embedding_table *m = tg_embedding_new(5, 2);
        tg_optimizer *opt = tg_adam(m, .lr = 0.1, .beta1 = 0, .catch_up = late);
        for (int64_t step = 0; step < 300; step++) {
            tg_step_begin();
            tg_zero_grad(opt);
            const int64_t id[] = {step % 3, 4};
            tg_backward(tg_sum(tg_square(tg_embedding_forward(m, tg_from(TG_I64, id, 2)))));
            tg_optimizer_step(opt);
            tg_step_end();
        }
        end[late] = tg_retain(m->weight);
        tg_optimizer_free(opt);
        tg_module_free(&m->base);
    }
    cr_expect_arr_eq(end[0]->data, end[1]->data, 10 * sizeof(float));
    tg_free(end[0]);
    tg_free(end[1]);
}

/* ---- the macro ------------------------------------------------------------------------------- */

static double count_call(int *calls)
{
    ++*calls;
    return 0.5;
}

static double lr_and_free(tg_optimizer *opt, double lr)
{
    tg_optimizer_free(opt);
    return lr;
}

Test(defaults, argument__is_evaluated_once)
{
    int calls = 0;
    point *m = point_new();
    tg_optimizer *opt = tg_sgd(m, .lr = count_call(&calls));
    cr_expect_eq(calls, 1);
    take_step(m, opt, 1, -2);
    cr_expect_eq(tg_get(m->p, 0), 0.25);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

/* The tests are compiled with -Wshadow. */
Test(defaults, call__stands_in_an_argument_of_another)
{
    point *m = point_new();
    tg_optimizer *opt = tg_sgd(
        m, .lr = lr_and_free(tg_sgd(m, .lr = lr_and_free(tg_adam(m, .beta1 = 0), 1)), 0.25));
    take_step(m, opt, 1, -2);
    cr_expect_eq(tg_get(m->p, 0), 0.5);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

/* ---- other options --------------------------------------------------------------------------- */

Test(defaults, grad__without_options)
{
    tg_step_begin();
    tg_tensor *x = tg_requires_grad(tg_full(TG_F64, 3, 1)), *dx[2], *y = tg_square(x);
    tg_grad(y, &x, 1, &dx[0]);
    tg_grad(y, &x, 1, &dx[1], 0);
    cr_expect_eq(tg_item(dx[0]), 6);
    cr_expect_eq(tg_item(dx[1]), 6);
    cr_expect_not(dx[0]->requires_grad);
    tg_step_end();
}

Test(defaults, loader__without_options)
{
    static const float values[] = {1, 2, 3, 4, 5};
    tg_dataset data = tg_dataset_of(tg_retain(tg_from(TG_F32, values, 5)));
    tg_loader *loader[] = {tg_loader_new(&data, 5), tg_loader_new(&data, 5, 0),
                           tg_loader_new(&data, 5, .shuffle = false, .seed = 3)};
    for (int i = 0; i < 3; i++) {
        tg_tensor *x;
        cr_assert(tg_loader_next(loader[i], &x));
        cr_expect_arr_eq(x->data, values, sizeof values);
        tg_loader_free(loader[i]);
    }
    tg_dataset_release(&data);
}

/* Without noise the ratings are the rounded scores, and the best predictor knows them. */
Test(defaults, synthetic__without_noise_is_certain)
{
    tg_ids users = {0}, items = {0};
    tg_dataset ratings;
    tg_synthetic_floor best;
    const tg_synthetic_options o = TG_OPTIONS(tg_synthetic_options, TG_SYNTHETIC_DEFAULTS,
                                              .users = 50, .items = 80, .ratings = 900, .noise = 0);
    cr_assert_eq(tg_synthetic_with(&users, &items, &ratings, o), TG_OK);
    cr_assert_eq(tg_synthetic_best(&users, &items, &ratings, o, &best), TG_OK);
    cr_expect_eq(best.mae, 0);
    cr_expect_eq(best.rmse, 0);
    tg_dataset_release(&ratings);
    tg_ids_release(&users);
    tg_ids_release(&items);
}

Test(defaults, synthetic__refuses_what_is_no_number_of_it)
{
    tg_ids users = {0}, items = {0};
    tg_dataset ratings;
    const double noise[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(tg_synthetic(&users, &items, &ratings, .noise = noise[i]), TG_EMISUSE);
        cr_expect_not_null(strstr(tg_last_error()->message, "noise"));
    }
    cr_expect_eq(tg_synthetic(&users, &items, &ratings, .users = 0), TG_EMISUSE);
    cr_expect_eq(tg_synthetic(&users, &items, &ratings, .items = 0), TG_EMISUSE);
    cr_expect_eq(tg_synthetic(&users, &items, &ratings, .ratings = 0), TG_EMISUSE);
    cr_expect_eq(tg_synthetic(&users, &items, &ratings, .rank = 0), TG_EMISUSE);
    cr_expect_eq(users.count, 0);
}

/* torch.optim.lr_scheduler.ReduceLROnPlateau: factor 0.1, patience 10 unless given. */
Test(defaults, plateau__has_those_of_pytorch)
{
    tg_plateau left_out[] = {tg_plateau_of(0), {TG_PLATEAU_DEFAULTS}};
    tg_plateau given = tg_plateau_of(.factor = 0, .patience = 0);
    for (int epoch = 0; epoch < 13; epoch++) {
        for (int i = 0; i < 2; i++)
            cr_expect_eq(tg_schedule_plateau(&left_out[i], 1) == 1, epoch < 11, "%d", epoch);
        cr_expect_eq(tg_schedule_plateau(&given, 1), epoch == 0, "%d", epoch);
    }
}
