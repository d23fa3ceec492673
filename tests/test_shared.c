/* One parameter under two names: tied weights, a layer used twice, a layer of two modules. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tapegrad.h"

/* ---- ways to share --------------------------------------------------------------------------- */

/* A linear layer without bias. */
typedef struct matrix {
    tg_module base;
    tg_tensor *weight; /* (2, 2) */
} matrix;

static tg_tensor *matrix_forward(const char *at, tg_module *m, tg_tensor *x)
{
    return tg_linear_at(at, x, ((matrix *)m)->weight, NULL);
}

static matrix *matrix_new(void)
{
    static const double values[] = {0.5, -1, 2, 0.25};
    matrix *m = tg_module_new(matrix);
    m->base.forward = matrix_forward;
    m->weight = tg_param(m, "weight", tg_owned(TG_F64, 2, 2));
    memcpy(m->weight->data, values, sizeof values);
    return m;
}

/* What is applied first and then, whoever they belong to. */
typedef struct net {
    tg_module base;
    tg_module *part[2]; /* children that have the two as their children */
    matrix *first, *then;
    tg_tensor *head; /* (2, 2), in the place of `then` where it is not NULL */
} net;

static net *tied_new(void)
{
    net *m = tg_module_new(net);
    m->first = tg_child(m, "a", matrix_new());
    m->head = tg_param(m, "head", m->first->weight);
    return m;
}

static net *twice_new(void)
{
    net *m = tg_module_new(net);
    m->first = tg_child(m, "a", matrix_new());
    m->then = tg_child(m, "b", m->first);
    return m;
}

static net *two_parents_new(void)
{
    net *m = tg_module_new(net), *left = tg_module_new(net), *right = tg_module_new(net);
    m->part[0] = tg_child(m, "left", left);
    m->part[1] = tg_child(m, "right", right);
    m->first = tg_child(left, "a", matrix_new());
    m->then = tg_child(right, "a", m->first);
    return m;
}

static net *sequence_new(void)
{
    net *m = tg_module_new(net);
    m->first = m->then = matrix_new();
    m->part[0] = tg_child(m, "s", tg_sequential_new(m->first, tg_dropout_new(0), m->then));
    return m;
}

static net *siblings_new(void)
{
    net *m = tg_module_new(net);
    m->first = tg_child(m, "encoder", matrix_new());
    net *decoder = tg_module_new(net);
    m->head = tg_param(decoder, "weight", m->first->weight);
    tg_child(m, "decoder", decoder);
    return m;
}

static const struct sharing {
    const char *how;
    net *(*create)(void);
    const char *name[2]; /* list(net.state_dict()) of the same modules in PyTorch */
} sharings[] = {
    {"a tied tensor", tied_new, {"head", "a.weight"}},
    {"a child under two names", twice_new, {"a.weight", "b.weight"}},
    {"a child of two parents", two_parents_new, {"left.a.weight", "right.a.weight"}},
    {"a layer twice in a sequence", sequence_new, {"s.0.weight", "s.2.weight"}},
    {"a tensor of a sibling", siblings_new, {"encoder.weight", "decoder.weight"}},
};
enum { SHARINGS = sizeof sharings / sizeof *sharings };

static tg_tensor *loss_of(const net *m)
{
    static const double points[] = {1, 2, -0.5, 0.25};
    tg_tensor *x = tg_forward(m->first, tg_from(TG_F64, points, 2, 2));
    return tg_mean(tg_square(m->head ? tg_linear(x, m->head, NULL) : tg_forward(m->then, x)));
}

/* ---- one parameter --------------------------------------------------------------------------- */

Test(shared, state_dict__has_all_names)
{
    for (int i = 0; i < SHARINGS; i++) {
        net *m = sharings[i].create();
        tg_state_dict all = tg_module_state_dict(&m->base), once = tg_module_parameters(&m->base);
        cr_assert_eq(all.count, 2, "%s", sharings[i].how);
        cr_assert_eq(once.count, 1, "%s", sharings[i].how);
        for (int k = 0; k < 2; k++) {
            cr_expect_str_eq(all.entry[k].name, sharings[i].name[k]);
            cr_expect_eq(all.entry[k].tensor, m->first->weight);
        }
        cr_expect_str_eq(once.entry[0].name, sharings[i].name[0]);
        cr_expect_eq(tg_module_parameter_count(&m->base), 4, "%s", sharings[i].how);
        tg_state_dict_release(&all);
        tg_state_dict_release(&once);
        tg_module_free(&m->base);
    }
}

/* PyTorch 1.13, the same for each way to share:
 *
 *     opt = torch.optim.SGD(net.parameters(), lr=.1, momentum=.9)
 *     for step in range(3):
 *         opt.zero_grad()
 *         net(x).square().mean().backward()
 *         print(torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0))
 *         opt.step()
 */
Test(shared, step__updates_once_as_pytorch)
{
    static const double norm[] = {11.626637907415512, 9.82615386665498, 6.7140944916097425};
    static const double weight[] = {0.5217062053513688, -0.46431102789043072, 1.8360879450309464,
                                    0.23981804342105084};
    for (int i = 0; i < SHARINGS; i++) {
        net *m = sharings[i].create();
        tg_optimizer *opt = tg_sgd(m, .lr = 0.1, .momentum = 0.9);
        for (int step = 0; step < 3; step++) {
            tg_step_begin();
            tg_zero_grad(opt);
            tg_backward(loss_of(m));
            const double found = tg_clip_grad_norm(&m->base, 1);
            cr_expect_float_eq(found, norm[step], 1e-12, "%s, step %d", sharings[i].how, step);
            tg_optimizer_step(opt);
            tg_step_end();
        }
        for (int k = 0; k < 4; k++)
            cr_expect_float_eq(tg_get(m->first->weight, k / 2, k % 2), weight[k], 1e-12, "%s, %d",
                               sharings[i].how, k);
        tg_state_dict state = tg_optimizer_state_dict(opt);
        cr_expect_eq(state.count, 2, "momentum and steps of one parameter");
        cr_expect_eq(tg_optimizer_load_state_dict(opt, &state), TG_OK);
        tg_state_dict_release(&state);
        tg_optimizer_free(opt);
        tg_module_free(&m->base);
    }
}

static tg_tensor *checked_loss(void *m, tg_tensor *const *parameter, int count)
{
    cr_expect_eq(count, 1);
    cr_expect_eq(parameter[0], ((net *)m)->first->weight);
    return loss_of(m);
}

Test(shared, gradcheck__has_one_input)
{
    for (int i = 0; i < SHARINGS; i++) {
        tg_gradcheck_report report;
        net *m = sharings[i].create();
        cr_expect(tg_module_gradcheck(&m->base, 1, checked_loss, m, 0, &report), "%s: %s",
                  sharings[i].how, report.message);
        cr_expect_eq(report.checked, 4);
        tg_module_free(&m->base);
    }
}

static void count_module(tg_module *m, void *context)
{
    (void)m;
    ++*(int *)context;
}

Test(shared, apply__visits_a_module_once)
{
    static const int modules[SHARINGS] = {2, 2, 4, 4, 3}; /* len(list(net.modules())) */
    for (int i = 0; i < SHARINGS; i++) {
        net *m = sharings[i].create();
        int seen = 0;
        tg_module_apply(&m->base, count_module, &seen);
        cr_expect_eq(seen, modules[i], "%s", sharings[i].how);
        tg_module_free(&m->base);
    }
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Files that drop the second name, as safetensors.torch.save_model writes them, or have both. */
Test(shared, load__takes_any_of_the_names)
{
    tg_tensor *ones = tg_owned(TG_F64, 2, 2), *long_one = tg_owned(TG_F64, 3, 2);
    tg_fill(ones, 1);
    for (int i = 0; i < SHARINGS; i++)
        for (int given = 0; given < 4; given++) { /* bit k: name k */
            net *m = sharings[i].create();
            tg_state_dict state = {0};
            for (int k = 0; k < 2; k++)
                if (given >> k & 1)
                    tg_state_dict_add(&state, sharings[i].name[k], ones);
            const tg_status status = tg_module_load_state_dict(&m->base, &state);
            cr_expect_eq(status, given ? TG_OK : TG_EFORMAT, "%s %d", sharings[i].how, given);
            cr_expect_eq(tg_get(m->first->weight, 1, 0), given ? 1 : 2);
            if (given == 2) {
                state.entry[0].tensor = long_one;
                cr_expect_eq(tg_module_load_state_dict(&m->base, &state), TG_EFORMAT);
                cr_expect_not_null(strstr(tg_last_error()->message, sharings[i].name[1]));
            }
            tg_state_dict_release(&state);
            tg_module_free(&m->base);
        }
    tg_free(ones);
    tg_free(long_one);
}

Test(shared, file__goes_round)
{
    for (int i = 0; i < SHARINGS; i++) {
        net *m = sharings[i].create(), *loaded = sharings[i].create();
        tg_fill(m->first->weight, 3);
        tg_state_dict state = tg_module_state_dict(&m->base), back;
        cr_assert_eq(tg_safetensors_save("/tmp/tapegrad-shared", &state), TG_OK);
        cr_assert_eq(tg_safetensors_load("/tmp/tapegrad-shared", &back), TG_OK);
        remove("/tmp/tapegrad-shared");
        cr_expect_eq(back.count, 2);
        cr_expect_eq(tg_module_load_state_dict(&loaded->base, &back), TG_OK);
        cr_expect_eq(tg_get(loaded->first->weight, 0, 0), 3);
        tg_state_dict_release(&state);
        tg_state_dict_release(&back);
        tg_module_free(&loaded->base);
        tg_module_free(&m->base);
    }
}

/* ---- ownership ------------------------------------------------------------------------------- */

/* The first tree ties a tensor of the shared module, which stays alive with the second. */
Test(shared, module__outlives_the_first_of_two_trees)
{
    for (int order = 0; order < 2; order++) {
        net *tree[2] = {tied_new(), tg_module_new(net)};
        matrix *both = tree[0]->first;
        tg_child(tree[1], "matrix", both);
        tg_module_free(&tree[order]->base);
        cr_expect_eq(tg_get(both->weight, 1, 0), 2);
        cr_expect_eq(tg_module_parameter_count(&tree[!order]->base), 4);
        tg_module_free(&tree[!order]->base);
    }
}

Test(shared, free__of_a_child_is_misuse)
{
    net *m = twice_new();
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_module_free(&m->first->base);
    cr_expect_not_null(strstr(tg_last_error()->message, "matrix is a child of another module"));
    cr_expect_eq(tg_get(m->first->weight, 1, 0), 2);
    tg_module_free(&m->base);
}

/* What is refused is freed, but not what is registered elsewhere. */
Test(shared, refusal__spares_what_others_own)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    net *m = tied_new(), *other = tg_module_new(net);
    cr_expect(tg_is_error(tg_param(m, "head", m->head)));
    cr_expect(tg_is_error(tg_param(other, "x.y", m->head)));
    tg_module_freeze(&m->base, true);
    cr_expect(tg_is_error(tg_param(m, "a", m->head)));
    cr_expect_null(tg_child(m, "a", m->first));
    cr_expect_null(tg_child(other, "x.y", m->first));
    cr_expect_eq(tg_get(m->first->weight, 1, 0), 2);
    tg_clear_error();
    cr_expect_null(tg_child(m, "self", m));
    cr_expect_not_null(strstr(tg_last_error()->message, "\"self\": contains the module itself"));
    tg_child(m, "other", other);
    cr_expect_null(tg_child(other, "m", m));
    tg_module_free(&m->base);
}

Test(shared, tie__leaves_a_frozen_parameter_frozen)
{
    net *m = tied_new();
    tg_module_freeze(&m->base, true);
    tg_param(m, "again", m->head);
    cr_expect_not(m->head->requires_grad);
    tg_module_free(&m->base);
}
