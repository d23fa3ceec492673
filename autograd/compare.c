/* Comparisons, logical ops and where: what decides rather than computes; division of integers. */
#include "autograd/ops-internal.h"

/* ---- comparisons: a ~ b -> i64, 1 where true ------------------------------------------------- */

static tg_tensor *compare(const tg_node *n, tg_comparison comparison)
{
    const tg_tensor *a = n->in[0], *b = n->in[1];
    tg_shape shape;
    if (a->dtype != b->dtype)
        return tg_reject(n, "%s and %s: operands of one dtype expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    if (!tg_broadcast(&a->shape, &b->shape, &shape))
        return tg_reject(n, "%s and %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, TG_I64, shape);
    if (!tg_is_error(y))
        tg_map(tg_kernels_get()->compare[a->dtype][comparison], y, 2,
               (const tg_tensor *const *)n->in);
    return y;
}

#define COMPARISON(op, comparison)                                                                 \
    static tg_tensor *op##_forward(const tg_node *n)                                               \
    {                                                                                              \
        return compare(n, comparison);                                                             \
    }                                                                                              \
    const tg_op tg_op_##op = {.name = #op, .arity = 2, .forward = op##_forward};                   \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *a, tg_tensor *b)                            \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 2, (tg_tensor *[]){a, b}, NULL, 0);                       \
    }
COMPARISON(eq, TG_EQ)
COMPARISON(ne, TG_NE)
COMPARISON(lt, TG_LT)
COMPARISON(le, TG_LE)
COMPARISON(gt, TG_GT)
COMPARISON(ge, TG_GE)
COMPARISON(logical_and, TG_AND)
COMPARISON(logical_or, TG_OR)

tg_tensor *tg_logical_not_at(const char *at, tg_tensor *x)
{
    TG_FUNCTION("logical_not");
    return tg_eq_at(at, x, tg_scalar(x ? x->dtype : TG_F32, 0));
}

/* ---- division of integers: a ~ b -> i64 ------------------------------------------------------ */

static tg_tensor *divide(const tg_node *n, tg_map_kernel kernel)
{
    const tg_tensor *a = n->in[0], *b = n->in[1];
    tg_shape shape;
    if (a->dtype != TG_I64 || b->dtype != TG_I64)
        return tg_reject(n, "%s and %s: i64 expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    if (!tg_broadcast(&a->shape, &b->shape, &shape))
        return tg_reject(n, "%s and %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    const tg_tensor *zeros = tg_sum_at(n->at, tg_logical_not_at(n->at, n->in[1]));
    tg_tensor *y = tg_result(n, TG_I64, shape);
    if (tg_is_error(zeros) || tg_is_error(y))
        return tg_error_tensor();
    if (*(const int64_t *)zeros->data != 0)
        return tg_reject(n, "division by 0");
    tg_map(kernel, y, 2, (const tg_tensor *const *)n->in);
    return y;
}

#define DIVISION(op)                                                                               \
    static tg_tensor *op##_forward(const tg_node *n)                                               \
    {                                                                                              \
        return divide(n, tg_kernels_get()->op);                                                    \
    }                                                                                              \
    const tg_op tg_op_##op = {.name = #op, .arity = 2, .forward = op##_forward};                   \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *a, tg_tensor *b)                            \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 2, (tg_tensor *[]){a, b}, NULL, 0);                       \
    }
DIVISION(floor_divide)
DIVISION(remainder)

/* ---- where: condition ~ a ~ b -> a where the condition is not 0, else b ---------------------- */

static tg_tensor *where_forward(const tg_node *n)
{
    const tg_tensor *c = n->in[0], *a = n->in[1], *b = n->in[2];
    tg_shape both, shape;
    if (c->dtype != TG_I64 || a->dtype != b->dtype)
        return tg_reject(n, "%s, %s and %s: i64 and two of one dtype expected",
                         tg_dtype_name(c->dtype), tg_dtype_name(a->dtype), tg_dtype_name(b->dtype));
    if (!tg_broadcast(&a->shape, &b->shape, &both) ||
        !tg_broadcast(&c->shape, &both, &shape))
        return tg_reject(n, "%s, %s and %s do not broadcast", TG_TEXT(c->shape), TG_TEXT(a->shape),
                         TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, a->dtype, shape);
    if (!tg_is_error(y))
        tg_map(tg_kernels_get()->where[a->dtype], y, 3, (const tg_tensor *const *)n->in);
    return y;
}

static void where_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *zero = tg_scalar(g->dtype, 0);
    if (tg_needs_grad(n, 1))
        dx[1] = tg_where_at(n->at, n->in[0], g, zero);
    if (tg_needs_grad(n, 2))
        dx[2] = tg_where_at(n->at, n->in[0], zero, g);
}

TG_DEFINE_OP(where, 3, TG_SAVES(0));

tg_tensor *tg_where_at(const char *at, tg_tensor *condition, tg_tensor *a, tg_tensor *b)
{
    return tg_apply(at, &tg_op_where, 3, (tg_tensor *[]){condition, a, b}, NULL, 0);
}
