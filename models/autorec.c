#include "models/autorec.h"

autorec *autorec_new(int64_t items, int64_t hidden)
{
    autorec *m = tg_module_new(autorec);
    m->encoder = tg_child(m, "encoder", tg_linear_new(items, hidden));
    m->decoder = tg_child(m, "decoder", tg_linear_new(hidden, items));
    return m;
}

tg_tensor *autorec_forward(autorec *m, tg_tensor *rating, tg_tensor *observed)
{
    tg_tensor *x = tg_where(observed, rating, tg_scalar(rating->dtype, 0)); /* (batch, items) */
    x = tg_sigmoid(tg_linear_forward(m->encoder, x));                       /* (batch, hidden) */
    return tg_linear_forward(m->decoder, x);
}

/* The mask comes before the square: its gradient, 0 times what stands in a gap, could be NaN. */
tg_tensor *autorec_loss(autorec *m, tg_tensor *rating, tg_tensor *observed)
{
    tg_tensor *zero = tg_scalar(rating->dtype, 0), *one = tg_scalar(rating->dtype, 1);
    tg_tensor *error = tg_sub(autorec_forward(m, rating, observed), rating); /* (batch, items) */
    error = tg_where(observed, error, zero);
    tg_tensor *count = tg_sum(tg_where(observed, one, zero));
    return tg_div(tg_sum(tg_square(error)), count);
}
