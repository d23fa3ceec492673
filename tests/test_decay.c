/* ncf train --weight-decay: what it pulls, and how much. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/program.h"

TestSuite(decay, .init = enter_folder, .fini = leave_folder);

/* One step of plain gradient descent, at the rate LR, with all 320 training ratings. */
#define LR 0.25
#define START "--data r --factors 3 --batch-size 320 --optimizer sgd --lr 0.25 --quiet "
#define STEP START "--epochs 1 "

static tg_state_dict load(const char *path)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load(path, &state), TG_OK, "%s", tg_last_error()->message);
    return state;
}

/* In `with` every element of the parameter has gone by -factor times what it began with further
 * than in `without`; those of the rows that no rating reads are as they were. */
static void expect_pull(const char *name, double factor)
{
    tg_state_dict start = load("start"), without = load("without"), with = load("with");
    const tg_tensor *p = tg_state_dict_get(&start, name);
    cr_assert_not_null(p, "%s", name);
    const float *began = p->data, *plain = tg_state_dict_get(&without, name)->data,
                *pulled = tg_state_dict_get(&with, name)->data;
    const bool is_table = strstr(name, "_emb") != NULL;
    const int64_t row = is_table ? tg_size(p, 1) : 1;
    for (int64_t i = 0; i < tg_numel(p); i++) {
        bool is_read = !is_table;
        for (int64_t k = i - i % row; k < i - i % row + row; k++)
            is_read = is_read || plain[k] != began[k];
        const double expected = (double)plain[i] - (is_read ? factor * (double)began[i] : 0);
        cr_expect(fabs((double)pulled[i] - expected) < 1e-6, "%s: element %lld is %g, not %g", name,
                  (long long)i, (double)pulled[i], expected);
    }
    tg_state_dict_release(&start);
    tg_state_dict_release(&without);
    tg_state_dict_release(&with);
}

Test(decay, all__pulls_each_parameter_as_often_as_it_is_read)
{
    write_ratings("r");
    cr_assert_eq(ncf("train " START "--biases --epochs 0 --save start"), 0, "%s", err);
    cr_assert_eq(ncf("train " STEP "--biases --save without"), 0, "%s", err);
    cr_assert_eq(ncf("train " STEP "--biases --weight-decay 0.8 --decay all --save with"), 0, "%s",
                 err);
    static const char *const vectors[] = {"GMF_layers.user_emb.weight",
                                          "MLP_layers.item_emb.weight"};
    static const char *const weights[] = {"MLP_layers.linear_1.weight", "predict_layer.weight"};
    static const char *const biases[] = {"MLP_layers.linear_1.bias", "predict_layer.bias",
                                         "user_bias.weight", "item_bias.weight", "mean"};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        expect_pull(vectors[i], LR * 0.8 / 320);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        expect_pull(weights[i], LR * 0.8);
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        expect_pull(biases[i], 0);
}

Test(decay, vectors__is_the_default_and_leaves_layers_alone)
{
    write_ratings("r");
    cr_assert_eq(ncf("train " START "--epochs 0 --save start"), 0, "%s", err);
    cr_assert_eq(ncf("train " STEP "--save without"), 0, "%s", err);
    static const char *const options[] = {"", "--decay vectors"};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(ncf("train " STEP "--weight-decay 0.8 %s --save with", options[i]), 0, "%s",
                     err);
        expect_pull("GMF_layers.item_emb.weight", LR * 0.8 / 320);
        expect_pull("MLP_layers.linear_2.weight", 0);
        expect_pull("predict_layer.weight", 0);
    }
}

Test(decay, option__is_kept_with_the_model_and_in_a_checkpoint)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 4 --weight-decay 0.1 --decay all "
                     "--save a"), 0, "%s", err);
    EXPECT_PARTS(err, " --weight-decay 0.1 ", " --decay all ");
    cr_assert_eq(ncf("train --data r " SMALL "--weight-decay 0.1 --decay all --checkpoint c"), 0);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 4 --save b"), 0, "%s", err);
    tg_state_dict a = load("a"), b = load("b");
    for (int64_t i = 0; i < a.count; i++)
        cr_expect_arr_eq(a.entry[i].tensor->data, b.entry[i].tensor->data,
                         (size_t)tg_numel(a.entry[i].tensor) *
                             tg_dtype_size(a.entry[i].tensor->dtype), "%s", a.entry[i].name);
    tg_state_dict_release(&a);
    tg_state_dict_release(&b);
}

Test(decay, option__mistakes_are_named)
{
    expect_complaint(ncf("train --decay all"), 2,
                     "--decay needs --weight-decay X, which says how much");
    expect_complaint(ncf("train --weight-decay 1 --decay biases"), 2,
                     "--decay 'biases': expected vectors|all");
    cr_assert_eq(ncf("train --help"), 0);
    cr_expect_not_null(strstr(out, "\n  --decay NAME "), "%s", out);
}
