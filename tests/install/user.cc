// A C++ program that knows of tapegrad only what pkg-config says: lists, options, blocks.
#include <cmath>
#include <cstdio>

#include "tapegrad.h"

int main()
{
    tg_manual_seed(1);
    tg_sequential *net = tg_sequential_new(tg_linear_new(2, 8), tg_activation_new(tg_tanh_at),
                                           tg_linear_new(8, 1));
    tg_optimizer *opt = tg_adam(net, .lr = 0.05);
    const float points[] = {0, 0, 0, 1, 1, 0, 1, 1}, parity[] = {0, 1, 1, 0};
    double value = 1;
    for (int step = 0; step < 500; step++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_tensor *x = tg_from(TG_F32, points, 4, 2);
        tg_tensor *loss = tg_mse_loss(tg_view(tg_forward(net, x), -1), tg_from(TG_F32, parity, 4));
        tg_backward(loss);
        tg_optimizer_step(opt);
        value = tg_item(loss);
        tg_step_end();
    }
    tg_step_begin();
    tg_tensor *x = tg_requires_grad(tg_full(TG_F64, 2, 3, 1));
    tg_tensor *dx = nullptr, *y = tg_sum_dim(tg_cat(0, x, x), false, 0, 1);
    tg_grad(y, &x, 1, &dx, .create_graph = true);
    const double two = tg_get(dx, 0, 0);
    tg_no_grad { tg_fill(x, 1); }
    tg_step_end();
    tg_optimizer_free(opt);
    tg_module_free(&net->base);
    std::printf("parity learned to %.0e, gradient %.0f\n", std::fmax(value, 1e-3), two);
    return value < 1e-3 && two == 2 ? 0 : 1;
}
