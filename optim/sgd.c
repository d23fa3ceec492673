#include <math.h>

#include "optim/optim-internal.h"

typedef struct sgd {
    tg_optimizer base;
    double momentum;
    bool nesterov;
} sgd;

static void sgd_run(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                    const void *g)
{
    tg_kernels_of(slot->param->dtype)
        ->sgd(n, tg_at(slot->param, offset), g, tg_at(slot->first, offset), context);
}

static void sgd_update(const tg_optimizer *opt, tg_slot *slot)
{
    const sgd *o = (const sgd *)opt;
    const tg_sgd_update u = {.lr = tg_lr(opt, slot), .momentum = o->momentum,
                             .weight_decay = slot->weight_decay, .nesterov = o->nesterov};
    tg_for_runs(slot, u.momentum > 0 || u.weight_decay > 0, sgd_run, &u);
}

tg_optimizer *tg_sgd_new(const tg_module *m, tg_sgd_options options)
{
    const double momentum = tg_option("sgd", "momentum", options.momentum, INFINITY);
    if (options.nesterov && momentum == 0)
        tg_misuse("tg_optimizer", "sgd", "nesterov without a momentum");
    sgd *opt = tg_optimizer_alloc(
        sizeof *opt, "sgd", m, momentum > 0 ? 1 : 0, tg_option("sgd", "lr", options.lr, INFINITY),
        tg_option("sgd", "weight_decay", options.weight_decay, INFINITY), sgd_update);
    opt->momentum = momentum;
    opt->nesterov = options.nesterov;
    return &opt->base;
}
