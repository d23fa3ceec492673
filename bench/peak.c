#include "bench/peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile_of(double *value, int count, double share)
{
    qsort(value, (size_t)count, sizeof *value, by_value);
    return value[(int)(share * count)];
}

#define CHAINS 12 /* enough to hide the latency of an addition, few enough for 16 registers */

/* `rounds` multiply-adds on each of CHAINS vectors; the sum keeps them from being dropped. */
#define DEFINE_PEAK(name, bytes, target)                                                           \
    target static float run_##name(int64_t rounds)                                                 \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(bytes)));                                  \
        vector chain[CHAINS], factor, term, sum;                                                   \
        for (int l = 0; l < bytes / 4; l++) {                                                      \
            factor[l] = 0.999f;                                                                    \
            term[l] = 0.001f * (float)l;                                                           \
        }                                                                                          \
        for (int i = 0; i < CHAINS; i++)                                                           \
            chain[i] = term + (float)i;                                                            \
        for (int64_t r = 0; r < rounds; r++)                                                       \
            for (int i = 0; i < CHAINS; i++)                                                       \
                chain[i] = chain[i] * factor + term;                                               \
        sum = chain[0];                                                                            \
        for (int i = 1; i < CHAINS; i++)                                                           \
            sum += chain[i];                                                                       \
        float total = 0;                                                                           \
        for (int l = 0; l < bytes / 4; l++)                                                        \
            total += sum[l];                                                                       \
        return total;                                                                              \
    }

typedef struct loop {
    const char *name;
    int lanes;
    float (*run)(int64_t rounds);
} loop;

DEFINE_PEAK(narrow, 16, )
#if defined(__x86_64__)
#define TARGET(features) __attribute__((target(features)))
DEFINE_PEAK(avx2, 32, TARGET("avx2,fma"))
DEFINE_PEAK(avx512, 64, TARGET("avx512f"))
static const loop loops[] = {
    {"avx512", 16, run_avx512}, {"avx2", 8, run_avx2}, {"portable", 4, run_narrow}};
#else
static const loop loops[] = {{"neon", 4, run_narrow}, {"portable", 4, run_narrow}};
#endif

double peak_gflops(const char *kernels)
{
    const loop *l = &loops[0];
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
        if (strcmp(loops[i].name, kernels) == 0)
            l = &loops[i];
    const int64_t rounds = 20000; /* short, for one of them to be undisturbed */
    volatile float sink = 0;
    double best = 0;
    for (int i = 0; i < 1000; i++) {
        const double start = seconds_now();
        sink = sink + l->run(rounds);
        const double rate = 2e-9 * CHAINS * l->lanes * (double)rounds / (seconds_now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
