/* The ops of tensor/elementwise.def. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "autograd/ops-internal.h"

/* The kernel of the op's row for i64; NULL, and misuse, if there is none. */
static tg_map_kernel integer_kernel(const tg_node *n, int operand)
{
    const tg_map_kernel kernel = tg_kernels_get()->integer[n->op->row];
    if (!kernel)
        tg_reject(n, "operand %d is i64; f32 or f64 expected", operand);
    return kernel;
}

static inline tg_map_kernel value_kernel(const tg_node *n, tg_dtype dtype)
{
    return dtype == TG_I64 ? integer_kernel(n, 0)
                           : tg_kernels_of(dtype)->map[n->op->row][TG_VALUE];
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* partial(g, operands, y) = g times a derivative of a row: an op, so that there are second orders.
 * Its attribute is which derivative. y is the row's value, which derivatives may use: no gradient
 * goes through it, since the second derivatives are those of the whole. */
static tg_map_kind kind_of(const tg_node *n)
{
    return *(const tg_map_kind *)n->attr;
}

/* The formulas as they are written in the table. */
#define UNARY(op, value, gx, gxx, low, high) {#value, #gx, "", #gxx, "", ""},
#define BINARY(op, value, ga, gb, gaa, gab, gbb, low, high) {#value, #ga, #gb, #gaa, #gab, #gbb},
static const char *const formulas[TG_ROWS][TG_MAPS] = {
#include "tensor/elementwise.def"
};
#undef UNARY
#undef BINARY

/* The derivatives of the derivatives with respect to either operand; TG_VALUE: there is none. */
static const tg_map_kind further[TG_MAPS][2] = {[TG_DA] = {TG_DAA, TG_DAB},
                                                [TG_DB] = {TG_DAB, TG_DBB}};

/* Whether the formula has a gradient with respect to operand i. If not, the operand must not seem
 * to have one of zeros: multiplied with an infinite derivative they would be NaN. */
static bool varies_with(int row, tg_map_kind kind, int i)
{
    const tg_map_kind next = further[kind][i];
    if (next == TG_VALUE)
        return strpbrk(formulas[row][kind], "abxy") != NULL; /* operands, and the value */
    return strcmp(formulas[row][next], "0") != 0;
}

enum { FIRST = 1, SECOND = 2, VALUE = 4, KNOWN = 8 };

/* What a formula names: bits of these. */
static inline unsigned named(int row, tg_map_kind kind)
{
    static _Atomic unsigned char found[TG_ROWS][TG_MAPS];
    unsigned bits = atomic_load_explicit(&found[row][kind], memory_order_relaxed);
    if (!bits) {
        const char *formula = formulas[row][kind];
        bits = KNOWN | (strpbrk(formula, "ax") ? FIRST : 0) | (strchr(formula, 'b') ? SECOND : 0) |
               (strchr(formula, 'y') ? VALUE : 0);
        atomic_store_explicit(&found[row][kind], (unsigned char)bits, memory_order_relaxed);
    }
    return bits;
}

/* Whether a formula over `count` operands names operand i, or the value (i is count). */
static bool names(int row, tg_map_kind kind, int count, int i)
{
    return named(row, kind) & (i == count ? VALUE : i == 0 ? FIRST : SECOND);
}

/* Whether the derivatives that are needed read operand i, or the value (i is nin). */
static bool row_reads(const tg_node *n, int i)
{
    const int row = n->op->row;
    return (tg_needs_grad(n, 0) && names(row, TG_DA, n->nin, i)) ||
           (n->nin > 1 && tg_needs_grad(n, 1) && names(row, TG_DB, n->nin, i));
}

/* The same for g (i is 0), the operands and y of a partial. */
static bool partial_reads(const tg_node *n, int i)
{
    const int row = n->op->row, count = n->nin - 2;
    const tg_map_kind kind = kind_of(n);
    bool reads = tg_needs_grad(n, 0) && i > 0 && names(row, kind, count, i - 1);
    for (int k = 0; k < count; k++)
        reads = reads || (tg_needs_grad(n, 1 + k) &&
                          (i == 0 || names(row, further[kind][k], count, i - 1)));
    return i < n->nin && reads;
}

static tg_tensor *partial_forward(const tg_node *n)
{
    const tg_tensor *y = n->in[n->nin - 1], *in[TG_MAP_INPUTS] = {n->in[0]};
    tg_tensor *dx = tg_result(n, y->dtype, y->shape);
    if (tg_is_error(dx))
        return dx;
    /* What is not read need not be brought into a plain array. */
    const unsigned bits = named(n->op->row, kind_of(n));
    in[1] = bits & FIRST ? n->in[1] : dx;
    if (n->nin == 4)
        in[2] = bits & SECOND ? n->in[2] : dx;
    in[n->nin - 1] = bits & VALUE ? y : dx;
    tg_map(tg_kernels_of(dx->dtype)->map[n->op->row][kind_of(n)], dx, n->nin, in);
    return dx;
}

static void partial_backward(const tg_node *n, tg_tensor *h, tg_tensor **dx)
{
    const int row = n->op->row, count = n->nin - 2;
    tg_tensor *g = n->in[0], **operand = n->in + 1, *y = n->in[n->nin - 1];
    if (tg_needs_grad(n, 0))
        dx[0] = tg_partial(n->at, row, kind_of(n), h, operand, count, y);
    for (int i = 0; i < count; i++) {
        const tg_map_kind next = further[kind_of(n)][i];
        if (!tg_needs_grad(n, 1 + i))
            continue;
        if (next == TG_VALUE)
            dx[1 + i] = tg_reject(n, "third derivatives of elementwise ops are not there");
        else
            dx[1 + i] = tg_partial(n->at, row, next, tg_mul_at(n->at, h, g), operand, count, y);
    }
}

/* One for each row, so that messages name it. */
#define PARTIAL(op)                                                                                \
    {.name = #op "'s gradient",                                                                    \
     .arity = TG_VARIADIC,                                                                         \
     .forward = partial_forward,                                                                   \
     .backward = partial_backward,                                                                 \
     .row = TG_ROW_##op,                                                                           \
     .reads = partial_reads},
#define UNARY(op, ...) PARTIAL(op)
#define BINARY(op, ...) PARTIAL(op)
static const tg_op partials[TG_ROWS] = {
#include "tensor/elementwise.def"
};
#undef UNARY
#undef BINARY
#undef PARTIAL

/* What has no gradient in the formula, and y, must not be reached through it. Only gradients that
 * are recorded come here; inlined, it would cost the others as much as half of partial. */
__attribute__((noinline)) static void leave_out(int row, tg_map_kind kind, int count,
                                                tg_tensor *in[])
{
    if (in[0]->requires_grad && strcmp(formulas[row][kind], "0") == 0)
        in[0] = tg_tensor_alias(in[0]);
    for (int i = 0; i <= count; i++)
        if (in[1 + i]->requires_grad && (i == count || !varies_with(row, kind, i)))
            in[1 + i] = tg_tensor_alias(in[1 + i]);
}

tg_tensor *tg_partial(const char *at, int row, tg_map_kind kind, tg_tensor *g, tg_tensor **operand,
                      int count, tg_tensor *y)
{
    const char *formula = formulas[row][kind];
    if (formula[0] == 'g' && formula[1] == '\0')
        return g;
    tg_tensor *in[4] = {g, operand[0], count > 1 ? operand[1] : NULL};
    in[1 + count] = y;
    if (tg_grad_enabled())
        leave_out(row, kind, count, in);
    return tg_apply(at, &partials[row], 2 + count, in, &kind, sizeof kind);
}

/* ---- one operand ----------------------------------------------------------------------------- */

static tg_tensor *unary_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const tg_map_kernel kernel = value_kernel(n, x->dtype);
    tg_tensor *y = kernel ? tg_result(n, x->dtype, x->shape) : tg_error_tensor();
    if (!tg_is_error(y))
        tg_map(kernel, y, 1, &x);
    return y;
}

static void unary_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_partial(n->at, n->op->row, TG_DA, g, n->in, 1, n->out);
}

/* ---- two operands ---------------------------------------------------------------------------- */

bool tg_broadcast(const tg_shape *a, const tg_shape *b, tg_shape *shape)
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
    const tg_map_kernel kernel = value_kernel(n, a->dtype);
    if (!kernel || (b->dtype == TG_I64 && !integer_kernel(n, 1)))
        return tg_error_tensor();
    if (a->dtype != b->dtype)
        return tg_reject(n, "%s and %s: operands of one dtype expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    tg_shape shape;
    if (!tg_broadcast(&a->shape, &b->shape, &shape))
        return tg_reject(n, "%s and %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    tg_tensor *y = tg_result(n, a->dtype, shape);
    const tg_tensor *const in[] = {a, b};
    if (!tg_is_error(y))
        tg_map(kernel, y, 2, in);
    return y;
}

static void binary_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    static const tg_map_kind kinds[] = {TG_DA, TG_DB};
    for (int i = 0; i < 2; i++)
        if (tg_needs_grad(n, i))
            dx[i] = tg_partial(n->at, n->op->row, kinds[i], g, n->in, 2, n->out);
}

/* ---- the rows -------------------------------------------------------------------------------- */

/* An op of two with a number as second operand. Some powers are ops of their own, as in PyTorch. */
static tg_tensor *with_number(const char *at, const tg_op *op, tg_tensor *x, double number)
{
    if (op == &tg_op_pow && (number == 2 || number == 3 || number == 0.5))
        return tg_apply(at, number == 2 ? &tg_op_square : number == 3 ? &tg_op_cube : &tg_op_sqrt,
                        1, &x, NULL, 0);
    if (x && x->dtype == TG_I64 && number != floor(number))
        return tg_misuse(at, op->name, "the number %g and i64: a whole number expected", number);
    tg_tensor *b = tg_full_at(at, x ? x->dtype : TG_F32, number, (tg_shape){.ndim = 0});
    return tg_apply(at, op, 2, (tg_tensor *[]){x, b}, NULL, 0);
}

#define UNARY(op, ...)                                                                             \
    const tg_op tg_op_##op = {#op, 1, unary_forward, unary_backward, .reads = row_reads,           \
                              .row = TG_ROW_##op};                                                 \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *x)                                          \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 1, &x, NULL, 0);                                          \
    }
#define BINARY(op, ...)                                                                            \
    const tg_op tg_op_##op = {#op, 2, binary_forward, binary_backward, .reads = row_reads,         \
                              .row = TG_ROW_##op};                                                 \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *a, tg_tensor *b)                            \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 2, (tg_tensor *[]){a, b}, NULL, 0);                       \
    }                                                                                              \
    tg_tensor *tg_##op##_scalar_at(const char *at, tg_tensor *a, double b)                         \
    {                                                                                              \
        TG_FUNCTION(#op "_scalar");                                                                \
        return with_number(at, &tg_op_##op, a, b);                                                 \
    }
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

void tg_add_in_place(tg_tensor *y, tg_tensor *x)
{
    if (tg_is_error(y) || tg_is_error(x))
        return;
    tg_map(tg_kernels_of(y->dtype)->map[TG_ROW_add][TG_VALUE], y, 2, (const tg_tensor *[]){y, x});
}
