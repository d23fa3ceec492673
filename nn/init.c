#include "nn/init.h"

#include <math.h>

#include "tensor/tensor-internal.h"

/* sqrt(gain / fan); 0, and misuse, where the weight is no matrix. */
static double scale(const tg_tensor *weight, const char *name, double gain, bool both)
{
    if (!tg_valid("tg_init", name, weight))
        return 0;
    if (weight->shape.ndim != 2) {
        tg_misuse("tg_init", name, "a weight of two dimensions, (out, in), expected");
        return 0;
    }
    return sqrt(gain / (double)(weight->shape.size[1] + (both ? weight->shape.size[0] : 0)));
}

/* A uniform distribution has the standard deviation bound / sqrt(3). */
static void uniform(tg_tensor *weight, double std)
{
    tg_fill_uniform(weight, -sqrt(3) * std, sqrt(3) * std);
}

void tg_xavier_uniform(tg_tensor *weight)
{
    uniform(weight, scale(weight, "xavier_uniform", 2, true));
}

void tg_xavier_normal(tg_tensor *weight)
{
    tg_fill_normal(weight, 0, scale(weight, "xavier_normal", 2, true));
}

void tg_kaiming_uniform(tg_tensor *weight)
{
    uniform(weight, scale(weight, "kaiming_uniform", 2, false));
}

void tg_kaiming_normal(tg_tensor *weight)
{
    tg_fill_normal(weight, 0, scale(weight, "kaiming_normal", 2, false));
}

void tg_lecun_uniform(tg_tensor *weight)
{
    uniform(weight, scale(weight, "lecun_uniform", 1, false));
}

void tg_lecun_normal(tg_tensor *weight)
{
    tg_fill_normal(weight, 0, scale(weight, "lecun_normal", 1, false));
}
