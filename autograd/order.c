/* argmax, topk and sort: where the largest elements are. */
#include "autograd/ops-internal.h"

/* ---- argmax: i64, with size 1 along an axis that is not empty -------------------------------- */

static tg_tensor *argmax_forward(const tg_node *n)
{
    const int axis = *(const int *)n->attr;
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_shape shape = n->in[0]->shape;
    const tg_rows rows = tg_rows_along(&shape, axis);
    shape.size[axis] = 1;
    tg_tensor *y = tg_result(n, TG_I64, shape);
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    const int64_t size = (int64_t)tg_dtype_size(x->dtype);
    tg_along_rows(tg_kernels_get()->argmax[x->dtype], rows,
                  (tg_row_operand){y->data, rows.inner * 8, 1, 8}, 1,
                  &(tg_row_operand){x->data, rows.count * rows.inner * size, rows.count, size});
    return y;
}

const tg_op tg_op_argmax = {.name = "argmax", .arity = 1, .forward = argmax_forward};

tg_tensor *tg_argmax_at(const char *at, tg_tensor *x, int dim, bool keepdim)
{
    if (!tg_usable(at, "argmax", x))
        return tg_error_tensor();
    const int axis = tg_axis(&x->shape, dim);
    if (axis < 0)
        return tg_misuse(at, "argmax", "dimension %d of %s", dim, TG_TEXT(x->shape));
    if (tg_axis_size(&x->shape, axis) == 0)
        return tg_misuse(at, "argmax", "dimension %d of %s: of no elements there is no largest",
                         dim, TG_TEXT(x->shape));
    tg_tensor *y = tg_apply(at, &tg_op_argmax, 1, &x, &axis, sizeof axis);
    return tg_drop_dims(at, y, keepdim, TG_SHAPE(dim));
}

/* ---- topk: (..., n) -> i64 (..., k), places of the largest, in falling order ----------------- */

static tg_tensor *topk_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0];
    const int64_t k = *(const int64_t *)n->attr;
    const int last = tg_axis(&x->shape, -1);
    const int64_t count = tg_axis_size(&x->shape, last);
    if (k < 0 || k > count || (k == 0 && x->shape.ndim == 0))
        return tg_reject(n, "%lld of %s: a last dimension of at least as many expected",
                         (long long)k, TG_TEXT(x->shape));
    tg_shape shape = x->shape;
    shape.size[last] = k;
    x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, TG_I64, shape);
    if (tg_is_error(x) || tg_is_error(y) || k == 0)
        return tg_is_error(x) ? tg_error_tensor() : y;
    tg_topk_rows(x->dtype, tg_numel(y) / k, count, k, y->data, x->data);
    return y;
}

const tg_op tg_op_topk = {.name = "topk", .arity = 1, .forward = topk_forward};

tg_tensor *tg_topk_at(const char *at, tg_tensor *x, int64_t k, tg_tensor **index)
{
    TG_FUNCTION("topk");
    tg_tensor *unused;
    index = index ? index : &unused;
    *index = tg_apply(at, &tg_op_topk, 1, &x, &k, sizeof k);
    return tg_gather_at(at, x, -1, *index);
}

/* ---- sort: (..., n) -> i64 (..., n), the places of its elements in order --------------------- */

static tg_tensor *sort_forward(const tg_node *n)
{
    const int64_t count = tg_axis_size(&n->in[0]->shape, tg_axis(&n->in[0]->shape, -1));
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, TG_I64, n->in[0]->shape);
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    if (tg_numel(y) > 0)
        tg_sort_rows(x, tg_numel(y) / count, count, *(const bool *)n->attr, y->data);
    return y;
}

const tg_op tg_op_sort = {.name = "sort", .arity = 1, .forward = sort_forward};

tg_tensor *tg_sort_at(const char *at, tg_tensor *x, int dim, bool descending, tg_tensor **index)
{
    TG_FUNCTION("sort");
    tg_tensor *unused;
    index = index ? index : &unused;
    if (!tg_usable(at, "sort", x))
        return *index = tg_error_tensor();
    const int axis = tg_axis(&x->shape, dim), last = x->shape.ndim > 0 ? x->shape.ndim - 1 : 0;
    if (axis < 0)
        return *index = tg_misuse(at, "sort", "dimension %d of %s", dim, TG_TEXT(x->shape));
    tg_tensor *rows = axis == last ? x : tg_transpose_at(at, x, axis, last);
    tg_tensor *place = tg_apply(at, &tg_op_sort, 1, &rows, &descending, sizeof descending);
    *index = axis == last ? place : tg_contiguous_at(at, tg_transpose_at(at, place, axis, last));
    return tg_gather_at(at, x, axis, *index);
}
