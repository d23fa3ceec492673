/* make exercise: is my_simplecf what models/simplecf.c is? Exit status 1 while it is not. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "models/exercise/my_simplecf.h"
#include "models/simplecf.h"

enum { USERS = 7, ITEMS = 6, DIM = 4, BATCH = 12 };

static const int64_t users[BATCH] = {3, 0, 3, 6, 3, 1, 2, 4, 5, 6, 0, 1};
static const int64_t items[BATCH] = {1, 1, 5, 0, 1, 2, 3, 4, 5, 4, 0, 0};
static const float ratings[BATCH] = {4, 3, 5, 1, 4, 2, 5, 3, 1, 4, 2, 5};

/* The student's model and the one it is held to, with equal parameters from the second check on. */
typedef struct both {
    my_simplecf *mine;
    simplecf *reference;
    tg_state_dict state, expected;
} both;

static bool TG_PRINTF(1, 2) not_yet(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("not yet\n         ", stdout);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
    return false;
}

/* The step's result of the student's forward, or NULL, after saying what is wrong with it. */
static tg_tensor *run(const both *b)
{
    char got[TG_SHAPE_TEXT];
    tg_clear_error();
    tg_tensor *y = my_simplecf_forward(b->mine, tg_from(TG_I64, users, BATCH),
                                       tg_from(TG_I64, items, BATCH));
    if (tg_last_error()->status != TG_OK)
        not_yet("%s", tg_last_error()->message);
    else if (!y)
        not_yet("my_simplecf_forward gave NULL");
    else if (y->shape.ndim != 1 || y->shape.size[0] != BATCH)
        not_yet("my_simplecf_forward gave %s of a batch of %d; [%d] expected: tg_view(x, -1)",
                tg_shape_format(&y->shape, got), BATCH, BATCH);
    else
        return y;
    return NULL;
}

static bool check_parameters(both *b)
{
    char got[TG_SHAPE_TEXT], wanted[TG_SHAPE_TEXT];
    for (int64_t i = 0; i < b->expected.count; i++) {
        const char *name = b->expected.entry[i].name;
        const tg_tensor *t = tg_state_dict_get(&b->state, name);
        const tg_shape *shape = &b->expected.entry[i].tensor->shape;
        if (!t)
            return not_yet("my_simplecf_new: there is no parameter %s %s", name,
                           tg_shape_format(shape, wanted));
        if (!tg_shape_equal(&t->shape, shape))
            return not_yet("my_simplecf_new: %s is %s of %d users, %d items and output_dim %d; %s "
                           "expected", name, tg_shape_format(&t->shape, got), USERS, ITEMS, DIM,
                           tg_shape_format(shape, wanted));
    }
    if (b->state.count != b->expected.count)
        return not_yet("my_simplecf_new: %d parameters; %d expected", (int)b->state.count,
                       (int)b->expected.count);
    return tg_module_load_state_dict(&b->mine->base, &b->expected) == TG_OK;
}

static bool check_shape(both *b)
{
    return run(b) != NULL;
}

/* Both draw the same masks where they drop in the same places, in training mode. */
static bool agree(both *b, bool training, const char *hint)
{
    tg_module_train(&b->mine->base, training);
    tg_module_train(&b->reference->base, training);
    tg_manual_seed(2);
    const tg_tensor *y = run(b);
    if (!y)
        return false;
    tg_manual_seed(2);
    const tg_tensor *expected = simplecf_forward(b->reference, tg_from(TG_I64, users, BATCH),
                                                 tg_from(TG_I64, items, BATCH));
    for (int64_t i = 0; i < BATCH; i++)
        if (!(fabs(tg_get(y, i) - tg_get(expected, i)) <= 1e-5))
            return not_yet("with the same parameters, user %d and item %d give %.5f; %.5f "
                           "expected: %s", (int)users[i], (int)items[i], tg_get(y, i),
                           tg_get(expected, i), hint);
    return true;
}

static bool check_values(both *b)
{
    return agree(b, false, "users before items, relu after linear_1 and linear_2 only, no dropout");
}

static bool check_dropout(both *b)
{
    return agree(b, true, "after each relu, tg_dropout(x, m->dropout, tg_training(m))");
}

static tg_tensor *loss_of(const both *b)
{
    tg_tensor *y = run(b);
    return y ? tg_mse_loss(y, tg_from(TG_F32, ratings, BATCH)) : NULL;
}

static bool check_gradients(both *b)
{
    tg_tensor *loss = loss_of(b);
    if (!loss)
        return false;
    tg_backward(loss);
    if (tg_last_error()->status != TG_OK)
        return not_yet("%s", tg_last_error()->message);
    for (int64_t i = 0; i < b->state.count; i++)
        if (!b->state.entry[i].tensor->grad)
            return not_yet("%s has no gradient: the rating does not depend on it",
                           b->state.entry[i].name);
    return true;
}

static bool check_learning(both *b)
{
    double first = NAN, last = NAN;
    b->mine->dropout = 0;
    tg_optimizer *opt = tg_adam(b->mine, .lr = 0.01);
    for (int step = 0; step < 200; step++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *loss = loss_of(b); /* there is one: the checks before have seen it */
        tg_backward(loss);
        tg_optimizer_step(opt);
        last = tg_item(loss);
        first = step ? first : last;
        tg_step_end();
    }
    tg_optimizer_free(opt);
    if (!(last < 0.01))
        return not_yet("the loss went from %.4f to %.4f; less than 0.01 expected", first, last);
    return true;
}

static const struct {
    const char *text;
    bool (*passes)(both *b);
} checks[] = {
    {"the parameters have the right names and shapes", check_parameters},
    {"forward gives a rating for each row", check_shape},
    {"in evaluation, the ratings are the reference's", check_values},
    {"in training, dropout is in the right places", check_dropout},
    {"gradients reach every parameter", check_gradients},
    {"it learns a dozen ratings by heart", check_learning},
};

int main(void)
{
    enum { CHECKS = sizeof checks / sizeof *checks };
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_manual_seed(1);
    const model_options options = {.factors = DIM, .dropout = 0.5};
    both b = {.mine = my_simplecf_new(USERS, ITEMS, DIM, 0.5),
              .reference = simplecf_new(USERS, ITEMS, options)};
    b.state = tg_module_state_dict(&b.mine->base);
    b.expected = tg_module_state_dict(&b.reference->base);
    int passed = 0;
    while (passed < CHECKS) {
        printf("%d of %d   %-50s ", passed + 1, CHECKS, checks[passed].text);
        tg_step_begin();
        const bool passes = checks[passed].passes(&b);
        tg_step_end();
        if (!passes)
            break;
        puts("right");
        passed++;
    }
    puts(passed == CHECKS ? "It works: my_simplecf is simpleCF."
                          : "The exercise is in models/exercise/my_simplecf.h.");
    tg_state_dict_release(&b.state);
    tg_state_dict_release(&b.expected);
    tg_module_free(&b.mine->base);
    tg_module_free(&b.reference->base);
    return passed == CHECKS ? 0 : 1;
}
