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
