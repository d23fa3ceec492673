/* Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and SparseAdam, with PyTorch's
 * placement of eps in each. */
#include <math.h>
#include <string.h>

#include "optim/optim-internal.h"

typedef struct adam {
    tg_optimizer base;
    tg_adam_moments moments;
    bool catch_up;
} adam;

static void adam_run(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                     const void *g)
{
    tg_kernels_of(slot->param->dtype)
        ->adam(n, tg_at(slot->param, offset), g, tg_at(slot->first, offset),
               tg_at(slot->second, offset), context);
}

/* eps beside the corrected root: sqrt(v / (1 - b2^t)) + eps. */
tg_adam_update tg_adam_at(const tg_adam_moments *o, double lr, double step)
{
    return (tg_adam_update){
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->eps,
        .shrink = 1,
        .rate = lr / (1 - pow(o->beta1, step)),
        .root_scale = 1 / sqrt(1 - pow(o->beta2, step)),
    };
}

static tg_adam_update corrected(const tg_optimizer *opt, const tg_slot *slot)
{
    tg_adam_update u = tg_adam_at(&((const adam *)opt)->moments, tg_lr(opt, slot), tg_steps(slot));
    u.weight_decay = slot->weight_decay;
    return u;
}

static void adam_update(const tg_optimizer *opt, tg_slot *slot)
{
    const adam *o = (const adam *)opt;
    if (o->catch_up && tg_catch_up(&o->moments, tg_lr(opt, slot), slot))
        return;
    const tg_adam_update u = corrected(opt, slot);
    tg_for_runs(slot, true, adam_run, &u);
}

static void adamw_update(const tg_optimizer *opt, tg_slot *slot)
{
    tg_adam_update u = corrected(opt, slot);
    u.weight_decay = 0;
    u.shrink = 1 - tg_lr(opt, slot) * slot->weight_decay;
    tg_for_runs(slot, true, adam_run, &u);
}

/* eps beside the plain root: sqrt(v) + eps, the correction in the rate. */
static void sparse_adam_update(const tg_optimizer *opt, tg_slot *slot)
{
    tg_adam_update u = corrected(opt, slot);
    const bool is_sparse = slot->param->grad->rows != NULL;
    if (is_sparse) {
        u.rate /= u.root_scale;
        u.root_scale = 1;
        u.weight_decay = 0;
    }
    tg_for_runs(slot, !is_sparse, adam_run, &u);
}

/* The roots must outlast the momenta, or what was missed is no sum of few terms. */
static bool catch_up_makes_sense(const char *name, const tg_adam_options *options,
                                 const tg_adam_moments *o)
{
    const bool is_adam = strcmp(name, "adam") == 0;
    if (is_adam && options->weight_decay == 0 && o->beta1 / pow(o->beta2, 1.5) < 0.995)
        return true;
    tg_misuse("tg_optimizer", name, "catch_up with %s; adam without weight decay, and beta1 below "
              "0.995 beta2^1.5, expected",
              is_adam ? "these options" : name);
    return false;
}

static tg_optimizer *adam_new(const char *name, const tg_module *m, tg_adam_options options,
                              void (*update)(const tg_optimizer *, tg_slot *))
{
    adam *opt = tg_optimizer_alloc(
        sizeof *opt, name, m, 2, tg_option(name, "lr", options.lr, INFINITY),
        tg_option(name, "weight_decay", options.weight_decay, INFINITY), update);
    opt->moments.beta1 = tg_option(name, "beta1", options.beta1, 1);
    opt->moments.beta2 = tg_option(name, "beta2", options.beta2, 1);
    opt->moments.eps = tg_option(name, "eps", options.eps, INFINITY);
    opt->catch_up = options.catch_up && catch_up_makes_sense(name, &options, &opt->moments) &&
                    opt->moments.beta1 > 0; /* else there is nothing to defer */
    return &opt->base;
}

tg_optimizer *tg_adam_new(const tg_module *m, tg_adam_options options)
{
    return adam_new("adam", m, options, adam_update);
}

tg_optimizer *tg_adamw_new(const tg_module *m, tg_adam_options options)
{
    return adam_new("adamw", m, options, adamw_update);
}

tg_optimizer *tg_sparse_adam_new(const tg_module *m, tg_adam_options options)
{
    return adam_new("sparse_adam", m, options, sparse_adam_update);
}
