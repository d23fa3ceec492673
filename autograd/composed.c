/* Functions made of ops: they need no gradient rule of their own. */
#include "autograd/ops-internal.h"

/* ---- elementwise ----------------------------------------------------------------------------- */

tg_tensor *tg_clamp_at(const char *at, tg_tensor *x, double low, double high)
{
    TG_FUNCTION("clamp");
    return tg_clamp_max_scalar_at(at, tg_clamp_min_scalar_at(at, x, low), high);
}

/* ---- joins ----------------------------------------------------------------------------------- */

tg_tensor *tg_stack_at(const char *at, int dim, tg_tensor *const *x, int count)
{
    TG_FUNCTION("stack");
    if (count < 1)
        return tg_misuse(at, "stack", "no tensors; at least one expected");
    tg_tensor **part = tg_step_memory((size_t)count * sizeof *part);
    for (int i = 0; i < count; i++)
        part[i] = tg_unsqueeze_at(at, x[i], dim);
    return tg_cat_at(at, dim, part, count);
}

int64_t tg_split_at(const char *at, tg_tensor *x, int dim, int64_t size, tg_tensor **part,
                    int64_t room)
{
    TG_FUNCTION("split");
    if (!tg_usable(at, "split", x))
        return 0;
    const int d = tg_dimension(&x->shape, dim);
    const int64_t whole = d < 0 ? 0 : x->shape.size[d];
    if (d < 0 || size < 0 || (size == 0 && whole > 0)) {
        tg_misuse(at, "split", "%s into parts of %lld in dimension %d", TG_TEXT(x->shape),
                  (long long)size, dim);
        return 0;
    }
    const int64_t count = whole == 0 ? 1 : (whole - 1) / size + 1; /* at least an empty one */
    if (count > room) {
        tg_misuse(at, "split", "%lld parts of %s; at most %lld expected, for which there is "
                  "room", (long long)count, TG_TEXT(x->shape), (long long)room);
        return 0;
    }
    for (int64_t i = 0; i < count; i++)
        part[i] = tg_narrow_at(at, x, d, i * size, tg_min(size, whole - i * size));
    return count;
}

/* ---- normalisation --------------------------------------------------------------------------- */

tg_tensor *tg_layer_norm_at(const char *at, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                            double eps)
{
    TG_FUNCTION("layer_norm");
    if (!tg_usable(at, "layer_norm", x))
        return tg_error_tensor();
    const int last = x->shape.ndim - 1;
    for (int i = 0; i < 2; i++) {
        const tg_tensor *t = i == 0 ? weight : bias;
        if (t && !tg_usable(at, "layer_norm", t))
            return tg_error_tensor();
        if (last < 0 || (t && (t->shape.ndim != 1 || t->shape.size[0] != x->shape.size[last])))
            return tg_misuse(at, "layer_norm", "%s with weight or bias %s: (..., n) and (n) "
                             "expected", TG_TEXT(x->shape), t ? TG_TEXT(t->shape) : "NULL");
    }
    tg_tensor *centred = tg_sub_at(at, x, tg_mean_dim_at(at, x, true, TG_SHAPE(-1)));
    tg_tensor *variance = tg_mean_dim_at(at, tg_square_at(at, centred), true, TG_SHAPE(-1));
    tg_tensor *y = tg_div_at(at, centred, tg_sqrt_at(at, tg_add_scalar_at(at, variance, eps)));
    y = weight ? tg_mul_at(at, y, weight) : y;
    return bias ? tg_add_at(at, y, bias) : y;
}

/* ---- lookup ---------------------------------------------------------------------------------- */

tg_tensor *tg_embedding_bag_at(const char *at, tg_tensor *weight, tg_tensor *index, bool mean)
{
    TG_FUNCTION("embedding_bag");
    if (!tg_usable(at, "embedding_bag", index))
        return tg_error_tensor();
    if (index->shape.ndim == 0)
        return tg_misuse(at, "embedding_bag", "index []: (..., n) expected");
    tg_tensor *sum = tg_sum_dim_at(at, tg_embedding_at(at, weight, index), false, TG_SHAPE(-2));
    if (!mean || tg_is_error(sum))
        return sum;
    const int64_t size = index->shape.size[index->shape.ndim - 1]; /* of a bag; 0 is their mean */
    return tg_div_scalar_at(at, sum, size > 0 ? (double)size : 1);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static bool fits(const char *at, const char *op, const tg_tensor *x, const tg_tensor *y)
{
    if (!tg_usable(at, op, x) || !tg_usable(at, op, y))
        return false;
    if (tg_shape_equal(&x->shape, &y->shape))
        return true;
    tg_misuse(at, op, "%s and %s: equal shapes expected", TG_TEXT(x->shape), TG_TEXT(y->shape));
    return false;
}

/* The mean of what `each` gives for x and y, of equal shapes. */
static tg_tensor *mean_loss(const char *at, const char *op, tg_tensor *x, tg_tensor *y,
                            tg_tensor *(*each)(const char *at, tg_tensor *x, tg_tensor *y))
{
    TG_FUNCTION(op);
    return fits(at, op, x, y) ? tg_mean_at(at, each(at, x, y)) : tg_error_tensor();
}

tg_tensor *tg_mse_loss_at(const char *at, tg_tensor *x, tg_tensor *y)
{
    return mean_loss(at, "mse_loss", x, y, tg_squared_error_at);
}

tg_tensor *tg_bce_with_logits_loss_at(const char *at, tg_tensor *x, tg_tensor *y)
{
    return mean_loss(at, "bce_with_logits_loss", x, y, tg_logit_cross_entropy_at);
}

static tg_tensor *absolute_error(const char *at, tg_tensor *x, tg_tensor *y)
{
    return tg_abs_at(at, tg_sub_at(at, x, y));
}

tg_tensor *tg_l1_loss_at(const char *at, tg_tensor *x, tg_tensor *y)
{
    return mean_loss(at, "l1_loss", x, y, absolute_error);
}

tg_tensor *tg_huber_loss_at(const char *at, tg_tensor *x, tg_tensor *y, double delta)
{
    TG_FUNCTION("huber_loss");
    if (!fits(at, "huber_loss", x, y))
        return tg_error_tensor();
    if (!(delta > 0))
        return tg_misuse(at, "huber_loss", "delta %g; a number above 0 expected", delta);
    return tg_mean_at(at, tg_huber_scalar_at(at, tg_sub_at(at, x, y), delta));
}

static tg_tensor *wrong_order(const char *at, tg_tensor *positive, tg_tensor *negative)
{
    return tg_softplus_at(at, tg_sub_at(at, negative, positive));
}

tg_tensor *tg_bpr_loss_at(const char *at, tg_tensor *positive, tg_tensor *negative)
{
    return mean_loss(at, "bpr_loss", positive, negative, wrong_order);
}

tg_tensor *tg_cross_entropy_at(const char *at, tg_tensor *x, tg_tensor *target)
{
    TG_FUNCTION("cross_entropy");
    if (!tg_usable(at, "cross_entropy", x) || !tg_usable(at, "cross_entropy", target))
        return tg_error_tensor();
    if (x->shape.ndim != 2 || target->shape.ndim != 1 || target->dtype != TG_I64 ||
        x->shape.size[0] != target->shape.size[0])
        return tg_misuse(at, "cross_entropy", "%s with %s %s: logits (n, classes) and i64 (n) "
                         "expected", TG_TEXT(x->shape), tg_dtype_name(target->dtype),
                         TG_TEXT(target->shape));
    tg_tensor *chosen = tg_gather_at(at, tg_log_softmax_at(at, x, 1), 1,
                                     tg_unsqueeze_at(at, target, 1));
    return tg_neg_at(at, tg_mean_at(at, chosen));
}
