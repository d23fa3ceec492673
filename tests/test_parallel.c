/* Loops on several threads: every index once, results the same bits for any number of threads. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "models/ncf.h"
#include "tapegrad.h"

static void one_thread(void)
{
    tg_set_num_threads(1);
}

/* A loop that waits for a thread which never comes is a failure, not a hang. */
TestSuite(parallel, .fini = one_thread, .timeout = 60);

/* ---- loops ----------------------------------------------------------------------------------- */

enum { MOST = 2000 };

typedef struct visits {
    int count[MOST];
    int64_t grain, total;
} visits;

static void visit(void *context, int64_t begin, int64_t end)
{
    visits *v = context;
    cr_assert(begin < end);
    cr_assert(end - begin >= v->grain || end == v->total, "%d to %d", (int)begin, (int)end);
    for (int64_t i = begin; i < end; i++)
        v->count[i]++; /* each index is one thread's alone */
}

static void check_loop(int threads, int64_t count, int64_t grain)
{
    static visits v;
    v = (visits){.grain = grain, .total = count};
    tg_parallel_for(count, grain, visit, &v);
    for (int64_t i = 0; i < MOST; i++)
        cr_assert_eq(v.count[i], i < count, "%d threads, grain %d: index %d of %d: %d times",
                     threads, (int)grain, (int)i, (int)count, v.count[i]);
}

Test(parallel, loop__covers_each_index_once)
{
    static const int64_t counts[] = {0, 1, 2, 7, 64, 65, 1000, MOST - 1};
    static const int64_t grains[] = {1, 3, 64, 999, 5000};
    for (int threads = 1; threads < 9; threads++) {
        tg_set_num_threads(threads);
        for (int way = 0; way < 8 * 5; way++)
            check_loop(threads, counts[way % 8], grains[way / 8]);
    }
}

/* Fewer threads than the pool has workers, more than it has processors, one, and back. */
Test(parallel, threads__may_change_between_loops)
{
    static const int threads[] = {1, 5, 2, 1, 8, 3, 13, 1, 2};
    for (int round = 0; round < 20; round++)
        for (int t = 0; t < 9; t++) {
            tg_set_num_threads(threads[t]);
            cr_assert_eq(tg_num_threads(), threads[t]);
            check_loop(threads[t], 100 + round, 1 + round % 3);
        }
}

Test(parallel, threads__below_one_means_all_cores)
{
    tg_set_num_threads(0);
    const int all = tg_num_threads();
    cr_expect_geq(all, 1);
    tg_set_num_threads(all + 1);
    tg_set_num_threads(-3);
    cr_expect_eq(tg_num_threads(), all);
}

static void meet(void *barrier, int64_t begin, int64_t end)
{
    cr_assert_eq(end - begin, 1);
    pthread_barrier_wait(barrier);
}

/* Each range waits for all others: one thread for each, or the loop never ends. */
Test(parallel, loop__runs_its_ranges_at_the_same_time)
{
    for (int threads = 2; threads < 6; threads++) {
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, (unsigned)threads);
        tg_set_num_threads(threads);
        tg_parallel_for(threads, 1, meet, &barrier);
        pthread_barrier_destroy(&barrier);
    }
}

/* ---- loops within loops, and from several threads -------------------------------------------- */

typedef struct outer_loop {
    visits inner[8];
    pthread_t thread[8], inner_thread[8][64];
} outer_loop;

typedef struct inner_loop {
    outer_loop *outer;
    int64_t number;
} inner_loop;

static void inner_body(void *context, int64_t begin, int64_t end)
{
    const inner_loop *l = context;
    visit(&l->outer->inner[l->number], begin, end);
    for (int64_t i = begin; i < end; i++)
        l->outer->inner_thread[l->number][i] = pthread_self();
}

static void outer_body(void *context, int64_t begin, int64_t end)
{
    outer_loop *o = context;
    for (int64_t i = begin; i < end; i++) {
        o->thread[i] = pthread_self();
        tg_parallel_for(64, 1, inner_body, &(inner_loop){o, i});
    }
}

Test(parallel, loop__inside_a_loop_runs_in_its_caller)
{
    static outer_loop o;
    tg_set_num_threads(4);
    for (int i = 0; i < 8; i++)
        o.inner[i] = (visits){.grain = 1, .total = 64};
    tg_parallel_for(8, 1, outer_body, &o);
    for (int i = 0; i < 8 * 64; i++) {
        cr_assert_eq(o.inner[i / 64].count[i % 64], 1);
        cr_assert(pthread_equal(o.inner_thread[i / 64][i % 64], o.thread[i / 64]),
                  "index %d of inner loop %d ran in another thread", i % 64, i / 64);
    }
}

static void *many_loops(void *context)
{
    visits *v = context;
    for (int round = 0; round < 500; round++)
        tg_parallel_for(v->total, v->grain, visit, v);
    return NULL;
}

/* The pool is one thread's at a time; others go on alone. */
Test(parallel, loop__may_run_in_several_threads_of_the_program)
{
    enum { THREADS = 4 };
    static visits v[THREADS];
    pthread_t thread[THREADS];
    tg_set_num_threads(3);
    for (int t = 0; t < THREADS; t++) {
        v[t] = (visits){.grain = 2, .total = 50 + t};
        cr_assert_eq(pthread_create(&thread[t], NULL, many_loops, &v[t]), 0);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    for (int i = 0; i < THREADS * 60; i++)
        cr_assert_eq(v[i / 60].count[i % 60], i % 60 < 50 + i / 60 ? 500 : 0);
}

/* ---- products -------------------------------------------------------------------------------- */

/* a^T b (m, n) over k rows on some threads, which must be the same bits for all; and as near to the
 * sum in double as `most` times the sum of the absolute values. */
static void check_sum_over_rows(tg_dtype dtype, int64_t m, int64_t n, int64_t k, double most)
{
    tg_step_begin();
    tg_tensor *a = tg_randn(dtype, k, m), *b = tg_randn(dtype, k, n);
    tg_tensor *c = tg_matmul(tg_transpose(a, 0, 1), b);
    for (int threads = 2; threads < 6; threads++) {
        tg_set_num_threads(threads);
        const tg_tensor *other = tg_matmul(tg_transpose(a, 0, 1), b);
        cr_expect_arr_eq(c->data, other->data, (size_t)tg_numel(c) * tg_dtype_size(dtype),
                         "(%d, %d) over %d on %d threads", (int)m, (int)n, (int)k, threads);
    }
    tg_set_num_threads(1);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            for (int64_t r = 0; r < k; r++) {
                const double term = tg_get(a, r, i) * tg_get(b, r, j);
                sum += term;
                size += fabs(term);
            }
            cr_assert_leq(fabs(tg_get(c, i, j) - sum), most * size, "(%d, %d) over %d: %d, %d",
                          (int)m, (int)n, (int)k, (int)i, (int)j);
        }
    tg_step_end();
}

/* Few columns of a and many rows: sums over both halves of the rows; else over all of them. */
Test(parallel, products__sum_over_rows)
{
    static const int64_t shapes[][3] = {{64, 64, 128}, {64, 64, 127},   {63, 65, 301}, {1, 700, 999},
                                        {9, 31, 2001}, {128, 256, 256}, {64, 80, 96}};
    for (int s = 0; s < 7; s++) {
        check_sum_over_rows(TG_F32, shapes[s][0], shapes[s][1], shapes[s][2], 1e-6);
        check_sum_over_rows(TG_F64, shapes[s][0], shapes[s][1], shapes[s][2], 1e-14);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* i64: i^2 % bound for i < count, in rising order or as they come. */
static tg_tensor *numbers(int64_t count, int64_t bound, bool rising)
{
    tg_tensor *t = tg_zeros(TG_I64, count);
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)t->data)[i] = rising ? i * i * bound / ((count - 1) * (count - 1))
                                         : i * i % bound;
    return t;
}

typedef tg_tensor *row_call(tg_tensor *x, tg_tensor *y, tg_tensor *target);
#define CALL(name, call)                                                                           \
    static tg_tensor *name(tg_tensor *x, tg_tensor *y, tg_tensor *target)                          \
    {                                                                                              \
        return (void)x, (void)y, (void)target, call;                                               \
    }
CALL(sum, tg_sum(x))
CALL(sum_rows, tg_sum_dim(x, false, 1))
CALL(sum_columns, tg_sum_dim(x, false, 0))
CALL(softmax, tg_softmax(x, 1))
CALL(softmax_of_columns, tg_softmax(x, 0))
CALL(logsumexp, tg_logsumexp(x, false, 1))
CALL(max_dim, tg_max_dim(x, false, 0))
CALL(norm, tg_layer_norm(x, tg_select(y, 0, 0), tg_select(y, 0, 1), 1e-5))
CALL(mse, tg_mse_loss(x, y))
CALL(bce, tg_bce_with_logits_loss(x, y))
CALL(cross_entropy, tg_cross_entropy(x, target))
#define PLANES(t) tg_view(tg_narrow(tg_view(t, -1), 0, 0, 61056), 3, 2, 96, 106)
CALL(conv2d, tg_conv2d(PLANES(x), tg_view(tg_narrow(tg_view(y, -1), 0, 0, 144), 8, 2, 3, 3), NULL,
                       .padding = 1))
CALL(conv2d_of_groups,
     tg_conv2d(PLANES(x), tg_view(tg_narrow(tg_view(y, -1), 0, 0, 64), 16, 1, 2, 2),
               tg_narrow(tg_view(y, -1), 0, 1, 16), .groups = 2, .stride = 2))
CALL(max_pool2d, tg_max_pool2d(PLANES(x), 3, .stride = 2, .padding = 1))
CALL(unfold, tg_unfold(PLANES(x), 3, 2, .dilation = 2))
CALL(sparse_mm, tg_sparse_mm(numbers(302, 61103, true), numbers(61103, 301, false),
                             tg_view(y, -1), x))
CALL(sampled_mm, tg_sampled_mm(numbers(302, 61103, true), numbers(61103, 301, false), x, tg_t(y)))
CALL(embedding_bag, tg_embedding_bag(x, tg_view(numbers(700, 301, false), 100, 7), false))
CALL(topk, tg_topk(x, 5, &target))
CALL(argmax, tg_gather(x, 1, tg_argmax(x, 1, true)))
#undef CALL

/* Values and gradients of calls on matrices that no number of threads divides. */
Test(parallel, rows__give_the_same_bits_for_any_number_of_threads)
{
    static row_call *const calls[] = {
        sum, sum_rows, sum_columns, softmax, softmax_of_columns, logsumexp, max_dim,
        norm, mse, bce, cross_entropy, conv2d, conv2d_of_groups,
        max_pool2d, unfold, sparse_mm, sampled_mm, embedding_bag, topk, argmax};
    enum { ROWS = 301, COLUMNS = 203 };
    for (int way = 0; way < (int)(sizeof calls / sizeof *calls) * 5; way++) {
        static float first[3][6 * ROWS * COLUMNS];
        tg_set_num_threads(1 + way % 5);
        tg_manual_seed(1);
        tg_step_begin();
        tg_tensor *x = tg_requires_grad(tg_randn(TG_F32, ROWS, COLUMNS));
        tg_tensor *y = tg_requires_grad(tg_rand(TG_F32, ROWS, COLUMNS));
        tg_tensor *z = calls[way / 5](x, y, tg_zeros(TG_I64, ROWS));
        tg_backward(tg_sum(tg_mul(z, tg_rand_at(TG_HERE, TG_F32, z->shape))));
        const tg_tensor *got[] = {z, x->grad, y->grad};
        for (int i = 0; i < 3 && got[i]; i++) {
            const size_t bytes = (size_t)tg_numel(got[i]) * sizeof(float);
            if (way % 5 == 0)
                memcpy(first[i], got[i]->data, bytes);
            cr_expect_arr_eq(got[i]->data, first[i], bytes, "call %d on %d threads: %d", way / 5,
                             tg_num_threads(), i);
        }
        tg_step_end();
    }
}

/* ---- training -------------------------------------------------------------------------------- */

/* The weights after a few steps on batches that no number of threads divides. The tables are large
 * enough for the optimiser to share them out, the batch for the products. */
static tg_state_dict train(int threads, tg_module **module)
{
    enum { USERS = 3000, ITEMS = 2000, DIM = 16, BATCH = 257, STEPS = 4 };
    tg_set_num_threads(threads);
    tg_manual_seed(10);
    ncf *m = ncf_new(USERS, ITEMS, (model_options){.factors = DIM, .dropout = 0.5});
    tg_optimizer *opt = tg_adam(m, .lr = 1e-2);
    tg_rng rng = {.seed = 1};
    for (int step = 0; step < STEPS; step++) {
        int64_t user[BATCH], item[BATCH];
        float rating[BATCH];
        for (int i = 0; i < BATCH; i++) {
            user[i] = (int64_t)tg_rng_below(&rng, USERS);
            item[i] = (int64_t)tg_rng_below(&rng, ITEMS);
            rating[i] = (float)tg_rng_below(&rng, 5);
        }
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *y = ncf_forward(m, tg_from(TG_I64, user, BATCH), tg_from(TG_I64, item, BATCH));
        tg_backward(tg_mse_loss(y, tg_from(TG_F32, rating, BATCH)));
        tg_optimizer_step(opt);
        tg_step_end();
    }
    tg_optimizer_free(opt);
    *module = &m->base;
    return tg_module_state_dict(&m->base);
}

Test(parallel, training__gives_the_same_bits_for_any_number_of_threads)
{
    static const int threads[] = {2, 5, 0, 1, 3};
    tg_module *first_module;
    tg_state_dict first = train(1, &first_module);
    cr_assert_gt(first.count, 0);
    for (int t = 0; t < 5; t++) {
        tg_module *module;
        tg_state_dict other = train(threads[t], &module);
        cr_assert_eq(other.count, first.count);
        for (int64_t p = 0; p < first.count; p++)
            cr_expect_arr_eq(first.entry[p].tensor->data, other.entry[p].tensor->data,
                             (size_t)tg_numel(first.entry[p].tensor) * sizeof(float),
                             "%d threads changed %s", threads[t], first.entry[p].name);
        tg_state_dict_release(&other);
        tg_module_free(module);
    }
    tg_state_dict_release(&first);
    tg_module_free(first_module);
}
