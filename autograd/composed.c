/* Functions made of ops: dropout and the losses. They need no gradient rule of their own. */
#include <math.h>

#include "autograd/ops-internal.h"

tg_tensor *tg_dropout_at(const char *at, tg_tensor *x, double p, bool training)
{
    if (!tg_usable(at, "dropout", x))
        return tg_error_tensor();
    if (!(p >= 0 && p <= 1))
        return tg_misuse(at, "dropout", "probability %g; 0 to 1 expected", p);
    if (x->dtype == TG_I64)
        return tg_misuse(at, "dropout", "i64; f32 or f64 expected");
    if (!training || p == 0)
        return x;
    const uint32_t threshold = (uint32_t)lround(p * 65536);
    tg_tensor *mask = tg_tensor_new(at, "dropout", x->dtype, x->shape);
    if (tg_is_error(mask))
        return mask;
    tg_fill_mask(mask, threshold, threshold < 65536 ? 65536.0 / (65536 - threshold) : 0);
    return tg_mul_at(at, x, mask);
}

static bool losses_fit(const char *at, const char *op, const tg_tensor *x, const tg_tensor *y)
{
    if (!tg_usable(at, op, x) || !tg_usable(at, op, y))
        return false;
    if (tg_shape_equal(&x->shape, &y->shape))
        return true;
    tg_misuse(at, op, "%s and %s: equal shapes expected", TG_TEXT(x->shape), TG_TEXT(y->shape));
    return false;
}

tg_tensor *tg_mse_loss_at(const char *at, tg_tensor *x, tg_tensor *y)
{
    if (!losses_fit(at, "mse_loss", x, y))
        return tg_error_tensor();
    return tg_mean_at(at, tg_squared_error_at(at, x, y));
}

tg_tensor *tg_bce_with_logits_loss_at(const char *at, tg_tensor *x, tg_tensor *y)
{
    if (!losses_fit(at, "bce_with_logits_loss", x, y))
        return tg_error_tensor();
    return tg_mean_at(at, tg_logit_cross_entropy_at(at, x, y));
}
