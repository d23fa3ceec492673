/* Where the time of a training step goes: each op, forward and backward, alone. */
#include <stdio.h>
#include <string.h>

#include "autograd/ops-internal.h"
#include "bench/job.h"
#include "bench/peak.h"
#include "bench/sections.h"

/* The least seconds that run(context) takes, of many goes. */
static double least_seconds(void (*run)(void *context), void *context)
{
    double least = 1e9;
    const double until = seconds_now() + 0.02;
    while (seconds_now() < until) {
        const double start = seconds_now();
        run(context);
        const double seconds = seconds_now() - start;
        least = seconds < least ? seconds : least;
    }
    return least;
}

/* ---- roofs ----------------------------------------------------------------------------------- */

typedef struct copy {
    char *to, *from;
    size_t bytes;
} copy;

static void copy_once(void *context)
{
    const copy *c = context;
    memcpy(c->to, c->from, c->bytes);
}

/* GB/s, read and written, of copying an array as large as a layer's activations. */
static double copy_rate(void)
{
    tg_step_begin();
    const size_t bytes = 256 * 128 * sizeof(float);
    const tg_tensor *a = tg_zeros(TG_F32, 256, 128), *b = tg_zeros(TG_F32, 256, 128);
    copy c = {b->data, a->data, bytes};
    const double rate = 2e-9 * (double)bytes / least_seconds(copy_once, &c);
    tg_step_end();
    return rate;
}

/* ---- ops ------------------------------------------------------------------------------------- */

typedef struct use {
    const tg_node *node;
    tg_tensor *g;
} use;

static void forward(void *context)
{
    const tg_node *n = ((const use *)context)->node;
    tg_step_begin();
    n->op->forward(n);
    tg_step_end();
}

static void backward(void *context)
{
    const use *u = context;
    tg_tensor *dx[8] = {NULL};
    tg_step_begin();
    tg_no_grad u->node->op->backward(u->node, u->g, dx);
    tg_step_end();
}

static double flops_of(const tg_node *n)
{
    const bool is_product = strcmp(n->op->name, "linear") == 0;
    return is_product ? 2.0 * (double)(tg_numel(n->out) * tg_size(n->in[1], 1)) : 0;
}

/* Of operands and result; of a table the rows that are looked up. */
static double bytes_of(const tg_node *n)
{
    double elements = (double)tg_numel(n->out);
    for (int i = 0; i < n->nin; i++)
        elements += n->in[i]->shape.ndim == 2 && tg_numel(n->in[i]) > 4 * tg_numel(n->out)
                        ? (double)tg_numel(n->out)
                        : (double)tg_numel(n->in[i]);
    return 4 * elements;
}

static void print_rate(double seconds, double flops, double bytes, double peak, double copying)
{
    if (flops > 0)
        printf("  %7.1f GFLOP/s %4.0f %%", 1e-9 * flops / seconds, 1e-7 * flops / seconds / peak);
    else if (bytes > 0)
        printf("  %7.1f GB/s    %4.0f %%", 1e-9 * bytes / seconds,
               1e-7 * bytes / seconds / copying);
    putchar('\n');
}

static void print_part(const char *name, const char *shape, double seconds, double whole)
{
    printf("%-20s %-12s %8.1f  %4.1f %%", name, shape, 1e6 * seconds, 100 * seconds / whole);
}

/* Every node of the tape, with the gradients that it has in training: their zeros are skipped in
 * products. Gives the sum of their seconds. Where the operands that want a gradient are two of a
 * product, its backward is two products. */
static double print_ops(double whole, double peak, double copying)
{
    double sum = 0;
    char shape[TG_SHAPE_TEXT];
    const tg_node *n;
    for (int64_t i = 0; (n = tg_tape_node(i)); i++) {
        const tg_node node = *n; /* what follows records on the same tape */
        use u = {&node, node.out->grad};
        tg_shape_format(&node.out->shape, shape);
        for (int back = 0; back < 2; back++) {
            char name[32];
            snprintf(name, sizeof name, "%s%s", node.op->name, back ? ", back" : "");
            const double seconds = least_seconds(back ? backward : forward, &u);
            const double flops = flops_of(&node) * (back ? 2 : 1);
            print_part(name, shape, seconds, whole);
            print_rate(seconds, flops, bytes_of(&node), peak, copying);
            sum += seconds;
        }
    }
    return sum;
}

/* ---- the step -------------------------------------------------------------------------------- */

enum { BATCH = 256, PARTS = 4 }; /* loader, forward, backward, optimiser */

typedef struct batch {
    tg_tensor *user, *item, *rating;
} batch;

/* A whole batch: the last one of an epoch is shorter. */
static batch next_batch(job *j)
{
    batch b;
    while (!tg_loader_next(j->loader, &b.user, &b.item, &b.rating) || tg_size(b.user, 0) < BATCH)
        ;
    return b;
}

/* One step; the least seconds of each part, and of all together, are kept. */
static void step(job *j, double least[PARTS + 1])
{
    double at[PARTS + 1] = {seconds_now()};
    const batch b = next_batch(j);
    at[1] = seconds_now();
    tg_step_begin();
    tg_zero_grad(j->optimizer);
    tg_tensor *loss = tg_mse_loss(ncf_forward(j->model, b.user, b.item), b.rating);
    at[2] = seconds_now();
    tg_backward(loss);
    at[3] = seconds_now();
    tg_optimizer_step(j->optimizer);
    tg_step_end();
    at[4] = seconds_now();
    for (int p = 0; p < PARTS; p++)
        least[p] = at[p + 1] - at[p] < least[p] ? at[p + 1] - at[p] : least[p];
    least[PARTS] = at[PARTS] - at[0] < least[PARTS] ? at[PARTS] - at[0] : least[PARTS];
}

void bench_parts(void)
{
    const double peak = peak_gflops(tg_kernels_get()->name);
    job j = job_new(BATCH, "adam", false);
    double least[PARTS + 1] = {1e9, 1e9, 1e9, 1e9, 1e9};
    for (int i = 0; i < 3000; i++)
        step(&j, least);
    const double whole = least[PARTS], copying = copy_rate();
    printf("\nparts of a step, batch %d, 1 thread; a copy in the caches makes %.1f GB/s\n"
           "part                 shape        least us  share                  of roof\n",
           BATCH, copying);
    print_part("loader", "", least[0], whole);
    print_rate(least[0], 0, BATCH * 2 * 20.0, peak, copying);
    const batch b = next_batch(&j);
    tg_step_begin();
    tg_tensor *loss = tg_mse_loss(ncf_forward(j.model, b.user, b.item), b.rating);
    const tg_node *n;
    for (int64_t i = 0; (n = tg_tape_node(i)); i++)
        tg_retain_grad(n->out);
    tg_backward(loss);
    const double ops = print_ops(whole, peak, copying);
    tg_step_end();
    print_part("optimiser", "", least[3], whole);
    print_rate(least[3], 0, 0, peak, copying);
    print_part("engine and rest", "", least[1] + least[2] - ops, whole);
    print_rate(least[1] + least[2] - ops, 0, 0, peak, copying);
    print_part("the step", "", whole, whole);
    print_rate(whole, 3 * 2.0 * BATCH * (256 * 128 + 128 * 64 + 64 * 32), 0, peak, copying);
    job_end(&j);
}
