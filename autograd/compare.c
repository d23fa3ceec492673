/* Comparisons and where: what decides rather than computes. */
#include "autograd/ops-internal.h"

/* ---- comparisons: a ~ b -> i64, 1 where true ------------------------------------------------- */

/* How two elements stand to each other. Whole numbers are compared as such: in a double, those
 * beyond 2^53 would be equal to their neighbours. */
enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 }; /* the last: one is NaN */

#define ORDER(a, b) ((a) < (b) ? LESS : (a) > (b) ? GREATER : (a) == (b) ? EQUAL : UNORDERED)

/* Element i of a and element j of b, row-major; one dtype. */
static int order(const tg_tensor *a, int64_t i, const tg_tensor *b, int64_t j)
{
    i = tg_element_offset(a, i);
    j = tg_element_offset(b, j);
    if (a->dtype == TG_I64)
        return ORDER(((const int64_t *)a->data)[i], ((const int64_t *)b->data)[j]);
    const double x = tg_element(a, i), y = tg_element(b, j);
    return ORDER(x, y);
}

static tg_tensor *compare(const tg_node *n, int orders)
{
    tg_tensor *a = n->in[0], *b = n->in[1];
    tg_shape shape;
    if (a->dtype != b->dtype)
        return tg_reject(n, "%s and %s: operands of one dtype expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    if (!tg_broadcast(&a->shape, &b->shape, &shape))
        return tg_reject(n, "%s and %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, TG_I64, shape);
    a = tg_expand_at(n->at, a, shape);
    b = tg_expand_at(n->at, b, shape);
    for (int64_t i = 0; !tg_is_error(y) && i < tg_numel(y); i++)
        ((int64_t *)y->data)[i] = (order(a, i, b, i) & orders) != 0;
    return y;
}

/* True in any of the orders. */
#define COMPARISON(op, orders)                                                                     \
    static tg_tensor *op##_forward(const tg_node *n)                                               \
    {                                                                                              \
        return compare(n, orders);                                                                 \
    }                                                                                              \
    const tg_op tg_op_##op = {.name = #op, .arity = 2, .forward = op##_forward};                   \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *a, tg_tensor *b)                            \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 2, (tg_tensor *[]){a, b}, NULL, 0);                       \
    }
COMPARISON(eq, EQUAL)
COMPARISON(ne, LESS | GREATER | UNORDERED)
COMPARISON(lt, LESS)
COMPARISON(le, LESS | EQUAL)
COMPARISON(gt, GREATER)
COMPARISON(ge, GREATER | EQUAL)

/* ---- where: condition ~ a ~ b -> a where the condition is not 0, else b ---------------------- */

static tg_tensor *where_forward(const tg_node *n)
{
    tg_tensor *c = n->in[0], *a = n->in[1], *b = n->in[2];
    tg_shape both, shape;
    if (c->dtype != TG_I64 || a->dtype != b->dtype)
        return tg_reject(n, "%s, %s and %s: i64 and two of one dtype expected",
                         tg_dtype_name(c->dtype), tg_dtype_name(a->dtype), tg_dtype_name(b->dtype));
    if (!tg_broadcast(&a->shape, &b->shape, &both) ||
        !tg_broadcast(&c->shape, &both, &shape))
        return tg_reject(n, "%s, %s and %s do not broadcast", TG_TEXT(c->shape), TG_TEXT(a->shape),
                         TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, a->dtype, shape);
    c = tg_expand_at(n->at, c, shape);
    a = tg_expand_at(n->at, a, shape);
    b = tg_expand_at(n->at, b, shape);
    for (int64_t i = 0; !tg_is_error(y) && i < tg_numel(y); i++) {
        const tg_tensor *x = ((const int64_t *)c->data)[tg_element_offset(c, i)] ? a : b;
        tg_element_copy(y, i, x, tg_element_offset(x, i));
    }
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
