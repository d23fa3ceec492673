/* Adam (Kingma and Ba 2015) and SparseAdam, with PyTorch's placement of eps in each. */
#include <math.h>

#include "optim/optim-internal.h"

typedef struct adam {
    tg_optimizer base;
    tg_adam_options options;
} adam;

static void adam_run(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                     const void *g)
{
    tg_kernels_of(slot->param->dtype)
        ->adam(n, tg_at(slot->param, offset), g, tg_at(slot->first, offset),
               tg_at(slot->second, offset), context);
}

/* The update of step t without the bias corrections, which follow. */
static tg_adam_update plain_update(const tg_adam_options *o)
{
    return (tg_adam_update){.beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
                            .weight_decay = o->weight_decay};
}

/* eps beside the corrected root: sqrt(v / (1 - b2^t)) + eps. */
static void adam_update(tg_optimizer *opt, tg_slot *slot)
{
    const tg_adam_options *o = &((adam *)opt)->options;
    tg_adam_update u = plain_update(o);
    u.rate = o->lr / (1 - pow(o->beta1, (double)slot->steps));
    u.root_scale = 1 / sqrt(1 - pow(o->beta2, (double)slot->steps));
    tg_for_runs(slot, true, adam_run, &u);
}

/* eps beside the plain root: sqrt(v) + eps, the correction in the rate. */
static void sparse_adam_update(tg_optimizer *opt, tg_slot *slot)
{
    if (!slot->param->grad->rows) {
        adam_update(opt, slot);
        return;
    }
    const tg_adam_options *o = &((adam *)opt)->options;
    tg_adam_update u = plain_update(o);
    u.rate = o->lr * sqrt(1 - pow(o->beta2, (double)slot->steps)) /
             (1 - pow(o->beta1, (double)slot->steps));
    u.root_scale = 1;
    u.weight_decay = 0;
    tg_for_runs(slot, false, adam_run, &u);
}

static tg_optimizer *adam_new(const char *name, const tg_module *m, tg_adam_options options,
                              void (*update)(tg_optimizer *, tg_slot *))
{
    adam *opt = tg_optimizer_alloc(sizeof *opt, m, 2, update);
    opt->options = (tg_adam_options){
        .lr = tg_option(name, "lr", options.lr, 1e-3),
        .beta1 = tg_option(name, "beta1", options.beta1, 0.9),
        .beta2 = tg_option(name, "beta2", options.beta2, 0.999),
        .eps = tg_option(name, "eps", options.eps, 1e-8),
        .weight_decay = tg_option(name, "weight_decay", options.weight_decay, 0),
    };
    return &opt->base;
}

tg_optimizer *tg_adam_new(const tg_module *m, tg_adam_options options)
{
    return adam_new("adam", m, options, adam_update);
}

tg_optimizer *tg_sparse_adam_new(const tg_module *m, tg_adam_options options)
{
    return adam_new("sparse_adam", m, options, sparse_adam_update);
}
