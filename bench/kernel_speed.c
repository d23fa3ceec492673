/* The inner loops: matrix products and dense Adam against what the machine can do, and the
 * elementary functions. */
#include <stdio.h>
#include <string.h>

#include "bench/peak.h"
#include "bench/sections.h"
#include "tapegrad.h"
#include "tensor/compute-internal.h"

/* ---- products -------------------------------------------------------------------------------- */

static double gemm_gflops(int64_t m, int64_t n, int64_t k, bool ta, bool tb)
{
    double best = 0;
    tg_step_begin();
    tg_no_grad {
        tg_tensor *a = ta ? tg_t(tg_randn(TG_F32, k, m)) : tg_randn(TG_F32, m, k);
        tg_tensor *b = tb ? tg_t(tg_randn(TG_F32, n, k)) : tg_randn(TG_F32, k, n);
        tg_tensor *c = tg_zeros(TG_F32, m, n);
        const double flops = 2.0 * (double)(m * n * k), until = seconds_now() + 0.2;
        const int repeat = 1 + (int)(2e7 / flops);
        for (int round = 0; round < 3 || seconds_now() < until; round++) {
            const double start = seconds_now();
            for (int i = 0; i < repeat; i++)
                tg_multiply(c, a, b, NULL);
            const double rate = 1e-9 * flops * repeat / (seconds_now() - start);
            best = rate > best ? rate : best;
        }
    }
    tg_step_end();
    return best;
}

/* y = x w of one column, as one would write it. */
static void plain_column(int64_t m, int64_t k, const float *x, const float *w, float *y)
{
    for (int64_t i = 0; i < m; i++) {
        float sum = 0;
        for (int64_t p = 0; p < k; p++)
            sum += x[i * k + p] * w[p];
        y[i] = sum;
    }
}

static double plain_gflops(int64_t m, int64_t k)
{
    double least = 1e9;
    tg_step_begin();
    const tg_tensor *x = tg_randn(TG_F32, m, k), *w = tg_randn(TG_F32, k), *y = tg_zeros(TG_F32, m);
    for (int round = 0; round < 200; round++) {
        const double start = seconds_now();
        plain_column(m, k, x->data, w->data, y->data);
        const double seconds = seconds_now() - start;
        least = seconds < least ? seconds : least;
    }
    tg_step_end();
    return 2e-9 * (double)(m * k) / least;
}

/* n x n matrices, on one thread and on two. */
static void square_products(double peak)
{
    static const struct {
        const char *name;
        bool ta, tb;
    } kinds[] = {{"NN", false, false}, {"TN", true, false}, {"NT", false, true}};
    printf("\nn x n, GFLOP/s and of peak %10s%22s\n", "1 thread", "2 threads");
    for (int n = 128; n <= 4096; n *= 2)
        for (int kind = 0; kind < 3; kind++) {
            printf("%24d  %s", n, kinds[kind].name);
            for (int threads = 1; threads <= 2; threads++) {
                tg_set_num_threads(threads);
                const double rate = gemm_gflops(n, n, n, kinds[kind].ta, kinds[kind].tb);
                printf("%10.1f  %6.0f %%", rate, 100 * rate / (threads * peak));
            }
            puts("");
        }
    tg_set_num_threads(1);
}

void bench_products(void)
{
    static const struct {
        const char *what;
        int m, n, k;
        bool ta, tb;
    } shape[] = {
        {"linear_1, y = x w^T", 256, 128, 256, false, true},
        {"linear_2, y = x w^T", 256, 64, 128, false, true},
        {"linear_3, y = x w^T", 256, 32, 64, false, true},
        {"predict,  y = x w^T", 256, 1, 64, false, true},
        {"linear_1, dx = g w", 256, 256, 128, false, false},
        {"linear_2, dx = g w", 256, 128, 64, false, false},
        {"linear_3, dx = g w", 256, 64, 32, false, false},
        {"linear_1, dw = g^T x", 128, 256, 256, true, false},
        {"linear_2, dw = g^T x", 64, 128, 256, true, false},
        {"linear_3, dw = g^T x", 32, 64, 256, true, false},
        {"16 columns", 256, 16, 256, false, false},
        {"8 columns", 256, 8, 256, false, false},
        {"odd sizes", 255, 127, 255, false, false},
        {"odd and small", 37, 61, 97, false, false},
    };
    const double peak = peak_gflops(tg_kernels_get()->name);
    puts("\nproduct                   m    n    k        GFLOP/s  of peak");
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const double rate =
            gemm_gflops(shape[i].m, shape[i].n, shape[i].k, shape[i].ta, shape[i].tb);
        printf("%-22s %4d %4d %4d  %c%c  %8.1f  %6.0f %%\n", shape[i].what, shape[i].m, shape[i].n,
               shape[i].k, shape[i].ta ? 'T' : 'N', shape[i].tb ? 'T' : 'N', rate,
               100 * rate / peak);
    }
    printf("a plain loop            256    1   64        %8.1f\n", plain_gflops(256, 64));
    square_products(peak);
}

/* ---- Adam ------------------------------------------------------------------------------------ */

/* Least seconds of one update of n parameters. */
static double adam_seconds(int64_t n)
{
    const tg_adam_update u = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .shrink = 1,
                              .rate = 1e-3, .root_scale = 1};
    double least = 1e9;
    tg_step_begin();
    const tg_tensor *p = tg_randn(TG_F32, n), *g = tg_randn(TG_F32, n), *m = tg_zeros(TG_F32, n);
    const tg_tensor *v = tg_zeros(TG_F32, n);
    for (int64_t round = 0; round < 20 + 2000000 / n; round++) {
        const double start = seconds_now();
        tg_kernels_of(TG_F32)->adam(n, p->data, g->data, m->data, v->data, &u);
        const double seconds = seconds_now() - start;
        least = seconds < least ? seconds : least;
    }
    tg_step_end();
    return least;
}

/* Bytes a second, read and written, of copying arrays of n floats. */
static double copy_bytes(int64_t n)
{
    double least = 1e9;
    tg_step_begin();
    const tg_tensor *a = tg_zeros(TG_F32, n), *b = tg_zeros(TG_F32, n);
    for (int round = 0; round < 20; round++) {
        const double start = seconds_now();
        memcpy(b->data, a->data, (size_t)n * sizeof(float));
        const double seconds = seconds_now() - start;
        least = seconds < least ? seconds : least;
    }
    tg_step_end();
    return 8 * (double)n / least;
}

/* The parameters of the tutorial's NCF; the arithmetic's floor is its speed where all is cached. */
void bench_adam(void)
{
    enum { PARAMETERS = 1605409, CACHED = 2048, ARRAYS = 4 };
    const double arithmetic = adam_seconds(CACHED) / CACHED * PARAMETERS;
    const double memory = (2 * ARRAYS - 1) * 4.0 * PARAMETERS / copy_bytes(ARRAYS * PARAMETERS / 2);
    const double floor = arithmetic > memory ? arithmetic : memory;
    const double seconds = adam_seconds(PARAMETERS);
    printf("\ndense Adam, %d parameters: %.0f us; floors: arithmetic %.0f us, memory %.0f us; "
           "ratio %.2f\n", PARAMETERS, 1e6 * seconds, 1e6 * arithmetic, 1e6 * memory,
           seconds / floor);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* Least nanoseconds an element of y = f(x, x), in the second-level cache. */
static double function_ns(int row, tg_dtype dtype, double low, double high)
{
    enum { N = 16384 };
    double least = 1e9;
    tg_step_begin();
    tg_tensor *x = tg_empty(dtype, N);
    tg_fill_uniform(x, low, high);
    const tg_tensor *y = tg_empty(dtype, N);
    const void *const in[] = {x->data, x->data};
    for (int round = 0; round < 200; round++) {
        const double start = seconds_now();
        tg_kernels_of(dtype)->map[row][TG_VALUE](N, y->data, in);
        const double nanoseconds = 1e9 * (seconds_now() - start) / N;
        least = nanoseconds < least ? nanoseconds : least;
    }
    tg_step_end();
    return least;
}

void bench_functions(void)
{
    static const struct {
        const char *name;
        int row;
        double low, high;
    } function[] = {{"exp", TG_ROW_exp, -10, 10},       {"log", TG_ROW_log, 0, 10},
                    {"sigmoid", TG_ROW_sigmoid, -5, 5}, {"tanh", TG_ROW_tanh, -5, 5},
                    {"gelu", TG_ROW_gelu, -5, 5},       {"softplus", TG_ROW_softplus, -5, 5},
                    {"pow", TG_ROW_pow, 0.1, 5},        {"sqrt", TG_ROW_sqrt, 0, 5}};
    puts("\nns an element    f32     f64");
    for (size_t i = 0; i < sizeof function / sizeof *function; i++) {
        printf("%-12s", function[i].name);
        for (int t = 0; t < 2; t++)
            printf(" %7.2f", function_ns(function[i].row, t ? TG_F64 : TG_F32, function[i].low,
                                         function[i].high));
        puts("");
    }
}
