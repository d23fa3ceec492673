/* Optimisers against their formulas in plain loops. The golden run holds them to PyTorch. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tapegrad.h"

enum { ROWS = 40, DIM = 3, SIZE = ROWS * DIM, STEPS = 8 };

/* A table, and a vector beside it. */
typedef struct pair {
    tg_module base;
    tg_tensor *table;  /* (ROWS, DIM) */
    tg_tensor *vector; /* (DIM) */
} pair;

static pair *pair_new(tg_dtype dtype)
{
    tg_manual_seed(4);
    pair *m = tg_module_new(pair);
    m->table = tg_param(m, "table", tg_owned(dtype, ROWS, DIM));
    m->vector = tg_param(m, "vector", tg_owned(dtype, DIM));
    tg_fill_normal(m->table, 0, 1);
    tg_fill_normal(m->vector, 0, 1);
    return m;
}

/* One step on a loss that depends on three rows of the table (one of them twice); its gradient is
 * row-sparse, or made dense by a use of the whole table that adds zero. */
static void pair_step(pair *m, tg_optimizer *opt, int step, bool dense, bool use_vector,
                      double gradient[SIZE])
{
    const int64_t id[] = {step % 5, 7, step % 5, 11 + step};
    tg_step_begin();
    tg_zero_grad(opt);
    tg_tensor *x = tg_embedding(m->table, tg_from(TG_I64, id, 4));
    if (use_vector)
        x = tg_mul(x, m->vector);
    tg_tensor *loss = tg_sum(tg_mul(x, x));
    if (dense)
        loss = tg_add(loss, tg_mul(tg_sum(m->table), tg_scalar(m->table->dtype, 0)));
    tg_backward(loss);
    cr_assert_eq(m->table->grad->rows == NULL, dense);
    const tg_tensor *g = tg_to_dense(m->table->grad);
    for (int i = 0; gradient && i < SIZE; i++)
        gradient[i] = tg_get(g, i / DIM, i % DIM);
    tg_optimizer_step(opt);
    tg_step_end();
}

static void read_table(const pair *m, double p[SIZE])
{
    for (int i = 0; i < SIZE; i++)
        p[i] = tg_get(m->table, i / DIM, i % DIM);
}

static void expect_table(const pair *m, const double p[SIZE], const char *what)
{
    const double allowed = m->table->dtype == TG_F32 ? 2e-6 : 1e-14;
    for (int i = 0; i < SIZE; i++)
        cr_assert(fabs(tg_get(m->table, i / DIM, i % DIM) - p[i]) <= allowed * fmax(1, fabs(p[i])),
                  "%s %s: element %d is %.9g, not %.9g", what, tg_dtype_name(m->table->dtype), i,
                  tg_get(m->table, i / DIM, i % DIM), p[i]);
}

/* ---- formulas -------------------------------------------------------------------------------- */

static void check_adam(tg_dtype dtype, bool dense)
{
    const double lr = 0.02, b1 = 0.8, b2 = 0.95, eps = 1e-6, decay = 0.1;
    pair *m = pair_new(dtype);
    tg_optimizer *opt = tg_adam(m, .lr = lr, .beta1 = b1, .beta2 = b2, .eps = eps,
                                .weight_decay = decay);
    double p[SIZE], g[SIZE], first[SIZE] = {0}, second[SIZE] = {0};
    read_table(m, p);
    for (int step = 1; step <= STEPS; step++) {
        pair_step(m, opt, step, dense, true, g);
        for (int i = 0; i < SIZE; i++) { /* every row, also those without a gradient */
            const double d = g[i] + decay * p[i];
            first[i] = b1 * first[i] + (1 - b1) * d;
            second[i] = b2 * second[i] + (1 - b2) * d * d;
            p[i] -= lr * (first[i] / (1 - pow(b1, step))) /
                    (sqrt(second[i] / (1 - pow(b2, step))) + eps);
        }
        expect_table(m, p, "adam");
    }
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

Test(optim, adam__follows_its_formula)
{
    check_adam(TG_F32, false);
    check_adam(TG_F64, false);
    check_adam(TG_F32, true);
    check_adam(TG_F64, true);
}

static void check_sparse_adam(tg_dtype dtype)
{
    const double lr = 0.02, b1 = 0.9, b2 = 0.999, eps = 1e-8;
    pair *m = pair_new(dtype);
    tg_optimizer *opt = tg_sparse_adam(m, .lr = lr);
    double p[SIZE], g[SIZE], first[SIZE] = {0}, second[SIZE] = {0};
    read_table(m, p);
    for (int step = 1; step <= STEPS; step++) {
        pair_step(m, opt, step, false, true, g);
        for (int i = 0; i < SIZE; i++) {
            const int row = i / DIM;
            if (row != step % 5 && row != 7 && row != 11 + step)
                continue; /* untouched rows stay, moments and all */
            first[i] = b1 * first[i] + (1 - b1) * g[i];
            second[i] = b2 * second[i] + (1 - b2) * g[i] * g[i];
            p[i] -= lr * sqrt(1 - pow(b2, step)) / (1 - pow(b1, step)) * first[i] /
                    (sqrt(second[i]) + eps);
        }
        expect_table(m, p, "sparse adam");
    }
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

Test(optim, sparse_adam__follows_its_formula)
{
    check_sparse_adam(TG_F32);
    check_sparse_adam(TG_F64);
}

static void check_sgd(tg_dtype dtype, bool dense, double momentum, double decay)
{
    const double lr = 0.02;
    pair *m = pair_new(dtype);
    tg_optimizer *opt = tg_sgd(m, .lr = lr, .momentum = momentum, .weight_decay = decay);
    double p[SIZE], g[SIZE], v[SIZE] = {0};
    read_table(m, p);
    for (int step = 1; step <= STEPS; step++) {
        pair_step(m, opt, step, dense, true, g);
        for (int i = 0; i < SIZE; i++) {
            v[i] = momentum * v[i] + g[i] + decay * p[i];
            p[i] -= lr * v[i];
        }
        expect_table(m, p, "sgd");
    }
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

Test(optim, sgd__follows_its_formula)
{
    for (int dense = 0; dense < 2; dense++)
        for (int dtype = TG_F32; dtype <= TG_F64; dtype++) {
            check_sgd((tg_dtype)dtype, dense, 0, 0);
            check_sgd((tg_dtype)dtype, dense, 0.9, 0);
            check_sgd((tg_dtype)dtype, dense, 0, 0.1);
            check_sgd((tg_dtype)dtype, dense, 0.9, 0.1);
        }
}

/* ---- behaviour ------------------------------------------------------------------------------- */

Test(optim, options__left_out_have_their_defaults)
{
    tg_tensor *first = NULL;
    for (int given = 0; given < 2; given++) {
        pair *m = pair_new(TG_F32);
        tg_optimizer *opt =
            given ? tg_adam(m, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8)
                  : tg_adam(m, 0);
        for (int step = 0; step < STEPS; step++)
            pair_step(m, opt, step, false, true, NULL);
        if (given)
            cr_expect_eq(memcmp(first->data, m->table->data, SIZE * sizeof(float)), 0);
        else
            first = tg_retain(m->table);
        tg_optimizer_free(opt);
        tg_module_free(&m->base);
    }
    tg_free(first);
}

/* As in PyTorch: a parameter whose grad is None is left alone, and so are its moments. */
Test(optim, parameter__without_a_gradient_stays)
{
    pair *m = pair_new(TG_F32);
    tg_optimizer *opt = tg_adam(m, .lr = 0.1, .weight_decay = 0.1);
    const double before = tg_get(m->vector, 1);
    for (int step = 0; step < 3; step++) {
        pair_step(m, opt, step, false, false, NULL);
        cr_expect_null(m->vector->grad);
        cr_expect_eq(tg_get(m->vector, 1), before);
    }
    pair_step(m, opt, 3, false, true, NULL);
    /* its first step is step 1 of its own: the bias corrections cancel */
    cr_expect_float_eq(fabs(tg_get(m->vector, 1) - before), 0.1, 1e-5);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

Test(optim, gradient__may_change_between_sparse_and_dense)
{
    pair *a = pair_new(TG_F32), *b = pair_new(TG_F32);
    tg_optimizer *opt_a = tg_adam(a, .lr = 0.1), *opt_b = tg_adam(b, .lr = 0.1);
    for (int step = 0; step < STEPS; step++) {
        pair_step(a, opt_a, step, step % 2, true, NULL);
        pair_step(b, opt_b, step, true, true, NULL);
    }
    cr_expect_eq(memcmp(a->table->data, b->table->data, SIZE * sizeof(float)), 0);
    tg_optimizer_free(opt_a);
    tg_optimizer_free(opt_b);
    tg_module_free(&a->base);
    tg_module_free(&b->base);
}

Test(optim, zero_grad__forgets)
{
    pair *m = pair_new(TG_F32);
    tg_optimizer *opt = tg_sgd(m, .lr = 0.1);
    tg_step_begin();
    tg_backward(tg_sum(m->table));
    tg_zero_grad(opt);
    cr_expect_null(m->table->grad);
    const double before = tg_get(m->table, 0, 0);
    tg_optimizer_step(opt);
    cr_expect_eq(tg_get(m->table, 0, 0), before);
    tg_step_end();
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}
