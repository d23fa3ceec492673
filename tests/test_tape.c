/* Steps, the tape and backward. What other small engines got wrong is in tests/test_peers.c. */
#include <math.h>
#include <stdio.h>

#include "tests/helpers.h"

/* ---- gradients add up ------------------------------------------------------------------------ */

Test(tape, leaf__used_as_both_operands)
{
    tg_tensor *x = scalar_leaf(4);
    tg_step_begin();
    tg_backward(tg_add(tg_div(x, x), tg_add(x, x)));
    cr_expect_eq(tg_item(x->grad), 2);
    tg_step_end();
    tg_free(x);
}

Test(tape, lookup__adds_the_rows_of_repeated_ids)
{
    tg_tensor *table = tg_requires_grad(tg_owned(TG_F64, 5, 2));
    const int64_t id[] = {3, 1, 3, 3};
    tg_step_begin();
    tg_backward(tg_sum(tg_embedding(table, tg_from(TG_I64, id, 4))));
    const tg_tensor *g = table->grad;
    cr_assert_not_null(g->rows, "the gradient is row-sparse");
    cr_assert_eq(tg_numel(g->rows), 2);
    cr_expect_eq(tg_get(g->rows, 0), 3, "in the order of the batch");
    cr_expect_eq(tg_get(g->rows, 1), 1);
    const double *row = g->data;
    cr_expect(row[0] == 3 && row[1] == 3 && row[2] == 1 && row[3] == 1);
    tg_step_end();
    tg_free(table);
}

/* ---- gradients as a function ----------------------------------------------------------------- */

Test(tape, grad__of_leaves_and_results_leaves_grad_alone)
{
    tg_tensor *x = scalar_leaf(3), *unused = scalar_leaf(1);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, x), *loss = tg_mul(y, x);
    tg_tensor *dx[3];
    tg_grad(loss, ((tg_tensor *[]){x, y, unused}), 3, dx, 0);
    cr_expect_eq(tg_item(dx[0]), 27);
    cr_expect_eq(tg_item(dx[1]), 3);
    cr_expect_null(dx[2], "the loss does not depend on it");
    cr_expect_null(x->grad);
    cr_expect_not(dx[0]->requires_grad);
    tg_grad(loss, &x, 1, dx, .grad_output = tg_scalar(TG_F64, 2));
    cr_expect_eq(tg_item(dx[0]), 54);
    tg_step_end();
    tg_free(x);
    tg_free(unused);
}

/* x^4: 4 x^3, 12 x^2, 24 x, 24. Products have all orders. */
Test(tape, grad__of_grad_of_grad)
{
    tg_tensor *x = scalar_leaf(2);
    static const double expected[] = {32, 48, 48, 24};
    tg_step_begin();
    tg_tensor *y = tg_matmul(tg_view(x, 1, 1), tg_view(x, 1, 1));
    y = tg_matmul(y, y);
    for (int order = 0; order < 4; order++) {
        tg_tensor *dx;
        tg_grad(y, &x, 1, &dx, .create_graph = true);
        cr_expect_eq(tg_item(dx), expected[order]);
        y = dx;
    }
    tg_step_end();
    tg_free(x);
}

/* The penalty of a gradient's size, as used to train Wasserstein critics: backward through grad. */
Test(tape, backward__through_a_gradient)
{
    tg_tensor *x = scalar_leaf(2), *w = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *y = tg_mul(w, tg_square(x)), *dx;
    tg_grad(y, &x, 1, &dx, .create_graph = true); /* 2 w x */
    tg_backward(tg_square(dx));                   /* 4 w^2 x^2: 8 w x^2, 8 w^2 x */
    cr_expect_eq(tg_item(w->grad), 96);
    cr_expect_eq(tg_item(x->grad), 144);
    tg_step_end();
    tg_free(x);
    tg_free(w);
}

Test(tape, grad__misuse_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(2), *plain = tg_owned(TG_F64, 1), *dx = NULL;
    tg_step_begin();
    tg_tensor *y = tg_exp(x);
    tg_grad(y, &plain, 1, &dx, 0);
    expect_misuse("grad: input 0 does not require a gradient");
    tg_grad(tg_expand(y, 2), &x, 1, &dx, 0);
    expect_misuse("grad: [2]: a loss of one element expected");
    tg_grad(y, &x, 1, &dx, .grad_output = tg_zeros(TG_F64, 3));
    expect_misuse("grad: grad_output: shape and dtype of the output, [], expected");
    for (int order = 0; order < 3; order++) {
        tg_grad(y, &x, 1, &dx, .create_graph = true);
        y = dx ? dx : y;
    }
    expect_misuse("third derivatives of elementwise ops are not there");
    tg_step_end();
    tg_free(x);
    tg_free(plain);
}

/* ---- what is recorded ------------------------------------------------------------------------ */

Test(tape, no_grad__records_nothing)
{
    tg_tensor *x = scalar_leaf(2);
    tg_step_begin();
    tg_tensor *y = NULL;
    tg_no_grad {
        cr_expect_not(tg_grad_enabled());
        y = tg_mul(x, x);
    }
    cr_expect(tg_grad_enabled());
    cr_expect_not(y->requires_grad);
    cr_expect_eq(y->node, -1);
    const tg_tensor *z = tg_mul(y, x);
    cr_expect(z->requires_grad);
    tg_no_grad {
        break; /* leaves the block, and recording is on again */
    }
    cr_expect(tg_grad_enabled());
    tg_step_end();
    tg_free(x);
}

Test(tape, detach__stops_the_gradient)
{
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_backward(tg_mul(x, tg_detach(tg_mul(x, x))));
    cr_expect_eq(tg_item(x->grad), 9);
    tg_step_end();
    tg_free(x);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

Test(tape, tensor__of_an_ended_step_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = tg_zeros(TG_F32, 3);
    tg_step_end();
    tg_step_begin();
    cr_expect(tg_is_error(tg_relu(x)));
    expect_misuse("relu: ");
    cr_expect(isnan(tg_get(x, 0)));
    tg_clear_error();
    tg_step_end();
}

Test(tape, step_end__without_a_step_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_end();
    expect_misuse("step: no step is open; tg_step_begin expected before");
}

Test(tape, steps__nest)
{
    tg_tensor *x = scalar_leaf(2);
    tg_step_begin();
    tg_tensor *outer = tg_mul(x, x);
    tg_step_begin();
    tg_tensor *kept = tg_retain(tg_exp(outer));
    tg_step_end();
    tg_backward(tg_mul(outer, outer));
    cr_expect_eq(tg_item(x->grad), 32);
    tg_step_end();
    cr_expect_float_eq(tg_item(kept), exp(4), 1e-12);
    tg_free(kept);
    tg_free(x);
}

Test(tape, post_mortem__names_the_first_op_that_is_not_finite)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, 2));
    char text[256];
    tg_step_begin();
    tg_tensor *y = tg_exp(x);
    cr_expect_not(tg_find_non_finite(text, sizeof text));
    const int line = __LINE__ + 1;
    y = tg_sum(tg_log(tg_sub(y, y)));
    cr_expect_not(isfinite(tg_item(y)));
    cr_expect(tg_find_non_finite(text, sizeof text));
    char expected[64];
    snprintf(expected, sizeof expected, "tests/test_tape.c:%d: log", line);
    cr_expect_str_eq(text, expected);
    tg_step_end();
    tg_free(x);
}
