/*
 * report: the worst relative error of every op's and every model's gradients, first and second
 * order, in f64 against central differences; exit status 1 where one is too large or missing
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/gradcheck.h"
#include "tensor/random.h"
#include "tests/model_samples.h"
#include "tests/op_samples.h"

static const double ALLOWED[2] = {1e-6, 1e-5}; /* by order */

typedef struct worst {
    double error[2]; /* by order */
    int64_t checked;
    bool failed;
} worst;

static void note(worst *w, int order, const tg_gradcheck_report *report)
{
    if (!report->ok) {
        w->failed = true;
        printf("  order %d: %s\n", order + 1, report->message);
    }
    w->error[order] = fmax(w->error[order], report->error);
    w->checked += report->checked;
}

static bool print(const char *kind, const char *name, const worst *w)
{
    printf("%-5s %-22s %8lld elements  first %.1e  second %.1e%s\n", kind, name,
           (long long)w->checked, w->error[0], w->error[1], w->failed ? "  FAILED" : "");
    return !w->failed;
}

/* ---- ops ------------------------------------------------------------------------------------- */

static tg_tensor *apply_sample(void *context, tg_tensor *const *x, int count)
{
    (void)count;
    return ((const op_sample *)context)->apply(x);
}

static void check_sample(worst *w, const op_sample *s)
{
    tg_tensor *leaf[OP_SAMPLE_OPERANDS];
    int64_t elements = 0;
    for (int i = 0; i < s->count; i++) {
        leaf[i] = tg_requires_grad(tg_owned_at(TG_HERE, TG_F64, s->operand[i]));
        tg_fill_uniform(leaf[i], s->low, s->high);
        elements += tg_numel(leaf[i]);
    }
    for (int order = 0; order < 2 && elements > 0; order++) {
        tg_gradcheck_report report;
        (order == 0 ? tg_gradcheck : tg_gradgradcheck)(apply_sample, (void *)s, leaf, s->count,
                                                       ALLOWED[order], &report);
        note(w, order, &report);
    }
    for (int i = 0; i < s->count; i++)
        tg_free(leaf[i]);
}

/* Samples of one op stand together or not: all of its name are taken at the first. */
static bool check_ops(int *count)
{
    bool all_right = true;
    for (int i = 0; i < op_sample_count; i++) {
        bool is_first = true;
        for (int k = 0; k < i; k++)
            is_first = is_first && strcmp(op_samples[k].op, op_samples[i].op) != 0;
        if (!is_first)
            continue;
        worst w = {0};
        tg_manual_seed(1);
        for (int k = i; k < op_sample_count; k++)
            if (strcmp(op_samples[k].op, op_samples[i].op) == 0)
                check_sample(&w, &op_samples[k]);
        all_right = print("op", op_samples[i].op, &w) && all_right;
        ++*count;
    }
    for (int i = 0; i < tg_op_count; i++) {
        bool found = tg_op_table[i]->backward == NULL; /* decides, and has no gradient */
        for (int k = 0; k < op_sample_count && !found; k++)
            found = strcmp(op_samples[k].op, tg_op_table[i]->name) == 0;
        if (!found)
            printf("op    %-22s has no sample in tests/op_samples.def  FAILED\n",
                   tg_op_table[i]->name);
        all_right = all_right && found;
    }
    return all_right;
}

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct checked_model {
    const model_sample *sample;
    tg_module *module;
} checked_model;

static tg_tensor *loss_of_module(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter; /* they are the module's own */
    (void)count;
    const checked_model *c = context;
    return c->sample->loss(c->module);
}

static worst check_model(const model_sample *sample)
{
    tg_manual_seed(10);
    checked_model c = {sample, sample->create()};
    worst w = {0};
    for (int order = 0; order < 2; order++) {
        tg_gradcheck_report report;
        tg_module_gradcheck(c.module, order + 1, loss_of_module, &c, ALLOWED[order], &report);
        note(&w, order, &report);
    }
    tg_module_free(c.module);
    return w;
}

static bool check_models(void)
{
    bool all_right = true;
    tg_set_default_dtype(TG_F64);
    for (int i = 0; i < model_sample_count; i++) {
        const worst w = check_model(&model_samples[i]);
        all_right = print("model", model_samples[i].name, &w) && all_right;
    }
    const char *missing = model_without_sample();
    if (missing)
        printf("model %-22s has no sample in tests/model_samples.c  FAILED\n", missing);
    return all_right && !missing;
}

int main(void)
{
    int ops = 0;
    const bool ops_right = check_ops(&ops), models_right = check_models();
    printf("%d ops and %d models; allowed: first order %.0e, second %.0e\n", ops,
           model_sample_count, ALLOWED[0], ALLOWED[1]);
    return ops_right && models_right ? 0 : 1;
}
