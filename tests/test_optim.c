/* Optimisers: PyTorch's numbers, the same bits from row-sparse and dense gradients, and manners. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "tapegrad.h"

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

enum { SGD, ADAM, SPARSE_ADAM };

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
    {"sparse_adam", SPARSE_ADAM, 0, 0, sparse_adam_plain},
    {"sparse_adam, weight decay", SPARSE_ADAM, 0, 0.2, sparse_adam_plain}, /* of no effect here */
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static tg_optimizer *optimizer_new(const setting *s, pair *m)
{
    if (s->kind == SGD)
        return tg_sgd(m, .lr = 0.1, .momentum = s->momentum, .weight_decay = s->weight_decay);
    const tg_adam_options o = {0.05, 0.8, 0.95, 0.01, s->weight_decay};
    return (s->kind == ADAM ? tg_adam_new : tg_sparse_adam_new)(&m->base, o);
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
    const tg_adam_options o = {.lr = 0.05, .weight_decay = 0.2};
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
        const tg_adam_options o = {.lr = 0.05, .weight_decay = 0.2};
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
        const double moved = tg_get(m->vector, 1), g = 1 + settings[s].weight_decay * 0.75;
        const double first = settings[s].kind == SGD ? 0.1 * g : 0.05 * g / (g + 0.01);
        cr_expect_float_eq(0.75 - moved, first, 1e-15, "%s: the first step", settings[s].name);
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

Test(optim, options__that_make_no_sense_are_misuse)
{
    static const double bad[] = {-1, NAN, INFINITY, -INFINITY};
    pair *m = pair_new(TG_F32, ROWS, DIM);
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < 4 * 5; i++) {
        const double x = bad[i % 4];
        tg_optimizer *opt = i / 4 == 0   ? tg_sgd(m, .lr = x)
                            : i / 4 == 1 ? tg_sgd(m, .momentum = x)
                            : i / 4 == 2 ? tg_adam(m, .beta2 = x)
                            : i / 4 == 3 ? tg_adam(m, .eps = x)
                                         : tg_sparse_adam(m, .weight_decay = x);
        static const char *const names[] = {"lr", "momentum", "beta2", "eps", "weight_decay"};
        cr_expect_eq(tg_last_error()->status, TG_EMISUSE, "%s = %g", names[i / 4], x);
        cr_expect_not_null(strstr(tg_last_error()->message, names[i / 4]), "%s",
                           tg_last_error()->message);
        tg_clear_error();
        tg_optimizer_free(opt);
    }
    tg_set_misuse(TG_MISUSE_EXIT);
    tg_module_free(&m->base);
}
