/* The number of threads that steps take, on machines that are made up: seconds are computed. */
#include <criterion/criterion.h>

#include "tensor/random.h"
#include "tensor/thread_tuner.h"

typedef struct machine {
    const char *name;
    int most;
    double gain;   /* of twice as many threads, up to `useful` of them; of more: 1 over it */
    int useful;
    double step;   /* seconds of one on one thread */
    double noise;  /* steps take up to so much longer, in shares */
    double spikes; /* share of steps during which another program has the core for 4 ms */
} machine;

static double seconds_of(const machine *m, int threads, tg_rng *rng)
{
    double seconds = m->step * (1 + m->noise * tg_rng_uniform(rng));
    for (int n = 1; n < threads; n *= 2)
        seconds = n < m->useful ? seconds / m->gain : seconds * m->gain;
    return seconds + (tg_rng_uniform(rng) < m->spikes ? 4e-3 : 0);
}

/* Seconds of `steps`, with a fixed number of threads or, where that is 0, the tuner's. */
static double run(const machine *m, int threads, int steps, tg_thread_tuner *t)
{
    tg_rng rng = {.seed = 1};
    double sum = 0;
    for (int i = 0; i < steps; i++) {
        const double work = 1 + 2.0 * (i % 7 == 0); /* every seventh step is three times as long */
        const double seconds = work * seconds_of(m, threads ? threads : t->now, &rng);
        if (!threads)
            tg_thread_tuner_next(t, seconds, work);
        sum += seconds;
    }
    return sum;
}

static double best_of(const machine *m, int steps)
{
    double best = run(m, 1, steps, NULL);
    for (int n = 2; n <= m->most; n++) {
        const double seconds = run(m, n, steps, NULL);
        best = seconds < best ? seconds : best;
    }
    return best;
}

static const machine machines[] = {
    {"near cores", 2, 1.6, 2, 0.6e-3, 0, 0},
    {"far cores", 2, 1.4, 1, 0.6e-3, 0, 0},
    {"very far cores", 2, 10, 1, 0.6e-3, 0, 0},
    {"near cores, noise", 2, 1.6, 2, 0.6e-3, 0.5, 0.01},
    {"far cores, noise", 2, 1.4, 1, 0.6e-3, 0.5, 0.01},
    {"about equal", 2, 1.01, 2, 0.6e-3, 0.5, 0.01},
    {"short steps", 2, 1.4, 1, 20e-6, 0.5, 0},
    {"long steps", 2, 1.4, 1, 0.1, 0.1, 0},
    {"64 cores, 16 useful", 64, 1.6, 16, 5e-3, 0.2, 0},
    {"64 cores, none useful", 64, 1.2, 1, 5e-3, 0.2, 0},
    {"six cores", 6, 1.7, 8, 5e-3, 0.2, 0},
};

enum { MACHINES = sizeof machines / sizeof *machines };

static tg_thread_tuner tuner_of(int most)
{
    return (tg_thread_tuner){.most = most, .base = most, .now = most};
}

Test(thread_tuner, total__within_3_percent_of_the_best)
{
    for (int i = 0; i < MACHINES; i++) {
        const machine *m = &machines[i];
        tg_thread_tuner t = tuner_of(m->most);
        const int steps = 2000 + (int)(20 / m->step);
        const double loss = run(m, 0, steps, &t) / best_of(m, steps) - 1;
        cr_expect_lt(loss, 0.03, "%s: %.1f %% slower than the best number", m->name, 100 * loss);
    }
}

/* Another program comes, or goes: the number follows. */
Test(thread_tuner, number__follows_a_change)
{
    tg_thread_tuner t = tuner_of(2);
    for (int i = 0; i < 6; i++) {
        const machine *m = &machines[i % 2];
        run(m, 0, 20000, &t);
        cr_expect_eq(t.base, m->useful, "%s: %d threads", m->name, t.base);
    }
}

Test(thread_tuner, step__without_parallel_work_says_nothing)
{
    tg_thread_tuner t = tuner_of(2);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(tg_thread_tuner_next(&t, 1, 0), 2);
    cr_assert_eq(tg_thread_tuner_next(&t, 1e-3, 1), 1, "the first trial");
}
