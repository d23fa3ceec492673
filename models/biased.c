#include "models/biased.h"

biased *biased_new(int64_t users, int64_t items, const rating_model *of, tg_module *model)
{
    biased *m = tg_module_new(biased);
    m->mean = tg_param(m, "mean", tg_owned(tg_default_dtype(), 1));
    m->user_bias = tg_child(m, "user_bias", tg_embedding_new(users, 1));
    m->item_bias = tg_child(m, "item_bias", tg_embedding_new(items, 1));
    tg_fill(m->user_bias->weight, 0);
    tg_fill(m->item_bias->weight, 0);
    m->of = of;
    m->model = tg_child(m, "", model); /* no name: that of its parameters stays what it is */
    return m;
}

static tg_tensor *add_biases(tg_tensor *y, tg_tensor *user, tg_tensor *item)
{
    return tg_add(y, tg_view(tg_add(user, item), -1));
}

tg_tensor *biased_forward(biased *m, tg_tensor *user, tg_tensor *item)
{
    tg_tensor *b_user = tg_embedding_forward(m->user_bias, user); /* (batch, 1) */
    tg_tensor *b_item = tg_embedding_forward(m->item_bias, item); /* (batch, 1) */
    tg_tensor *y = m->of->forward(m->model, user, item);          /* (batch) */
    return add_biases(y, tg_add(b_user, m->mean), b_item);
}

void biased_halves(biased *m, halves *user, halves *item)
{
    m->of->halves(m->model, user, item);
    user->bias = tg_add(m->user_bias->weight, m->mean);
    item->bias = m->item_bias->weight;
}

tg_tensor *biased_from_halves(biased *m, halves user, halves item)
{
    return add_biases(m->of->from_halves(m->model, user, item), user.bias, item.bias);
}
