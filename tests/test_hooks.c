/* What a program may do around the tape: keep, watch and change gradients, change data, draw, and
 * define ops of its own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/helpers.h"

/* ---- gradients of results -------------------------------------------------------------------- */

Test(hooks, retain_grad__keeps_the_gradient_of_a_result)
{
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, x), *loss = tg_add(tg_mul(y, y), y);
    tg_retain_grad(y);
    tg_backward(loss);
    cr_expect_eq(tg_item(y->grad), 19);
    cr_expect_eq(tg_item(x->grad), 19 * 6);
    cr_expect_null(loss->grad);
    tg_backward(loss);
    cr_expect_eq(tg_item(y->grad), 38, "it accumulates, as those of leaves");
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_retain_grad(tg_scalar(TG_F64, 1));
    expect_misuse("retain_grad: the tensor requires no gradient");
    tg_register_hook(tg_scalar(TG_F64, 1), NULL, NULL);
    expect_misuse("register_hook: the tensor requires no gradient");
    tg_step_end();
    tg_free(x);
}

typedef struct seen {
    int calls;
    double value;
} seen;

static tg_tensor *note(void *context, tg_tensor *g)
{
    seen *s = context;
    s->calls++;
    s->value = tg_item(g);
    return NULL;
}

static tg_tensor *halve(void *context, tg_tensor *g)
{
    (void)context;
    return tg_mul(g, tg_scalar(g->dtype, 0.5));
}

Test(hooks, hook__of_a_result_sees_and_changes_the_whole_gradient)
{
    tg_tensor *x = scalar_leaf(3), *dx;
    seen s = {0};
    tg_step_begin();
    tg_tensor *y = tg_mul(x, x), *loss = tg_add(tg_mul(y, y), y);
    tg_register_hook(y, note, &s);
    tg_backward(loss);
    cr_expect_eq(s.calls, 1, "once, with both uses in it");
    cr_expect_eq(s.value, 19);
    cr_expect_eq(tg_item(x->grad), 19 * 6);
    tg_register_hook(y, halve, NULL);
    tg_grad(loss, &x, 1, &dx, 0);
    cr_expect_eq(tg_item(dx), 19 * 3);
    tg_step_end();
    tg_free(x);
}

Test(hooks, hook__of_a_leaf_sees_the_gradient_of_this_backward)
{
    tg_tensor *x = scalar_leaf(3);
    seen s = {0};
    tg_register_hook(x, note, &s);
    for (int i = 1; i < 3; i++) {
        tg_step_begin();
        tg_backward(tg_mul(tg_mul(x, x), x));
        tg_step_end();
        cr_expect_eq(s.calls, i);
        cr_expect_eq(s.value, 27, "not what was there before");
        cr_expect_eq(tg_item(x->grad), 27 * i);
    }
    tg_register_hook(x, halve, NULL);
    tg_zero_grad_tensor(x);
    tg_step_begin();
    tg_backward(tg_add(x, x));
    cr_expect_eq(tg_item(x->grad), 1);
    tg_register_hook(x, NULL, NULL);
    tg_backward(tg_add(x, x));
    cr_expect_eq(tg_item(x->grad), 3);
    tg_step_end();
    tg_free(x);
}

/* Its data would be other rows than those of the table. */
static tg_tensor *double_dense(void *context, tg_tensor *g)
{
    *(bool *)context = !g->rows;
    return tg_mul_scalar(g, 2);
}

Test(hooks, hook__of_a_table_sees_all_its_rows)
{
    bool was_dense = false;
    tg_tensor *table = tg_requires_grad(tg_owned(TG_F64, 4, 2));
    tg_register_hook(table, double_dense, &was_dense);
    tg_step_begin();
    tg_tensor *index = tg_from(TG_I64, ((int64_t[]){2, 0, 2}), 3);
    tg_backward(tg_sum(tg_embedding(table, index)));
    cr_assert(was_dense);
    cr_assert_null(table->grad->rows);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(tg_get(table->grad, i, 1), i == 0 ? 2 : i == 2 ? 4 : 0);
    tg_step_end();
    tg_free(table);
}

/* ---- changes in place ------------------------------------------------------------------------ */

/* What an op saved for its gradient must be there unchanged. */
Test(hooks, in_place__change_of_what_was_saved_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(3), *plain = tg_owned(TG_F64, 2);
    tg_step_begin();
    tg_tensor *y = tg_mul(x, tg_exp(x));
    tg_fill(x, 4);
    tg_backward(y);
    expect_misuse("mul: operand 0, saved for the gradient, was changed in place since");
    y = tg_exp(x);
    tg_fill(y, 1);
    tg_backward(y);
    expect_misuse("exp: its result, saved for the gradient, was changed in place since");
    y = tg_sum(tg_mul(tg_narrow(plain, 0, 0, 1), x));
    tg_set(plain, 1, 1); /* another element of the same data: a view has no version of its own */
    tg_backward(y);
    expect_misuse("mul: operand 0, saved");
    tg_step_end();
    tg_free(x);
    tg_free(plain);
}

Test(hooks, in_place__change_of_what_no_rule_reads_is_fine)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(3), *b = scalar_leaf(1);
    tg_step_begin();
    tg_tensor *y = tg_add(tg_mul(x, tg_scalar(TG_F64, 2)), b);
    tg_fill(x, 4); /* read for the gradient of the 2 alone, which nobody wants */
    tg_fill(b, 7); /* add reads nothing */
    tg_backward(y);
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    cr_expect_eq(tg_item(x->grad), 2);
    cr_expect_eq(tg_item(b->grad), 1);
    tg_step_end();
    tg_free(x);
    tg_free(b);
}

/* PyTorch says it too: the weights were stepped between forward and backward. */
Test(hooks, in_place__update_before_backward_is_named)
{
    typedef struct one {
        tg_module base;
        tg_linear_layer *layer;
    } one;
    tg_set_misuse(TG_MISUSE_RETURN);
    one *m = tg_module_new(one);
    m->layer = tg_child(m, "layer", tg_linear_new(3, 1));
    tg_optimizer *opt = tg_sgd(m, 0);
    tg_step_begin();
    tg_tensor *x = tg_requires_grad(tg_full(TG_F32, 1, 2, 3));
    tg_tensor *first = tg_sum(tg_linear_forward(m->layer, x));
    tg_tensor *second = tg_sum(tg_linear_forward(m->layer, x));
    tg_backward(first);
    tg_optimizer_step(opt);
    cr_expect_eq(tg_last_error()->status, TG_OK);
    tg_backward(second);
    expect_misuse("linear: operand 1, saved for the gradient, was changed in place since");
    tg_step_end();
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
}

Test(hooks, in_place__change_between_two_backwards_through_a_gradient_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(1), *dx;
    tg_step_begin();
    tg_tensor *y = tg_exp(x);
    tg_grad(y, &x, 1, &dx, .create_graph = true);
    tg_fill(y, 1); /* exp's value, of which the second derivative is made too */
    tg_backward(dx);
    expect_misuse("exp's gradient: operand 2, saved for the gradient, was changed in place since");
    cr_expect_null(x->grad);
    tg_step_end();
    tg_free(x);
}

Test(hooks, in_place__change_of_one_of_many_operands_is_seen_or_fine)
{
    enum { COUNT = 40 };
    tg_tensor *x[COUNT];
    tg_step_begin();
    for (int i = 0; i < COUNT; i++)
        x[i] = tg_requires_grad(tg_zeros(TG_F64, 1));
    tg_tensor *y = tg_sum(tg_cat_at(TG_HERE, 0, x, COUNT));
    tg_fill(x[COUNT - 1], 1); /* cat reads no values */
    tg_backward(y);
    cr_expect_eq(tg_item(x[COUNT - 1]->grad), 1);
    tg_step_end();
}

/* ---- steps by hand --------------------------------------------------------------------------- */

/* SGD by hand and by the optimiser, with a dense and a row-sparse gradient. */
Test(hooks, add_scaled__is_a_step_of_sgd)
{
    static const int64_t id[] = {4, 1, 4};
    tg_embedding_table *by_hand = tg_embedding_new(6, 3), *other = tg_embedding_new(6, 3);
    tg_optimizer *opt = tg_sgd(other, .lr = 0.1);
    tg_copy(other->weight, by_hand->weight);
    for (int step = 0; step < 4; step++) {
        tg_step_begin();
        for (int i = 0; i < 2; i++) {
            tg_tensor *w = i == 0 ? by_hand->weight : other->weight;
            tg_tensor *y = tg_square(tg_embedding(w, tg_from(TG_I64, id, 3)));
            tg_zero_grad_tensor(w);
            tg_backward(tg_sum(step < 2 ? y : tg_matmul(y, tg_t(w))));
        }
        cr_expect_eq(by_hand->weight->grad->rows != NULL, step < 2);
        const uint64_t before = by_hand->weight->version;
        tg_no_grad { tg_add_scaled(by_hand->weight, -0.1, by_hand->weight->grad); }
        cr_expect_neq(by_hand->weight->version, before, "the change is counted");
        tg_optimizer_step(opt);
        for (int i = 0; i < 18; i++)
            cr_expect_float_eq(tg_get(by_hand->weight, i / 3, i % 3),
                               tg_get(other->weight, i / 3, i % 3), 1e-5);
        tg_step_end();
    }
    tg_optimizer_free(opt);
    tg_module_free(&other->base);
    tg_module_free(&by_hand->base);
}

Test(hooks, add_scaled__adds_a_row_as_often_as_it_is_there)
{
    static const int64_t id[] = {2, 0, 2};
    static const double x[] = {1, 2, 3};
    tg_tensor *t = tg_owned(TG_F64, 3, 1);
    tg_step_begin();
    tg_tensor *rows = tg_from(TG_F64, x, 3, 1);
    tg_add_scaled(t, 10, tg_scatter_rows(rows, tg_from(TG_I64, id, 3), 3));
    tg_step_end();
    cr_expect_eq(tg_get(t, 0, 0), 20);
    cr_expect_eq(tg_get(t, 1, 0), 0);
    cr_expect_eq(tg_get(t, 2, 0), 40);
    tg_free(t);
}

Test(hooks, add_scaled__broadcasts_and_writes_into_views)
{
    tg_tensor *t = tg_owned(TG_F64, 2, 3);
    const double row[] = {1, 2};
    tg_add_scaled(tg_t(t), 2, tg_from(TG_F64, row, 2));
    tg_add_scaled(t, 0.5, t);
    cr_expect_eq(tg_get(t, 0, 2), 3);
    cr_expect_eq(tg_get(t, 1, 0), 6);
    tg_free(t);
}

Test(hooks, add_scaled__misuse_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F64, 3, 2)), *plain = tg_owned(TG_F64, 3, 2);
    tg_step_begin();
    tg_tensor *one = tg_scalar(TG_F64, 1);
    tg_add_scaled(w, 1, one);
    expect_misuse("add_scaled: a tensor that requires a gradient");
    tg_add_scaled(tg_mul(w, w), 1, one);
    expect_misuse("add_scaled: a tensor that requires a gradient");
    tg_add_scaled(plain, 1, w); /* the gradient would be lost without a word */
    expect_misuse("add_scaled: a tensor that requires a gradient");
    tg_add_scaled(tg_detach(w), 1, one); /* as in PyTorch: whoever detaches knows */
    cr_expect_eq(tg_get(w, 2, 1), 1);
    tg_no_grad {
        tg_add_scaled(w, 1, NULL);
        expect_misuse("add_scaled: the tensor is NULL");
        tg_add_scaled(one, 1, w);
        expect_misuse("add_scaled: [] from [3, 2]: shapes differ");
        tg_add_scaled(w, 1, tg_scalar(TG_F32, 1));
        expect_misuse("add_scaled: f64 and f32");
        const int64_t id = 3;
        tg_tensor *sparse = tg_scatter_rows(tg_zeros(TG_F64, 1, 2), tg_from(TG_I64, &id, 1), 4);
        tg_add_scaled(w, 1, sparse);
        expect_misuse("add_scaled: [3, 2] += row-sparse [4, 2]");
        tg_add_scaled(sparse, 1, sparse);
        expect_misuse("add_scaled: operand 0 is row-sparse");
    }
    tg_step_end();
    tg_free(w);
    tg_free(plain);
}

/* ---- ops of a program's own ------------------------------------------------------------------ */

static tg_tensor *cube_forward(const tg_node *n)
{
    tg_tensor *x = n->in[0];
    return tg_mul(tg_mul(x, x), x);
}

static void cube_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *x = n->in[0];
    dx[0] = tg_mul(tg_mul(g, tg_scalar(g->dtype, 3)), tg_mul(x, x));
}

static TG_DEFINE_OP(cube, 1, TG_SAVES(0));

static tg_tensor *cube(void *context, tg_tensor *const *x, int count)
{
    (void)context;
    return tg_apply(TG_HERE, &tg_op_cube, count, x, NULL, 0);
}

Test(hooks, op__of_a_program_has_gradients_of_both_orders)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 4));
    tg_fill_uniform(x, -2, 2);
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(cube, NULL, &x, 1, 1e-6, &report), "%s", report.message);
    cr_expect(tg_gradgradcheck(cube, NULL, &x, 1, 1e-5, &report), "%s", report.message);
    tg_free(x);
}

static void no_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n, (void)g, (void)dx;
}

static const tg_op lazy = {
    .name = "lazy", .arity = 1, .forward = cube_forward, .backward = no_backward};

Test(hooks, op__of_a_program_that_does_not_keep_to_the_rules_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_apply(TG_HERE, &tg_op_cube, 2, (tg_tensor *[]){x, x}, NULL, 0);
    expect_misuse("cube: 2 operands; 1 expected");
    tg_backward(tg_apply(TG_HERE, &lazy, 1, &x, NULL, 0));
    expect_misuse("lazy: its rule gave no gradient for operand 0");
    cr_expect_null(x->grad);
    tg_step_end();
    tg_free(x);
}

/* ---- the picture ----------------------------------------------------------------------------- */

Test(hooks, dot__draws_every_node_and_leaf)
{
    char text[4096] = "";
    FILE *file = tmpfile();
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_exp(tg_mul(x, tg_full(TG_F64, 2, 5, 1)));
    tg_tape_dot(file);
    tg_step_end();
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cr_expect_eq(strncmp(text, "digraph tape {\n", 15), 0);
    cr_expect_str_eq(text + strlen(text) - 2, "}\n");
    cr_expect_not_null(strstr(text, "n0 [label=\"mul\\n[5, 1]\\ntests/test_hooks.c:"), "%s", text);
    cr_expect_not_null(strstr(text, "n0 -> n1;"));
    cr_expect_not_null(strstr(text, "[label=\"f64 []\", shape=ellipse, style=bold]"));
    cr_expect_not_null(strstr(text, "[label=\"f64 [5, 1]\", shape=ellipse]"));
    tg_free(x);
}
