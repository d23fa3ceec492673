#include "models/logistic.h"

logistic *logistic_new(int64_t features)
{
    logistic *m = tg_module_new(logistic);
    m->linear = tg_child(m, "linear", tg_linear_new(features, 1));
    return m;
}

tg_tensor *logistic_forward(logistic *m, tg_tensor *x)
{
    return tg_view(tg_linear_forward(m->linear, x), -1);
}

/* From the odds, not from the sigmoid: its logarithm would overflow where the model is sure. */
tg_tensor *logistic_loss(logistic *m, tg_tensor *x, tg_tensor *label)
{
    return tg_bce_with_logits_loss(logistic_forward(m, x), label);
}
