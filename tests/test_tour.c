/*
 * A tour: what the library does, in the order in which a newcomer meets it. Read it from top to
 * bottom; each test is one thing. The headers named have the rest.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tapegrad.h"

/* Tensors have a dtype and a shape. What a function returns belongs to the step, and is gone at its
 * end: nothing to free (tensor/tensor.h). */
Test(tour, a__tensors_and_steps)
{
    const float values[] = {1, 2, 3, 4, 5, 6};
    tg_step_begin();
    tg_tensor *x = tg_from(TG_F32, values, 2, 3), *row = tg_full(TG_F32, 10, 3);
    tg_tensor *y = tg_add(tg_mul_scalar(x, 2), row); /* (2, 3) and (3) broadcast, as in PyTorch */
    cr_expect_eq(tg_get(y, 1, 2), 22);
    cr_expect_eq(tg_get(tg_t(x), 2, 0), 3); /* a view: the same data, other strides */
    tg_tensor *kept = tg_retain(y);         /* the way out of a step */
    tg_step_end();
    cr_expect_eq(tg_get(kept, 0, 0), 12);
    tg_free(kept);
}

/* Ops on a tensor that requires a gradient go on the tape; tg_backward walks it once
 * (autograd/autograd.h; the ops are in autograd/ops.h). */
Test(tour, b__gradients)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 1)), *dx, *ddx;
    tg_fill(x, 3);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, tg_square(x)); /* x^3 */
    tg_backward(y);
    cr_expect_eq(tg_item(x->grad), 27); /* 3 x^2, kept with the leaf */
    tg_grad(y, &x, 1, &dx, .create_graph = true); /* gradients as a function, and of gradients */
    tg_grad(dx, &x, 1, &ddx, 0);
    cr_expect_eq(tg_item(ddx), 18); /* 6 x */
    tg_step_end();
    tg_free(x);
}

/* Misuse names the line, the op and the shapes. It ends the program, unless one asks to get it back
 * (tensor/error.h). */
Test(tour, c__misuse)
{
    char expected[128];
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *y = tg_matmul(tg_zeros(TG_F32, 2, 3), tg_zeros(TG_F32, 4, 5)); /* this line */
    snprintf(expected, sizeof expected,
             "%s:%d: matmul: [2, 3] x [4, 5]: inner sizes 3 and 4 differ", __FILE__, __LINE__ - 2);
    cr_expect_str_eq(tg_last_error()->message, expected);
    cr_expect(tg_is_error(tg_relu(y)), "later ops pass it through");
    tg_step_end();
}

/* A model is a struct with a tg_module in front, and a function (nn/module.h, nn/layers.h). */
typedef struct net {
    tg_module base;
    tg_linear_layer *hidden, *output;
} net;

static net *net_new(void)
{
    net *m = tg_module_new(net);
    m->hidden = tg_child(m, "hidden", tg_linear_new(2, 8));
    m->output = tg_child(m, "output", tg_linear_new(8, 1));
    return m;
}

static tg_tensor *net_forward(net *m, tg_tensor *x) /* (batch, 2) -> (batch) */
{
    tg_tensor *h = tg_tanh(tg_linear_forward(m->hidden, x));
    return tg_view(tg_linear_forward(m->output, h), -1);
}

static const float input[] = {0, 0, 0, 1, 1, 0, 1, 1}, target[] = {0, 1, 1, 0}; /* exclusive or */

static double train(net *m, tg_optimizer *opt, int steps)
{
    double value = 0;
    for (int i = 0; i < steps; i++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *y = net_forward(m, tg_from(TG_F32, input, 4, 2));
        tg_tensor *loss = tg_bce_with_logits_loss(y, tg_from(TG_F32, target, 4));
        tg_backward(loss);
        tg_optimizer_step(opt);
        value = tg_item(loss);
        tg_step_end();
    }
    return value;
}

/* The loop of every training (optim/optim.h). From the second step on nothing is allocated. */
Test(tour, d__a_model_learns)
{
    tg_manual_seed(1);
    net *m = net_new();
    tg_optimizer *opt = tg_adam(m, .lr = 0.05);
    const double before = train(m, opt, 1), after = train(m, opt, 300);
    cr_expect_gt(before, 0.5);
    cr_expect_lt(after, 0.05);
    tg_step_begin();
    tg_no_grad { /* predictions need no tape */
        cr_expect_gt(tg_get(net_forward(m, tg_from(TG_F32, input, 4, 2)), 1), 0);
    }
    tg_step_end();
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

/* Weights and the optimiser's state go to a file that PyTorch reads too, and back: training goes on
 * to the same bits (nn/safetensors.h). */
Test(tour, e__save_and_resume)
{
    char path[] = "/tmp/tapegrad-tour-XXXXXX";
    net *m = net_new(), *other = net_new();
    tg_optimizer *opt = tg_adam(m, .lr = 0.05), *resumed = tg_adam(other, .lr = 0.05);
    train(m, opt, 10);
    cr_assert_neq(mkstemp(path), -1);
    for (int part = 0; part < 2; part++) {
        tg_state_dict out = part == 0 ? tg_module_state_dict(&m->base)
                                      : tg_optimizer_state_dict(opt);
        tg_state_dict in;
        cr_assert_eq(tg_safetensors_save(path, &out), TG_OK);
        cr_assert_eq(tg_safetensors_load(path, &in), TG_OK, "%s", tg_last_error()->message);
        cr_expect_eq(part == 0 ? tg_module_load_state_dict(&other->base, &in)
                               : tg_optimizer_load_state_dict(resumed, &in), TG_OK);
        tg_state_dict_release(&in);
        tg_state_dict_release(&out);
    }
    remove(path);
    cr_expect_eq(train(m, opt, 10), train(other, resumed, 10));
    cr_expect_arr_eq(m->hidden->weight->data, other->hidden->weight->data, 16 * sizeof(float));
    tg_optimizer_free(opt);
    tg_optimizer_free(resumed);
    tg_module_free(&m->base);
    tg_module_free(&other->base);
}

/* And is every gradient right? Against differences, in f64 (autograd/gradcheck.h). */
static tg_tensor *output_of(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter; /* the module's own */
    (void)count;
    return net_forward(context, tg_full(TG_F64, 0.5, 1, 2));
}

Test(tour, f__gradients_are_checked)
{
    tg_gradcheck_report report;
    tg_set_default_dtype(TG_F64);
    net *m = net_new();
    cr_expect(tg_module_gradcheck(&m->base, 1, output_of, m, 1e-6, &report), "%s", report.message);
    cr_expect(tg_module_gradcheck(&m->base, 2, output_of, m, 1e-5, &report), "%s", report.message);
    tg_module_free(&m->base);
    tg_set_default_dtype(TG_F32);
}
