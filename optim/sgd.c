#include "optim/optim-internal.h"

typedef struct sgd {
    tg_optimizer base;
    tg_sgd_update update;
} sgd;

static void sgd_run(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                    const void *g)
{
    tg_kernels_of(slot->param->dtype)
        ->sgd(n, tg_at(slot->param, offset), g, tg_at(slot->first, offset), context);
}

static void sgd_update(tg_optimizer *opt, tg_slot *slot)
{
    const tg_sgd_update *u = &((sgd *)opt)->update;
    tg_for_runs(slot, u->momentum > 0 || u->weight_decay > 0, sgd_run, u);
}

tg_optimizer *tg_sgd_new(const tg_module *m, tg_sgd_options options)
{
    sgd *opt = tg_optimizer_alloc(sizeof *opt, m, options.momentum > 0 ? 1 : 0, sgd_update);
    opt->update = (tg_sgd_update){
        .lr = tg_option("sgd", "lr", options.lr, 1e-3),
        .momentum = tg_option("sgd", "momentum", options.momentum, 0),
        .weight_decay = tg_option("sgd", "weight_decay", options.weight_decay, 0),
    };
    return &opt->base;
}
