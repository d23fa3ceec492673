/* Adam with catch_up moves every row as Adam without it does, whenever the row is read. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tapegrad.h"

#define OPTIONS(...) TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, __VA_ARGS__)

enum { ROWS = 40, DIM = 5, BATCH = 4 };

typedef struct twin { /* the same table under both */
    tg_embedding_table *dense, *late;
    tg_optimizer *dense_opt, *late_opt;
} twin;

static twin twin_new(tg_dtype dtype, tg_adam_options o)
{
    twin t;
    tg_set_default_dtype(dtype);
    tg_manual_seed(3);
    t.dense = tg_embedding_new(ROWS, DIM);
    t.late = tg_embedding_new(ROWS, DIM);
    tg_fill_normal(t.dense->weight, 0, 0.01);
    tg_copy(t.late->weight, t.dense->weight);
    t.dense_opt = tg_adam_new(&t.dense->base, o);
    o.catch_up = true;
    t.late_opt = tg_adam_new(&t.late->base, o);
    return t;
}

static void twin_free(twin *t)
{
    tg_optimizer_free(t->dense_opt);
    tg_optimizer_free(t->late_opt);
    tg_module_free(&t->dense->base);
    tg_module_free(&t->late->base);
    tg_set_default_dtype(TG_F32);
}

/* One update from a batch of rows. The gradients do not depend on the table: Adam divides them by
 * their size, so that the rounding of values would come back at full size where they are small. */
static void update(tg_embedding_table *m, tg_optimizer *opt, const int64_t *row, double scale)
{
    tg_manual_seed((uint64_t)row[0] + 100 * (uint64_t)row[1]);
    tg_step_begin();
    tg_zero_grad(opt);
    tg_tensor *x = tg_embedding_forward(m, tg_from(TG_I64, row, BATCH));
    tg_tensor *g = tg_mul(tg_randn(x->dtype, BATCH, DIM), tg_scalar(x->dtype, scale));
    tg_backward(tg_sum(tg_mul(x, g)));
    tg_optimizer_step(opt);
    tg_step_end();
}

/* Row r is read about every 1.3^r updates: some in every one, some after thousands. */
static void draw_rows(tg_rng *rng, int64_t row[BATCH])
{
    for (int i = 0; i < BATCH; i++) {
        row[i] = 0;
        while (row[i] < ROWS - 1 && tg_rng_uniform(rng) < 1 / 1.3)
            row[i]++;
    }
}

/* The largest difference of the tables, read through the library. */
static double difference(const twin *t)
{
    double most = 0;
    tg_tensor *a = tg_retain(t->dense->weight), *b = tg_retain(t->late->weight);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t d = 0; d < DIM; d++)
            most = fmax(most, fabs(tg_get(a, r, d) - tg_get(b, r, d)));
    tg_free(a);
    tg_free(b);
    return most;
}

static double lr_factor(bool is_constant, int64_t step)
{
    return is_constant ? 1 : step % 700 < 50 ? 0 : tg_schedule_cosine(step % 1500, 2000);
}

/* In f32 so many updates that dense Adam's own rounding of every one stays below what is allowed;
 * in f64 more than are remembered. */
static void compare(tg_dtype dtype, double scale, tg_adam_options o, bool is_constant,
                    double allowed)
{
    twin t = twin_new(dtype, o);
    tg_rng rng = {.seed = 5};
    const int64_t steps = dtype == TG_F32 ? 1000 : 9000;
    for (int64_t step = 0; step < steps; step++) {
        int64_t row[BATCH];
        draw_rows(&rng, row);
        tg_set_lr_factor(t.dense_opt, lr_factor(is_constant, step));
        tg_set_lr_factor(t.late_opt, lr_factor(is_constant, step));
        update(t.dense, t.dense_opt, row, scale);
        update(t.late, t.late_opt, row, scale);
        if (step == 40 || step == 2500)
            cr_expect(difference(&t) <= allowed, "step %d: %g", (int)step, difference(&t));
    }
    cr_expect(difference(&t) <= allowed, "%s, gradients of %g: %g", tg_dtype_name(dtype), scale,
              difference(&t));
    twin_free(&t);
}

Test(catch_up, rows__are_those_of_dense_adam_in_f32)
{
    compare(TG_F32, 1, OPTIONS(.lr = 5e-4), true, 1e-6);
}

Test(catch_up, rows__are_those_of_dense_adam_when_the_learning_rate_changes)
{
    compare(TG_F32, 1, OPTIONS(.lr = 5e-4), false, 1e-6);
    compare(TG_F64, 1, OPTIONS(.lr = 5e-4), false, 1e-9);
}

/* eps counts beside such roots: the hard case of the expansion. */
Test(catch_up, rows__are_those_of_dense_adam_when_gradients_are_tiny)
{
    compare(TG_F64, 1e-7, OPTIONS(.lr = 5e-4), true, 1e-7);
    compare(TG_F64, 1e-8, OPTIONS(.lr = 5e-4), true, 1e-7);
    compare(TG_F64, 1, OPTIONS(.lr = 5e-4, .eps = 0.1), true, 1e-7);
}

Test(catch_up, rows__are_those_of_dense_adam_with_other_momenta)
{
    compare(TG_F64, 1, OPTIONS(.lr = 5e-4, .beta1 = 0.5), true, 1e-9);
    compare(TG_F64, 1, OPTIONS(.lr = 5e-4, .beta1 = 0.95, .beta2 = 0.99), true, 1e-7);
}

/* A dense gradient, weight decay, a loaded state between updates from rows. */
Test(catch_up, rows__are_brought_up_before_other_updates)
{
    twin t = twin_new(TG_F64, OPTIONS(.lr = 1e-2));
    tg_rng rng = {.seed = 7};
    for (int64_t step = 0; step < 600; step++) {
        int64_t row[BATCH];
        draw_rows(&rng, row);
        update(t.dense, t.dense_opt, row, 1);
        update(t.late, t.late_opt, row, 1);
        if (step % 100 == 50)
            for (int k = 0; k < 2; k++) {
                tg_embedding_table *m = k ? t.late : t.dense;
                tg_optimizer *opt = k ? t.late_opt : t.dense_opt;
                tg_step_begin();
                tg_zero_grad(opt);
                tg_backward(tg_mean(tg_square(m->weight)));
                tg_optimizer_step(opt);
                tg_step_end();
                tg_optimizer_group(opt, &m->base, 1e-2, step == 250 ? 0.1 : 0);
            }
        if (step % 200 == 120) {
            tg_state_dict state = tg_optimizer_state_dict(t.late_opt);
            tg_state_dict_release(&state);
            cr_expect(difference(&t) < 1e-7, "step %d: %g", (int)step, difference(&t));
            state = tg_optimizer_state_dict(t.dense_opt);
            cr_expect(tg_optimizer_load_state_dict(t.late_opt, &state) == TG_OK);
            tg_state_dict_release(&state);
        }
    }
    cr_expect(difference(&t) < 1e-7, "%g", difference(&t));
    twin_free(&t);
}

/* Every way to read a table, after rows were left behind, sees it as dense Adam leaves it. */
Test(catch_up, reading__brings_rows_up)
{
    twin t = twin_new(TG_F64, OPTIONS(.lr = 1e-2));
    const int64_t all[BATCH] = {0, 1, 2, 3}, one[BATCH] = {0, 0, 0, 0};
    for (int way = 0; way < 6; way++) {
        for (int step = 0; step < 150; step++) {
            update(t.dense, t.dense_opt, step == 0 ? all : one, 1);
            update(t.late, t.late_opt, step == 0 ? all : one, 1);
        }
        const double *behind = t.late->weight->data;
        const double before = behind[3 * DIM], expected = tg_get(t.dense->weight, 3, 0);
        cr_assert(fabs(before - expected) > 1e-4, "nothing was put off");
        tg_step_begin();
        const double read =
            way == 0   ? tg_get(t.late->weight, 3, 0)
            : way == 1 ? tg_get(tg_embedding_forward(t.late, tg_from(TG_I64, all, BATCH)), 3, 0)
            : way == 2 ? tg_get(tg_t(t.late->weight), 0, 3)
            : way == 3 ? tg_get(tg_add(t.late->weight, tg_scalar(TG_F64, 0)), 3, 0)
            : way == 4 ? tg_get(tg_embedding(tg_detach(t.late->weight),
                                             tg_from(TG_I64, all, BATCH)), 3, 0)
                       : 0;
        if (way < 5) {
            cr_expect(fabs(read - expected) < 1e-7, "way %d: %.9g, not %.9g", way, read, expected);
        } else {
            tg_state_dict state = tg_module_state_dict(&t.late->base);
            cr_expect(fabs(behind[3 * DIM] - expected) < 1e-7);
            tg_state_dict_release(&state);
        }
        tg_step_end();
    }
    twin_free(&t);
}

Test(catch_up, table__may_be_freed_before_its_optimiser)
{
    twin t = twin_new(TG_F32, OPTIONS(.lr = 1e-2));
    const int64_t row[BATCH] = {1, 2, 3, 4}, other[BATCH] = {5, 6, 7, 8};
    update(t.late, t.late_opt, row, 1);
    update(t.late, t.late_opt, other, 1);
    tg_module_free(&t.late->base);
    tg_optimizer_free(t.late_opt);
    tg_optimizer_free(t.dense_opt);
    tg_module_free(&t.dense->base);
}

Test(catch_up, options__that_make_no_sense_are_misuse)
{
    tg_embedding_table *m = tg_embedding_new(ROWS, DIM);
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < 4; i++) {
        tg_clear_error();
        tg_optimizer_free(i == 0   ? tg_adam(m, .catch_up = true, .weight_decay = 0.1)
                          : i == 1 ? tg_adam(m, .catch_up = true, .beta1 = 0.999)
                          : i == 2 ? tg_adamw(m, .catch_up = true)
                                   : tg_sparse_adam(m, .catch_up = true));
        cr_expect(strstr(tg_last_error()->message, "catch_up with"), "%d: '%s'", i,
                  tg_last_error()->message);
    }
    tg_set_misuse(TG_MISUSE_EXIT);
    tg_module_free(&m->base);
}
