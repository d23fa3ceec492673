// A C++ program that knows of tapegrad only what pkg-config says: lists, options, blocks, batches.
#include <cmath>
#include <cstdio>

#include "tapegrad.h"

int main()
{
    tg_manual_seed(1);
    tg_sequential *net = tg_sequential_new(tg_linear_new(2, 8), tg_activation_new(tg_tanh_at),
                                           tg_linear_new(8, 1));
    const tg_adam_options plain = TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .beta1 = 0);
    tg_optimizer *opt = tg_adam(net, .eps = plain.eps, .lr = plain.beta1 == 0 ? 0.05 : 1);
    const float points[] = {0, 0, 0, 1, 1, 0, 1, 1}, parity[] = {0, 1, 1, 0};
    tg_dataset data = tg_dataset_of(tg_from(TG_F32, points, 4, 2), tg_from(TG_F32, parity, 4));
    const int rows[2][2] = {{1, 2}, {3, 4}};
    const double half = 0.5;
    const void *bytes = points;
    const bool converts = tg_get(tg_from(TG_F32, rows, 2, 2), 1, 0) == 3 &&
                          tg_get(tg_from(TG_F32, &half, 1), 0) == 0.5 &&
                          tg_get(tg_from(TG_F32, bytes, 8), 3) == 1;
    tg_loader *loader = tg_loader_new(&data, 4, .shuffle = true);
    tg_tensor *x, *label;
    double value = 1;
    for (int epoch = 0; epoch < 1000; epoch++)
        while (tg_loader_next(loader, &x, &label)) {
            tg_step_begin();
            tg_zero_grad(opt);
            tg_tensor *loss = tg_mse_loss(tg_view(tg_forward(net, x), -1), label);
            tg_backward(loss);
            tg_optimizer_step(opt);
            value = tg_item(loss);
            tg_step_end();
        }
    tg_step_begin();
    x = tg_requires_grad(tg_full(TG_F64, 2, 3, 1));
    tg_tensor *dx = nullptr, *y = tg_sum_dim(tg_cat(0, x, x), false, 0, 1);
    tg_grad(y, &x, 1, &dx, .grad_output = tg_scalar(TG_F64, 1), .create_graph = true);
    const double two = tg_get(dx, 0, 0);
    tg_no_grad { tg_fill(x, 1); }
    tg_step_end();
    tg_loader_free(loader);
    tg_loader_free(tg_loader_new(&data, 4));
    tg_dataset_release(&data);
    tg_ids kinds = {};
    const bool read = tg_csv_read("/nowhere", &data, tg_csv_numbers("a,b"),
                                  tg_csv_ids("kind", &kinds)) == TG_OK;
    tg_optimizer_free(opt);
    tg_module_free(&net->base);
    std::printf("parity learned to %.0e, gradient %.0f\n", std::fmax(value, 1e-3), two);
    return value < 1e-3 && two == 2 && !read && converts ? 0 : 1;
}
