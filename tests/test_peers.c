/*
 * Faults that were found in other engines (kann, autograd.c, cTensor, micrograd, tinygrad,
 * darknet), one by one. None may ever be one of this library's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/helpers.h"

/* ---- 1: a consumer outside the loss silently leaves a gradient NULL (autograd.c) ------------- */

Test(peers, fault_1__a_metric_beside_the_loss_changes_nothing)
{
    tg_tensor *x = scalar_leaf(2);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, x);
    tg_tensor *metric = tg_exp(y);
    tg_tensor *loss = tg_mul(y, y);
    tg_tensor *later = tg_log(y);
    tg_backward(loss);
    cr_expect_eq(tg_item(x->grad), 32);
    cr_expect_float_eq(tg_item(metric), exp(4), 1e-12);
    cr_expect_float_eq(tg_item(later), log(4), 1e-12);
    tg_step_end();
    tg_free(x);
}

/* ---- 2: a diamond gives 27 for 21 (cTensor), a second backward is wrong (micrograd, 102) ----- */

/* y = 3x; 2y + 5y */
Test(peers, fault_2__a_diamond_adds_both_ways)
{
    tg_tensor *x = scalar_leaf(1.5);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, tg_scalar(TG_F64, 3));
    tg_backward(tg_add(tg_mul(y, tg_scalar(TG_F64, 2)), tg_mul(y, tg_scalar(TG_F64, 5))));
    cr_expect_eq(tg_item(x->grad), 21);
    tg_step_end();
    tg_free(x);
}

Test(peers, fault_2__a_second_backward_accumulates)
{
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *loss = tg_mul(tg_mul(x, x), x);
    tg_backward(loss);
    cr_expect_eq(tg_item(x->grad), 27);
    tg_backward(loss);
    cr_expect_eq(tg_item(x->grad), 54);
    tg_backward(tg_mul(x, x));
    cr_expect_eq(tg_item(x->grad), 60);
    tg_step_end();
    cr_expect_eq(tg_item(x->grad), 60, "gradients outlive the step");
    tg_step_begin();
    tg_backward(tg_mul(x, x));
    cr_expect_eq(tg_item(x->grad), 66);
    tg_zero_grad_tensor(x);
    cr_expect_null(x->grad);
    tg_backward(tg_mul(x, x));
    cr_expect_eq(tg_item(x->grad), 6);
    tg_step_end();
    tg_free(x);
}

/* ---- 3: clipping scales to norm 1 whatever the threshold (kann) ------------------------------ */

typedef struct one_weight {
    tg_module base;
    tg_tensor *weight;
} one_weight;

Test(peers, fault_3__clipping_leaves_the_norm_asked_for)
{
    static const double gradient[] = {30, 40};
    one_weight *m = tg_module_new(one_weight);
    m->weight = tg_param(m, "weight", tg_owned(TG_F64, 2));
    tg_step_begin();
    tg_backward(tg_sum(tg_mul(m->weight, tg_from(TG_F64, gradient, 2))));
    cr_expect_float_eq(tg_clip_grad_norm(&m->base, 5), 50, 1e-12);
    const double x = tg_get(m->weight->grad, 0), y = tg_get(m->weight->grad, 1);
    cr_expect_float_eq(x, 3, 1e-6);
    cr_expect_float_eq(sqrt(x * x + y * y), 5, 1e-6);
    tg_step_end();
    tg_module_free(&m->base);
}

/* ---- 4: a shape error returns NULL, and the next op crashes (kann) --------------------------- */

Test(peers, fault_4__misuse_of_one_op_passes_through_the_rest)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F32, 3, 4));
    tg_step_begin();
    tg_tensor *x = tg_zeros(TG_F32, 2, 5);
    const int line = __LINE__ + 1;
    tg_tensor *y = tg_matmul(x, w);
    cr_expect(tg_is_error(y));
    y = tg_cat(-1, tg_relu(tg_linear(y, w, NULL)), x);
    y = tg_dropout(tg_view(tg_t(y), -1), 0.5, true);
    tg_tensor *loss = tg_mse_loss(y, x);
    cr_expect(tg_is_error(loss));
    tg_backward(loss);
    cr_expect_null(w->grad);
    cr_expect(isnan(tg_item(loss)));
    char expected[128];
    snprintf(expected, sizeof expected,
             "tests/test_peers.c:%d: matmul: [2, 5] x [3, 4]: inner sizes 5 and 3 differ", line);
    cr_expect_str_eq(tg_last_error()->message, expected);
    tg_clear_error();
    tg_step_end();
    tg_free(w);
}

/* ---- 5: a gradient check in f32 fails a right network for 1 seed of 8 (kann) ----------------- */

typedef struct tanh_net {
    tg_module base;
    tg_linear_layer *hidden, *output;
    tg_tensor *x, *y;
} tanh_net;

static tg_tensor *tanh_loss(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter;
    (void)count;
    tanh_net *m = context;
    tg_tensor *h = tg_tanh(tg_linear_forward(m->hidden, m->x));
    return tg_mse_loss(tg_linear_forward(m->output, h), m->y);
}

Test(peers, fault_5__a_gradient_check_passes_for_every_seed)
{
    tg_set_default_dtype(TG_F64);
    for (uint64_t seed = 0; seed < 8; seed++) {
        tg_manual_seed(seed);
        tg_step_begin();
        tanh_net *m = tg_module_new(tanh_net);
        m->hidden = tg_child(m, "hidden", tg_linear_new(8, 16));
        m->output = tg_child(m, "output", tg_linear_new(16, 2));
        m->x = tg_randn(TG_F64, 4, 8);
        m->y = tg_randn(TG_F64, 4, 2);
        tg_gradcheck_report report;
        for (int order = 1; order <= 2; order++)
            cr_expect(tg_module_gradcheck(&m->base, order, tanh_loss, m, 1e-6, &report),
                      "seed %d: %s", (int)seed, report.message);
        tg_module_free(&m->base);
        tg_step_end();
    }
    tg_set_default_dtype(TG_F32);
}

/* ---- 6: 70,000 ops are too many, small expressions leak (autograd.c) ------------------------- */

/* Recursion would run out of stack. That steps leak nothing is in tests/test_memory.c. */
Test(peers, fault_6__a_million_ops_are_not_too_many, .timeout = 120)
{
    tg_tensor *x = scalar_leaf(1);
    tg_step_begin();
    tg_tensor *one = tg_scalar(TG_F64, 1), *y = x;
    for (int i = 0; i < 1000000; i++)
        y = tg_add(y, one);
    tg_backward(y);
    cr_expect_eq(tg_item(y), 1000001);
    cr_expect_eq(tg_item(x->grad), 1);
    tg_step_end();
    tg_free(x);
}

/* ---- 7: an index out of range reads zeros (tinygrad, 5873), or memory ------------------------ */

Test(peers, fault_7__an_index_out_of_range_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *table = tg_zeros(TG_F32, 4, 2);
    for (int i = 0; i < 2; i++) {
        const int64_t id[] = {1, i ? -1 : 4};
        cr_expect(tg_is_error(tg_embedding(table, tg_from(TG_I64, id, 2))));
        expect_misuse(i ? "embedding: index -1" : "embedding: index 4");
    }
    tg_step_end();
}

/* ---- 8: duplicate ids, batches of none and one, backward from many numbers ------------------- */

/* w += 1 for each time that a row was looked up: what a batch gives must not depend on its size. */
Test(peers, fault_8__batches_with_duplicates_of_one_and_of_none)
{
    static const int64_t id[] = {2, 0, 2, 2};
    static const double uses[3][3] = {{1, 0, 3}, {0, 0, 1}, {0, 0, 0}};
    static const int64_t size[] = {4, 1, 0};
    for (int i = 0; i < 3; i++) {
        tg_embedding_table *m = tg_embedding_new(3, 2);
        tg_optimizer *opt = tg_sgd(m, .lr = 1);
        tg_fill(m->weight, 0);
        tg_step_begin();
        tg_tensor *rows = tg_embedding_forward(m, tg_from(TG_I64, id, size[i]));
        tg_backward(tg_neg(tg_sum(tg_relu(tg_add_scalar(rows, 1)))));
        tg_optimizer_step(opt);
        for (int64_t row = 0; row < 3; row++)
            cr_expect_eq(tg_get(m->weight, row, 1), uses[i][row], "batch of %d, row %d",
                         (int)size[i], (int)row);
        tg_step_end();
        tg_optimizer_free(opt);
        tg_module_free(&m->base);
    }
}

Test(peers, fault_8__backward_needs_one_number_that_depends_on_a_leaf)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, 2));
    tg_step_begin();
    tg_backward(tg_mul(x, x));
    expect_misuse("backward: [2]");
    tg_backward(tg_zeros(TG_F32, 1));
    expect_misuse("backward: ");
    tg_backward(NULL);
    expect_misuse("backward: ");
    cr_expect_null(x->grad);
    tg_step_end();
    tg_free(x);
}

/* ---- 9: a missing file ends with exit status 0 (darknet) ------------------------------------- */

Test(peers, fault_9__a_missing_file_is_a_failure)
{
    char command[4096];
    const char *program = getenv("NCF");
    snprintf(command, sizeof command, "'%s' train --data /nowhere/at-all 2>/dev/null",
             program ? program : "build/ncf");
    cr_expect_eq(WEXITSTATUS(system(command)), 1);
    tg_ids users = {0}, items = {0};
    tg_dataset ratings;
    tg_state_dict state;
    tg_tensor *t;
    cr_expect_eq(tg_ratings_read("/nowhere/at-all", &users, &items, &ratings), TG_EIO);
    cr_expect_eq(tg_safetensors_load("/nowhere/at-all", &state), TG_EIO);
    cr_expect_eq(tg_npy_load("/nowhere/at-all", &t), TG_EIO);
    cr_expect_null(t);
}
