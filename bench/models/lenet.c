/* LeNet-5 (LeCun et al. 1998) with relu and maxima: images of 32 x 32, batch 64. */
#include "bench/models/frame.h"

enum { SIDE = 32, KERNEL = 5, BATCH = 64, CLASSES = 10 };

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias; /* (out, in, KERNEL, KERNEL), (out) */
} conv_layer;

typedef struct {
    tg_module base;
    conv_layer *conv1, *conv2;
    tg_linear_layer *full1, *full2, *full3;
    tg_optimizer *optimizer;
    tg_tensor *image, *label;
} lenet_model;

static conv_layer *conv_new(int64_t in, int64_t out)
{
    conv_layer *c = tg_module_new(conv_layer);
    c->weight = tg_param(c, "weight", tg_owned(TG_F32, out, in, KERNEL, KERNEL));
    c->bias = tg_param(c, "bias", tg_owned(TG_F32, out));
    return c;
}

static tg_tensor *conv_forward(conv_layer *c, tg_tensor *x) /* (batch, in, side, side) */
{
    return tg_max_pool2d(tg_relu(tg_conv2d(x, c->weight, c->bias)), 2);
}

static void *make(void)
{
    lenet_model *m = tg_module_new(lenet_model);
    m->conv1 = tg_child(m, "conv1", conv_new(1, 6));
    m->conv2 = tg_child(m, "conv2", conv_new(6, 16));
    m->full1 = tg_child(m, "full1", tg_linear_new(400, 120));
    m->full2 = tg_child(m, "full2", tg_linear_new(120, 84));
    m->full3 = tg_child(m, "full3", tg_linear_new(84, CLASSES));
    init(&m->base);
    m->image = make_numbers("image", 0, 1, TG_SHAPE(BATCHES, BATCH, 1, SIDE, SIDE));
    m->label = make_ids("label", CLASSES, TG_SHAPE(BATCHES, BATCH));
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3);
    return m;
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* no dropout */
    lenet_model *m = model;
    tg_tensor *x = conv_forward(m->conv2, conv_forward(m->conv1, batch_of(m->image, number)));
    x = tg_relu(tg_linear_forward(m->full1, tg_view(x, BATCH, -1)));
    x = tg_relu(tg_linear_forward(m->full2, x));
    return update(m->optimizer, tg_cross_entropy(tg_linear_forward(m->full3, x),
                                                 batch_of(m->label, number)));
}

const contender lenet = {"lenet", make, step};
