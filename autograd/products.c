/* matmul and linear. */
#include "autograd/ops-internal.h"

/* The rules read one factor for the gradient of the other. */
static bool reads_other(const tg_node *n, int i)
{
    return i < 2 && tg_needs_grad(n, 1 - i);
}

/* ---- matmul: (..., m, k) x (..., k, n) -> (..., m, n), the ... broadcast --------------------- */

/* The shape of all but the last two dimensions. */
static tg_shape batch_of(const tg_tensor *t)
{
    tg_shape batch = t->shape;
    batch.ndim -= 2;
    return batch;
}

static tg_tensor *matmul_forward(const tg_node *n)
{
    const tg_tensor *a = n->in[0], *b = n->in[1];
    if (a->shape.ndim < 2 || b->shape.ndim < 2)
        return tg_reject(n, "%s x %s: two matrices expected", TG_TEXT(a->shape), TG_TEXT(b->shape));
    if (a->dtype != b->dtype || a->dtype == TG_I64)
        return tg_reject(n, "%s x %s: two f32 or two f64 expected", tg_dtype_name(a->dtype),
                         tg_dtype_name(b->dtype));
    if (tg_size(a, -1) != tg_size(b, -2))
        return tg_reject(n, "%s x %s: inner sizes %lld and %lld differ", TG_TEXT(a->shape),
                         TG_TEXT(b->shape), (long long)tg_size(a, -1), (long long)tg_size(b, -2));
    const tg_shape batch_a = batch_of(a), batch_b = batch_of(b);
    tg_shape batch;
    if (!tg_broadcast(&batch_a, &batch_b, &batch))
        return tg_reject(n, "%s x %s do not broadcast", TG_TEXT(a->shape), TG_TEXT(b->shape));
    tg_shape shape = batch;
    shape.size[shape.ndim++] = tg_size(a, -2);
    shape.size[shape.ndim++] = tg_size(b, -1);
    tg_tensor *c = tg_result(n, a->dtype, shape);
    if (!tg_is_error(c))
        tg_multiply(c, a, b, NULL);
    return c;
}

/* (..., k) -> (rows, k) */
static tg_tensor *rows_of(const char *at, tg_tensor *t)
{
    int64_t rows = 1;
    for (int d = 0; d < t->shape.ndim - 1; d++)
        rows *= t->shape.size[d];
    return tg_view_at(at, tg_contiguous_at(at, t), TG_SHAPE(rows, tg_size(t, -1)));
}

static void matmul_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *a = n->in[0], *b = n->in[1];
    if (tg_needs_grad(n, 0))
        dx[0] = tg_matmul_at(n->at, g, tg_transpose_at(n->at, b, -2, -1));
    if (!tg_needs_grad(n, 1))
        return;
    if (b->shape.ndim == 2 && a->shape.ndim > 2) { /* one product, not the sum of a batch of them */
        a = rows_of(n->at, a);
        g = rows_of(n->at, g);
    }
    dx[1] = tg_matmul_at(n->at, tg_transpose_at(n->at, a, -2, -1), g);
}

TG_DEFINE_OP(matmul, 2, 0, .reads = reads_other);

static bool is_vector(const tg_tensor *t)
{
    return t && !tg_is_stale(t) && t->shape.ndim == 1;
}

tg_tensor *tg_matmul_at(const char *at, tg_tensor *a, tg_tensor *b)
{
    const bool drops_row = is_vector(a), drops_column = is_vector(b);
    if (!drops_row && !drops_column)
        return tg_apply(at, &tg_op_matmul, 2, (tg_tensor *[]){a, b}, NULL, 0);
    TG_FUNCTION("matmul");
    tg_tensor *c = tg_matmul_at(at, drops_row ? tg_unsqueeze_at(at, a, 0) : a,
                                drops_column ? tg_unsqueeze_at(at, b, 1) : b);
    c = drops_row ? tg_squeeze_at(at, c, -1 - !drops_column) : c;
    return drops_column ? tg_squeeze_at(at, c, -1) : c;
}

/* ---- linear: x (m, in), w (out, in), b (out) -> x w^T + b (m, out) --------------------------- */

static bool linear_fits(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *w = n->in[1], *b = n->nin > 2 ? n->in[2] : NULL;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]->dtype != x->dtype || x->dtype == TG_I64) {
            tg_reject(n, "operand %d is %s; all f32 or all f64 expected", i,
                      tg_dtype_name(n->in[i]->dtype));
            return false;
        }
    if (w->shape.ndim == 2 && x->shape.ndim == 2 && x->shape.size[1] == w->shape.size[1] &&
        (!b || (b->shape.ndim == 1 && b->shape.size[0] == w->shape.size[0])))
        return true;
    tg_reject(n, "%s with weight %s and bias %s: (..., in), (out, in) and (out) expected",
              TG_TEXT(x->shape), TG_TEXT(w->shape), b ? TG_TEXT(b->shape) : "NULL");
    return false;
}

static tg_tensor *linear_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *w = n->in[1];
    tg_tensor *b = n->nin > 2 ? n->in[2] : NULL;
    if (!linear_fits(n))
        return tg_error_tensor();
    tg_tensor *y = tg_result(n, x->dtype, TG_SHAPE(x->shape.size[0], w->shape.size[0]));
    tg_tensor wt = *w;
    wt.shape = TG_SHAPE(w->shape.size[1], w->shape.size[0]);
    wt.stride[0] = w->stride[1];
    wt.stride[1] = w->stride[0];
    if (!tg_is_error(y))
        tg_multiply(y, x, &wt, b ? tg_contiguous_at(n->at, b) : NULL);
    return y;
}

static void linear_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *x = n->in[0], *w = n->in[1];
    if (tg_needs_grad(n, 0))
        dx[0] = tg_matmul_at(n->at, g, w);
    if (tg_needs_grad(n, 1))
        dx[1] = tg_matmul_at(n->at, tg_t(g), x);
    if (n->nin > 2 && tg_needs_grad(n, 2))
        dx[2] = g; /* the engine sums it over the rows */
}

TG_DEFINE_OP(linear, TG_VARIADIC, 0, .reads = reads_other);

tg_tensor *tg_linear_at(const char *at, tg_tensor *x, tg_tensor *w, tg_tensor *b)
{
    TG_FUNCTION("linear");
    const int nin = b ? 3 : 2;
    if (!tg_usable(at, "linear", x) || !tg_usable(at, "linear", w))
        return tg_error_tensor();
    if (x->shape.ndim == 2 || x->shape.ndim == 0)
        return tg_apply(at, &tg_op_linear, nin, (tg_tensor *[]){x, w, b}, NULL, 0);
    tg_shape shape = x->shape; /* (..., in) is (rows, in) on the way */
    x = rows_of(at, x);
    tg_tensor *y = tg_apply(at, &tg_op_linear, nin, (tg_tensor *[]){x, w, b}, NULL, 0);
    if (tg_is_error(y))
        return y;
    shape.size[shape.ndim - 1] = y->shape.size[1];
    return tg_view_at(at, y, shape);
}
