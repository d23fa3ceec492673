/* Optimisers: PyTorch's numbers, the same bits from row-sparse and dense gradients, and manners. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tapegrad.h"

#define OPTIONS(...) TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, __VA_ARGS__)

/* A table, and a vector beside it. */
typedef struct pair {
    tg_module base;
    tg_tensor *table;  /* (rows, dim) */
    tg_tensor *vector; /* (dim) */
} pair;

static pair *pair_new(tg_dtype dtype, int64_t rows, int64_t dim)
{
    pair *m = tg_module_new(pair);
    m->table = tg_param(m, "table", tg_owned(dtype, rows, dim));
    m->vector = tg_param(m, "vector", tg_owned(dtype, dim));
    for (int64_t i = 0; i < rows * dim; i++)
        tg_set(m->table, (double)(i * 7 % 11 - 5) / 8, i / dim, i % dim);
    tg_fill(m->vector, 0.75);
    return m;
}

static void end(pair *m, tg_optimizer *opt)
{
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

/* The sum of three rows looked up, one of them twice, each times a constant: the table's gradient
 * is row-sparse, or dense after a use of the whole table that adds zero. */
static tg_tensor *loss_of(const pair *m, int step, bool dense)
{
    const tg_dtype dtype = m->table->dtype;
    const int64_t rows = tg_size(m->table, 0), dim = tg_size(m->table, 1);
    const int64_t id[] = {step % rows, 1, step % rows};
    tg_tensor *c = tg_zeros(dtype, 3, dim);
    for (int64_t i = 0; i < 3 * dim; i++)
        tg_set(c, (double)((step * 5 + i * 3) % 7 - 3) / 4, i / dim, i % dim);
    tg_tensor *loss = tg_sum(tg_mul(tg_embedding(m->table, tg_from(TG_I64, id, 3)), c));
    return dense ? tg_add(loss, tg_mul(tg_sum(m->table), tg_scalar(dtype, 0))) : loss;
}

static void take_step(const pair *m, tg_optimizer *opt, int step, bool dense)
{
    tg_step_begin();
    tg_zero_grad(opt);
    tg_backward(loss_of(m, step, dense));
    cr_assert_eq(m->table->grad->rows == NULL, dense);
    tg_optimizer_step(opt);
    tg_step_end();
}

static void expect_same_bits(const tg_tensor *a, const tg_tensor *b, const char *what)
{
    cr_expect_arr_eq(a->data, b->data, (size_t)tg_numel(a) * tg_dtype_size(a->dtype), "%s %s", what,
                     tg_dtype_name(a->dtype));
}

/* ---- PyTorch --------------------------------------------------------------------------------- */

/* The same steps in PyTorch 1.13:
 *
 *     def run(optimizer, sparse=False):
 *         p = torch.tensor([(i * 7 % 11 - 5) / 8 for i in range(10)], dtype=torch.float64)
 *         e = torch.nn.Embedding.from_pretrained(p.view(5, 2), freeze=False, sparse=sparse)
 *         opt = optimizer(e.parameters())
 *         for s in range(6):
 *             c = torch.tensor([((s * 5 + i * 3) % 7 - 3) / 4 for i in range(6)])
 *             opt.zero_grad()
 *             (e(torch.tensor([s % 5, 1, s % 5])) * c.view(3, 2)).sum().backward()
 *             opt.step()
 *         print(', '.join('%.17g' % x for x in e.weight.flatten().tolist()))
 *
 * with the optimisers that stand above the numbers. */
enum { ROWS = 5, DIM = 2, STEPS = 6 };

/* SGD(p, 0.1) */
static const double sgd_plain[] = {
    -0.59999999999999998, 0.32500000000000001, -0.34999999999999998, 0.62500000000000011,
    0.17499999999999999, -0.47499999999999998, 0.47499999999999998, 0, -0.59999999999999998,
    0.47499999999999998};
/* SGD(p, 0.1, momentum=0.9) */
static const double sgd_momentum[] = {
    -0.50786025000000001, 0.5092795, -0.71432675000000001, 0.79494474999999998,
    0.29694999999999999, -0.71889999999999987, 0.43224999999999997, 0, -0.68999999999999995,
    0.56499999999999995};
/* SGD(p, 0.1, weight_decay=0.2) */
static const double sgd_decay[] = {
    -0.53105346811999987, 0.29165663505599998, -0.31187246697599996, 0.54930831595999996,
    0.15778989760800002, -0.42631009282399995, 0.41891119043200004, 0, -0.54092119043200004,
    0.43019089282399992};
/* SGD(p, 0.1, momentum=0.9, weight_decay=0.2) */
static const double sgd_both[] = {
    -0.31335370112000005, 0.398292051456, -0.57344074137599998, 0.56390074495999987,
    0.24636688780799998, -0.57606706342399994, 0.26747315123199999, 0, -0.52133315123200008,
    0.43799986342399999};
/* Adam(p, 0.05, (0.8, 0.95), 0.01) */
static const double adam_plain[] = {
    -0.48474829626777649, 0.40792451603991819, -0.39159779240502468, 0.73621129722363732,
    0.22107007613132579, -0.4729706231903309, 0.42666812368723928, 0, -0.55599261677637524,
    0.43099261677637524};
/* Adam(p, 0.05, (0.8, 0.95), 0.01, weight_decay=0.2) */
static const double adam_decay[] = {
    -0.39411484818788067, 0.35368978070608464, -0.37161480871167762, 0.67043587764424561,
    0.13879975966872515, -0.36213742351097927, 0.24690603928183355, 0, -0.36270641141494619,
    0.24948315663875137};
/* SparseAdam(p, 0.05, (0.8, 0.95), 0.01), sparse=True */
static const double sparse_adam_plain[] = {
    -0.56095295065660344, 0.33012110124764654, -0.38710901420112537, 0.72760199193255815,
    0.15676790708039728, -0.40812779503684266, 0.47232665315706102, 0, -0.5302832925598242,
    0.40528329255982426};

/* SGD(p, 0.1, momentum=0.9, weight_decay=0.2, nesterov=True) */
static const double sgd_nesterov[] = {
    -0.27194067006279565, 0.41107720975507717, -0.56893523062510665, 0.49037162727501477,
    0.26054601898338908, -0.59671358379016715, 0.22159159329355613, 0, -0.56626618329355616,
    0.49064463747016718};
/* AdamW(p, 0.05, (0.8, 0.95), 0.01) */
static const double adamw_plain[] = {
    -0.48311173531471041, 0.40693324446906393, -0.39058370235605028, 0.73410749185175084,
    0.22060939940672197, -0.47175932727753417, 0.42521222130228264, 0, -0.55447900119287485,
    0.42985353275525762};
/* AdamW(p, 0.05, (0.8, 0.95), 0.01, weight_decay=0.2) */
static const double adamw_decay[] = {
    -0.45282532265480102, 0.38852202506212846, -0.37174903813323745, 0.69508657324287892,
    0.2120441466236743, -0.44928381510155535, 0.39824979812583439, 0, -0.52642290479749021,
    0.40873788612236522};
/* Adagrad(p, 0.05, eps=0.01) */
static const double adagrad_plain[] = {
    -0.57692307692307687, 0.32098731728515661, -0.31241963337101875, 0.67983861236816967,
    0.17401960784313725, -0.42450495049504949, 0.45192307692307693, 0, -0.54950495049504955,
    0.42450495049504949};
/* Adagrad(p, 0.05, eps=0.01, weight_decay=0.2) */
static const double adagrad_decay[] = {
    -0.51240868404946083, 0.29322615890015585, -0.30180044524477417, 0.65189978021863626,
    0.10940189700888989, -0.33918523042299636, 0.33632028956076065, 0, -0.42122399938362254,
    0.30303807216813911};
/* RMSprop(p, 0.05, alpha=0.8, eps=0.01) */
static const double rmsprop_plain[] = {
    -0.52237560597279287, 0.42648004085985519, -0.38649481688907494, 0.73911770049604197,
    0.23201743374247447, -0.48435807791394647, 0.39737560597279287, 0, -0.60935807791394647,
    0.48435807791394647};
/* RMSprop(p, 0.05, alpha=0.8, eps=0.01, weight_decay=0.2) */
static const double rmsprop_decay[] = {
    -0.36539872447375799, 0.33921954857583747, -0.35312780980695702, 0.66594942623816733,
    0.12062627140798905, -0.31150272622140629, 0.16800628695731387, 0, -0.34977610162443012,
    0.2509689941888274};

enum { SGD, NESTEROV, ADAM, ADAMW, SPARSE_ADAM, ADAGRAD, RMSPROP };

typedef struct setting {
    const char *name;
    int kind;
    double momentum, weight_decay;
    const double *expected; /* (ROWS, DIM) */
} setting;

static const setting settings[] = {
    {"sgd", SGD, 0, 0, sgd_plain},
    {"sgd, momentum", SGD, 0.9, 0, sgd_momentum},
    {"sgd, weight decay", SGD, 0, 0.2, sgd_decay},
    {"sgd, momentum and weight decay", SGD, 0.9, 0.2, sgd_both},
    {"adam", ADAM, 0, 0, adam_plain},
    {"adam, weight decay", ADAM, 0, 0.2, adam_decay},
    {"sgd, nesterov", NESTEROV, 0.9, 0.2, sgd_nesterov},
    {"adamw", ADAMW, 0, 0.01, adamw_plain},
    {"adamw, weight decay", ADAMW, 0, 0.2, adamw_decay},
    {"adagrad", ADAGRAD, 0, 0, adagrad_plain},
    {"adagrad, weight decay", ADAGRAD, 0, 0.2, adagrad_decay},
    {"rmsprop", RMSPROP, 0, 0, rmsprop_plain},
    {"rmsprop, weight decay", RMSPROP, 0, 0.2, rmsprop_decay},
    {"sparse_adam", SPARSE_ADAM, 0, 0, sparse_adam_plain},
    {"sparse_adam, weight decay", SPARSE_ADAM, 0, 0.2, sparse_adam_plain}, /* of no effect here */
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static tg_optimizer *optimizer_new(const setting *s, pair *m)
{
    const double decay = s->weight_decay;
    const tg_adam_options o = {
        .lr = 0.05, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.01, .weight_decay = decay};
    switch (s->kind) {
    case ADAM: return tg_adam_new(&m->base, o);
    case ADAMW: return tg_adamw_new(&m->base, o);
    case SPARSE_ADAM: return tg_sparse_adam_new(&m->base, o);
    case ADAGRAD: return tg_adagrad(m, .lr = 0.05, .eps = 0.01, .weight_decay = decay);
    case RMSPROP:
        return tg_rmsprop(m, .lr = 0.05, .alpha = 0.8, .eps = 0.01, .weight_decay = decay);
    default:
        return tg_sgd(m, .lr = 0.1, .momentum = s->momentum, .weight_decay = decay,
                      .nesterov = s->kind == NESTEROV);
    }
}

/* Within 4 units in the last place of 1; the weights are smaller. */
static void check_setting(const setting *s, tg_dtype dtype, bool dense)
{
    pair *m = pair_new(dtype, ROWS, DIM);
    tg_optimizer *opt = optimizer_new(s, m);
    for (int step = 0; step < STEPS; step++)
        take_step(m, opt, step, dense);
    for (int i = 0; i < ROWS * DIM; i++) {
        const double p = tg_get(m->table, i / DIM, i % DIM);
        cr_expect(fabs(p - s->expected[i]) <= 4 * (dtype == TG_F32 ? FLT_EPSILON : DBL_EPSILON),
                  "%s %s, %s gradient: element %d is %.17g, not %.17g", s->name,
                  tg_dtype_name(dtype), dense ? "dense" : "sparse", i, p, s->expected[i]);
    }
    end(m, opt);
}

Test(optim, optimizers__give_the_numbers_of_pytorch)
{
    for (int s = 0; s < SETTINGS; s++)
        for (int dtype = TG_F32; dtype <= TG_F64; dtype++) {
            check_setting(&settings[s], (tg_dtype)dtype, false);
            if (settings[s].kind != SPARSE_ADAM) /* PyTorch's refuses dense gradients */
                check_setting(&settings[s], (tg_dtype)dtype, true);
        }
}

/* ---- row-sparse and dense gradients ---------------------------------------------------------- */

/* One optimiser sees dense gradients alone; the other a row-sparse one in some steps. */
static void check_same_bits(const setting *s, tg_dtype dtype, int period)
{
    pair *a = pair_new(dtype, 400, 50), *b = pair_new(dtype, 400, 50);
    tg_optimizer *opt_a = optimizer_new(s, a), *opt_b = optimizer_new(s, b);
    for (int step = 0; step < 2 * STEPS; step++) {
        take_step(a, opt_a, step, true);
        take_step(b, opt_b, step, step / period % 2);
        expect_same_bits(a->table, b->table, s->name);
    }
    end(a, opt_a);
    end(b, opt_b);
}

Test(optim, gradient__row_sparse_or_dense_or_changing_gives_the_same_bits)
{
    for (int s = 0; s < SETTINGS; s++)
        for (int dtype = TG_F32; dtype <= TG_F64 && settings[s].kind != SPARSE_ADAM; dtype++) {
            check_same_bits(&settings[s], (tg_dtype)dtype, 100); /* always sparse */
            check_same_bits(&settings[s], (tg_dtype)dtype, 1);
            check_same_bits(&settings[s], (tg_dtype)dtype, 3);
        }
}

Test(optim, sparse_adam__treats_dense_gradients_as_adam_does)
{
    pair *a = pair_new(TG_F32, ROWS, DIM), *b = pair_new(TG_F32, ROWS, DIM);
    const tg_adam_options o = OPTIONS(.lr = 0.05, .weight_decay = 0.2);
    tg_optimizer *opt_a = tg_adam_new(&a->base, o), *opt_b = tg_sparse_adam_new(&b->base, o);
    for (int step = 0; step < STEPS; step++) {
        take_step(a, opt_a, step, true);
        take_step(b, opt_b, step, true);
        expect_same_bits(a->table, b->table, "table");
    }
    end(a, opt_a);
    end(b, opt_b);
}

/* Even after rows have momentum, and whatever the weight decay; tg_adam moves every row. */
Test(optim, sparse_adam__leaves_absent_rows_alone)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        pair *m = pair_new(TG_F64, ROWS, DIM);
        const tg_adam_options o = OPTIONS(.lr = 0.05, .weight_decay = 0.2);
        tg_optimizer *opt = (sparse ? tg_sparse_adam_new : tg_adam_new)(&m->base, o);
        for (int step = 0; step < 3; step++)
            take_step(m, opt, step, false);
        double before[ROWS];
        for (int r = 0; r < ROWS; r++)
            before[r] = tg_get(m->table, r, 0);
        take_step(m, opt, 3, false); /* rows 3 and 1 */
        for (int r = 0; r < ROWS; r++)
            cr_expect_eq(tg_get(m->table, r, 0) == before[r], sparse && r != 3 && r != 1, "row %d",
                         r);
        end(m, opt);
    }
}

/* ---- parameters without a gradient ----------------------------------------------------------- */

static void step_with_vector(const pair *m, tg_optimizer *opt)
{
    tg_step_begin();
    tg_zero_grad(opt);
    tg_backward(tg_add(tg_sum(m->table), tg_sum(m->vector)));
    tg_optimizer_step(opt);
    tg_step_end();
}

/* How far the first step moves a parameter of 0.75 whose gradient is 1. */
static double first_step(const setting *s)
{
    const double g = 1 + s->weight_decay * 0.75;
    switch (s->kind) {
    case SGD: return 0.1 * g;
    case NESTEROV: return 0.1 * (g + s->momentum * g);
    case ADAMW: return 0.05 * s->weight_decay * 0.75 + 0.05 / 1.01;
    case RMSPROP: return 0.05 * g / (sqrt(0.2) * g + 0.01);
    default: return 0.05 * g / (g + 0.01);
    }
}

/* As in PyTorch where grad is None: neither decay nor momentum moves it, its steps do not count. */
Test(optim, parameter__without_a_gradient_stays)
{
    for (int s = 0; s < SETTINGS; s++) {
        pair *m = pair_new(TG_F64, ROWS, DIM);
        tg_optimizer *opt = optimizer_new(&settings[s], m);
        for (int step = 0; step < 3; step++) {
            take_step(m, opt, step, false);
            cr_expect_null(m->vector->grad);
            cr_expect_eq(tg_get(m->vector, 1), 0.75, "%s", settings[s].name);
        }
        step_with_vector(m, opt);
        const double moved = tg_get(m->vector, 1);
        cr_expect_float_eq(0.75 - moved, first_step(&settings[s]), 1e-15, "%s: the first step",
                           settings[s].name);
        take_step(m, opt, 4, false);
        cr_expect_eq(tg_get(m->vector, 1), moved, "%s", settings[s].name);
        end(m, opt);
    }
}

Test(optim, parameter__frozen_stays)
{
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_optimizer *opt = tg_adam(m, .lr = 0.1, .weight_decay = 0.1);
    step_with_vector(m, opt);
    const double vector = tg_get(m->vector, 1), table = tg_get(m->table, 2, 0);
    m->vector->requires_grad = false;
    step_with_vector(m, opt);
    cr_expect_null(m->vector->grad);
    cr_expect_eq(tg_get(m->vector, 1), vector);
    cr_expect_neq(tg_get(m->table, 2, 0), table);
    end(m, opt);
}

Test(optim, zero_grad__forgets)
{
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_optimizer *opt = tg_sgd(m, .lr = 0.5);
    tg_zero_grad(opt);
    tg_optimizer_step(opt); /* no gradient yet */
    tg_step_begin();
    tg_backward(tg_add(tg_sum(m->table), tg_sum(m->vector)));
    tg_zero_grad(opt);
    cr_expect_null(m->table->grad);
    cr_expect_null(m->vector->grad);
    tg_optimizer_step(opt);
    cr_expect_eq(tg_get(m->vector, 1), 0.75);
    tg_backward(tg_sum(m->vector));
    cr_expect_eq(tg_get(m->vector->grad, 1), 1, "nothing is left of the first gradient");
    tg_step_end();
    end(m, opt);
}

/* Without zero_grad the gradients of several losses add up, row-sparse ones too. A step may be
 * taken when theirs has ended. */
Test(optim, gradient__adds_up_until_it_is_forgotten)
{
    for (int dense = 0; dense < 2; dense++) {
        pair *m = pair_new(TG_F64, ROWS, DIM), *twin = pair_new(TG_F64, ROWS, DIM);
        tg_optimizer *opt = tg_sgd(m, .lr = 0.5), *twin_opt = tg_sgd(twin, .lr = 0.5);
        tg_step_begin();
        tg_backward(loss_of(m, 2, false));
        tg_backward(loss_of(m, 3, dense));
        tg_step_end();
        cr_expect_eq(m->table->grad->rows == NULL, dense);
        tg_optimizer_step(opt);
        take_step(twin, twin_opt, 2, true);
        take_step(twin, twin_opt, 3, true);
        expect_same_bits(m->table, twin->table, "all numbers are short binary fractions");
        end(m, opt);
        end(twin, twin_opt);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

/* One optimiser has its options left out, the other has the documented defaults. */
static void check_defaults(const char *name, tg_optimizer *(*make)(pair *m, bool given))
{
    pair *a = pair_new(TG_F64, ROWS, DIM), *b = pair_new(TG_F64, ROWS, DIM);
    tg_optimizer *opt_a = make(a, false), *opt_b = make(b, true);
    for (int step = 0; step < STEPS; step++) {
        take_step(a, opt_a, step, false);
        take_step(b, opt_b, step, false);
    }
    expect_same_bits(a->table, b->table, name);
    end(a, opt_a);
    end(b, opt_b);
}

static tg_optimizer *make_sgd(pair *m, bool given)
{
    return given ? tg_sgd(m, .lr = 1e-3) : tg_sgd(m, 0);
}

static tg_optimizer *make_adam(pair *m, bool given)
{
    return given ? tg_adam(m, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8)
                 : tg_adam(m, 0);
}

static tg_optimizer *make_sparse_adam(pair *m, bool given)
{
    return given ? tg_sparse_adam(m, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8)
                 : tg_sparse_adam(m, 0);
}

Test(optim, options__left_out_have_their_defaults)
{
    check_defaults("sgd", make_sgd);
    check_defaults("adam", make_adam);
    check_defaults("sparse_adam", make_sparse_adam);
}

/* Where PyTorch raises ValueError; and NaN, which some of its comparisons let through. */
#define OPTIONS_BY_NAME(X)                                                                         \
    X(sgd, lr, INFINITY) X(sgd, momentum, INFINITY) X(sgd, weight_decay, INFINITY)                 \
    X(adam, lr, INFINITY) X(adam, beta1, 1) X(adam, beta2, 1) X(adam, eps, INFINITY)               \
    X(adam, weight_decay, INFINITY) X(adamw, beta2, 1) X(adamw, weight_decay, INFINITY)            \
    X(sparse_adam, lr, INFINITY) X(sparse_adam, beta1, 1) X(sparse_adam, weight_decay, INFINITY)   \
    X(adagrad, lr, INFINITY) X(adagrad, eps, INFINITY) X(adagrad, weight_decay, INFINITY)          \
    X(rmsprop, lr, INFINITY) X(rmsprop, alpha, 1) X(rmsprop, eps, INFINITY)                        \
    X(rmsprop, weight_decay, INFINITY)
#define MAKE(kind, option, bound)                                                                  \
    static tg_optimizer *make_##kind##_##option(pair *m, double x)                                 \
    {                                                                                              \
        return tg_##kind(m, .option = x);                                                          \
    }
OPTIONS_BY_NAME(MAKE)
#define OPTION(kind, option, bound) {make_##kind##_##option, #kind, #option, bound},
static const struct {
    tg_optimizer *(*make)(pair *m, double x);
    const char *kind, *option;
    double bound; /* the first number that is too large */
} numbers[] = {OPTIONS_BY_NAME(OPTION)};

static void expect_misuse(const char *expected)
{
    cr_expect_eq(tg_last_error()->status, TG_EMISUSE, "no misuse: %s", expected);
    cr_expect_not_null(strstr(tg_last_error()->message, expected), "%s lacks %s",
                       tg_last_error()->message, expected);
    tg_clear_error();
}

Test(optim, options__that_make_no_sense_are_misuse)
{
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_set_misuse(TG_MISUSE_RETURN);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const double bad[] = {-1, -1e-300, NAN, -INFINITY, INFINITY, numbers[i].bound};
        for (int k = 0; k < 6; k++) {
            char message[64];
            snprintf(message, sizeof message, "%s: %s = %g;", numbers[i].kind, numbers[i].option,
                     bad[k]);
            tg_optimizer_free(numbers[i].make(m, bad[k]));
            expect_misuse(message);
        }
        tg_optimizer_free(numbers[i].make(m, 0));
        cr_expect_eq(tg_last_error()->status, TG_OK, "%s: %s = 0", numbers[i].kind,
                     numbers[i].option);
    }
    tg_optimizer_free(tg_sgd(m, .nesterov = true));
    expect_misuse("nesterov without a momentum");
    tg_module_free(&m->base);
}

/* "optimizer got an empty parameter list" */
Test(optim, optimizer__of_no_parameters_is_misuse)
{
    tg_dropout_layer *m = tg_dropout_new(0.5);
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_optimizer *opt[] = {tg_sgd(m), tg_adam(m), tg_adagrad(m)};
    expect_misuse("sgd: tg_dropout_layer has no parameters");
    for (int i = 0; i < 3; i++) {
        tg_zero_grad(opt[i]);
        tg_optimizer_step(opt[i]);
        tg_optimizer_free(opt[i]);
    }
    tg_module_free(&m->base);
}

/* ---- groups, schedules, clipping, state ------------------------------------------------------ */

static void expect_factors(const char *what, int count, const double *now, const double *expected)
{
    for (int i = 0; i < count; i++)
        cr_expect_float_eq(now[i], expected[i], 1e-12, "%s, step %d: %.17g, not %.17g", what, i,
                           now[i], expected[i]);
}

/* StepLR(3, 0.5), CosineAnnealingLR(7), LinearLR(1/4, 1, 3), OneCycleLR(1, 10),
 * ReduceLROnPlateau(factor=0.5, patience=1) of PyTorch 1.13, with lr 1. */
Test(optim, schedules__give_the_numbers_of_pytorch)
{
    static const double step[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25};
    static const double cosine[] = {1, 0.95048443395120952, 0.8117449009293668,
                                    0.61126046697815717, 0.38873953302184283,
                                    0.18825509907063326, 0.049515566048790483, 0};
    static const double warmup[] = {0.25, 0.5, 0.75, 1, 1, 1, 1, 1};
    static const double cycle[] = {0.040000000000000036, 0.52000000000000002, 1,
                                   0.95048463201347366, 0.81174565394976306,
                                   0.61126202193628931, 0.38874197806371075,
                                   0.18825834605023697, 0.049519367986526286,
                                   3.9999999999999998e-06};
    static const double value[] = {3, 2, 2, 2.5, 1.9999, 1.9998, 1.99985, 1};
    static const double plateau[] = {1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25};
    tg_plateau p = {.factor = 0.5, .patience = 1};
    double now[5][10];
    for (int i = 0; i < 10; i++) {
        now[0][i] = tg_schedule_step(i, 3, 0.5);
        now[1][i] = tg_schedule_cosine(i, 7);
        now[2][i] = tg_schedule_warmup(i, 4);
        now[3][i] = tg_schedule_one_cycle(i, 10);
        now[4][i] = i < 8 ? tg_schedule_plateau(&p, value[i]) : 0;
    }
    expect_factors("step", 8, now[0], step);
    expect_factors("cosine", 8, now[1], cosine);
    expect_factors("warmup", 8, now[2], warmup);
    expect_factors("one cycle", 10, now[3], cycle);
    expect_factors("plateau", 8, now[4], plateau);
}

/* ReduceLROnPlateau(SGD(p, 1.), factor=0.5, patience=patience), its lr after each value. */
Test(optim, plateau__compares_as_pytorch)
{
    static const struct {
        int patience, count;
        double value[7], expected[7];
    } runs[] = {
        {1, 4, {NAN, NAN, NAN, NAN}, {1, 0.5, 0.5, 0.25}},
        {1, 7, {3, NAN, 2, NAN, NAN, NAN, 1}, {1, 1, 1, 1, 0.5, 0.5, 0.5}},
        {1, 4, {INFINITY, INFINITY, INFINITY, 1}, {1, 0.5, 0.5, 0.5}},
        {1, 6, {3, 2, -INFINITY, -INFINITY, -INFINITY, -INFINITY}, {1, 1, 1, 1, 0.5, 0.5}},
        {0, 5, {-1, -0.99995, -0.9999, -0.9998, -0.9997}, {1, 1, 1, 0.5, 0.25}},
        {0, 4, {0, 0, -1e-9, -1}, {1, 0.5, 0.5, 0.5}},
    };
    for (int r = 0; r < 6; r++) {
        tg_plateau p = tg_plateau_of(.factor = 0.5, .patience = runs[r].patience);
        for (int i = 0; i < runs[r].count; i++) {
            const double now = tg_schedule_plateau(&p, runs[r].value[i]);
            cr_expect_eq(now, runs[r].expected[i], "run %d, value %d: %g", r, i, now);
        }
    }
}

Test(optim, schedule__without_steps_is_misuse)
{
    static double (*const schedules[])(int64_t step, int64_t steps) = {
        tg_schedule_cosine, tg_schedule_warmup, tg_schedule_one_cycle};
    static const char *const names[] = {"cosine: step ", "warmup: step ", "one_cycle: step "};
    static const int64_t bad[][2] = {{0, 0}, {0, -1}, {3, INT64_MIN}, {-1, 5}};
    pair *m = pair_new(TG_F32, 2, 1);
    tg_optimizer *opt = tg_sgd(m);
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int b = 0; b < 4; b++) {
        for (int i = 0; i < 3; i++) {
            cr_expect_eq(schedules[i](bad[b][0], bad[b][1]), 1);
            expect_misuse(names[i]);
        }
        cr_expect_eq(tg_schedule_step(bad[b][0], bad[b][1], 0.5), 1);
        expect_misuse("step: step ");
    }
    tg_schedule_one_cycle(6, 5); /* "Tried to step 7 times." */
    expect_misuse("one_cycle: step 6 of 5");
    const double factors[] = {-0.5, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        tg_set_lr_factor(opt, factors[i]);
        expect_misuse("factor = ");
        tg_plateau p = tg_plateau_of(.factor = factors[i]);
        tg_schedule_plateau(&p, 1);
        expect_misuse("plateau: factor = ");
    }
    tg_plateau p = tg_plateau_of(.factor = 1); /* "Factor should be < 1.0." */
    cr_expect_eq(tg_schedule_plateau(&p, 1), 1);
    expect_misuse("plateau: factor = 1;");
    end(m, opt);
}

Test(optim, group__has_its_own_rate_and_the_factor_scales_all)
{
    typedef struct two {
        tg_module base;
        pair *a, *b;
    } two;
    two *m = tg_module_new(two);
    m->a = tg_child(m, "a", pair_new(TG_F64, ROWS, DIM));
    m->b = tg_child(m, "b", pair_new(TG_F64, ROWS, DIM));
    tg_optimizer *opt = tg_sgd(m, .lr = 0.5);
    tg_optimizer_group(opt, &m->b->base, 0.25, 0.5);
    tg_set_lr_factor(opt, 0.5);
    const double before = tg_get(m->a->table, 2, 1);
    tg_step_begin();
    tg_backward(tg_add(tg_sum(m->a->table), tg_sum(m->b->table)));
    tg_optimizer_step(opt);
    tg_step_end();
    cr_expect_float_eq(tg_get(m->a->table, 2, 1), before - 0.25, 1e-15);
    cr_expect_float_eq(tg_get(m->b->table, 2, 1), before - 0.125 * (1 + 0.5 * before), 1e-15);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

/* PyTorch has no word for a module of another tree; its groups hold parameters. */
Test(optim, group__of_another_module_is_misuse)
{
    pair *m = pair_new(TG_F64, 2, 1);
    tg_linear_layer *other = tg_linear_new(2, 1);
    tg_optimizer *opt = tg_sgd(m, .lr = 0.5);
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_optimizer_group(opt, &other->base, 0.25, 0);
    expect_misuse("group: weight of tg_linear_layer is not a parameter of the optimiser");
    tg_param(other, "vector", m->vector); /* one is, others are not: nothing is changed */
    tg_optimizer_group(opt, &other->base, 0.25, 0);
    expect_misuse("group: weight of tg_linear_layer");
    const double bad[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        pair *own = pair_new(TG_F64, 2, 1);
        tg_optimizer *o = tg_adam(own);
        tg_optimizer_group(o, &own->base, bad[i], 0);
        expect_misuse("group: lr = ");
        tg_optimizer_group(o, &own->base, 1, bad[i]);
        expect_misuse("group: weight_decay = ");
        end(own, o);
    }
    tg_step_begin();
    tg_backward(tg_sum(m->vector));
    tg_optimizer_step(opt);
    tg_step_end();
    cr_expect_eq(tg_get(m->vector, 0), 0.25, "0.75 less 0.5 times 1");
    tg_child(m, "other", other); /* one tree, which frees the vector once */
    end(m, opt);
}

/* kann scales to norm 1 whatever the threshold: (30, 40) cut at 5 must have norm 5. */
Test(optim, clip__by_norm_and_by_value)
{
    pair *m = pair_new(TG_F64, 2, 1);
    const double factor[] = {30, 40};
    tg_step_begin();
    tg_backward(tg_sum(tg_mul(m->table, tg_from(TG_F64, factor, 2, 1))));
    cr_expect_float_eq(tg_clip_grad_norm(&m->base, 100), 50, 1e-12);
    cr_expect_eq(tg_get(m->table->grad, 1, 0), 40, "small enough already");
    cr_expect_float_eq(tg_clip_grad_norm(&m->base, 5), 50, 1e-12);
    cr_expect_float_eq(tg_get(m->table->grad, 0, 0), 3, 1e-6);
    cr_expect_float_eq(tg_get(m->table->grad, 1, 0), 4, 1e-6);
    tg_clip_grad_value(&m->base, 3.5);
    cr_expect_float_eq(tg_get(m->table->grad, 0, 0), 3, 1e-6);
    cr_expect_eq(tg_get(m->table->grad, 1, 0), 3.5);
    tg_step_end();
    tg_module_free(&m->base);
}

/* clip_grad_norm_ of two gradients, (2) and (2), f64, in PyTorch 1.13. */
Test(optim, clip__of_what_is_not_finite_is_as_in_pytorch)
{
    static const struct {
        double gradient[4], max_norm, norm, expected[4];
    } runs[] = {
        {{1, 2, 3, NAN}, 1, NAN, {NAN, NAN, NAN, NAN}},
        {{1, 2, 3, INFINITY}, 1, INFINITY, {0, 0, 0, NAN}},
        {{1, -2, 3, INFINITY}, INFINITY, INFINITY, {NAN, NAN, NAN, NAN}},
        {{30, 40, 0, 0}, 5, 50, {2.9999999400000013, 3.999999920000002, 0, 0}},
        {{30, 40, 0, 0}, 0, 50, {0, 0, 0, 0}},
        {{3, 4, 0, 0}, INFINITY, 5, {3, 4, 0, 0}},
        {{0, 0, 0, 0}, 1, 0, {0, 0, 0, 0}},
    };
    for (int r = 0; r < 7; r++) {
        pair *m = pair_new(TG_F64, 2, 1);
        const double *g = runs[r].gradient;
        tg_param(m, "more", tg_owned(TG_F64, 2));
        tg_step_begin();
        tg_tensor *more = m->base.parameter[2].tensor;
        tg_backward(tg_add(tg_sum(tg_mul(m->table, tg_from(TG_F64, g, 2, 1))),
                           tg_sum(tg_mul(more, tg_from(TG_F64, g + 2, 2)))));
        const double norm = tg_clip_grad_norm(&m->base, runs[r].max_norm);
        cr_expect(norm == runs[r].norm || (isnan(norm) && isnan(runs[r].norm)), "%d", r);
        for (int i = 0; i < 4; i++) {
            const double now = i < 2 ? tg_get(m->table->grad, i, 0) : tg_get(more->grad, i - 2);
            const double expected = runs[r].expected[i];
            cr_expect(fabs(now - expected) < 1e-15 || (isnan(now) && isnan(expected)),
                      "run %d, element %d: %.17g, not %.17g", r, i, now, expected);
        }
        tg_step_end();
        tg_module_free(&m->base);
    }
}

Test(optim, clip__to_less_than_nothing_is_misuse)
{
    const double bad[] = {-1, -INFINITY, NAN};
    pair *m = pair_new(TG_F64, 2, 1);
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_backward(tg_sum(tg_mul_scalar(m->table, 3)));
    for (int i = 0; i < 3; i++) {
        cr_expect_float_eq(tg_clip_grad_norm(&m->base, bad[i]), sqrt(18), 1e-15);
        expect_misuse("max_norm = ");
        tg_clip_grad_value(&m->base, bad[i]);
        expect_misuse("bound = ");
        cr_expect_eq(tg_get(m->table->grad, 1, 0), 3, "the gradient stays");
    }
    tg_step_end();
    tg_module_free(&m->base);
}

/* clip_grad_value_([1, -2, nan, inf], 1) */
Test(optim, clip_value__leaves_nan)
{
    static const double g[] = {1, -2, NAN, INFINITY}, expected[] = {1, -1, NAN, 1};
    pair *m = pair_new(TG_F64, 4, 1);
    tg_step_begin();
    tg_backward(tg_sum(tg_mul(m->table, tg_from(TG_F64, g, 4, 1))));
    tg_clip_grad_value(&m->base, 1);
    for (int i = 0; i < 4; i++) {
        const double now = tg_get(m->table->grad, i, 0);
        cr_expect(now == expected[i] || (isnan(now) && i == 2), "%d: %g", i, now);
    }
    tg_step_end();
    tg_module_free(&m->base);
}

Test(optim, clip__of_a_row_sparse_gradient)
{
    pair *m = pair_new(TG_F32, 5, 2);
    const int64_t id[] = {3, 0, 3};
    tg_step_begin();
    tg_backward(tg_sum(tg_embedding(m->table, tg_from(TG_I64, id, 3))));
    cr_expect_float_eq(tg_clip_grad_norm(&m->base, 1), sqrt(10), 1e-6);
    const tg_tensor *g = tg_to_dense(m->table->grad);
    cr_expect_float_eq(tg_get(g, 3, 1), 2 / sqrt(10), 1e-6);
    cr_expect_eq(tg_get(g, 1, 1), 0);
    tg_step_end();
    tg_module_free(&m->base);
}

Test(optim, state__saved_and_loaded_goes_on_to_the_same_bits)
{
    for (int s = 0; s < SETTINGS; s++) {
        pair *a = pair_new(TG_F32, ROWS, DIM), *b = pair_new(TG_F32, ROWS, DIM);
        tg_optimizer *opt = optimizer_new(&settings[s], a);
        for (int step = 0; step < 3; step++)
            take_step(a, opt, step, false);
        tg_copy(b->table, a->table);
        tg_optimizer *other = optimizer_new(&settings[s], b);
        tg_state_dict state = tg_optimizer_state_dict(opt);
        cr_assert_eq(tg_optimizer_load_state_dict(other, &state), TG_OK, "%s",
                     tg_last_error()->message);
        tg_state_dict_release(&state);
        for (int step = 3; step < STEPS; step++) {
            take_step(a, opt, step, false);
            take_step(b, other, step, false);
        }
        expect_same_bits(a->table, b->table, settings[s].name);
        end(a, opt);
        end(b, other);
    }
}

Test(optim, state__of_another_module_is_refused)
{
    pair *a = pair_new(TG_F32, ROWS, DIM), *b = pair_new(TG_F32, ROWS + 1, DIM);
    tg_optimizer *opt = tg_adam(a, 0), *other = tg_adam(b, 0);
    tg_state_dict state = tg_optimizer_state_dict(opt);
    cr_expect_eq(tg_optimizer_load_state_dict(other, &state), TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, "table.first: missing, or not of"));
    tg_state_dict_release(&state);
    end(a, opt);
    end(b, other);
}

/* PyTorch: "parameter group that doesn't match the size of optimizer's group" */
Test(optim, state__of_more_than_the_optimiser_is_refused)
{
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_optimizer *plain = tg_sgd(m), *momentum = tg_sgd(m, .momentum = 0.9);
    tg_state_dict state = tg_optimizer_state_dict(momentum);
    cr_expect_eq(tg_optimizer_load_state_dict(momentum, &state), TG_OK);
    cr_expect_eq(tg_optimizer_load_state_dict(plain, &state), TG_EFORMAT);
    cr_expect_str_eq(tg_last_error()->message,
                     "table.first: the optimiser has no such state");
    tg_state_dict_add(&state, "bias.steps", m->vector);
    cr_expect_eq(tg_optimizer_load_state_dict(momentum, &state), TG_EFORMAT);
    cr_expect_str_eq(tg_last_error()->message, "bias.steps: the optimiser has no such state");
    tg_state_dict_release(&state);
    tg_optimizer_free(plain);
    end(m, momentum);
}

/* Names of any length, which modules in modules may have. */
Test(optim, state__has_the_whole_name)
{
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    pair *m = pair_new(TG_F32, 1, 1);
    tg_param(m, name, tg_owned(TG_F32, 1));
    tg_optimizer *opt = tg_adam(m);
    tg_state_dict state = tg_optimizer_state_dict(opt);
    cr_expect_eq(state.count, 9);
    cr_expect_str_eq(state.entry[8].name + 999, ".steps");
    cr_expect_eq(tg_optimizer_load_state_dict(opt, &state), TG_OK);
    tg_state_dict_release(&state);
    end(m, opt);
}

/* A state with `other` in the place of a part must be refused. */
static void expect_refused(tg_optimizer *opt, const char *part, tg_tensor *other,
                           const char *message)
{
    tg_state_dict state = tg_optimizer_state_dict(opt);
    for (int64_t i = 0; i < state.count; i++)
        if (strcmp(state.entry[i].name, part) == 0)
            state.entry[i].tensor = other;
    cr_expect_eq(tg_optimizer_load_state_dict(opt, &state), TG_EFORMAT, "%s", message);
    cr_expect_str_eq(tg_last_error()->message, message);
    tg_state_dict_release(&state);
}

/* It may come from a file that somebody has changed, and the number of steps becomes an index. */
Test(optim, state__with_wrong_numbers_is_refused)
{
    static const int64_t steps[] = {-1, -5, INT64_MIN, (INT64_C(1) << 53) + 1, INT64_MAX};
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_optimizer *opt = tg_adam(m, .catch_up = true);
    tg_tensor *number = tg_owned_at(TG_HERE, TG_I64, (tg_shape){.ndim = 0});
    tg_tensor *real = tg_owned_at(TG_HERE, TG_F64, (tg_shape){.ndim = 0});
    tg_tensor *whole = tg_owned(TG_I64, ROWS, DIM);
    for (int i = 0; i < 5; i++) {
        char message[128];
        *(int64_t *)number->data = steps[i];
        snprintf(message, sizeof message, "table.steps: is %lld; expected 0 to 9007199254740992",
                 (long long)steps[i]);
        expect_refused(opt, "table.steps", number, message);
    }
    expect_refused(opt, "table.steps", real, "table.steps: is f64; expected i64");
    expect_refused(opt, "table.first", whole, "table.first: is i64; expected f32 or f64");
    take_step(m, opt, 0, false); /* nothing of them was taken over */
    tg_free(number), tg_free(real), tg_free(whole);
    end(m, opt);
}
