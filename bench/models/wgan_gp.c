/* WGAN-GP (Gulrajani et al. 2017) on images of 28 x 28, layers of 256, batch 64: five updates of
 * the critic and one of the generator. */
#include "bench/models/frame.h"

enum { PIXELS = 784, NOISE = 128, HIDDEN = 256, BATCH = 64, CRITIC_UPDATES = 5 };

typedef struct {
    tg_module base;
    tg_linear_layer *hidden1, *hidden2, *out;
} network;

typedef struct {
    network *generator, *critic;
    tg_optimizer *for_generator, *for_critic;
    tg_tensor *image, *noise, *between;
} wgan_gp_model;

static network *network_new(int64_t in, int64_t out)
{
    network *n = tg_module_new(network);
    n->hidden1 = tg_child(n, "hidden1", tg_linear_new(in, HIDDEN));
    n->hidden2 = tg_child(n, "hidden2", tg_linear_new(HIDDEN, HIDDEN));
    n->out = tg_child(n, "out", tg_linear_new(HIDDEN, out));
    init(&n->base);
    return n;
}

static tg_tensor *network_forward(network *n, tg_tensor *x)
{
    x = tg_leaky_relu_scalar(tg_linear_forward(n->hidden1, x), 0.2);
    x = tg_leaky_relu_scalar(tg_linear_forward(n->hidden2, x), 0.2);
    return tg_linear_forward(n->out, x);
}

static void *make(void)
{
    static wgan_gp_model m;
    m.generator = network_new(NOISE, PIXELS);
    m.critic = network_new(PIXELS, 1);
    m.image = make_numbers("image", -1, 1, TG_SHAPE(BATCHES, BATCH, PIXELS));
    m.noise = make_numbers("noise", -1, 1, TG_SHAPE(BATCHES, BATCH, NOISE));
    m.between = make_numbers("between", 0, 1, TG_SHAPE(BATCHES, BATCH, 1));
    begin_training();
    m.for_generator = tg_adam(m.generator, .lr = 1e-4, .beta1 = 0, .beta2 = 0.9);
    m.for_critic = tg_adam(m.critic, .lr = 1e-4, .beta1 = 0, .beta2 = 0.9);
    return &m;
}

static tg_tensor *fake(wgan_gp_model *m, int64_t number)
{
    return tg_tanh(network_forward(m->generator, batch_of(m->noise, number)));
}

/* 10 (|gradient of the critic| - 1)^2 on the way from real to fake images */
static tg_tensor *penalty(wgan_gp_model *m, tg_tensor *real, tg_tensor *fakes, int64_t number)
{
    tg_tensor *x = tg_add(fakes, tg_mul(batch_of(m->between, number), tg_sub(real, fakes)));
    x = tg_requires_grad(x);
    tg_tensor *dx;
    tg_grad(tg_sum(network_forward(m->critic, x)), &x, 1, &dx, .create_graph = true);
    tg_tensor *norm = tg_sqrt(tg_sum_dim(tg_square(dx), false, -1));
    return tg_mul_scalar(tg_mean(tg_square(tg_sub_scalar(norm, 1))), 10);
}

static void update_critic(wgan_gp_model *m, int64_t number)
{
    tg_tensor *real = batch_of(m->image, number), *fakes = NULL;
    tg_no_grad fakes = fake(m, number);
    tg_tensor *distance = tg_sub(tg_mean(network_forward(m->critic, fakes)),
                                 tg_mean(network_forward(m->critic, real)));
    update(m->for_critic, tg_add(distance, penalty(m, real, fakes, number)));
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* the noise is given */
    wgan_gp_model *m = model;
    for (int i = 0; i < CRITIC_UPDATES; i++) {
        tg_step_begin();
        update_critic(m, number + i);
        tg_step_end();
    }
    return update(m->for_generator, tg_neg(tg_mean(network_forward(m->critic, fake(m, number)))));
}

const contender wgan_gp = {"wgan_gp", make, step};
