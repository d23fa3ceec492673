/* The models as a whole: gradients, names, first values, and that they learn. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/gmf.h"
#include "models/mlp.h"
#include "models/ncf.h"
#include "models/registry.h"
#include "models/scorer.h"
#include "models/simplecf.h"
#include "tests/model_samples.h"

enum { USERS = 7, ITEMS = 6, DIM = 2, BATCH = 5 };

/* Indices with repetitions: rows of the tables get several gradients, one, or none. */
static const int64_t some_users[BATCH] = {3, 0, 3, 6, 3}, some_items[BATCH] = {1, 1, 5, 0, 1};

static void restore_dtype(void)
{
    tg_set_default_dtype(TG_F32);
}

TestSuite(models, .fini = restore_dtype);

/* ---- gradients ------------------------------------------------------------------------------- */

typedef struct checked_model {
    const model_sample *sample;
    tg_module *module;
} checked_model;

static tg_tensor *loss_of(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter; /* they are the module's own */
    (void)count;
    const checked_model *c = context;
    return c->sample->loss(c->module);
}

Test(models, gradients__of_every_parameter_with_dropout_on)
{
    tg_set_default_dtype(TG_F64);
    for (int i = 0; i < model_sample_count; i++) {
        tg_manual_seed(10);
        checked_model c = {&model_samples[i], model_samples[i].create()};
        tg_gradcheck_report report;
        cr_expect(tg_module_gradcheck(c.module, 1, loss_of, &c, 1e-6, &report), "%s: %s",
                  c.sample->name, report.message);
        cr_expect_eq(report.checked, tg_module_parameter_count(c.module));
        tg_module_free(c.module);
    }
}

Test(models, gradients__reach_every_parameter)
{
    tg_set_default_dtype(TG_F64);
    for (int i = 0; i < model_sample_count; i++) {
        tg_module *m = model_samples[i].create();
        tg_state_dict state = tg_module_state_dict(m);
        tg_step_begin();
        tg_backward(model_samples[i].loss(m));
        for (int64_t p = 0; p < state.count; p++)
            cr_expect_not_null(state.entry[p].tensor->grad, "%s: %s", model_samples[i].name,
                               state.entry[p].name);
        tg_step_end();
        tg_state_dict_release(&state);
        tg_module_free(m);
    }
}

Test(models, samples__are_there_for_every_header)
{
    const char *missing = model_without_sample();
    cr_expect_null(missing, "%s has no sample in tests/model_samples.c", missing);
}

/* ---- parameters ------------------------------------------------------------------------------ */

typedef struct expected_entry {
    const char *name;
    tg_shape shape;
} expected_entry;

static void expect_entries(const char *model, int count, const expected_entry *expected)
{
    char got[TG_SHAPE_TEXT], wanted[TG_SHAPE_TEXT];
    tg_module *m = rating_model_find(model)->create(USERS, ITEMS, (model_options){.factors = DIM});
    tg_state_dict state = tg_module_state_dict(m);
    cr_expect_eq(state.count, count, "%s has %d parameters", model, (int)state.count);
    for (int i = 0; i < count && i < state.count; i++) {
        const tg_shape *shape = &state.entry[i].tensor->shape;
        cr_expect_str_eq(state.entry[i].name, expected[i].name);
        cr_expect(tg_shape_equal(shape, &expected[i].shape), "%s: %s is %s, expected %s", model,
                  expected[i].name, tg_shape_format(shape, got),
                  tg_shape_format(&expected[i].shape, wanted));
    }
    tg_state_dict_release(&state);
    tg_module_free(m);
}

/* Of 7 users, 6 items and dimension 2. */
#define EMBEDDINGS(prefix, dim)                                                                    \
    {prefix "user_emb.weight", {2, {7, dim}}}, {prefix "item_emb.weight", {2, {6, dim}}}
#define LINEAR(name, in, out) {name ".weight", {2, {out, in}}}, {name ".bias", {1, {out}}}

Test(models, state_dict__has_pytorch_names_and_shapes)
{
    static const expected_entry ncf_entries[] = {
        EMBEDDINGS("GMF_layers.", 2),          EMBEDDINGS("MLP_layers.", 8),
        LINEAR("MLP_layers.linear_1", 16, 8), LINEAR("MLP_layers.linear_2", 8, 4),
        LINEAR("MLP_layers.linear_3", 4, 2),  LINEAR("predict_layer", 4, 1)};
    static const expected_entry gmf_entries[] = {EMBEDDINGS("GMF_layers.", 2),
                                                 LINEAR("predict_layer", 2, 1)};
    static const expected_entry mlp_entries[] = {
        EMBEDDINGS("MLP_layers.", 8), LINEAR("MLP_layers.linear_1", 16, 8),
        LINEAR("MLP_layers.linear_2", 8, 4), LINEAR("MLP_layers.linear_3", 4, 2),
        LINEAR("predict_layer", 2, 1)};
    static const expected_entry simplecf_entries[] = {
        EMBEDDINGS("", 8), LINEAR("linear_1", 16, 8), LINEAR("linear_2", 8, 4),
        LINEAR("linear_3", 4, 1)};
    static const expected_entry mf_entries[] = {{"mean", {1, {1}}},
                                                {"user_bias.weight", {2, {7, 1}}},
                                                {"item_bias.weight", {2, {6, 1}}},
                                                EMBEDDINGS("", 2)};
    expect_entries("ncf", 12, ncf_entries);
    expect_entries("gmf", 4, gmf_entries);
    expect_entries("mlp", 10, mlp_entries);
    expect_entries("simplecf", 8, simplecf_entries);
    expect_entries("mf", 5, mf_entries);
    cr_expect_eq(rating_model_count, 5, "a model without expected names");
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

static void expect_embeddings(const tg_embedding_table *user, const tg_embedding_table *item,
                              double std)
{
    expect_moments(user->weight, 0, std);
    expect_moments(item->weight, 0, std);
}

/* Uniform in +-1/sqrt(in), weight and bias: the bound is kept and nearly reached. */
static void expect_linear(const tg_linear_layer *m)
{
    const double bound = 1 / sqrt((double)tg_size(m->weight, 1));
    const tg_tensor *parts[] = {m->weight, m->bias};
    for (int k = 0; k < 2; k++) {
        const float *x = parts[k]->data;
        double most = 0;
        for (int64_t i = 0; i < tg_numel(parts[k]); i++)
            most = fmax(most, fabs((double)x[i]));
        cr_expect_leq(most, bound);
        if (tg_numel(parts[k]) >= 32) /* a predict layer's bias is one number */
            cr_expect_gt(most, 0.8 * bound);
        expect_moments(parts[k], 0, bound / sqrt(3));
    }
}

Test(models, parameters__start_as_in_the_tutorial)
{
    tg_manual_seed(3);
    ncf *m = ncf_new(600, 400, (model_options){.factors = 32, .dropout = 0.5});
    expect_embeddings(m->gmf->user_emb, m->gmf->item_emb, 0.01);
    expect_embeddings(m->mlp->user_emb, m->mlp->item_emb, 1);
    expect_linear(m->mlp->linear[0]);
    expect_linear(m->mlp->linear[1]);
    expect_linear(m->mlp->linear[2]);
    expect_linear(m->predict_layer);
    cr_expect_eq(tg_module_parameter_count(&m->base),
                 1000 * 160 + 257 * 128 + 129 * 64 + 65 * 32 + 65);
    tg_module_free(&m->base);
}

Test(models, parameters__of_the_other_models_start_alike)
{
    tg_manual_seed(3);
    gmf *g = gmf_new(600, 400, (model_options){.factors = 32, .dropout = 0.5});
    expect_embeddings(g->gmf->user_emb, g->gmf->item_emb, 0.01);
    expect_linear(g->predict_layer);
    tg_module_free(&g->base);
    mlp *m = mlp_new(600, 400, (model_options){.factors = 32, .dropout = 0.5});
    expect_embeddings(m->mlp->user_emb, m->mlp->item_emb, 1);
    expect_linear(m->mlp->linear[0]);
    expect_linear(m->predict_layer);
    tg_module_free(&m->base);
    simplecf *s = simplecf_new(600, 400, (model_options){.factors = 32, .dropout = 0.5});
    expect_embeddings(s->user_emb, s->item_emb, 1);
    expect_linear(s->linear_1);
    expect_linear(s->linear_3);
    tg_module_free(&s->base);
}

/* ---- behaviour ------------------------------------------------------------------------------- */

static void expect_shape(const tg_tensor *t, tg_shape shape)
{
    char got[TG_SHAPE_TEXT], wanted[TG_SHAPE_TEXT];
    cr_assert(tg_shape_equal(&t->shape, &shape), "%s, expected %s", tg_shape_format(&t->shape, got),
              tg_shape_format(&shape, wanted));
}

static void run_forward(const rating_model *model, tg_module *m, double y[BATCH])
{
    tg_step_begin();
    const tg_tensor *out = model->forward(m, tg_from(TG_I64, some_users, BATCH),
                                          tg_from(TG_I64, some_items, BATCH));
    expect_shape(out, TG_SHAPE(BATCH));
    for (int64_t i = 0; i < BATCH; i++)
        y[i] = tg_get(out, i);
    tg_step_end();
}

Test(models, forward__drops_in_training_only)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *model = &rating_models[i];
        double kept[BATCH], twice[BATCH], dropped[BATCH], other[BATCH], again[BATCH];
        tg_manual_seed(10);
        tg_module *plain = model->create(USERS, ITEMS, (model_options){.factors = 8});
        tg_manual_seed(10);
        tg_module *m = model->create(USERS, ITEMS, (model_options){.factors = 8, .dropout = 0.5});
        run_forward(model, plain, kept);
        tg_module_train(m, false);
        run_forward(model, m, twice);
        cr_expect_arr_eq(twice, kept, sizeof kept, "%s drops in evaluation", model->name);
        run_forward(model, m, twice);
        cr_expect_arr_eq(twice, kept, sizeof kept, "%s changes in evaluation", model->name);
        tg_module_train(m, true);
        const tg_rng rng = *tg_default_rng();
        run_forward(model, m, dropped);
        run_forward(model, m, other);
        *tg_default_rng() = rng;
        run_forward(model, m, again);
        cr_expect_arr_neq(dropped, kept, sizeof kept, "%s does not drop", model->name);
        cr_expect_arr_neq(dropped, other, sizeof kept, "%s drops one mask", model->name);
        cr_expect_arr_eq(dropped, again, sizeof kept, "%s: not by the seed", model->name);
        tg_module_free(plain);
        tg_module_free(m);
    }
}

/* What the generator moves on by when a mask for (BATCH, width) is drawn. */
static uint64_t mask_draws(int64_t width)
{
    const uint64_t before = tg_default_rng()->position;
    tg_step_begin();
    tg_dropout(tg_zeros(TG_F32, BATCH, width), 0.5, true);
    tg_step_end();
    return tg_default_rng()->position - before;
}

/* With dimension 8: after linear_1 (4d) and linear_2 (2d), and before the predict layer. */
Test(models, dropout__stands_where_the_tutorial_has_it)
{
    static const struct {
        const char *model;
        int64_t width[3];
    } masks[] = {{"ncf", {32, 16, 16}}, {"gmf", {8}}, {"mlp", {32, 16, 8}}, {"simplecf", {32, 16}},
               {"mf", {8}}};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        const rating_model *model = rating_model_find(masks[i].model);
        uint64_t expected = 0;
        for (int k = 0; k < 3 && masks[i].width[k] > 0; k++)
            expected += mask_draws(masks[i].width[k]);
        tg_module *m = model->create(USERS, ITEMS, (model_options){.factors = 8, .dropout = 0.5});
        const uint64_t before = tg_default_rng()->position;
        double y[BATCH];
        run_forward(model, m, y);
        cr_expect_eq(tg_default_rng()->position - before, expected, "%s", model->name);
        tg_module_free(m);
    }
}

/* All of the predict layer's input dropped: its bias is left. */
Test(models, dropout__of_everything_leaves_the_bias)
{
    ncf *m = ncf_new(USERS, ITEMS, (model_options){.factors = DIM, .dropout = 1});
    m->mlp->dropout = 0;
    tg_step_begin();
    const tg_tensor *y = ncf_forward(m, tg_from(TG_I64, some_users, BATCH),
                                     tg_from(TG_I64, some_items, BATCH));
    for (int64_t i = 0; i < BATCH; i++)
        cr_expect_eq(tg_get(y, i), tg_get(m->predict_layer->bias, 0));
    tg_step_end();
    tg_module_free(&m->base);
}

/* A batch of one and an empty batch go through like any other. */
Test(models, forward__takes_small_batches)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *model = &rating_models[i];
        tg_module *m = model->create(USERS, ITEMS, (model_options){.factors = DIM, .dropout = 0.5});
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
        tg_module *m = model->create(USERS, ITEMS, (model_options){.factors = 8, .dropout = 0});
        tg_optimizer *opt = tg_adam_new(
            m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = 0.01));
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

/* ---- all items for a user -------------------------------------------------------------------- */

Test(models, biases__stand_beside_a_model_of_the_same_names)
{
    for (int i = 0; i < rating_model_count; i++) {
        const rating_model *plain = &rating_models[i], *biased = rating_model_with_biases(plain);
        cr_expect_str_eq(biased->name, plain->name);
        cr_expect(biased->has_biases);
        cr_expect(rating_model_with_biases(biased) == biased);
        tg_manual_seed(4);
        tg_module *m = biased->create(USERS, ITEMS, (model_options){.factors = DIM});
        tg_module *without = plain->create(USERS, ITEMS, (model_options){.factors = DIM});
        tg_state_dict state = tg_module_state_dict(m), inner = tg_module_state_dict(without);
        const int64_t added = plain->has_biases ? 0 : 3;
        cr_expect_eq(state.count, inner.count + added);
        for (int64_t p = 0; p < inner.count; p++)
            cr_expect_not_null(tg_state_dict_get(&state, inner.entry[p].name), "%s: %s",
                               plain->name, inner.entry[p].name);
        tg_module_load_state_dict(without, &state);
        tg_set(tg_state_dict_get(&state, "mean"), 3.5, 0);
        tg_set(tg_state_dict_get(&state, "user_bias.weight"), 0.25, 6, 0);
        tg_set(tg_state_dict_get(&state, "item_bias.weight"), -1, 2, 0);
        tg_step_begin();
        tg_tensor *user = tg_full(TG_I64, 6, 1), *item = tg_full(TG_I64, 2, 1);
        const double difference = tg_item(biased->forward(m, user, item)) -
                                  tg_item(plain->forward(without, user, item));
        cr_expect_float_eq(difference, 2.75, 1e-5, "%s: %g", plain->name, difference);
        tg_step_end();
        tg_state_dict_release(&state);
        tg_state_dict_release(&inner);
        tg_module_free(without);
        tg_module_free(m);
    }
}

Test(models, layers__have_the_widths_asked_for)
{
    const model_options o = {.factors = 3, .layer = {10, 7, 5}};
    ncf *m = ncf_new(USERS, ITEMS, o);
    cr_expect_eq(m->mlp->layers, 2);
    cr_expect_eq(tg_size(m->mlp->user_emb->weight, 1), 5);
    cr_expect_eq(tg_size(m->mlp->linear[0]->weight, 0), 7);
    cr_expect_eq(tg_size(m->mlp->linear[0]->weight, 1), 10);
    cr_expect_eq(tg_size(m->mlp->linear[1]->weight, 0), 5);
    cr_expect_eq(tg_size(m->predict_layer->weight, 1), 3 + 5);
    tg_module_free(&m->base);
}

static double largest(const tg_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < tg_numel(t); i++)
        most = fmax(most, fabs((double)((const float *)t->data)[i]));
    return most;
}

Test(models, paper_init__draws_as_he_et_al)
{
    tg_manual_seed(3);
    const model_options o = {.factors = 8, .paper_init = true};
    ncf *m = (ncf *)rating_model_find("ncf")->create(500, 500, o);
    const double glorot = sqrt(6.0 / (64 + 32)), lecun = sqrt(3.0 / 16);
    cr_expect(largest(m->mlp->user_emb->weight) < 0.06 && largest(m->gmf->item_emb->weight) > 0.02);
    cr_expect(largest(m->mlp->linear[0]->weight) <= glorot);
    cr_expect(largest(m->mlp->linear[0]->weight) > 0.95 * glorot);
    cr_expect(largest(m->predict_layer->weight) <= lecun);
    cr_expect(largest(m->predict_layer->weight) > 0.7 * lecun);
    cr_expect_eq(largest(m->mlp->linear[1]->bias), 0);
    tg_module_free(&m->base);
}

/* More items than are scored at a time, and a rest. */
Test(models, scorer__gives_what_forward_gives)
{
    enum { MANY = 1100, FEW = 4 };
    for (int i = 0; i < 2 * rating_model_count; i++) {
        const rating_model *model = &rating_models[i / 2];
        model = i % 2 ? rating_model_with_biases(model) : model;
        tg_manual_seed(4);
        tg_module *m = model->create(FEW, MANY, (model_options){.factors = 8, .dropout = 0.5});
        tg_state_dict state = tg_module_state_dict(m); /* none stays 0, as biases are at first */
        for (int64_t p = 0; p < state.count; p++)
            tg_fill_normal(state.entry[p].tensor, 0, 0.3);
        tg_state_dict_release(&state);
        scorer *s = scorer_new(model, m);
        cr_assert_eq(scorer_items(s), MANY);
        for (int64_t user = 0; user < FEW; user++) {
            float score[MANY];
            scorer_score(s, user, score);
            tg_step_begin();
            tg_tensor *item = tg_zeros(TG_I64, MANY);
            for (int64_t k = 0; k < MANY; k++)
                ((int64_t *)item->data)[k] = k;
            const tg_tensor *y = model->forward(m, tg_full(TG_I64, (double)user, MANY), item);
            for (int64_t k = 0; k < MANY; k++)
                cr_assert(fabs(tg_get(y, k) - (double)score[k]) <= 1e-5, "%s: user %d, item %d",
                          model->name, (int)user, (int)k);
            tg_step_end();
        }
        scorer_free(s);
        tg_module_free(m);
    }
}
