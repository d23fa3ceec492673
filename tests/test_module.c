#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "nn/layers.h"
#include "optim/optim.h"
#include "tensor/random.h"

/* ---- a small tree of modules ----------------------------------------------------------------- */

typedef struct branch {
    tg_module base;
    tg_embedding_table *table;
    tg_linear_layer *hidden;
} branch;

typedef struct net {
    tg_module base;
    branch *left;
    tg_linear_layer *output;
    tg_tensor *scale;
} net;

static branch *branch_new(void)
{
    branch *m = tg_module_new(branch);
    m->table = tg_child(m, "table", tg_embedding_new(5, 3));
    m->hidden = tg_child(m, "hidden", tg_linear_new(3, 2));
    return m;
}

static net *net_new(void)
{
    net *m = tg_module_new(net);
    m->left = tg_child(m, "left", branch_new());
    m->output = tg_child(m, "output", tg_linear_new(2, 1));
    m->scale = tg_param(m, "scale", tg_owned(TG_F32, 1));
    return m;
}

static void misuse_is(const char *expected)
{
    const tg_error *error = tg_last_error();
    cr_assert_eq(error->status, TG_EMISUSE);
    cr_assert(strstr(error->message, expected), "\"%s\" lacks \"%s\"", error->message, expected);
    tg_clear_error();
}

static void failure_is(const char *expected)
{
    cr_assert_str_eq(tg_last_error()->message, expected);
    tg_clear_error();
}

/* ---- modules --------------------------------------------------------------------------------- */

/* What PyTorch's state_dict gives for the same tree: a module's own parameters come before its
 * children's, whatever was registered first. */
Test(module, state_dict__has_pytorchs_names_and_order)
{
    static const char *const expected[] = {
        "scale",           "left.table.weight", "left.hidden.weight", "left.hidden.bias",
        "output.weight",   "output.bias",
    };
    net *m = net_new();
    tg_state_dict state = tg_module_state_dict(&m->base);
    cr_assert_eq(state.count, 6);
    cr_assert_not(state.owns_tensors);
    for (int i = 0; i < 6; i++)
        cr_expect_str_eq(state.entry[i].name, expected[i]);
    cr_expect_eq(state.entry[1].tensor, m->left->table->weight);
    cr_expect_eq(tg_state_dict_get(&state, "output.bias"), m->output->bias);
    cr_expect_null(tg_state_dict_get(&state, "bias"));
    tg_state_dict_release(&state);
    cr_expect_eq(state.count, 0);
    tg_module_free(&m->base);
}

Test(module, parameters__require_gradients_and_are_counted)
{
    net *m = net_new();
    cr_expect(m->scale->requires_grad);
    cr_expect(m->left->table->weight->requires_grad);
    cr_expect_eq(tg_module_parameter_count(&m->base), 1 + 5 * 3 + (3 * 2 + 2) + (2 * 1 + 1));
    tg_module_free(&m->base);
}

Test(module, train__reaches_everything_below)
{
    net *m = net_new();
    cr_expect(tg_training(m->left->hidden));
    tg_eval(m);
    cr_expect_not(tg_training(m));
    cr_expect_not(tg_training(m->left));
    cr_expect_not(tg_training(m->left->hidden));
    tg_train(m);
    cr_expect(tg_training(m->left->hidden));
    tg_module_free(&m->base);
}

Test(module, child__takes_its_parents_mode)
{
    net *m = tg_module_new(net);
    tg_eval(m);
    m->left = tg_child(m, "left", branch_new());
    cr_expect_not(tg_training(m->left));
    cr_expect_not(tg_training(m->left->table));
    tg_module_free(&m->base);
}

Test(module, registering__has_no_bound)
{
    enum { COUNT = 100 };
    net *m = tg_module_new(net);
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        tg_tensor *p = tg_param(m, name, tg_owned(TG_F32, i + 1));
        cr_assert_eq(p, m->base.parameter[i].tensor);
    }
    cr_expect_eq(tg_module_parameter_count(&m->base), COUNT * (COUNT + 1) / 2);
    cr_expect_eq(tg_numel(m->base.parameter[41].tensor), 42);
    tg_module_free(&m->base);
}

/* Registering in a loop, with one buffer for all names. */
Test(module, names__are_copied)
{
    net *m = tg_module_new(net);
    tg_state_dict state = {.owns_tensors = true};
    char name[16], expected[16];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "p%d", i);
        cr_assert_not(tg_is_error(tg_param(m, name, tg_owned(TG_F32, 1))));
        tg_state_dict_add(&state, name, tg_owned(TG_F32, 1));
        tg_state_dict_note(&state, name, name);
        name[0] = 'c';
        cr_assert_not_null(tg_child(m, name, tg_linear_new(1, 1)));
    }
    memset(name, '-', sizeof name - 1);
    tg_optimizer *opt = tg_sgd(m, .lr = 1);
    for (int i = 0; i < 3; i++) {
        snprintf(expected, sizeof expected, "p%d", i);
        cr_expect_str_eq(m->base.parameter[i].name, expected);
        cr_expect_str_eq(state.entry[i].name, expected);
        cr_expect_str_eq(tg_state_dict_get_note(&state, expected), expected);
        expected[0] = 'c';
        cr_expect_str_eq(m->base.child[i].name, expected);
    }
    tg_state_dict moments = tg_optimizer_state_dict(opt);
    cr_expect_not_null(tg_state_dict_get(&moments, "c1.weight.steps"));
    tg_state_dict_release(&moments);
    tg_optimizer_free(opt);
    tg_state_dict_release(&state);
    tg_module_free(&m->base);
}

/* As register_parameter and add_module of PyTorch do: KeyError. */
Test(module, names__have_no_dots)
{
    static const char *const names[] = {".a", "a.b", "."};
    tg_set_misuse(TG_MISUSE_RETURN);
    net *m = tg_module_new(net);
    for (int i = 0; i < 3; i++) {
        cr_expect(tg_is_error(tg_param(m, names[i], tg_owned(TG_F32, 1))));
        misuse_is("the name has a dot");
        cr_expect_null(tg_child(m, names[i], tg_linear_new(1, 1)));
        misuse_is("the name has a dot");
    }
    tg_module_free(&m->base);
}

Test(module, free__accepts_null)
{
    tg_module_free(NULL);
}

Test(module, parameter__refuses_what_is_none)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    net *m = tg_module_new(net);
    cr_expect(tg_is_error(tg_param(m, "scale", NULL)));
    misuse_is("net, parameter \"scale\": is NULL");
    cr_expect(tg_is_error(tg_param(m, "scale", tg_owned(TG_I64, 3))));
    misuse_is("net, parameter \"scale\": is i64");
    tg_step_begin();
    cr_expect(tg_is_error(tg_param(m, "scale", tg_zeros(TG_F32, 3))));
    tg_step_end();
    misuse_is("net, parameter \"scale\": belongs to a step");
    cr_expect(tg_is_error(tg_param(m, "scale", tg_owned(TG_F32, -1))));
    misuse_is("negative");
    cr_expect_eq(m->base.nparameters, 0);
    tg_module_free(&m->base);
}

Test(module, names__are_taken_once)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    net *m = net_new();
    cr_expect(tg_is_error(tg_param(m, "left", tg_owned(TG_F32, 1))));
    misuse_is("net, parameter \"left\": the name is taken");
    cr_expect_null(tg_child(m, "scale", tg_linear_new(1, 1)));
    misuse_is("net, child \"scale\": the name is taken");
    tg_module_free(&m->base);
}

Test(module, child__refuses_null)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    net *m = tg_module_new(net);
    cr_expect_null(tg_child(m, "left", NULL));
    misuse_is("net, child \"left\": is NULL");
    cr_expect_eq(m->base.nchildren, 0);
    tg_module_free(&m->base);
}

/* ---- state_dict ------------------------------------------------------------------------------ */

Test(module, state_dict__keeps_notes)
{
    tg_state_dict state = {0};
    tg_state_dict_note(&state, "format", "1");
    tg_state_dict_note(&state, "model", "ncf");
    cr_expect_eq(state.notes, 2);
    cr_expect_str_eq(tg_state_dict_get_note(&state, "model"), "ncf");
    cr_expect_null(tg_state_dict_get_note(&state, "ncf"));
    tg_state_dict_release(&state);
    cr_expect_null(tg_state_dict_get_note(&state, "model"));
}

Test(module, state_dict__copies_names)
{
    char name[] = "ids";
    tg_tensor *ids = tg_owned(TG_I64, 4);
    tg_state_dict state = {.owns_tensors = true};
    tg_state_dict_add(&state, name, ids);
    name[0] = 'x';
    cr_expect_eq(tg_state_dict_get(&state, "ids"), ids);
    tg_state_dict_release(&state);
}

Test(module, state_dict__refuses_what_is_no_dense_tensor)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_state_dict state = {0};
    tg_state_dict_add(&state, "nothing", NULL);
    misuse_is("NULL");
    tg_tensor *sparse = tg_scatter_rows(tg_zeros(TG_F32, 1, 2), tg_zeros(TG_I64, 1), 3);
    tg_state_dict_add(&state, "weight.grad", sparse);
    misuse_is("weight.grad is row-sparse");
    cr_expect_eq(state.count, 0);
}

Test(module, load_state_dict__copies_values_of_either_float)
{
    net *m = net_new(), *from = net_new();
    tg_state_dict state = tg_module_state_dict(&from->base);
    tg_tensor *wide = tg_owned(TG_F64, 1), *extra = tg_owned(TG_I64, 9);
    tg_fill(wide, 0.1);
    state.entry[0].tensor = wide; /* "scale" */
    tg_state_dict_add(&state, "epoch", extra);
    cr_assert_eq(tg_module_load_state_dict(&m->base, &state), TG_OK);
    cr_expect_eq(tg_item(m->scale), (double)0.1f);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++)
            cr_expect_eq(tg_get(m->left->table->weight, i, k),
                         tg_get(from->left->table->weight, i, k));
    cr_expect_eq(tg_get(m->output->bias, 0), tg_get(from->output->bias, 0));
    cr_expect_neq(m->output->bias, from->output->bias);
    cr_expect(m->scale->requires_grad);
    tg_state_dict_release(&state);
    tg_free(wide);
    tg_free(extra);
    tg_module_free(&from->base);
    tg_module_free(&m->base);
}

/* The faulty entry is the last one; the first must not have been copied. */
Test(module, load_state_dict__changes_nothing_on_failure)
{
    net *m = net_new(), *from = net_new();
    tg_fill(m->scale, 3);
    tg_fill(from->scale, 4);
    tg_state_dict state = tg_module_state_dict(&from->base);
    tg_state_entry *last = &state.entry[5];

    last->tensor = tg_owned(TG_F32, 7, 1);
    cr_expect_eq(tg_module_load_state_dict(&m->base, &state), TG_EFORMAT);
    failure_is("output.bias: [7, 1] in the file, the model has [1]");
    tg_free(last->tensor);

    last->tensor = tg_owned(TG_I64, 1);
    cr_expect_eq(tg_module_load_state_dict(&m->base, &state), TG_EFORMAT);
    failure_is("output.bias: i64 in the file, the model has f32");
    tg_free(last->tensor);

    last->name[0] = 'O';
    cr_expect_eq(tg_module_load_state_dict(&m->base, &state), TG_EFORMAT);
    failure_is("output.bias: not in the file, the model has [1]");

    cr_expect_eq(tg_item(m->scale), 3);
    tg_state_dict_release(&state);
    tg_module_free(&from->base);
    tg_module_free(&m->base);
}

/* ---- layers ---------------------------------------------------------------------------------- */

typedef struct moments {
    double min, max, mean, variance;
} moments;

/* Of an (n) or (n, m) tensor. */
static moments moments_of(const tg_tensor *t)
{
    moments m = {INFINITY, -INFINITY, 0, 0};
    const float *value = t->data;
    const int64_t count = tg_numel(t);
    for (int64_t i = 0; i < count; i++) {
        m.min = fmin(m.min, value[i]);
        m.max = fmax(m.max, value[i]);
        m.mean += value[i] / (double)count;
        m.variance += (double)value[i] * value[i] / (double)count;
    }
    m.variance -= m.mean * m.mean;
    return m;
}

/* Bounds of five standard errors: of the mean sd / sqrt(n), of the variance
 * sd^2 sqrt((kurtosis - 1) / n), where the kurtosis is 3 for a normal, 1.8 for a uniform one. */
static void moments_are(moments m, double variance, double kurtosis, int64_t count)
{
    const double n = (double)count;
    cr_expect_float_eq(m.mean, 0, 5 * sqrt(variance / n));
    cr_expect_float_eq(m.variance, variance, 5 * variance * sqrt((kurtosis - 1) / n));
}

Test(module, linear__starts_uniform_within_one_over_root_in)
{
    tg_manual_seed(1);
    tg_linear_layer *m = tg_linear_new(64, 1000);
    cr_expect_eq(tg_size(m->weight, 0), 1000);
    cr_expect_eq(tg_size(m->weight, 1), 64);
    cr_expect_eq(tg_size(m->bias, 0), 1000);
    tg_tensor *const parameter[] = {m->weight, m->bias};
    for (int i = 0; i < 2; i++) {
        const int64_t count = tg_numel(parameter[i]);
        const double bound = 1.0 / 8;
        const moments found = moments_of(parameter[i]);
        cr_expect_geq(found.min, -bound);
        cr_expect_leq(found.max, bound);
        cr_expect_lt(found.min, -bound * (1 - 20.0 / (double)count));
        cr_expect_gt(found.max, bound * (1 - 20.0 / (double)count));
        moments_are(found, bound * bound / 3, 1.8, count);
    }
    tg_module_free(&m->base);
}

Test(module, embedding__starts_standard_normal)
{
    tg_manual_seed(1);
    tg_embedding_table *m = tg_embedding_new(1000, 32);
    cr_expect_eq(tg_size(m->weight, 0), 1000);
    cr_expect_eq(tg_size(m->weight, 1), 32);
    const moments found = moments_of(m->weight);
    moments_are(found, 1, 3, 32000);
    cr_expect_gt(found.max, 3);
    cr_expect_lt(found.min, -3);
    tg_module_free(&m->base);
}

Test(module, init_normal__has_its_mean_and_deviation)
{
    tg_manual_seed(1);
    tg_embedding_table *m = tg_embedding_new(1000, 32);
    tg_fill_normal(m->weight, 0, 0.01);
    moments_are(moments_of(m->weight), 1e-4, 3, 32000);
    tg_fill_normal(m->weight, 5, 0);
    cr_expect_eq(tg_get(m->weight, 999, 31), 5);
    tg_module_free(&m->base);
}

/* Equal seeds give equal layers, and the weight is drawn before the bias. */
Test(module, linear__draws_weight_then_bias)
{
    tg_manual_seed(7);
    tg_linear_layer *m = tg_linear_new(4, 3);
    tg_tensor *weight = tg_owned(TG_F32, 3, 4), *bias = tg_owned(TG_F32, 3);
    tg_manual_seed(7);
    tg_fill_uniform(weight, -0.5, 0.5);
    tg_fill_uniform(bias, -0.5, 0.5);
    cr_expect_arr_eq(m->weight->data, weight->data, 12 * sizeof(float));
    cr_expect_arr_eq(m->bias->data, bias->data, 3 * sizeof(float));
    tg_free(weight);
    tg_free(bias);
    tg_module_free(&m->base);
}

Test(module, layers__have_the_default_dtype)
{
    tg_set_default_dtype(TG_F64);
    tg_linear_layer *linear = tg_linear_new(2, 3);
    tg_embedding_table *table = tg_embedding_new(2, 3);
    cr_expect_eq(linear->weight->dtype, TG_F64);
    cr_expect_eq(linear->bias->dtype, TG_F64);
    cr_expect_eq(table->weight->dtype, TG_F64);
    tg_module_free(&linear->base);
    tg_module_free(&table->base);
}

Test(module, linear__without_inputs_is_its_bias)
{
    tg_linear_layer *m = tg_linear_new(0, 2);
    cr_expect_eq(tg_numel(m->weight), 0);
    cr_expect_eq(tg_get(m->bias, 1), 0);
    tg_module_free(&m->base);
}

/* Small whole numbers: every sum below is exact. */
Test(module, linear_forward__is_x_times_weight_transposed_plus_bias)
{
    tg_linear_layer *m = tg_linear_new(3, 2);
    memcpy(m->weight->data, (float[]){1, 2, 3, -1, 0, 5}, 6 * sizeof(float));
    memcpy(m->bias->data, (float[]){10, -20}, 2 * sizeof(float));
    tg_step_begin();
    tg_tensor *x = tg_from(TG_F32, ((float[]){1, 1, 1, 2, 0, -1}), 2, 3);
    tg_tensor *y = tg_linear_forward(m, x);
    cr_expect_eq(tg_get(y, 0, 0), 1 + 2 + 3 + 10);
    cr_expect_eq(tg_get(y, 0, 1), -1 + 0 + 5 - 20);
    cr_expect_eq(tg_get(y, 1, 0), 2 + 0 - 3 + 10);
    cr_expect_eq(tg_get(y, 1, 1), -2 + 0 - 5 - 20);
    cr_expect(y->requires_grad);
    tg_step_end();
    tg_module_free(&m->base);
}

Test(module, embedding_forward__gives_rows)
{
    tg_embedding_table *m = tg_embedding_new(4, 2);
    memcpy(m->weight->data, (float[]){0, 1, 10, 11, 20, 21, 30, 31}, 8 * sizeof(float));
    tg_step_begin();
    tg_tensor *index = tg_from(TG_I64, ((int64_t[]){3, 0, 3}), 3);
    tg_tensor *y = tg_embedding_forward(m, index);
    cr_expect_eq(y->shape.ndim, 2);
    cr_expect_eq(tg_get(y, 0, 1), 31);
    cr_expect_eq(tg_get(y, 1, 0), 0);
    cr_expect_eq(tg_get(y, 2, 0), 30);
    tg_step_end();
    tg_module_free(&m->base);
}

Test(module, forward__names_a_layer_that_was_never_made)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    net m = {.output = NULL, .left = &(branch){.table = NULL}};
    tg_step_begin();
    tg_tensor *x = tg_zeros(TG_F32, 2, 2);
    cr_expect(tg_is_error(tg_linear_forward(m.output, x)));
    misuse_is("test_module.c");
    cr_expect(tg_is_error(tg_embedding_forward(m.left->table, x)));
    misuse_is("embedding: the table is NULL");
    tg_step_end();
}
