#include "models/classifier.h"

classifier *classifier_new(int64_t inputs, int64_t hidden, int64_t classes, double dropout)
{
    classifier *m = tg_module_new(classifier);
    m->net = tg_child(m, "net", tg_sequential_new(tg_linear_new(inputs, hidden),
                                                  tg_layer_norm_new(hidden),
                                                  tg_activation_new(tg_relu_at),
                                                  tg_dropout_new(dropout),
                                                  tg_linear_new(hidden, classes)));
    return m;
}

tg_tensor *classifier_forward(classifier *m, tg_tensor *x)
{
    return tg_forward(m->net, x);
}

tg_tensor *classifier_loss(classifier *m, tg_tensor *x, tg_tensor *label)
{
    return tg_cross_entropy(classifier_forward(m, x), label);
}

double classifier_accuracy(classifier *m, tg_tensor *x, tg_tensor *label, int64_t k)
{
    tg_tensor *place; /* (batch, k) i64 */
    tg_no_grad { tg_topk(classifier_forward(m, x), k, &place); }
    tg_tensor *hit = tg_eq(place, tg_unsqueeze(label, 1)); /* (batch, k), at most one in a row */
    hit = tg_where(hit, tg_scalar(TG_F64, 1), tg_scalar(TG_F64, 0));
    return tg_item(tg_sum(hit)) / (double)tg_size(x, 0);
}
