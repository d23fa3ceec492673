/* The ops of tensor/elementwise.def. */
#include "autograd/ops-internal.h"

static bool is_floating(const tg_node *n, int i)
{
    if (n->in[i]->dtype != TG_I64)
        return true;
    tg_reject(n, "operand %d is i64; f32 or f64 expected", i);
    return false;
}

static tg_tensor *unary_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    if (!is_floating(n, 0))
        return tg_error_tensor();
    tg_tensor *y = tg_result(n, x->dtype, x->shape);
    if (!tg_is_error(y))
        tg_map(tg_kernels_of(x->dtype)->value[n->op->row], y, 1, &x);
    return y;
}

static void unary_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_tensor *const in[] = {g, n->in[0], n->out};
    dx[0] = tg_result(n, g->dtype, g->shape);
    if (!tg_is_error(dx[0]))
        tg_map(tg_kernels_of(g->dtype)->da[n->op->row], dx[0], 3, in);
}

/* The shape that both broadcast to; false where there is none. */
static bool broadcast(const tg_shape *a, const tg_shape *b, tg_shape *shape)
{
    *shape = a->ndim >= b->ndim ? *a : *b;
    const tg_shape *other = a->ndim >= b->ndim ? b : a;
    const int shift = shape->ndim - other->ndim;
    for (int d = 0; d < other->ndim; d++)
        if (shape->size[d + shift] == 1)
            shape->size[d + shift] = other->size[d];
    return tg_broadcasts_to(other, shape);
}

static tg_tensor *binary_forward(const tg_node *n)
{
    const tg_tensor *a = n->in[0], *b = n->in[1];
    if (!is_floating(n, 0) || !is_floating(n, 1))
        return tg_error_tensor();
    if (a->dtype != b->dtype)
        return tg_reject(n, "%s and %s: operands of one dtype expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    tg_shape shape;
    if (!broadcast(&a->shape, &b->shape, &shape))
        return tg_reject(n, "%s and %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, a->dtype, shape);
    if (!tg_is_error(y))
        tg_map(tg_kernels_of(a->dtype)->value[n->op->row], y, 2, (const tg_tensor *[]){a, b});
    return y;
}

static void binary_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_type_kernels *kernels = tg_kernels_of(g->dtype);
    const tg_tensor *const in[] = {g, n->in[0], n->in[1], n->out};
    for (int i = 0; i < 2; i++) {
        if (!tg_needs_grad(n, i))
            continue;
        dx[i] = tg_result(n, g->dtype, g->shape);
        if (!tg_is_error(dx[i]))
            tg_map((i == 0 ? kernels->da : kernels->db)[n->op->row], dx[i], 4, in);
    }
}

#define UNARY(op, ...)                                                                             \
    const tg_op tg_op_##op = {#op, 1, unary_forward, unary_backward, TG_ROW_##op};                 \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *x)                                          \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 1, &x, NULL, 0);                                          \
    }
#define BINARY(op, ...)                                                                            \
    const tg_op tg_op_##op = {#op, 2, binary_forward, binary_backward, TG_ROW_##op};               \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *a, tg_tensor *b)                            \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 2, (tg_tensor *[]){a, b}, NULL, 0);                       \
    }
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

void tg_add_in_place(tg_tensor *y, tg_tensor *x)
{
    tg_map(tg_kernels_of(y->dtype)->value[TG_ROW_add], y, 2, (const tg_tensor *[]){y, x});
}
