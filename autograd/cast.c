/* cast: x -> the same numbers in another dtype */
#include "autograd/ops-internal.h"

static tg_tensor *cast_forward(const tg_node *n)
{
    tg_tensor *y = tg_result(n, *(const tg_dtype *)n->attr, n->in[0]->shape);
    if (!tg_is_error(y))
        tg_copy_elements(y, n->in[0]);
    return y;
}

static void cast_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_cast_at(n->at, g, n->in[0]->dtype);
}

TG_DEFINE_OP(cast, 1, TG_SAVES_NOTHING);
static const tg_op to_i64 = {.name = "cast", .arity = 1, .forward = cast_forward};

tg_tensor *tg_cast_at(const char *at, tg_tensor *x, tg_dtype dtype)
{
    if (!tg_usable(at, "cast", x))
        return tg_error_tensor();
    if (x->dtype == dtype)
        return x;
    return tg_apply(at, dtype == TG_I64 ? &to_i64 : &tg_op_cast, 1, &x, &dtype, sizeof dtype);
}
