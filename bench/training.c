/* Whole steps: of training, at tables of any size, and scoring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/job.h"
#include "bench/peak.h"
#include "bench/sections.h"
#include "models/scorer.h"
#include "tapegrad.h"

/* ---- training -------------------------------------------------------------------------------- */

typedef struct training {
    double seconds, forward, backward, update;
    double tenth; /* of the steps took no longer: what a busy machine changes least */
    int64_t samples;
    long faults; /* pages that the system had to provide */
} training;

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/* Train for about `seconds` after a tenth of that to warm up. */
static training train(int64_t batch_size, const char *optimizer, double seconds)
{
    enum { MOST = 100000 };
    static double took[MOST];
    job j = job_new(batch_size, optimizer, false);
    training t = {0};
    tg_tensor *user, *item, *rating;
    int steps = 0;
    double start = seconds_now();
    for (bool warm = false; !warm || (seconds_now() - start < seconds && steps < MOST);) {
        if (!warm && seconds_now() - start > seconds / 10) {
            warm = true;
            steps = 0;
            t = (training){.faults = -page_faults()};
            start = seconds_now();
        }
        const double fetch = seconds_now();
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
        const double end = seconds_now();
        took[steps++] = end - fetch;
        t.seconds = end - start;
    }
    t.faults += page_faults();
    t.tenth = quantile_of(took, steps, 0.1);
    job_end(&j);
    return t;
}

static void print_training(int64_t batch_size, const char *optimizer)
{
    const training t = train(batch_size, optimizer, 3);
    const double steps = (double)t.samples / (double)batch_size;
    printf("%-12s %6lld %12.0f %9.0f %9.0f %9.0f %9.0f %12ld\n", optimizer,
           (long long)batch_size, (double)t.samples / t.seconds, 1e6 * t.forward / steps,
           1e6 * t.backward / steps, 1e6 * t.update / steps,
           1e6 * (t.seconds - t.forward - t.backward - t.update) / steps, t.faults);
}

void bench_training(void)
{
    for (int threads = 1; threads <= 2; threads++) {
        tg_set_num_threads(threads);
        printf("\ntraining ncf, %d thread%s: microseconds a step\n", threads,
               threads > 1 ? "s" : "");
        puts("optimizer     batch    samples/s   forward  backward    update      rest"
             "       faults");
        print_training(256, "adam");
        print_training(256, "adam-dense");
        print_training(256, "sparse-adam");
        print_training(4096, "adam");
    }
    tg_set_num_threads(1);
}

/* The tutorial's MLP alone, 256-128-64-32-1 with dropout, and Adam: its products over the time of
 * all. What is zero behind relu and dropout counts as multiplied, although it is skipped. */
void bench_mlp(void)
{
    enum { BATCH = 256, STEPS = 5001 };
    static double took[STEPS];
    tg_manual_seed(10);
#define HIDDEN(in, out) tg_linear_new(in, out), tg_activation_new(tg_relu_at)
    tg_sequential *net = tg_sequential_new(HIDDEN(256, 128), tg_dropout_new(0.5), HIDDEN(128, 64),
                                           tg_dropout_new(0.5), HIDDEN(64, 32),
                                           tg_linear_new(32, 1));
#undef HIDDEN
    tg_optimizer *adam = tg_adam(net, 0);
    tg_tensor *x = tg_owned(TG_F32, BATCH, 256), *y = tg_owned(TG_F32, BATCH, 1);
    tg_fill_normal(x, 0, 1);
    tg_fill_normal(y, 0, 1);
    for (int i = 0; i < STEPS; i++) {
        const double start = seconds_now();
        tg_step_begin();
        tg_zero_grad(adam);
        tg_backward(tg_mse_loss(tg_forward(net, x), y));
        tg_optimizer_step(adam);
        tg_step_end();
        took[i] = seconds_now() - start;
    }
    const double median = quantile_of(took, STEPS, 0.5);
    /* Forward, gradients of weights, and of all layers' inputs but the first's. */
    const double first = 256 * 128, others = 128 * 64 + 64 * 32 + 32;
    const double flops = 2.0 * BATCH * (2 * first + 3 * others);
    printf("\nMLP 256-128-64-32-1, batch %d, Adam: %.0f us a step (median), %.0f GFLOP/s\n",
           BATCH, 1e6 * median, 1e-9 * flops / median);
    tg_optimizer_free(adam);
    tg_module_free(&net->base);
    tg_free(x);
    tg_free(y);
}

int train_command(int argc, char **argv)
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
            return 2;
    }
    const training t = train(batch_size, optimizer, 3);
    printf("tapegrad ncf %s threads=%d: %.0f samples/s, a tenth of the steps within %.0f us\n",
           optimizer, tg_num_threads(), (double)t.samples / t.seconds, 1e6 * t.tenth);
    return 0;
}

/* ---- tables of any size ---------------------------------------------------------------------- */

/* Median microseconds of a step of a narrow NCF whose users are `rows`, drawn uniformly. */
static double step_microseconds(int64_t rows, const char *optimizer)
{
    enum { ITEMS = 3707, DIM = 8, BATCH = 256, WARM = 200, STEPS = 1001 };
    double *took = malloc(STEPS * sizeof *took);
    if (!took)
        exit(1);
    tg_manual_seed(10);
    ncf *m = ncf_new(rows, ITEMS, (model_options){.factors = DIM, .dropout = 0.5});
    tg_optimizer *opt = strcmp(optimizer, "adam") == 0 ? tg_adam(m, .catch_up = true)
                                                       : tg_sparse_adam(m, 0);
    tg_rng rng = {.seed = 3};
    for (int s = -WARM; s < STEPS; s++) {
        tg_step_begin();
        tg_tensor *user = tg_zeros(TG_I64, BATCH), *item = tg_zeros(TG_I64, BATCH);
        for (int i = 0; i < BATCH; i++) {
            ((int64_t *)user->data)[i] = (int64_t)tg_rng_below(&rng, (uint64_t)rows);
            ((int64_t *)item->data)[i] = (int64_t)tg_rng_below(&rng, ITEMS);
        }
        const double start = seconds_now();
        tg_zero_grad(opt);
        tg_backward(tg_mse_loss(ncf_forward(m, user, item), tg_full(TG_F32, 3, BATCH)));
        tg_optimizer_step(opt);
        if (s >= 0)
            took[s] = seconds_now() - start;
        tg_step_end();
    }
    const double median = quantile_of(took, STEPS, 0.5);
    free(took);
    tg_optimizer_free(opt);
    tg_module_free(&m->base);
    return 1e6 * median;
}

void bench_growth(void)
{
    puts("\na step at tables of other sizes, output_dim 8, batch 256: microseconds (median)\n"
         "optimizer         10,000 users   1,000,000  10,000,000");
    static const char *const optimizers[] = {"adam", "sparse-adam"};
    for (int o = 0; o < 2; o++) {
        printf("%-12s", optimizers[o]);
        for (int64_t rows = 10000; rows <= 10000000; rows *= rows == 10000 ? 100 : 10) {
            printf("  %12.0f", step_microseconds(rows, optimizers[o]));
            fflush(stdout);
        }
        putchar('\n');
    }
}

/* ---- scoring --------------------------------------------------------------------------------- */

/* Pairs a second of scoring all items for some users, the preparation for all users included. */
static double score_rate(void)
{
    enum { USERS = 6040, ITEMS = 3706, SOME = 600 };
    static float score[ITEMS];
    tg_manual_seed(10);
    const rating_model *model = rating_model_find("ncf");
    tg_module *m = model->create(USERS, ITEMS, (model_options){.factors = 32});
    double least = 1e9;
    for (int round = 0; round < 3; round++) {
        const double start = seconds_now();
        scorer *s = scorer_new(model, m);
        const double prepared = seconds_now() - start;
        for (int64_t user = 0; user < SOME; user++)
            scorer_score(s, user, score);
        scorer_free(s);
        const double seconds = prepared + (seconds_now() - start - prepared) * USERS / SOME;
        least = seconds < least ? seconds : least;
    }
    tg_module_free(m);
    return (double)USERS * ITEMS / least;
}

int score_command(void)
{
    printf("tapegrad score: %.0f pairs/s\n", score_rate());
    return 0;
}

void bench_scoring(void)
{
    const double rate = score_rate();
    printf("\nscoring 6,040 users x 3,706 items, 1 thread: %.2f s, %.2f M pairs/s\n",
           6040.0 * 3706 / rate, 1e-6 * rate);
}

/* ---- reading --------------------------------------------------------------------------------- */

void bench_reading(void)
{
    enum { ROWS = 1000000 };
    char path[] = "/tmp/tapegrad-bench-XXXXXX";
    const int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file)
        exit(1);
    tg_rng rng = {.seed = 4};
    for (int i = 0; i < ROWS; i++) {
        const double u = tg_rng_uniform(&rng), v = tg_rng_uniform(&rng);
        fprintf(file, "%d::%d::%d::%d\n", 1 + (int)(6040 * u * u), 1 + (int)(3706 * v * v * v),
                1 + i % 5, 950000000 + i);
    }
    const double bytes = (double)ftell(file);
    fclose(file);
    double least = 1e9;
    for (int round = 0; round < 5; round++) {
        tg_ids users = {0}, items = {0};
        tg_dataset ratings;
        const double start = seconds_now();
        if (tg_ratings_read(path, &users, &items, &ratings) != TG_OK)
            exit(1);
        const double seconds = seconds_now() - start;
        least = seconds < least ? seconds : least;
        tg_dataset_release(&ratings);
        tg_ids_release(&users);
        tg_ids_release(&items);
    }
    remove(path);
    printf("\nreading 1,000,000 ratings as text, ids mapped: %.0f MB/s\n", 1e-6 * bytes / least);
}
