/*
 * bench: the speed of this machine, of the kernels, of the engine and of training
 *
 *     run-bench [SECTION...]                 all sections but `growth`, or those named
 *     run-bench train [--threads N] [--optimizer adam|adam-dense|sparse-adam] [--batch-size N]
 *     run-bench score                        one number each, for compare.sh
 *     run-bench count WORK                   a fixed piece of work, for instructions.sh
 *     run-bench ops                          single ops, as ops.py asks for them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/count.h"
#include "bench/peak.h"
#include "bench/sections.h"
#include "tapegrad.h"
#include "tensor/kernels/kernels.h"

/* Nanoseconds a node, forward and backward, of a chain of ops on one element. */
void bench_engine(void)
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

static const struct section {
    const char *name;
    void (*run)(void);
    bool by_name; /* takes minutes and gigabytes: only where it is asked for */
} sections[] = {{"products", bench_products, false},   {"adam", bench_adam, false},
                {"functions", bench_functions, false}, {"engine", bench_engine, false},
                {"parts", bench_parts, false},         {"mlp", bench_mlp, false},
                {"training", bench_training, false},   {"scoring", bench_scoring, false},
                {"reading", bench_reading, false},     {"growth", bench_growth, true}};

enum { SECTIONS = sizeof sections / sizeof *sections };

static int usage(void)
{
    fputs("usage: run-bench [SECTION...], one or more of:", stderr);
    for (int i = 0; i < SECTIONS; i++)
        fprintf(stderr, " %s", sections[i].name);
    fputs("\n       run-bench train [--threads N] [--optimizer NAME] [--batch-size N]\n"
          "       run-bench score\n       run-bench count WORK\n       run-bench ops\n", stderr);
    return 2;
}

static const struct section *find(const char *name)
{
    for (int i = 0; i < SECTIONS; i++)
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
    return NULL;
}

static int run_sections(int count, char **name)
{
    for (int i = 0; i < count; i++)
        if (!find(name[i]))
            return usage();
    const char *kernels = tg_kernels_get()->name;
    printf("kernels %s; peak of f32 multiply-adds: %.1f GFLOP/s on one core\n", kernels,
           peak_gflops(kernels));
    for (int i = 0; i < count; i++)
        find(name[i])->run();
    for (int i = 0; i < SECTIONS && count == 0; i++)
        if (!sections[i].by_name)
            sections[i].run();
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "train") == 0)
        return train_command(argc, argv) == 0 ? 0 : usage();
    if (strcmp(word, "score") == 0)
        return score_command();
    if (strcmp(word, "ops") == 0)
        return ops_command();
    if (strcmp(word, "count") == 0)
        return argc == 3 && count_work(argv[2]) ? 0 : usage();
    return run_sections(argc - 1, argv + 1);
}
