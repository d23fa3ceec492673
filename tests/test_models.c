/* The models as a whole: gradients, names, first values, and that they learn. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/gmf.h"
#include "models/mlp.h"
#include "models/ncf.h"
#include "models/registry.h"

enum { USERS = 7, ITEMS = 6, DIM = 2, BATCH = 5 };

/* Indices with repetitions: rows of the tables get several gradients, one, or none. */
static const int64_t some_users[BATCH] = {3, 0, 3, 6, 3}, some_items[BATCH] = {1, 1, 5, 0, 1};
static const double some_ratings[BATCH] = {4, 3, 5, 1, 2};

static void restore_dtype(void)
{
    tg_set_default_dtype(TG_F32);
}

TestSuite(models, .fini = restore_dtype);

/* ---- gradients ------------------------------------------------------------------------------- */

typedef struct checked_model {
    const rating_model *model;
    tg_module *module;
} checked_model;

static tg_tensor *loss_of(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter; /* they are the module's own */
    (void)count;
    const checked_model *c = context;
    tg_tensor *y = c->model->forward(c->module, tg_from(TG_I64, some_users, BATCH),
                                     tg_from(TG_I64, some_items, BATCH));
    return tg_mse_loss(y, tg_from(TG_F64, some_ratings, BATCH));
}

Test(models, gradients__of_every_parameter_with_dropout_on)
{
    tg_set_default_dtype(TG_F64);
    for (int i = 0; i < rating_model_count; i++) {
        tg_manual_seed(10);
        checked_model c = {.model = &rating_models[i]};
        c.module = c.model->create(USERS, ITEMS, DIM, 0.5);
        tg_state_dict state = tg_module_state_dict(c.module);
        tg_tensor *parameter[32];
        int64_t elements = 0;
        for (int64_t p = 0; p < state.count; p++) {
            parameter[p] = state.entry[p].tensor;
            elements += tg_numel(parameter[p]);
        }
        tg_gradcheck_report report;
        cr_expect(tg_gradcheck(loss_of, &c, parameter, (int)state.count, 1e-6, &report), "%s: %s",
                  c.model->name, report.message);
        cr_expect_eq(report.checked, elements);
        cr_expect_eq(elements, tg_module_parameter_count(c.module));
        tg_state_dict_release(&state);
        tg_module_free(c.module);
    }
}

/* ---- parameters ------------------------------------------------------------------------------ */

static void expect_names(const char *model, int count, const char *const *names)
{
    tg_module *m = rating_model_find(model)->create(USERS, ITEMS, DIM, 0);
    tg_state_dict state = tg_module_state_dict(m);
    cr_expect_eq(state.count, count, "%s has %d parameters", model, (int)state.count);
    for (int i = 0; i < count && i < state.count; i++)
        cr_expect_str_eq(state.entry[i].name, names[i]);
    tg_state_dict_release(&state);
    tg_module_free(m);
}

Test(models, state_dict__has_pytorch_names)
{
    static const char *const ncf_names[] = {
        "GMF_layers.user_emb.weight",  "GMF_layers.item_emb.weight", "MLP_layers.user_emb.weight",
        "MLP_layers.item_emb.weight",  "MLP_layers.linear_1.weight", "MLP_layers.linear_1.bias",
        "MLP_layers.linear_2.weight",  "MLP_layers.linear_2.bias",   "MLP_layers.linear_3.weight",
        "MLP_layers.linear_3.bias",    "predict_layer.weight",       "predict_layer.bias"};
    static const char *const gmf_names[] = {"GMF_layers.user_emb.weight",
                                            "GMF_layers.item_emb.weight", "predict_layer.weight",
                                            "predict_layer.bias"};
    static const char *const simplecf_names[] = {
        "user_emb.weight", "item_emb.weight", "linear_1.weight", "linear_1.bias",
        "linear_2.weight", "linear_2.bias",   "linear_3.weight", "linear_3.bias"};
    expect_names("ncf", 12, ncf_names);
    expect_names("gmf", 4, gmf_names);
    expect_names("mlp", 10, ncf_names + 2);
    expect_names("simplecf", 8, simplecf_names);
    cr_expect_null(rating_model_find("none"));
}

/* Mean and standard deviation of n draws lie within five standard errors of those expected. */
static void expect_moments(const tg_tensor *t, double mean, double std)
{
    const float *x = t->data;
    const double n = (double)tg_numel(t);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < tg_numel(t); i++) {
        sum += (double)x[i];
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    cr_expect_float_eq(sum / n, mean, 5 * std / sqrt(n));
    cr_expect_float_eq(sqrt(square / n), std, 5 * std / sqrt(2 * n));
}

static void expect_shape(const tg_tensor *t, tg_shape shape)
{
    cr_assert(tg_shape_equal(&t->shape, &shape));
}

static void expect_linear(const tg_linear_layer *m, int64_t in, int64_t out)
{
    const double bound = 1 / sqrt((double)in);
    const float *w = m->weight->data;
    expect_shape(m->weight, TG_SHAPE(out, in));
    expect_shape(m->bias, TG_SHAPE(out));
    for (int64_t i = 0; i < in * out; i++)
        cr_assert_leq(fabs((double)w[i]), bound);
    expect_moments(m->weight, 0, bound / sqrt(3));
}

Test(models, parameters__start_as_in_the_tutorial)
{
    tg_manual_seed(3);
    ncf *m = ncf_new(600, 400, 32, 0.5);
    expect_moments(m->gmf->user_emb->weight, 0, 0.01);
    expect_moments(m->gmf->item_emb->weight, 0, 0.01);
    expect_moments(m->mlp->user_emb->weight, 0, 1);
    expect_moments(m->mlp->item_emb->weight, 0, 1);
    expect_linear(m->mlp->linear_1, 256, 128);
    expect_linear(m->mlp->linear_2, 128, 64);
    expect_linear(m->mlp->linear_3, 64, 32);
    cr_expect_eq(tg_module_parameter_count(&m->base),
                 1000 * 160 + 257 * 128 + 129 * 64 + 65 * 32 + 65);
    tg_module_free(&m->base);
}

/* ---- behaviour ------------------------------------------------------------------------------- */

Test(models, forward__drops_in_training_only)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *model = &rating_models[i];
        tg_module *m = model->create(USERS, ITEMS, 8, 0.5);
        double y[2][2]; /* [training][run] */
        tg_step_begin();
        tg_tensor *user = tg_from(TG_I64, some_users, BATCH);
        tg_tensor *item = tg_from(TG_I64, some_items, BATCH);
        for (int training = 0; training < 2; training++) {
            tg_module_train(m, training);
            for (int run = 0; run < 2; run++) {
                const tg_tensor *out = model->forward(m, user, item);
                expect_shape(out, TG_SHAPE(BATCH));
                y[training][run] = tg_get(out, 1);
            }
        }
        tg_step_end();
        cr_expect_eq(y[0][0], y[0][1], "%s", model->name);
        cr_expect_neq(y[1][0], y[1][1], "%s", model->name);
        tg_module_free(m);
    }
}

/* A batch of one and an empty batch go through like any other. */
Test(models, forward__takes_small_batches)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *model = &rating_models[i];
        tg_module *m = model->create(USERS, ITEMS, DIM, 0.5);
        for (int64_t size = 0; size < 2; size++) {
            tg_step_begin();
            tg_tensor *y = model->forward(m, tg_from(TG_I64, some_users, size),
                                          tg_from(TG_I64, some_items, size));
            expect_shape(y, TG_SHAPE(size));
            tg_backward(tg_sum(y));
            tg_step_end();
        }
        tg_module_free(m);
    }
}

Test(models, training__learns_a_small_table)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *model = &rating_models[i];
        tg_manual_seed(10);
        tg_module *m = model->create(USERS, ITEMS, 8, 0);
        tg_optimizer *opt = tg_adam_new(m, (tg_adam_options){.lr = 0.01});
        double first = 0, last = 0;
        for (int step = 0; step < 400; step++) {
            tg_step_begin();
            tg_zero_grad(opt);
            float rating[USERS * ITEMS];
            int64_t user[USERS * ITEMS], item[USERS * ITEMS];
            for (int j = 0; j < USERS * ITEMS; j++) {
                user[j] = j / ITEMS;
                item[j] = j % ITEMS;
                rating[j] = (float)(1 + (user[j] * item[j]) % 5);
            }
            tg_tensor *y = model->forward(m, tg_from(TG_I64, user, USERS * ITEMS),
                                          tg_from(TG_I64, item, USERS * ITEMS));
            tg_tensor *loss = tg_mse_loss(y, tg_from(TG_F32, rating, USERS * ITEMS));
            tg_backward(loss);
            tg_optimizer_step(opt);
            last = tg_item(loss);
            first = step ? first : last;
            tg_step_end();
        }
        cr_expect_lt(last, first / 50, "%s: %g, then %g", model->name, first, last);
        tg_optimizer_free(opt);
        tg_module_free(m);
    }
}
