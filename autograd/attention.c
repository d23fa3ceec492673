/* Scaled dot-product attention (Vaswani et al. 2017). */
#include <math.h>

#include "autograd/ops-internal.h"

/* q (..., t, d), k (..., s, d), v (..., s, e) of one type; the mask broadcasts to (..., t, s). */
static bool is_attention(const char *at, const tg_tensor *q, const tg_tensor *k, const tg_tensor *v)
{
    const tg_tensor *operand[] = {q, k, v};
    for (int i = 0; i < 3; i++) {
        if (!tg_usable(at, "scaled_dot_product_attention", operand[i]))
            return false;
        if (operand[i]->shape.ndim < 2 || operand[i]->dtype == TG_I64 ||
            operand[i]->dtype != q->dtype) {
            tg_misuse(at, "scaled_dot_product_attention", "operand %d is %s %s; (..., n, d), all "
                      "f32 or all f64, expected", i, tg_dtype_name(operand[i]->dtype),
                      TG_TEXT(operand[i]->shape));
            return false;
        }
    }
    return true;
}

/* i64 (t, s): 1 where key j is not after query i. */
static tg_tensor *causal_mask(const char *at, int64_t t, int64_t s)
{
    tg_tensor *mask = tg_tensor_new(at, "scaled_dot_product_attention", TG_I64, TG_SHAPE(t, s));
    int64_t *m = mask->data;
    for (int64_t i = 0; i < t && !tg_is_error(mask); i++)
        for (int64_t j = 0; j < s; j++)
            m[i * s + j] = j <= i;
    return mask;
}

tg_tensor *tg_scaled_dot_product_attention_at(const char *at, tg_tensor *q, tg_tensor *k,
                                              tg_tensor *v, tg_tensor *mask, double dropout_p,
                                              bool is_causal)
{
    TG_FUNCTION("scaled_dot_product_attention");
    if (!is_attention(at, q, k, v) ||
        (mask && !tg_usable(at, "scaled_dot_product_attention", mask)))
        return tg_error_tensor();
    if (mask && is_causal)
        return tg_misuse(at, "scaled_dot_product_attention", "a mask and is_causal; one of them "
                         "expected");
    if (is_causal)
        mask = causal_mask(at, tg_size(q, -2), tg_size(k, -2));
    q = tg_mul_scalar_at(at, q, 1 / sqrt((double)tg_size(q, -1)));
    tg_tensor *score = tg_matmul_at(at, q, tg_transpose_at(at, k, -2, -1));
    if (mask && mask->dtype != TG_I64)
        score = tg_add_at(at, score, mask);
    else if (mask)
        score = tg_where_at(at, mask, score,
                            tg_full_at(at, q->dtype, -INFINITY, (tg_shape){.ndim = 0}));
    return tg_matmul_at(at, tg_dropout_at(at, tg_softmax_at(at, score, -1), dropout_p, true), v);
}
