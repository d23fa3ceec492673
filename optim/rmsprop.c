/* RMSprop (Hinton 2012) and Adagrad (Duchi et al. 2011): both divide by the root of a mean, or a
 * sum, of squares. */
#include <math.h>

#include "optim/optim-internal.h"

typedef struct rmsprop {
    tg_optimizer base;
    double keep, add; /* v = keep v + add g^2 */
    double eps;
} rmsprop;

static void rmsprop_run(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                        const void *g)
{
    tg_kernels_of(slot->param->dtype)
        ->rmsprop(n, tg_at(slot->param, offset), g, tg_at(slot->first, offset), context);
}

static void rmsprop_update(const tg_optimizer *opt, tg_slot *slot)
{
    const rmsprop *o = (const rmsprop *)opt;
    const tg_rmsprop_update u = {.lr = tg_lr(opt, slot), .keep = o->keep, .add = o->add,
                                 .eps = o->eps, .weight_decay = slot->weight_decay};
    /* a row without gradient only matters where its v decays, or its weights do */
    tg_for_runs(slot, u.keep < 1 || u.weight_decay > 0, rmsprop_run, &u);
}

static tg_optimizer *rmsprop_new(const char *name, const tg_module *m, tg_rmsprop_options options)
{
    rmsprop *opt = tg_optimizer_alloc(
        sizeof *opt, name, m, 1, tg_option(name, "lr", options.lr, INFINITY),
        tg_option(name, "weight_decay", options.weight_decay, INFINITY), rmsprop_update);
    opt->eps = tg_option(name, "eps", options.eps, INFINITY);
    return &opt->base;
}

tg_optimizer *tg_rmsprop_new(const tg_module *m, tg_rmsprop_options options)
{
    rmsprop *opt = (rmsprop *)rmsprop_new("rmsprop", m, options);
    opt->keep = tg_option("rmsprop", "alpha", options.alpha, 1);
    opt->add = 1 - opt->keep;
    return &opt->base;
}

tg_optimizer *tg_adagrad_new(const tg_module *m, tg_adagrad_options options)
{
    const tg_rmsprop_options same = {.lr = options.lr, .eps = options.eps,
                                     .weight_decay = options.weight_decay};
    rmsprop *opt = (rmsprop *)rmsprop_new("adagrad", m, same);
    opt->keep = opt->add = 1;
    return &opt->base;
}
