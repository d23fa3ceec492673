/*
 * bench: the speed of this machine, of the products, and of training
 *
 *     run-bench                              everything
 *     run-bench train [--threads N] [--optimizer adam|adam-dense|sparse-adam] [--batch-size N]
 *                                            samples/s of training NCF, for compare.sh
 *     run-bench count WORK                   a fixed piece of work, for instructions.sh
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/count.h"
#include "bench/job.h"
#include "bench/parts.h"
#include "bench/peak.h"
#include "tapegrad.h"
#include "tensor/compute-internal.h"

static double gemm_gflops(int64_t m, int64_t n, int64_t k, bool ta, bool tb)
{
    double best = 0;
    tg_step_begin();
    tg_no_grad {
        tg_tensor *a = ta ? tg_t(tg_randn(TG_F32, k, m)) : tg_randn(TG_F32, m, k);
        tg_tensor *b = tb ? tg_t(tg_randn(TG_F32, n, k)) : tg_randn(TG_F32, k, n);
        tg_tensor *c = tg_zeros(TG_F32, m, n);
        const double flops = 2.0 * (double)(m * n * k);
        const int repeat = 1 + (int)(2e7 / flops);
        for (int round = 0; round < 30; round++) {
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

static void bench_products(double peak)
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
        {"odd sizes", 255, 127, 255, false, false},
        {"odd and small", 37, 61, 97, false, false},
    };
    puts("\nproduct                   m    n    k        GFLOP/s  of peak");
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const double rate =
            gemm_gflops(shape[i].m, shape[i].n, shape[i].k, shape[i].ta, shape[i].tb);
        printf("%-22s %4d %4d %4d  %c%c  %8.1f  %6.0f %%\n", shape[i].what, shape[i].m, shape[i].n,
               shape[i].k, shape[i].ta ? 'T' : 'N', shape[i].tb ? 'T' : 'N', rate,
               100 * rate / peak);
    }
}

/* Nanoseconds a node, forward and backward, of a chain of ops on one element. */
static void bench_engine(void)
{
    enum { NODES = 1000 };
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, 1));
    double best = 1e9;
    for (int round = 0; round < 200; round++) {
        const double start = seconds_now();
        tg_step_begin();
        tg_tensor *y = x;
        for (int i = 0; i < NODES; i++)
            y = tg_tanh(y);
        tg_backward(y);
        tg_step_end();
        const double nanoseconds = 1e9 * (seconds_now() - start) / NODES;
        best = nanoseconds < best ? nanoseconds : best;
    }
    tg_free(x);
    printf("\nengine: %.0f ns a node of one element, forward and backward\n", best);
}

typedef struct training {
    double seconds, forward, backward, update;
    int64_t samples;
} training;

/* Train for about `seconds` after a tenth of that to warm up. */
static training train(int64_t batch_size, const char *optimizer, double seconds)
{
    job j = job_new(batch_size, optimizer, false);
    training t = {0};
    tg_tensor *user, *item, *rating;
    double start = seconds_now();
    for (bool warm = false; !warm || seconds_now() - start < seconds;) {
        if (!warm && seconds_now() - start > seconds / 10) {
            warm = true;
            t = (training){0};
            start = seconds_now();
        }
        if (!tg_loader_next(j.loader, &user, &item, &rating))
            continue;
        tg_step_begin();
        tg_zero_grad(j.optimizer);
        const double begin = seconds_now();
        tg_tensor *loss = tg_mse_loss(ncf_forward(j.model, user, item), rating);
        const double forward = seconds_now();
        tg_backward(loss);
        const double backward = seconds_now();
        tg_optimizer_step(j.optimizer);
        t.update += seconds_now() - backward;
        t.backward += backward - forward;
        t.forward += forward - begin;
        t.samples += tg_size(user, 0);
        tg_step_end();
        t.seconds = seconds_now() - start;
    }
    job_end(&j);
    return t;
}

static void bench_training(int64_t batch_size, const char *optimizer)
{
    const training t = train(batch_size, optimizer, 3);
    const double steps = (double)t.samples / (double)batch_size;
    printf("%-12s %6lld %12.0f %9.0f %9.0f %9.0f %9.0f\n", optimizer,
           (long long)batch_size, (double)t.samples / t.seconds, 1e6 * t.forward / steps,
           1e6 * t.backward / steps, 1e6 * t.update / steps,
           1e6 * (t.seconds - t.forward - t.backward - t.update) / steps);
}

static int usage(void)
{
    fputs("usage: run-bench [count WORK | train [--threads N] [--optimizer NAME] [--batch-size N]]\n", stderr);
    return 2;
}

static int train_command(int argc, char **argv)
{
    const char *optimizer = "adam";
    int64_t batch_size = 256;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--optimizer") == 0 && i + 1 < argc)
            optimizer = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            tg_set_num_threads(atoi(argv[++i]));
        else if (strcmp(argv[i], "--batch-size") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0)
            batch_size = atoi(argv[++i]);
        else
            return usage();
    }
    const training t = train(batch_size, optimizer, 3);
    printf("tapegrad ncf %s threads=%d: %.0f samples/s\n", optimizer,
           tg_num_threads(), (double)t.samples / t.seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "train") == 0                               ? train_command(argc, argv)
               : strcmp(argv[1], "count") == 0 && argc == 3 && count_work(argv[2]) ? 0
                                                                                   : usage();
    const char *kernels = tg_kernels_get()->name;
    const double peak = peak_gflops(kernels);
    printf("kernels %s, 1 thread; peak of f32 multiply-adds: %.1f GFLOP/s\n", kernels, peak);
    bench_products(peak);
    bench_engine();
    bench_parts(peak);
    for (int threads = 1; threads <= 2; threads++) {
        tg_set_num_threads(threads);
        printf("\ntraining ncf, %d thread%s: microseconds a step\n", threads,
               threads > 1 ? "s" : "");
        puts("optimizer     batch    samples/s   forward  backward    update      rest");
        bench_training(256, "adam");
        bench_training(256, "adam-dense");
        bench_training(256, "sparse-adam");
        bench_training(4096, "adam");
    }
    return 0;
}
