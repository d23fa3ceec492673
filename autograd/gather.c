/* gather and scatter_add: each is the gradient of the other; and index_select. */
#include "autograd/ops-internal.h"

/* The dimension, an attribute of both ops; -1, and misuse, unless the sizes of index beside it are
 * at most those of x. */
static int checked_dimension(const tg_node *n, const tg_tensor *x, const tg_tensor *index)
{
    const int dim = tg_axis(&x->shape, *(const int *)n->attr);
    bool fits = dim >= 0 && index->dtype == TG_I64 &&
                (index->shape.ndim == x->shape.ndim || (index->shape.ndim + x->shape.ndim == 1));
    for (int d = 0; fits && d < x->shape.ndim; d++)
        fits = d == dim || index->shape.size[d] <= x->shape.size[d];
    if (!fits) {
        tg_reject(n, "dimension %d of %s with index %s %s: i64 of as many dimensions expected, no "
                  "larger beside that one", *(const int *)n->attr, TG_TEXT(x->shape),
                  tg_dtype_name(index->dtype), TG_TEXT(index->shape));
        return -1;
    }
    return dim;
}

static bool indices_fit(const tg_node *n, const tg_tensor *x, int dim, const tg_tensor *index)
{
    for (int64_t i = 0; i < tg_numel(index); i++) {
        const int64_t k = ((const int64_t *)index->data)[tg_element_offset(index, i)];
        if (k < 0 || k >= tg_axis_size(&x->shape, dim)) {
            tg_reject(n, "index %lld of dimension %d of %s", (long long)k, dim, TG_TEXT(x->shape));
            return false;
        }
    }
    return true;
}

/* Where element i of index points to in x: at its own place, but in dimension dim at its value. */
static int64_t pointed_offset(const tg_tensor *x, int dim, const tg_tensor *index, int64_t i)
{
    const int64_t k = ((const int64_t *)index->data)[tg_element_offset(index, i)];
    int64_t offset = x->shape.ndim > 0 ? k * x->stride[dim] : 0;
    for (int d = index->shape.ndim - 1; d >= 0; d--) {
        if (d != dim)
            offset += i % index->shape.size[d] * x->stride[d];
        i /= index->shape.size[d];
    }
    return offset;
}

/* ---- gather: x, index (...) -> (...) --------------------------------------------------------- */

static tg_tensor *gather_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *index = n->in[1];
    const int dim = checked_dimension(n, x, index);
    tg_tensor *y = dim < 0 ? tg_error_tensor() : tg_result(n, x->dtype, index->shape);
    if (tg_is_error(y) || !indices_fit(n, x, dim, index))
        return tg_error_tensor();
    for (int64_t i = 0; i < tg_numel(y); i++)
        tg_element_copy(y, i, x, pointed_offset(x, dim, index, i));
    return y;
}

static void gather_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *zeros = tg_zeros_at(n->at, g->dtype, n->in[0]->shape);
    dx[0] = tg_scatter_add_at(n->at, zeros, *(const int *)n->attr, n->in[1], g);
}

TG_DEFINE_OP(gather, 2, TG_SAVES(1));

tg_tensor *tg_gather_at(const char *at, tg_tensor *x, int dim, tg_tensor *index)
{
    return tg_apply(at, &tg_op_gather, 2, (tg_tensor *[]){x, index}, &dim, sizeof dim);
}

/* ---- scatter_add: x, index (...), source (...) -> x's shape ---------------------------------- */

static tg_tensor *scatter_add_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *index = n->in[1], *source = n->in[2];
    const int dim = checked_dimension(n, x, index);
    if (dim < 0)
        return tg_error_tensor();
    if (!tg_shape_equal(&index->shape, &source->shape) || source->dtype != x->dtype ||
        x->dtype == TG_I64)
        return tg_reject(n, "%s %s from %s %s: one floating dtype, and the shape of the index %s, "
                         "expected", tg_dtype_name(x->dtype), TG_TEXT(x->shape),
                         tg_dtype_name(source->dtype), TG_TEXT(source->shape),
                         TG_TEXT(index->shape));
    tg_tensor *y = tg_result(n, x->dtype, x->shape);
    if (tg_is_error(y) || !indices_fit(n, x, dim, index))
        return tg_error_tensor();
    tg_copy_elements(y, x);
    for (int64_t i = 0; i < tg_numel(source); i++) {
        const int64_t from = tg_element_offset(source, i), to = pointed_offset(y, dim, index, i);
        tg_element_set(y, to, tg_element(y, to) + tg_element(source, from));
    }
    return y;
}

static void scatter_add_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = g;
    if (tg_needs_grad(n, 2))
        dx[2] = tg_gather_at(n->at, g, *(const int *)n->attr, n->in[1]);
}

TG_DEFINE_OP(scatter_add, 3, TG_SAVES(1));

tg_tensor *tg_scatter_add_at(const char *at, tg_tensor *x, int dim, tg_tensor *index,
                             tg_tensor *source)
{
    tg_tensor *in[] = {x, index, source};
    return tg_apply(at, &tg_op_scatter_add, 3, in, &dim, sizeof dim);
}

/* ---- index_select ---------------------------------------------------------------------------- */

tg_tensor *tg_index_select_at(const char *at, tg_tensor *x, int dim, tg_tensor *index)
{
    TG_FUNCTION("index_select");
    if (!tg_usable(at, "index_select", x) || !tg_usable(at, "index_select", index))
        return tg_error_tensor();
    const int d = tg_axis(&x->shape, dim);
    if (d < 0 || index->shape.ndim > 1)
        return tg_misuse(at, "index_select", "dimension %d of %s with index %s: (n) expected", dim,
                         TG_TEXT(x->shape), TG_TEXT(index->shape));
    tg_shape shape = x->shape, along = {.ndim = x->shape.ndim};
    for (int i = 0; i < along.ndim; i++)
        along.size[i] = 1;
    shape.size[d] = along.size[d] = tg_numel(index);
    index = tg_reshape_at(at, index, along);
    return tg_gather_at(at, x, d, tg_expand_at(at, index, shape));
}
