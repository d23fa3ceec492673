/* The engine where graphs are not simple: hooks and rules that call it again, gradients as operands,
 * nested steps, frozen leaves, results that are operands, threads. Numbers are PyTorch's. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "autograd/ops-internal.h"
#include "tests/helpers.h"

static void expect_no_misuse(void)
{
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    tg_clear_error();
}

static int64_t nodes(void)
{
    int64_t count = 0;
    while (tg_tape_node(count))
        count++;
    return count;
}

/* ---- hooks and rules that call tg_grad and tg_backward ---------------------------------------- */

typedef struct other_graph {
    tg_tensor *loss, *x, *dx;
    int calls;
} other_graph;

static tg_tensor *take_other_grad(void *context, tg_tensor *g)
{
    other_graph *o = context;
    (void)g;
    o->calls++;
    tg_grad(o->loss, &o->x, 1, &o->dx, 0);
    return NULL;
}

Test(engine, grad_in_a_hook__leaves_the_outer_walk_alone)
{
    tg_tensor *w = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *a = tg_mul(w, w), *twice = tg_mul_scalar(a, 2);
    tg_tensor *l = tg_add(tg_mul(a, a), twice);
    other_graph of_earlier = {.loss = a, .x = w};
    tg_register_hook(twice, take_other_grad, &of_earlier);
    tg_backward(l);
    cr_expect_eq(tg_item(w->grad), 120); /* (2 a + 2) 2 w */
    cr_expect_eq(tg_item(of_earlier.dx), 6);
    tg_step_end();
    tg_free(w);
}

/* The hook's loss is later on the tape than what the outer walk has left, and is its own. */
Test(engine, grad_in_a_hook__of_a_new_graph)
{
    tg_tensor *w = scalar_leaf(2), *v = scalar_leaf(5);
    tg_step_begin();
    tg_tensor *a = tg_mul(w, v), *b = tg_exp(w);
    tg_tensor *l = tg_add(tg_mul(a, a), b);
    other_graph o = {.loss = tg_mul(a, v), .x = v};
    tg_register_hook(b, take_other_grad, &o);
    tg_register_hook(w, take_other_grad, &o);
    tg_backward(l);
    cr_expect_float_eq(tg_item(w->grad), 2 * 10 * 5 + 7.38905609893065, 1e-12);
    cr_expect_float_eq(tg_item(v->grad), 2 * 10 * 2, 1e-12);
    cr_expect_eq(tg_item(o.dx), 20); /* d (w v^2) / dv */
    cr_expect_eq(o.calls, 2);
    tg_step_end();
    tg_free(w);
    tg_free(v);
}

static tg_tensor *run_backward(void *context, tg_tensor *g)
{
    other_graph *o = context;
    (void)g;
    if (o->calls++ == 0)
        tg_backward(o->loss);
    return NULL;
}

/* The hook runs the whole backward again, in which it runs once more. */
Test(engine, backward_in_a_hook__of_the_same_graph)
{
    tg_tensor *w = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *a = tg_mul(w, w), *b = tg_mul(a, w);
    other_graph o = {.loss = tg_add(b, a)};
    tg_register_hook(a, run_backward, &o);
    tg_backward(o.loss);
    cr_expect_eq(o.calls, 2);
    cr_expect_eq(tg_item(w->grad), 2 * (27 + 6)); /* twice 3 w^2 + 2 w */
    tg_step_end();
    tg_free(w);
}

/* A rule that takes gradients itself, of a graph that was recorded before. */
static other_graph inner;

static tg_tensor *exp_forward_again(const tg_node *n)
{
    return tg_exp(n->in[0]);
}

static void exp_backward_again(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_grad(inner.loss, &inner.x, 1, &inner.dx, 0);
    dx[0] = tg_mul(g, n->out);
}

static const tg_op asking = {.name = "asking", .arity = 1, .forward = exp_forward_again,
                             .backward = exp_backward_again};

Test(engine, grad_in_a_rule__leaves_the_outer_walk_alone)
{
    tg_tensor *w = scalar_leaf(0.5);
    tg_step_begin();
    tg_tensor *a = tg_mul(w, w);
    inner = (other_graph){.loss = tg_mul(a, w), .x = w};
    tg_tensor *y = tg_apply(TG_HERE, &asking, 1, &w, NULL, 0);
    tg_backward(tg_add(tg_mul(a, a), y));
    cr_expect_float_eq(tg_item(w->grad), 4 * 0.125 + 1.6487212707001282, 1e-12);
    cr_expect_float_eq(tg_item(inner.dx), 3 * 0.25, 1e-12);
    tg_step_end();
    tg_free(w);
}

/* As in PyTorch, what does not lead to an input is left out: rules, hooks, and operands of rules. */
static int rules_run;

static void count_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    for (int i = 0; i < n->nin; i++)
        if (tg_needs_grad(n, i)) {
            dx[i] = tg_mul(g, n->in[1 - i]);
            rules_run++;
        }
}

static tg_tensor *product_forward(const tg_node *n)
{
    return tg_mul(n->in[0], n->in[1]);
}

static const tg_op product = {.name = "product", .arity = 2, .forward = product_forward,
                              .backward = count_backward};

Test(engine, grad__runs_what_leads_to_the_inputs)
{
    tg_tensor *x = scalar_leaf(3), *w = scalar_leaf(5), *dx;
    tg_step_begin();
    tg_tensor *side = tg_apply(TG_HERE, &product, 2, (tg_tensor *[]){w, w}, NULL, 0);
    tg_tensor *y = tg_apply(TG_HERE, &product, 2, (tg_tensor *[]){x, side}, NULL, 0);
    other_graph never = {.loss = x, .x = x};
    tg_register_hook(side, take_other_grad, &never);
    tg_register_hook(w, take_other_grad, &never);
    tg_grad(y, &x, 1, &dx, 0);
    cr_expect_eq(tg_item(dx), 25);
    cr_expect_eq(rules_run, 1);
    cr_expect_eq(never.calls, 0);
    tg_grad(y, &side, 1, &dx, 0); /* and not what lies behind an input */
    cr_expect_eq(tg_item(dx), 3);
    cr_expect_eq(rules_run, 2);
    cr_expect_eq(never.calls, 1);
    tg_grad(side, &x, 1, &dx, 0);
    cr_expect_null(dx);
    cr_expect_eq(rules_run, 2);
    tg_step_end();
    tg_free(x);
    tg_free(w);
}

/* ---- what hooks and rules give is looked at --------------------------------------------------- */

static tg_tensor *give(void *context, tg_tensor *g)
{
    (void)g;
    return *(tg_tensor **)context;
}

static tg_tensor *ended_tensor(void)
{
    tg_step_begin();
    tg_tensor *t = tg_zeros(TG_F64, 3);
    tg_step_end();
    return t;
}

Test(engine, hook__that_gives_something_else_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F64, 3)), *gift = NULL;
    for (int of_leaf = 0; of_leaf < 2; of_leaf++)
        for (int kind = 0; kind < 5; kind++) {
            tg_step_begin();
            tg_tensor *y = tg_exp(w);
            gift = kind == 0   ? tg_zeros(TG_F64, 2)
                   : kind == 1 ? tg_zeros(TG_F64, 1, 3)
                   : kind == 2 ? tg_zeros(TG_F32, 3)
                   : kind == 3 ? ended_tensor()
                               : tg_zeros(TG_I64, 3);
            static const char *const message[] = {
                "hook: it gave f64 [2]; a gradient as f64 [3] expected",
                "hook: it gave f64 [1, 3]; a gradient as f64 [3] expected",
                "hook: it gave f32 [3]; a gradient as f64 [3] expected",
                "hook: the tensor belongs to a step that has ended",
                "hook: it gave i64 [3]; a gradient as f64 [3] expected"};
            tg_register_hook(of_leaf ? w : y, give, &gift);
            tg_backward(tg_sum(y));
            expect_misuse(message[kind]);
            cr_expect_null(w->grad);
            tg_register_hook(w, NULL, NULL);
            tg_step_end();
        }
    tg_free(w);
}

static tg_tensor *gift_of_rule;

static void gift_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n, (void)g;
    dx[0] = gift_of_rule;
}

static const tg_op giving = {.name = "giving", .arity = 1, .forward = exp_forward_again,
                             .backward = gift_backward};

Test(engine, rule__that_gives_something_else_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F64, 3));
    for (int kind = 0; kind < 4; kind++) {
        static const char *const message[] = {
            "giving: its rule gave f64 [2] for operand 0; a gradient as f64 [3] expected",
            "giving: its rule gave f32 [3] for operand 0; a gradient as f64 [3] expected",
            "giving: the tensor belongs to a step that has ended",
            "giving: its rule gave no gradient for operand 0"};
        tg_step_begin();
        gift_of_rule = kind == 0   ? tg_zeros(TG_F64, 2)
                       : kind == 1 ? tg_zeros(TG_F32, 3)
                       : kind == 2 ? ended_tensor()
                                   : NULL;
        tg_backward(tg_sum(tg_apply(TG_HERE, &giving, 1, &w, NULL, 0)));
        expect_misuse(message[kind]);
        cr_expect_null(w->grad);
        tg_step_end();
    }
    tg_step_begin(); /* broadcasting is undone */
    gift_of_rule = tg_full(TG_F64, 1, 2, 3);
    tg_backward(tg_sum(tg_apply(TG_HERE, &giving, 1, &w, NULL, 0)));
    expect_no_misuse();
    cr_expect_eq(tg_get(w->grad, 2), 2);
    tg_step_end();
    tg_free(w);
}

/* ---- gradients as operands -------------------------------------------------------------------- */

Test(engine, grad_as_operand__is_read_as_it_was)
{
    tg_tensor *w = scalar_leaf(1);
    tg_step_begin();
    tg_backward(tg_mul_scalar(w, 3));
    tg_tensor *p = tg_mul(w, w->grad);
    tg_backward(tg_add(p, tg_mul_scalar(w, 5)));
    cr_expect_eq(tg_item(w->grad), 11);
    tg_step_end();
    tg_free(w);
}

Test(engine, grad_as_operand__of_an_earlier_graph_is_guarded)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = scalar_leaf(1), *v = scalar_leaf(1);
    tg_step_begin();
    tg_backward(tg_mul_scalar(w, 3));
    tg_tensor *p = tg_mul(v, w->grad);
    tg_backward(tg_mul_scalar(w, 3)); /* adds in place */
    tg_backward(p);
    expect_misuse("mul: operand 1, saved for the gradient, was changed in place since");
    p = tg_mul(v, w->grad);
    tg_zero_grad_tensor(w);
    tg_backward(tg_mul_scalar(w, 3)); /* takes the same memory */
    tg_backward(p);
    expect_misuse("mul: operand 1, saved for the gradient, was changed in place since");
    tg_step_end();
    tg_free(w);
    tg_free(v);
}

Test(engine, grad_as_operand__of_a_table_is_guarded)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *table = tg_requires_grad(tg_owned(TG_F64, 4, 2)), *v = scalar_leaf(1);
    tg_step_begin();
    tg_tensor *index = tg_from(TG_I64, ((int64_t[]){1, 2, 1}), 3);
    tg_backward(tg_sum(tg_embedding(table, index)));
    cr_assert_not_null(table->grad->rows);
    tg_tensor *p = tg_sum(tg_mul(tg_to_dense(table->grad), v));
    tg_backward(tg_sum(tg_embedding(table, index)));
    tg_backward(p); /* to_dense copied what it read */
    expect_no_misuse();
    cr_expect_eq(tg_item(v->grad), 6);
    tg_step_end();
    tg_free(table);
    tg_free(v);
}

/* Each ->grad has memory of its own. */
Test(engine, grad__shares_no_memory)
{
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F64, 2));
    tg_step_begin();
    tg_tensor *a = tg_requires_grad(tg_zeros(TG_F64, 2)), *b = tg_requires_grad(tg_zeros(TG_F64, 2));
    tg_tensor *y = tg_add(a, b), *z = tg_add(y, w);
    tg_retain_grad(y);
    tg_retain_grad(z);
    tg_backward(tg_sum(z));
    tg_tensor *const grads[] = {a->grad, b->grad, w->grad, y->grad, z->grad};
    for (int i = 0; i < 5; i++) {
        cr_assert_not_null(grads[i]);
        tg_set(grads[i], 10 + i, 0);
    }
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(tg_get(grads[i], 0), 10 + i, "%d", i);
        cr_expect_eq(tg_get(grads[i], 1), 1, "%d", i);
    }
    tg_step_end();
    tg_free(w);
}

/* ---- nested steps ----------------------------------------------------------------------------- */

Test(engine, grad_of_an_outer_leaf__outlives_inner_steps)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = tg_requires_grad(tg_full(TG_F64, 2, 3)), *y = tg_mul_scalar(x, 4);
    tg_retain_grad(y);
    for (int i = 1; i <= 3; i++) {
        tg_step_begin();
        tg_step_begin();
        tg_backward(tg_sum(tg_mul(y, y)));
        tg_step_end();
        tg_zeros(TG_F64, 1000);
        tg_step_end();
        tg_zeros(TG_F64, 1000);
        expect_no_misuse();
        cr_expect_eq(tg_get(x->grad, 2), 64 * i); /* 2 y 4 */
        cr_expect_eq(tg_get(y->grad, 0), 16 * i);
    }
    tg_zero_grad_tensor(x);
    tg_backward(tg_sum(x));
    tg_step_begin();
    tg_backward(tg_sum(x));
    tg_step_end();
    cr_expect_eq(tg_get(x->grad, 0), 2);
    expect_no_misuse();
    tg_step_end();
}

/* ---- what required a gradient when the op ran ------------------------------------------------- */

Test(engine, frozen_or_thawed_since__counts_as_it_was)
{
    tg_tensor *d = scalar_leaf(3), *g = scalar_leaf(5), *dx[1];
    tg_step_begin();
    d->requires_grad = false;
    tg_tensor *y = tg_mul(tg_mul(g, d), d);
    d->requires_grad = true; /* thawed: not in this graph */
    tg_backward(y);
    cr_expect_null(d->grad);
    cr_expect_eq(tg_item(g->grad), 9);
    y = tg_mul(d, g);
    d->requires_grad = g->requires_grad = false; /* frozen: in this graph still */
    tg_backward(y);
    cr_expect_eq(tg_item(d->grad), 5);
    cr_expect_eq(tg_item(g->grad), 9 + 3);
    g->requires_grad = true;
    y = tg_mul(d, g);
    d->requires_grad = true;
    tg_grad(tg_mul(y, y), &d, 1, dx, 0);
    cr_expect_null(dx[0]);
    tg_step_end();
    tg_free(d);
    tg_free(g);
}

/* ---- results that are operands ---------------------------------------------------------------- */

static tg_tensor *kept;

static tg_tensor *same_forward(const tg_node *n)
{
    return n->nin > 1 ? n->in[1] : kept ? kept : n->in[0];
}

static void same_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    for (int i = 0; i < n->nin; i++)
        dx[i] = g;
}

static const tg_op same = {.name = "same", .arity = TG_VARIADIC, .forward = same_forward,
                           .backward = same_backward, .saves = TG_SAVES_NOTHING};

Test(engine, result__that_is_an_operand_has_a_node_of_its_own)
{
    tg_tensor *x = scalar_leaf(3), *plain = tg_owned(TG_F64, 2);
    tg_step_begin();
    tg_tensor *y = tg_apply(TG_HERE, &same, 1, &x, NULL, 0);
    cr_expect_neq(y, x);
    tg_backward(tg_add(tg_mul_scalar(y, 2), tg_mul_scalar(x, 5)));
    cr_expect_eq(tg_item(x->grad), 7);
    tg_tensor *a = tg_mul_scalar(x, 2), *dx[2];
    tg_tensor *b = tg_apply(TG_HERE, &same, 2, (tg_tensor *[]){x, a}, NULL, 0);
    tg_grad(tg_add(tg_mul_scalar(b, 2), a), ((tg_tensor *[]){a, b}), 2, dx, 0);
    cr_expect_eq(tg_item(dx[0]), 3);
    cr_expect_eq(tg_item(dx[1]), 2);
    kept = plain; /* a tensor that was there before */
    tg_apply(TG_HERE, &same, 1, &x, NULL, 0);
    kept = NULL;
    cr_expect_eq(plain->node, -1);
    cr_expect_not(plain->requires_grad);
    tg_step_end();
    tg_free(x);
    tg_free(plain);
}

/* ---- what is recorded ------------------------------------------------------------------------- */

Test(engine, forward__is_not_recorded)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 3, 2));
    tg_step_begin();
    tg_lt(x, tg_scalar(TG_F64, 0));
    cr_expect_eq(nodes(), 0);
    tg_tensor *t = tg_t(x);
    tg_sum_dim(t, true, 0);
    cr_expect_eq(nodes(), 2, "permute and sum_to");
    tg_where(tg_lt(x, tg_scalar(TG_F64, 0)), x, tg_scalar(TG_F64, 0));
    cr_expect_eq(nodes(), 3);
    tg_linear(tg_zeros(TG_F64, 4, 2), x, tg_select(tg_zeros(TG_F64, 3, 2), 1, 0));
    cr_expect_eq(tg_tape_node(3)->op, &tg_op_linear);
    tg_step_end();
    tg_free(x);
}

Test(engine, saves__left_out_reads_all)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_tensor *y = tg_apply(TG_HERE, &giving, 1, &x, NULL, 0);
    tg_no_grad tg_fill(x, 4);
    tg_backward(y);
    expect_misuse("giving: operand 0, saved for the gradient, was changed in place since");
    y = tg_apply(TG_HERE, &giving, 1, &x, NULL, 0);
    tg_no_grad tg_fill(y, 4);
    tg_backward(y);
    expect_misuse("giving: its result, saved for the gradient, was changed in place since");
    tg_step_end();
    tg_free(x);
}

Test(engine, backward__without_recording_says_why)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = scalar_leaf(3);
    tg_step_begin();
    tg_no_grad {
        tg_backward(tg_exp(x));
        expect_misuse("backward: the loss was not recorded: tg_no_grad is in force here");
    }
    tg_backward(tg_exp(tg_detach(x)));
    expect_misuse("backward: the loss does not depend on a tensor that requires a gradient");
    tg_exp(x->grad);
    expect_misuse("exp: the tensor is NULL; if it is a ->grad, there is no gradient yet");
    tg_step_end();
    tg_free(x);
}

/* ---- threads ---------------------------------------------------------------------------------- */

typedef struct visit {
    tg_tensor *x, *y; /* of the other thread's step */
    char message[4][512];
} visit;

static void take_message(char message[512])
{
    strcpy(message, tg_last_error()->message);
    tg_clear_error();
}

static void *visit_tensors(void *context)
{
    visit *v = context;
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_exp(v->x); /* before this thread has a step */
    take_message(v->message[0]);
    for (int i = 0; i < 3; i++)
        tg_step_begin();
    tg_mul(v->y, v->y);
    take_message(v->message[1]);
    tg_backward(v->y);
    take_message(v->message[2]);
    tg_free(tg_retain(v->x));
    take_message(v->message[3]);
    for (int i = 0; i < 3; i++)
        tg_step_end();
    return NULL;
}

Test(engine, tensor_of_another_thread__is_named)
{
    tg_tensor *w = scalar_leaf(3);
    for (int steps = 0; steps < 4; steps++) { /* as many as in the other thread, and others */
        pthread_t thread;
        for (int i = 0; i < steps; i++)
            tg_step_begin();
        visit v = {.x = tg_zeros(TG_F64, 2), .y = tg_exp(w)};
        cr_assert_eq(pthread_create(&thread, NULL, visit_tensors, &v), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        static const char *const op[] = {"exp", "mul", "backward", "retain"};
        for (int i = 0; i < 4; i++) {
            char expected[128];
            snprintf(expected, sizeof expected, "%s: the tensor belongs to a step of another thread",
                     op[i]);
            cr_expect_not_null(strstr(v.message[i], expected), "%s", v.message[i]);
        }
        cr_expect_eq(tg_item(v.x = tg_sum(v.x)), 0);
        for (int i = 0; i < steps; i++)
            tg_step_end();
    }
    tg_free(w);
}
