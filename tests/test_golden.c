/* Training as PyTorch trains: the numbers of tests/golden/make_golden.py, found again. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/registry.h"

enum { USERS = 30, ITEMS = 40, OUTPUT_DIM = 4, BATCH = 32, SEED = 10 };
static const double LR = 5e-4;

/* Of losses, relative; of gradients and weights, relative to the largest of the tensor. Measured
 * with the kernels avx512, avx2 and portable: losses 1.6e-7, gradients 2.3e-7, weights 1.9e-7. */
static const double LOSS_ALLOWED = 1e-5, GRADIENT_ALLOWED = 1e-5, WEIGHT_ALLOWED = 1e-6;

static const tg_tensor *golden_get(const tg_state_dict *golden, const char *part, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", part, name);
    const tg_tensor *t = tg_state_dict_get(golden, full);
    cr_assert_not_null(t, "%s is missing", full);
    return t;
}

/* The largest |a - b| over the largest |b|. */
static double deviation(const tg_tensor *a, const tg_tensor *b)
{
    cr_assert(tg_shape_equal(&a->shape, &b->shape));
    const float *x = a->data, *y = b->data;
    double most = 0, largest = 0;
    for (int64_t i = 0; i < tg_numel(a); i++) {
        const double d = fabs((double)x[i] - (double)y[i]);
        most = fmax(most, isnan(d) ? INFINITY : d); /* fmax passes over a NaN */
        largest = fmax(largest, fabs((double)y[i]));
    }
    return most / largest;
}

static void load_start(tg_module *m, const tg_state_dict *golden)
{
    tg_state_dict state = tg_module_state_dict(m);
    for (int64_t i = 0; i < state.count; i++)
        tg_copy(state.entry[i].tensor, golden_get(golden, "start.", state.entry[i].name));
    tg_state_dict_release(&state);
}

/* Parameters, or their gradients, against those of the file. */
static void compare(tg_module *m, const tg_state_dict *golden, const char *part, bool gradients)
{
    const double allowed = gradients ? GRADIENT_ALLOWED : WEIGHT_ALLOWED;
    tg_state_dict state = tg_module_state_dict(m);
    for (int64_t i = 0; i < state.count; i++) {
        tg_tensor *t = state.entry[i].tensor;
        const double d = deviation(gradients ? tg_to_dense(t->grad) : t,
                                   golden_get(golden, part, state.entry[i].name));
        cr_expect(d <= allowed, "%s%s deviates by %.2g", part, state.entry[i].name, d);
    }
    tg_state_dict_release(&state);
}

static tg_tensor *row(const tg_tensor *t, int64_t i)
{
    return tg_view(tg_narrow((tg_tensor *)t, 0, i, 1), -1);
}

typedef struct golden_run {
    const char *name, *model;
    double dropout;
    tg_optimizer *(*optimizer)(const tg_module *m);
} golden_run;

static void repeat(const golden_run *run)
{
    char path[64];
    tg_state_dict golden;
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", run->name);
    cr_assert_eq(tg_safetensors_load(path, &golden), TG_OK, "%s", tg_last_error()->message);
    const rating_model *model = rating_model_find(run->model);
    const model_options options = {.factors = OUTPUT_DIM, .dropout = run->dropout};
    tg_module *m = model->create(USERS, ITEMS, options);
    load_start(m, &golden);
    tg_manual_seed(SEED);
    tg_optimizer *opt = run->optimizer(m);
    const tg_tensor *losses = golden_get(&golden, "loss", "");
    const tg_tensor *user = golden_get(&golden, "user", "");
    const tg_tensor *item = golden_get(&golden, "item", "");
    const tg_tensor *rating = golden_get(&golden, "rating", "");
    for (int64_t step = 0; step < tg_numel(losses); step++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *y = model->forward(m, row(user, step), row(item, step));
        tg_tensor *loss = tg_mse_loss(y, row(rating, step));
        tg_backward(loss);
        if (step == 0 || step == 50) {
            char part[32];
            snprintf(part, sizeof part, "gradient_%lld.", (long long)step);
            compare(m, &golden, part, true);
        }
        tg_optimizer_step(opt);
        const double expected = tg_get(losses, step);
        cr_expect(fabs(tg_item(loss) - expected) <= LOSS_ALLOWED * expected,
                  "step %lld: the loss is %.9g, not %.9g", (long long)step, tg_item(loss),
                  expected);
        tg_step_end();
    }
    compare(m, &golden, "end.", false);
    tg_optimizer_free(opt);
    tg_module_free(m);
    tg_state_dict_release(&golden);
}

/* ---- the runs -------------------------------------------------------------------------------- */

static tg_optimizer *adam(const tg_module *m)
{
    return tg_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = LR));
}

static tg_optimizer *adam_decay(const tg_module *m)
{
    return tg_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = LR,
                                     .weight_decay = 1e-2));
}

static tg_optimizer *sparse_adam(const tg_module *m)
{
    return tg_sparse_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = LR));
}

static tg_optimizer *sgd(const tg_module *m)
{
    return tg_sgd_new(m, TG_OPTIONS(tg_sgd_options, TG_SGD_DEFAULTS, .lr = LR, .momentum = 0.9));
}

Test(golden, ncf__trains_with_adam)
{
    repeat(&(golden_run){"adam", "ncf", 0.5, adam});
}

Test(golden, ncf__trains_with_adam_and_weight_decay)
{
    repeat(&(golden_run){"adam_decay", "ncf", 0.5, adam_decay});
}

Test(golden, ncf__trains_with_sparse_adam)
{
    repeat(&(golden_run){"sparse_adam", "ncf", 0.5, sparse_adam});
}

Test(golden, ncf__trains_with_sgd)
{
    repeat(&(golden_run){"sgd", "ncf", 0.5, sgd});
}

Test(golden, simplecf__trains_with_adam)
{
    repeat(&(golden_run){"simplecf", "simplecf", 0, adam});
}
