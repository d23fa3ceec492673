/* Mult-VAE (Liang et al. 2018): 3706-600-200-600-3706, batch 100. */
#include "bench/models/frame.h"

enum { ITEMS = 3706, HIDDEN = 600, LATENT = 200, BATCH = 100 };
static const double dropout = 0.5, anneal = 0.2;

typedef struct {
    tg_module base;
    tg_linear_layer *encode1, *encode2, *decode1, *decode2;
    tg_optimizer *optimizer;
    tg_tensor *clicks; /* (batches, batch, items), 0 or 1 */
} multvae_model;

static void *make(void)
{
    multvae_model *m = tg_module_new(multvae_model);
    m->encode1 = tg_child(m, "encode1", tg_linear_new(ITEMS, HIDDEN));
    m->encode2 = tg_child(m, "encode2", tg_linear_new(HIDDEN, 2 * LATENT));
    m->decode1 = tg_child(m, "decode1", tg_linear_new(LATENT, HIDDEN));
    m->decode2 = tg_child(m, "decode2", tg_linear_new(HIDDEN, ITEMS));
    init(&m->base);
    m->clicks = make_numbers("clicks", 0, 1, TG_SHAPE(BATCHES, BATCH, ITEMS));
    tg_step_begin();
    tg_copy(m->clicks, tg_lt(m->clicks, tg_scalar(TG_F32, 0.04)));
    tg_step_end();
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3);
    return m;
}

static double step(void *model, int64_t number, bool training)
{
    multvae_model *m = model;
    tg_tensor *x = batch_of(m->clicks, number);
    tg_tensor *norm = tg_sqrt(tg_sum_dim(tg_square(x), true, -1));
    tg_tensor *h = tg_dropout(tg_div(x, tg_clamp_min_scalar_at(TG_HERE, norm, 1e-12)), dropout,
                              training);
    h = tg_linear_forward(m->encode2, tg_tanh(tg_linear_forward(m->encode1, h)));
    tg_tensor *mean = tg_narrow(h, -1, 0, LATENT), *log_variance = tg_narrow(h, -1, LATENT, LATENT);
    tg_tensor *z = mean;
    if (training)
        z = tg_add(z, tg_mul(tg_exp(tg_mul_scalar(log_variance, 0.5)),
                             tg_randn(TG_F32, BATCH, LATENT)));
    tg_tensor *logits = tg_linear_forward(m->decode2, tg_tanh(tg_linear_forward(m->decode1, z)));
    tg_tensor *likelihood = tg_sum_dim(tg_mul(tg_log_softmax(logits, -1), x), false, -1);
    /* KL = (exp(log variance) + mean^2 - 1 - log variance) / 2 */
    tg_tensor *kl = tg_sub(tg_add(tg_exp(log_variance), tg_square(mean)), log_variance);
    kl = tg_mul_scalar(tg_sum_dim(tg_sub_scalar(kl, 1), false, -1), 0.5 * anneal);
    return update(m->optimizer, tg_mean(tg_sub(kl, likelihood)));
}

const contender multvae = {"multvae", make, step};
