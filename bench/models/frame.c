/*
 * run-models THREADS: one model, as bench/models.py asks for it: a line in, a line out.
 *
 *     make NAME        the model, its data and its optimiser; -> ok
 *     check STEPS      -> the loss of each step, nothing random
 *     time SECONDS     -> the median of nanoseconds a step
 *     memory STEPS     -> bytes that optimiser and steps took at their peak, beyond those before
 *
 * bench/models/frame.py answers the same for PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/models/frame.h"
#include "bench/peak.h"

/* ---- data and weights ------------------------------------------------------------------------ */

static uint32_t hash_of(const char *name) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* In [0, 1). */
static double uniform(uint32_t stream, int64_t i)
{
    uint32_t h = (uint32_t)i * 2654435761u + stream;
    h = (h ^ h >> 16) * 0x45d9f3bu;
    h = (h ^ h >> 16) * 0x45d9f3bu;
    return (h ^ h >> 16) / 4294967296.0;
}

static void fill(const char *name, tg_tensor *t, double low, double high)
{
    for (int64_t i = 0; i < tg_numel(t); i++)
        ((float *)t->data)[i] = (float)(low + (high - low) * uniform(hash_of(name), i));
}

tg_tensor *make_numbers(const char *name, double low, double high, tg_shape shape)
{
    tg_tensor *t = tg_owned_at(TG_HERE, TG_F32, shape);
    fill(name, t, low, high);
    return t;
}

tg_tensor *make_ids(const char *name, int64_t bound, tg_shape shape)
{
    tg_tensor *t = tg_owned_at(TG_HERE, TG_I64, shape);
    for (int64_t i = 0; i < tg_numel(t); i++) {
        const double u = uniform(hash_of(name), i);
        ((int64_t *)t->data)[i] = (int64_t)((double)bound * (u * u));
    }
    return t;
}

tg_tensor *batch_of(tg_tensor *data, int64_t number)
{
    return tg_select(data, 0, number % BATCHES);
}

void init(tg_module *m)
{
    tg_state_dict state = tg_module_parameters(m);
    for (int64_t i = 0; i < state.count; i++) {
        const char *name = state.entry[i].name;
        tg_tensor *t = state.entry[i].tensor;
        const bool scale = strstr(name, "norm") && strstr(name, "weight");
        const double inputs = t->shape.ndim > 1 ? (double)(tg_numel(t) / tg_size(t, 0)) : 100;
        fill(name, t, scale - 1 / sqrt(inputs), scale + 1 / sqrt(inputs));
    }
    tg_state_dict_release(&state);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static _Thread_local struct {
    long long before; /* bytes of anonymous memory when training began */
} local;

/* A line of /proc/self/status, in bytes. */
static long long status_of(const char *name)
{
    char line[128];
    long long kibibytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            kibibytes = atoll(line + strlen(name));
    if (file)
        fclose(file);
    return 1024 * kibibytes;
}

void begin_training(void)
{
    local.before = status_of("RssAnon:");
}

/* ---- what several models are made of --------------------------------------------------------- */

double update(tg_optimizer *optimizer, tg_tensor *loss)
{
    tg_zero_grad(optimizer);
    tg_backward(loss);
    tg_optimizer_step(optimizer);
    return tg_item(loss);
}

/* ---- answers --------------------------------------------------------------------------------- */

static double step(const contender *c, void *model, int64_t number, bool training)
{
    tg_step_begin();
    const double loss = c->step(model, number, training);
    tg_step_end();
    return loss;
}

static double median_nanoseconds(const contender *c, void *model, double seconds)
{
    enum { MOST = 10000 };
    static double took[MOST];
    int count = 0;
    double start = seconds_now();
    for (const double until = start + seconds; count < MOST && (count < 3 || start < until);) {
        step(c, model, count, true);
        const double end = seconds_now();
        took[count++] = 1e9 * (end - start);
        start = end;
    }
    return quantile_of(took, count, 0.5);
}

/* The peak is of anonymous memory: of resident memory without the program's own files. */
static long long peak_bytes(const contender *c, void *model, int64_t steps)
{
    FILE *file = fopen("/proc/self/clear_refs", "w"); /* 5: the peak begins anew */
    if (file) {
        fputs("5", file);
        fclose(file);
    }
    for (int64_t i = 0; i < steps; i++)
        step(c, model, i, true);
    return status_of("VmHWM:") - status_of("RssFile:") - status_of("RssShmem:") - local.before;
}

static const contender *const contenders[] = {&sasrec,  &gru4rec,  &multvae, &deepfm,
                                              &two_tower, &lenet,  &gpt,     &lightgcn,
                                              &wgan_gp, &word2vec};

static const contender *find(const char *name)
{
    for (size_t i = 0; i < sizeof contenders / sizeof *contenders; i++)
        if (strcmp(contenders[i]->name, name) == 0)
            return contenders[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const contender *c = NULL;
    void *model = NULL;
    char line[128], name[64];
    long long steps;
    double seconds;
    tg_set_num_threads(argc > 1 ? atoi(argv[1]) : 1);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "make %63s", name) == 1 && (c = find(name))) {
            model = c->make();
            puts("ok");
        } else if (c && sscanf(line, "check %lld", &steps) == 1) {
            for (int64_t i = 0; i < steps; i++)
                printf("%.9g ", step(c, model, i, false));
            putchar('\n');
        } else if (c && sscanf(line, "time %lf", &seconds) == 1) {
            printf("%.0f\n", median_nanoseconds(c, model, seconds));
        } else if (c && sscanf(line, "memory %lld", &steps) == 1) {
            printf("%lld\n", peak_bytes(c, model, steps));
        } else {
            return 2;
        }
        fflush(stdout);
    }
}
