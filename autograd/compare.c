/* Comparisons, where, argmax and topk: what decides rather than computes. */
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

/* ---- topk: (..., n) -> i64 (..., k), places of the largest, in falling order ----------------- */

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

/* Whether element i of x goes before element j: NaN first, as in PyTorch; then the earlier one. */
static bool goes_before(const tg_tensor *x, int64_t i, int64_t j)
{
    switch (order(x, i, x, j)) {
    case GREATER: return true;
    case EQUAL: return i < j;
    case LESS: return false;
    default: return order(x, i, x, i) == UNORDERED && (i < j || order(x, j, x, j) == EQUAL);
    }
}

static tg_tensor *topk_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const int64_t k = *(const int64_t *)n->attr;
    const int last = tg_axis(&x->shape, -1);
    const int64_t size = tg_axis_size(&x->shape, last);
    if (k < 0 || k > size || (k == 0 && x->shape.ndim == 0))
        return tg_reject(n, "%lld of %s: a last dimension of at least as many expected",
                         (long long)k, TG_TEXT(x->shape));
    tg_shape shape = x->shape;
    shape.size[last] = k;
    tg_tensor *y = tg_result(n, TG_I64, shape);
    const int64_t rows = tg_is_error(y) || k == 0 ? 0 : tg_numel(y) / k;
    for (int64_t row = 0; row < rows; row++) {
        int64_t *best = (int64_t *)y->data + row * k, held = 0;
        for (int64_t i = 0; i < size; i++) { /* insertion into what is held, sorted */
            int64_t place = held;
            while (place > 0 && goes_before(x, row * size + i, row * size + best[place - 1]))
                place--;
            if (place == k)
                continue;
            held += held < k;
            for (int64_t m = held - 1; m > place; m--)
                best[m] = best[m - 1];
            best[place] = i;
        }
    }
    return y;
}

const tg_op tg_op_topk = {.name = "topk", .arity = 1, .forward = topk_forward};

tg_tensor *tg_topk_at(const char *at, tg_tensor *x, int64_t k, tg_tensor **index)
{
    TG_FUNCTION("topk");
    *index = tg_apply(at, &tg_op_topk, 1, &x, &k, sizeof k);
    return tg_gather_at(at, x, -1, *index);
}

tg_tensor *tg_argmax_at(const char *at, tg_tensor *x, int dim, bool keepdim)
{
    TG_FUNCTION("argmax");
    if (!tg_usable(at, "argmax", x))
        return tg_error_tensor();
    const int d = tg_axis(&x->shape, dim);
    if (d < 0)
        return tg_misuse(at, "argmax", "dimension %d of %s", dim, TG_TEXT(x->shape));
    if (tg_axis_size(&x->shape, d) == 0)
        return tg_misuse(at, "argmax", "dimension %d of %s: of no elements there is no largest",
                         dim, TG_TEXT(x->shape));
    const int64_t one = 1;
    if (x->shape.ndim == 0)
        return tg_apply(at, &tg_op_topk, 1, &x, &one, sizeof one);
    tg_tensor *y = tg_transpose_at(at, x, d, -1);
    y = tg_apply(at, &tg_op_topk, 1, &y, &one, sizeof one);
    y = tg_transpose_at(at, y, d, -1);
    return keepdim ? y : tg_squeeze_at(at, y, d);
}
