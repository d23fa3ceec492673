/* Memory: once warm, no training step asks malloc for anything, so none can leak or grow. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <string.h>

#include "models/ncf.h"
#include "tapegrad.h"
#include "tensor/tensor-internal.h"
#include "tests/allocations.h"
#include "tests/helpers.h"

#ifdef ALLOCATIONS_COUNTED
/* ---- training -------------------------------------------------------------------------------- */

enum { USERS = 50, ITEMS = 40, BATCH = 64, WARM = 2, EPOCHS = 6 };

static tg_optimizer *make(int which, ncf *m)
{
    switch (which) {
    case 0: return tg_sgd(m, 0);
    case 1: return tg_sgd(m, .momentum = 0.9, .nesterov = true);
    case 2: return tg_adam(m, 0);
    case 3: return tg_adamw(m, 0);
    case 4: return tg_sparse_adam(m, 0);
    case 5: return tg_adagrad(m, 0);
    case 6: return tg_rmsprop(m, 0);
    case 7: return tg_adam(m, .catch_up = true);
    default: return NULL;
    }
}

/* What a program may do in a step: draw, look up, watch, differentiate twice, step by hand. */
static double train_step(ncf *m, tg_optimizer *opt, tg_tensor *user, tg_tensor *item,
                         tg_tensor *rating)
{
    tg_step_begin();
    tg_zero_grad(opt);
    tg_tensor *y = ncf_forward(m, user, item), *dy;
    tg_tensor *loss = tg_mse_loss(y, rating);
    tg_retain_grad(y);
    tg_backward(loss);
    tg_grad(loss, &y, 1, &dy, .create_graph = true);
    tg_backward(tg_sum(tg_square(dy))); /* a second time, through a gradient */
    tg_optimizer_step(opt);
    tg_no_grad { tg_add_scaled(m->predict_layer->bias, -1e-3, m->predict_layer->bias->grad); }
    const double value = tg_item(loss);
    tg_step_end();
    return value;
}

/* The loader shuffles, and its last batch is smaller; the optimisers see row-sparse gradients. */
static long calls_once_warm(int which, int threads)
{
    tg_ids users = {0}, items = {0};
    tg_dataset data;
    tg_set_num_threads(threads);
    cr_assert_eq(tg_synthetic(&users, &items, &data, .users = USERS, .items = ITEMS,
                              .ratings = 500), TG_OK);
    ncf *m = ncf_new(users.count, items.count, (model_options){.factors = 8, .dropout = 0.5});
    tg_optimizer *opt = make(which, m);
    tg_loader *loader = tg_loader_new(&data, BATCH, .shuffle = true);
    long before = allocations;
    tg_tensor *user, *item, *rating;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        if (epoch == WARM)
            before = allocations;
        while (tg_loader_next(loader, &user, &item, &rating))
            train_step(m, opt, user, item, rating);
    }
    const long calls = allocations - before;
    tg_loader_free(loader);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
    tg_dataset_release(&data);
    tg_ids_release(&items);
    tg_ids_release(&users);
    return calls;
}

Test(memory, step__asks_malloc_for_nothing_once_warm)
{
    const long start = allocations;
    for (int which = 0; which < 8; which++)
        for (int threads = 1; threads <= 2; threads++)
            cr_expect_eq(calls_once_warm(which, threads), 0, "optimizer %d, %d threads", which,
                         threads);
    cr_expect_gt(allocations, start, "the counter does not count");
    tg_set_num_threads(1);
}

/* Clipping, checks, evaluation without gradients: also nothing that stays. */
Test(memory, step__of_any_kind_leaves_nothing_behind)
{
    ncf *m = ncf_new(USERS, ITEMS, (model_options){.factors = 4});
    const int64_t id[] = {1, 2, 1};
    long calls[3];
    for (int round = 0; round < 3; round++) {
        const long before = allocations;
        for (int i = 0; i < 50; i++) {
            tg_step_begin();
            tg_no_grad { ncf_forward(m, tg_from(TG_I64, id, 3), tg_from(TG_I64, id, 3)); }
            tg_tensor *y = ncf_forward(m, tg_from(TG_I64, id, 3), tg_from(TG_I64, id, 3));
            tg_backward(tg_sum(y));
            tg_step_end();
        }
        calls[round] = allocations - before;
    }
    cr_expect_eq(calls[1], 0, "%ld calls", calls[1]);
    cr_expect_eq(calls[2], 0, "%ld calls", calls[2]);
    tg_module_free(&m->base);
}
#else
Test(memory, step__asks_malloc_for_nothing_once_warm)
{
    cr_skip_test("calls of malloc cannot be counted with this C library or sanitizer");
}
#endif

/* ---- gradients inside a walk ----------------------------------------------------------------- */

enum { SIZES = 3 };
static const int64_t sides[SIZES] = {4, 64, 600}; /* in a block, reused in the step, of its own */

/* An op that keeps what its rule makes. */
static struct {
    tg_tensor *made, *view, *g;
} watched;

static tg_tensor *watch_forward(const tg_node *n)
{
    return tg_mul_scalar(n->in[0], 1);
}

static void watch_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    (void)n;
    watched.g = g;
    watched.made = tg_mul_scalar(g, 2);
    watched.view = tg_t(watched.made);
    dx[0] = tg_mul_scalar(g, 3);
}

static TG_DEFINE_OP(watch, 1, TG_SAVES_NOTHING);

Test(memory, rule__ends_with_what_it_made)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < SIZES; i++) {
        tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, sides[i], sides[i]));
        tg_step_begin();
        tg_tensor *y = tg_exp(tg_exp(x));
        tg_backward(tg_sum(tg_square(tg_apply(TG_HERE, &tg_op_watch, 1, &y, NULL, 0))));
        const double e = exp(1), expected = 2 * e * 3 * e;
        cr_expect_float_eq(tg_get(x->grad, sides[i] - 1, 0), expected, 1e-12);
        tg_exp(watched.made);
        expect_misuse("exp: the tensor was made by a gradient rule, which has ended");
        tg_get(watched.view, 0, 0);
        expect_misuse("get: the tensor was made by a gradient rule, which has ended");
        tg_exp(watched.g);
        expect_misuse("exp: the tensor was made by a gradient rule, which has ended");
        tg_step_end();
        tg_free(x);
    }
}

static tg_tensor *keep(void *context, tg_tensor *g)
{
    *(tg_tensor **)context = g;
    return NULL;
}

/* What a program has seen stays, whatever the walk goes on to do. */
Test(memory, gradients__that_a_program_has_are_kept)
{
    for (int i = 0; i < SIZES; i++) {
        tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, sides[i], sides[i]));
        tg_step_begin();
        tg_tensor *y = tg_add_scalar(x, 1), *z = tg_add(tg_mul_scalar(y, 3), y), *dy, *seen_y;
        tg_tensor *seen_x, *loss = tg_sum(tg_exp(tg_mul_scalar(z, 0.25)));
        tg_grad(loss, &y, 1, &dy, 0);
        tg_retain_grad(y);
        tg_register_hook(y, keep, &seen_y);
        tg_register_hook(x, keep, &seen_x);
        tg_backward(loss);
        tg_backward(tg_sum(tg_exp(tg_exp(tg_exp(x))))); /* asks for memory of the same sizes */
        cr_expect_float_eq(tg_get(dy, 1, 2), exp(1), 1e-12);
        cr_expect_float_eq(tg_get(seen_y, 1, 2), exp(1), 1e-12);
        cr_expect_float_eq(tg_get(y->grad, 1, 2), exp(1), 1e-12);
        cr_expect_float_eq(tg_get(seen_x, 1, 2), exp(1) * exp(exp(1)), 1e-9);
        cr_expect_float_eq(tg_get(x->grad, 1, 2), exp(1) + exp(1) * exp(exp(1)), 1e-9);
        tg_register_hook(x, NULL, NULL);
        tg_step_end();
        tg_free(x);
    }
}

/* One gradient for both operands, another one of their sum, over several steps. */
Test(memory, gradients__of_leaves_share_nothing)
{
    for (int i = 0; i < SIZES; i++) {
        tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, sides[i], sides[i]));
        tg_tensor *y = tg_requires_grad(tg_owned(TG_F32, sides[i], sides[i]));
        for (int round = 1; round <= 3; round++) {
            tg_step_begin();
            tg_backward(tg_sum(tg_square(tg_add(tg_add(x, y), tg_full(TG_F32, round, 1)))));
            tg_fill(x->grad, -1);
            cr_expect_eq(tg_get(y->grad, 3, 3), 2 * round);
            tg_backward(tg_sum(tg_exp(x)));
            cr_expect_eq(tg_get(x->grad, 3, 3), 0);
            tg_zero_grad_tensor(x);
            tg_zero_grad_tensor(y);
            tg_step_end();
        }
        tg_free(x);
        tg_free(y);
    }
}

/* Its memory serves others, unless an op has read it. */
Test(memory, gradient__ends_when_it_is_zeroed)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 64, 64));
    tg_tensor *w = tg_requires_grad(tg_owned(TG_F64, 1));
    tg_step_begin();
    tg_backward(tg_sum(tg_exp(x)));
    tg_tensor *g = x->grad;
    tg_zero_grad_tensor(x);
    tg_get(g, 0, 0);
    expect_misuse("get: the tensor is a gradient that was zeroed since");
    tg_clear_error();
    tg_backward(tg_sum(tg_exp(x)));
    tg_tensor *y = tg_sum(tg_mul(w, x->grad)), *view = tg_t(x->grad);
    tg_zero_grad_tensor(x);
    tg_backward(y);
    cr_expect_eq(tg_item(w->grad), 64 * 64);
    tg_backward(tg_sum(tg_mul_scalar(x, 7)));
    cr_expect_eq(tg_get(x->grad, 1, 2), 7);
    cr_expect_eq(tg_get(view, 2, 1), 7);
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    tg_step_end();
    tg_free(x);
    tg_free(w);
}

/* Also as the gradient that another graph begins with, and of that one a result. */
Test(memory, gradient__that_passes_through_stays)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 64, 64)), *dx;
    tg_step_begin();
    tg_backward(tg_sum(tg_exp(x)));
    tg_grad(tg_add_scalar(x, 2), &x, 1, &dx, .grad_output = x->grad);
    tg_zero_grad_tensor(x);
    cr_expect_eq(tg_get(dx, 5, 6), 1);
    tg_step_end();
    tg_free(x);
}

/* Parts of one tensor, which overlap: the first gradient is padded, others are added to it. */
Test(memory, gradients__of_parts_are_added_in_place)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 70, 90));
    tg_step_begin();
    tg_tensor *y = tg_mul_scalar(x, 2), *part[3] = {tg_narrow(y, 1, 0, 60), tg_narrow(y, -1, -60, 60),
                                                    tg_narrow(tg_t(y), 1, 7, 60)};
    tg_tensor *loss = tg_scalar(TG_F64, 0);
    for (int i = 0; i < 3; i++)
        loss = tg_add(loss, tg_sum(tg_mul_scalar(part[i], 1 + i)));
    tg_backward(loss);
    for (int r = 0; r < 70; r++)
        for (int c = 0; c < 90; c++)
            cr_expect_eq(tg_get(x->grad, r, c),
                         2 * ((c < 60) + 2 * (c >= 30) + 3 * (r >= 7 && r < 67)), "%d, %d", r, c);
    tg_step_end();
    tg_free(x);
}

/* What is expanded has several elements in one place: there nothing is added to. */
Test(memory, gradients__of_parts_beside_a_sum)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F64, 30, 40));
    tg_step_begin();
    tg_tensor *y = tg_t(tg_mul_scalar(x, 2)), *part = tg_narrow(y, 0, 3, 30);
    tg_tensor *loss = tg_mul_scalar(tg_mul_scalar(tg_sum(y), 5), 1);
    tg_backward(tg_add(tg_sum(part), loss));
    for (int c = 0; c < 40; c++)
        cr_expect_eq(tg_get(x->grad, 7, c), 2 * (5 + (c >= 3 && c < 33)), "%d", c);
    tg_step_end();
    tg_free(x);
}

/* The gradient of a table of 100 rows after a lookup of the first `count`. */
static tg_tensor *rows_gradient(tg_tensor *table, int64_t count)
{
    tg_tensor *index = tg_zeros(TG_I64, count);
    for (int64_t i = 0; i < count; i++)
        tg_set(index, (double)i, i);
    tg_backward(tg_sum(tg_embedding(table, index)));
    cr_assert(table->grad->rows && tg_numel(table->grad->rows) == count);
    return table->grad;
}

Test(memory, gradient__of_rows_ends_when_it_is_zeroed)
{
    static const int64_t counts[] = {40, 90, 30}; /* more memory, less */
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *table = tg_requires_grad(tg_owned(TG_F32, 100, 50));
    tg_step_begin();
    for (int i = 0; i < 6; i++) {
        tg_tensor *g = rows_gradient(table, counts[i % 3]);
        if (i >= 3) { /* what an op has read stays */
            tg_tensor *whole = tg_to_dense(g);
            cr_expect_eq(tg_get(whole, counts[i % 3] - 1, 49), 1);
            cr_expect_eq(tg_get(whole, counts[i % 3], 0), 0);
        }
        tg_zero_grad_tensor(table);
        tg_to_dense(g);
        if (i < 3)
            expect_misuse("to_dense: the tensor is a gradient that was zeroed since");
        cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    }
    tg_step_end();
    tg_free(table);
}

/* ---- the heap -------------------------------------------------------------------------------- */

Test(memory, heap__joins_neighbours)
{
    enum { SIZE = 10000, BLOCKS = 3 };
    tg_heap_block *b[BLOCKS + 1];
    static const int orders[][BLOCKS] = {{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 2, 0}};
    for (size_t order = 0; order < sizeof orders / sizeof *orders; order++) {
        for (int i = 0; i <= BLOCKS; i++) { /* the last one keeps others from the chunk's rest */
            b[i] = tg_heap_take(SIZE);
            cr_assert_eq((uintptr_t)tg_heap_data(b[i]) % TG_LINE, 0);
            memset(tg_heap_data(b[i]), i, SIZE);
        }
        for (int i = 0; i < BLOCKS; i++)
            tg_heap_give(b[orders[order][i]]);
        tg_heap_block *whole = tg_heap_take(BLOCKS * SIZE);
        cr_expect_eq(whole, b[0]);
        tg_heap_give(whole);
        tg_heap_give(b[BLOCKS]);
    }
}

/* A chunk is given back when another size is asked for. */
Test(memory, heap__of_sizes_that_grow)
{
    for (size_t size = (size_t)1 << 20; size <= (size_t)256 << 20; size *= 4) {
        tg_heap_block *b = tg_heap_take(size), *small = tg_heap_take(1);
        cr_assert(b && small && b->size >= size);
        ((char *)tg_heap_data(b))[size - 1] = 1;
        tg_heap_give(small);
        tg_heap_give(b);
    }
    cr_expect_null(tg_heap_take(SIZE_MAX / 2));
}

#ifdef ALLOCATIONS_COUNTED
/* Chunks of the heap: a few for the results of the step, and no more for all of its gradients. */
Test(memory, backward__uses_its_memory_again)
{
    enum { DEPTH = 40, FEW = 6, SIDE = 600 };
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, SIDE, SIDE)), *y = x;
    tg_step_begin();
    for (int i = 0; i < DEPTH; i++)
        y = tg_tanh(y);
    tg_tensor *loss = tg_sum(y);
    const long before = allocations;
    tg_backward(loss);
    cr_expect_leq(allocations - before, 2 * FEW, "%ld calls of malloc", allocations - before);
    tg_step_end();
    tg_free(x);
}

/* The gradient of a sum lies in one place: its elements are copied into memory of the leaf's. */
Test(memory, backward__without_memory_is_misuse)
{
    enum { SIDE = 4100 }; /* more than the heap asks for at a time: of anything less it would ask twice */
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, SIDE, SIDE));
    tg_step_begin();
    tg_tensor *loss = tg_sum(x);
    for (int which = 1; which <= 2; which++) { /* the header, the elements */
        refused = allocations + which;
        tg_backward(loss);
        expect_misuse("backward: no memory for a gradient f32 [4100, 4100]");
    }
    cr_expect_null(x->grad);
    tg_backward(loss);
    cr_expect_eq(tg_get(x->grad, 3, 4), 1);
    tg_step_end();
    tg_free(x);
}
#endif

Test(memory, bookkeeping__without_memory_ends_the_program, .exit_code = 1)
{
    cr_redirect_stderr();
    tg_step_memory(SIZE_MAX / 2);
}

Test(memory, row_sparse_gradient__without_memory_ends_the_program, .exit_code = 1)
{
    cr_redirect_stderr();
    tg_owned_resize(tg_owned(TG_F32, 0), TG_SHAPE(INT64_C(1) << 50));
}
