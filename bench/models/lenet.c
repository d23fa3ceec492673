/* LeNet-5 (LeCun et al. 1998) with relu and maxima: images of 32 x 32, batch 64. */
#include "bench/models/frame.h"

enum { SIDE = 32, KERNEL = 5, BATCH = 64, CLASSES = 10 };

typedef struct {
    tg_module base;
    tg_tensor *weight, *bias; /* (out, in, KERNEL, KERNEL), (out) */
    tg_tensor *window; /* (positions * in * KERNEL * KERNEL) i64: what each output sees */
    int64_t in, side, positions;
} conv_layer;

typedef struct {
    tg_module base;
    conv_layer *conv1, *conv2;
    tg_linear_layer *full1, *full2, *full3;
    tg_optimizer *optimizer;
    tg_tensor *image, *label;
} lenet_model;

/* On images (batch, side * side * in), channels last. */
static conv_layer *conv_new(int64_t in, int64_t out, int64_t side)
{
    conv_layer *c = tg_module_new(conv_layer);
    const int64_t size = side - KERNEL + 1; /* of the result */
    c->weight = tg_param(c, "weight", tg_owned(TG_F32, out, in, KERNEL, KERNEL));
    c->bias = tg_param(c, "bias", tg_owned(TG_F32, out));
    c->in = in;
    c->side = size;
    c->positions = size * size;
    c->window = tg_owned(TG_I64, size * size * in * KERNEL * KERNEL);
    int64_t *to = c->window->data;
    for (int64_t y = 0; y < size; y++)
        for (int64_t x = 0; x < size; x++)
            for (int64_t channel = 0; channel < in; channel++)
                for (int64_t i = y; i < y + KERNEL; i++)
                    for (int64_t j = x; j < x + KERNEL; j++)
                        *to++ = (i * side + j) * in + channel;
    return c;
}

/* Convolution, relu, and the largest of 2 x 2: (batch, (side / 2)^2, out) */
static tg_tensor *conv_forward(conv_layer *c, tg_tensor *x)
{
    const int64_t out = tg_size(c->weight, 0), half = c->side / 2;
    x = tg_index_select(tg_view(x, BATCH, -1), 1, c->window);
    x = tg_view(x, BATCH, c->positions, c->in * KERNEL * KERNEL);
    x = tg_relu(tg_linear(x, tg_view(c->weight, out, -1), c->bias));
    return tg_max_dim(tg_view(x, BATCH, half, 2, half, 2, out), false, 2, 4);
}

static void *make(void)
{
    lenet_model *m = tg_module_new(lenet_model);
    m->conv1 = tg_child(m, "conv1", conv_new(1, 6, SIDE));
    m->conv2 = tg_child(m, "conv2", conv_new(6, 16, 14));
    m->full1 = tg_child(m, "full1", tg_linear_new(400, 120));
    m->full2 = tg_child(m, "full2", tg_linear_new(120, 84));
    m->full3 = tg_child(m, "full3", tg_linear_new(84, CLASSES));
    init(&m->base);
    m->image = make_numbers("image", 0, 1, TG_SHAPE(BATCHES, BATCH, SIDE, SIDE));
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
    x = tg_reshape(tg_permute(x, 0, 3, 1, 2), BATCH, -1); /* channels first, as in PyTorch */
    x = tg_relu(tg_linear_forward(m->full1, x));
    x = tg_relu(tg_linear_forward(m->full2, x));
    return update(m->optimizer, tg_cross_entropy(tg_linear_forward(m->full3, x),
                                                 batch_of(m->label, number)));
}

const contender lenet = {"lenet", make, step};
