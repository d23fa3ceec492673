/* Tensors that are made from numbers. */
#include <math.h>

#include "tensor/tensor-internal.h"

tg_tensor *tg_full_like_at(const char *at, const tg_tensor *x, double value)
{
    TG_FUNCTION("full_like");
    return tg_valid(at, "full_like", x) ? tg_full_at(at, x->dtype, value, x->shape)
                                        : tg_error_tensor();
}

tg_tensor *tg_arange_at(const char *at, tg_dtype dtype, double start, double end, double step)
{
    const double count = ceil((end - start) / step);
    if (!(count >= 0 && count < (double)TG_MAX_ELEMENTS))
        return tg_misuse(at, "arange", "from %g to %g by %g: a step towards the end, and at most 2^60 "
                         "elements, expected", start, end, step);
    const bool is_exact = fabs(start) <= 0x1p53 && fabs(end) <= 0x1p53;
    if (dtype == TG_I64 && (start != floor(start) || step != floor(step) || !is_exact))
        return tg_misuse(at, "arange", "i64 from %g to %g by %g: whole numbers up to 2^53 expected",
                         start, end, step);
    tg_tensor *t = tg_tensor_new(at, "arange", dtype, TG_SHAPE((int64_t)count));
    for (int64_t i = 0; !tg_is_error(t) && i < (int64_t)count; i++)
        tg_element_set(t, i, start + (double)i * step);
    return t;
}

tg_tensor *tg_eye_at(const char *at, tg_dtype dtype, int64_t n)
{
    TG_FUNCTION("eye");
    tg_tensor *t = tg_zeros_at(at, dtype, TG_SHAPE(n, n));
    for (int64_t i = 0; !tg_is_error(t) && i < n; i++)
        tg_element_set(t, i * (n + 1), 1);
    return t;
}
