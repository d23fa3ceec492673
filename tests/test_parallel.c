#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "models/ncf.h"
#include "tapegrad.h"

static void one_thread(void)
{
    tg_set_num_threads(1);
}

TestSuite(parallel, .fini = one_thread);

typedef struct visits {
    int count[2000];
    int64_t grain, total;
} visits;

static void visit(void *context, int64_t begin, int64_t end)
{
    visits *v = context;
    cr_assert(begin < end && begin % v->grain == 0);
    cr_assert(end % v->grain == 0 || end == v->total);
    for (int64_t i = begin; i < end; i++)
        v->count[i]++; /* each index is one thread's alone */
}

Test(parallel, loop__covers_each_index_once)
{
    static const int64_t counts[] = {0, 1, 2, 7, 64, 1000, 1999}, grains[] = {1, 3, 64, 5000};
    static visits v;
    for (int threads = 1; threads < 9; threads++) {
        tg_set_num_threads(threads);
        cr_expect_eq(tg_num_threads(), threads);
        for (int c = 0; c < 7; c++)
            for (int g = 0; g < 4; g++) {
                v = (visits){.grain = grains[g], .total = counts[c]};
                tg_parallel_for(counts[c], grains[g], visit, &v);
                for (int64_t i = 0; i < 2000; i++)
                    cr_assert_eq(v.count[i], i < counts[c], "%d threads, index %d of %d", threads,
                                 (int)i, (int)counts[c]);
            }
    }
}

static void nested(void *context, int64_t begin, int64_t end)
{
    visits *v = context;
    for (int64_t i = begin; i < end; i++)
        tg_parallel_for(1, 1, visit, &v[i]);
}

Test(parallel, loop__inside_a_loop_runs_in_its_caller)
{
    static visits v[8];
    tg_set_num_threads(4);
    for (int i = 0; i < 8; i++)
        v[i] = (visits){.grain = 1, .total = 1};
    tg_parallel_for(8, 1, nested, v);
    for (int i = 0; i < 8; i++)
        cr_expect_eq(v[i].count[0], 1);
}

Test(parallel, threads__below_one_means_all_processors)
{
    tg_set_num_threads(0);
    cr_expect_geq(tg_num_threads(), 1);
}

/* The weights after some steps on batches that no number of threads divides. */
static tg_state_dict train(int threads, tg_module **module)
{
    enum { BATCH = 259, STEPS = 5 };
    tg_set_num_threads(threads);
    tg_manual_seed(10);
    ncf *m = ncf_new(300, 200, 16, 0.5);
    tg_optimizer *opt = tg_adam(m, .lr = 1e-2);
    tg_rng rng = {.seed = 1};
    for (int step = 0; step < STEPS; step++) {
        int64_t user[BATCH], item[BATCH];
        float rating[BATCH];
        for (int i = 0; i < BATCH; i++) {
            user[i] = (int64_t)tg_rng_below(&rng, 300);
            item[i] = (int64_t)tg_rng_below(&rng, 200);
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
    tg_module *first_module;
    tg_state_dict first = train(1, &first_module);
    for (int threads = 2; threads < 7; threads++) {
        tg_module *module;
        tg_state_dict other = train(threads, &module);
        for (int64_t p = 0; p < first.count; p++)
            cr_expect_eq(memcmp(first.entry[p].tensor->data, other.entry[p].tensor->data,
                                (size_t)tg_numel(first.entry[p].tensor) * sizeof(float)),
                         0, "%d threads changed %s", threads, first.entry[p].name);
        tg_state_dict_release(&other);
        tg_module_free(module);
    }
    tg_state_dict_release(&first);
    tg_module_free(first_module);
}
