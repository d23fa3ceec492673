/* gather and scatter_add: each is the gradient of the other; and index_select. */
#include <stdatomic.h>
#include <string.h>

#include "autograd/ops-internal.h"
#include "tensor/strided-internal.h"

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

/* Each value has an index, which points to an element of x: at the value's own place, but in
 * dimension dim at the index. Operands of the loop in that order. */
enum { VALUE, INDEX, ELEMENT, OPERANDS };

typedef struct pointing {
    tg_dtype dtype;
    bool adds;          /* values to the elements; otherwise elements become the values */
    int64_t size, step; /* of x in dim */
    int64_t count, stride[OPERANDS]; /* in dim, of operands that a block has the first element of */
    atomic_bool is_out_of_range;     /* an index */
} pointing;

#define RUN(name, T, action)                                                                       \
    static inline bool name##_by(const tg_block *b, int64_t size, int64_t step, int64_t value,     \
                                 int64_t index, int64_t element)                                   \
    {                                                                                              \
        T *own = (T *)(void *)b->data[VALUE], *x = (T *)(void *)b->data[ELEMENT];                  \
        const int64_t *k = (const int64_t *)(const void *)b->data[INDEX];                          \
        for (int64_t i = 0; i < b->n; i++, own += value, k += index, x += element) {               \
            if ((uint64_t)*k >= (uint64_t)size)                                                    \
                return false;                                                                      \
            action;                                                                                \
        }                                                                                          \
        return true;                                                                               \
    }                                                                                              \
    static bool name(const tg_block *b, int64_t size, int64_t step)                                \
    {                                                                                              \
        const int64_t *by = b->stride;                                                             \
        return step == 1 && by[VALUE] == 1 && by[INDEX] == 1 && by[ELEMENT] == 0                   \
                   ? name##_by(b, size, 1, 1, 1, 0)                                                \
                   : name##_by(b, size, step, by[VALUE], by[INDEX], by[ELEMENT]);                  \
    }
RUN(take_4, uint32_t, *own = x[*k * step])
RUN(take_8, uint64_t, *own = x[*k * step])
RUN(add_f32, float, x[*k * step] += *own)
RUN(add_f64, double, x[*k * step] += *own)
#undef RUN

/* A row of values with one index, all side by side. */
static bool run_of_one(const pointing *p, const tg_block *b)
{
    const int64_t k = *(const int64_t *)(const void *)b->data[INDEX];
    const int64_t size = (int64_t)tg_dtype_size(p->dtype);
    if (k < 0 || k >= p->size)
        return false;
    char *element = b->data[ELEMENT] + k * p->step * size, *value = b->data[VALUE];
    if (p->adds)
        tg_kernels_of(p->dtype)->map[TG_ROW_add][TG_VALUE](
            b->n, element, (const void *[]){element, value});
    else
        memcpy(value, element, (size_t)(b->n * size));
    return true;
}

static bool run_row(const pointing *p, const tg_block *row)
{
    if (row->stride[VALUE] == 1 && row->stride[INDEX] == 0 && row->stride[ELEMENT] == 1)
        return run_of_one(p, row);
    if (p->adds)
        return (p->dtype == TG_F32 ? add_f32 : add_f64)(row, p->size, p->step);
    return (p->dtype == TG_F32 ? take_4 : take_8)(row, p->size, p->step);
}

/* Software prefetch for row r of a block of rows with one index each. */
TG_ALWAYS_INLINE void prefetch_row(const pointing *p, const tg_block *b, int64_t r)
{
    if (r >= b->rows || b->stride[INDEX] != 0 || b->stride[ELEMENT] != 1)
        return;
    const int64_t k = ((const int64_t *)(const void *)b->data[INDEX])[r * b->row[INDEX]];
    const int64_t size = (int64_t)tg_dtype_size(p->dtype);
    if (k >= 0 && k < p->size)
        tg_prefetch(b->data[ELEMENT] + (k * p->step + r * b->row[ELEMENT]) * size,
                    (size_t)(b->n * size));
}

/* Rows of the block, or rows in dim where x's elements lie side by side. */
static void run_block(void *context, const tg_block *b)
{
    pointing *p = context;
    const bool in_dim = p->count > 1 && p->step <= 1;
    const int64_t outer = in_dim ? 1 : p->count, columns = in_dim ? b->n : 1;
    tg_block row = {.rows = 1, .n = in_dim ? p->count : b->n};
    memcpy(row.stride, in_dim ? p->stride : b->stride, sizeof p->stride);
    bool fits = true;
    for (int64_t k = 0; k < outer && fits; k++)
        for (int64_t r = 0; r < b->rows && fits; r++) {
            prefetch_row(p, b, r + TG_ROWS_AHEAD);
            for (int64_t c = 0; c < columns && fits; c++) {
                for (int i = 0; i < OPERANDS; i++)
                    row.data[i] = b->data[i] +
                                  (k * p->stride[i] + r * b->row[i] + c * b->stride[i]) *
                                      (i == INDEX ? 8 : (int64_t)tg_dtype_size(p->dtype));
                fits = run_row(p, &row);
            }
        }
    if (!fits)
        atomic_store(&p->is_out_of_range, true);
}

static bool reject_index(const tg_node *n, const tg_tensor *x, int dim, const tg_tensor *index)
{
    for (int64_t i = 0;; i++) {
        const int64_t k = ((const int64_t *)index->data)[tg_element_offset(index, i)];
        if (k >= 0 && k < tg_axis_size(&x->shape, dim))
            continue;
        tg_reject(n, "index %lld of dimension %d of %s", (long long)k, dim, TG_TEXT(x->shape));
        return false;
    }
}

/* value = x at the index, or x at the index += value; false, and misuse, where an index points to
 * nothing. Sums take values in the order of dim, which is not divided among threads. */
static bool point(const tg_node *n, bool adds, const tg_tensor *value, int dim,
                  const tg_tensor *index, const tg_tensor *x)
{
    enum { PARALLEL = 8192, WIDE = 256 }; /* elements worth a thread, a row through memory */
    const int64_t step = x->shape.ndim > 0 ? x->stride[dim] : 0;
    pointing p = {x->dtype, adds, tg_axis_size(&x->shape, dim), step, 1, {0}, false};
    tg_tensor operand[OPERANDS] = {*value, *index, *x};
    operand[ELEMENT].shape = index->shape;
    operand[ELEMENT].stride[dim] = 0;
    if (adds && index->shape.ndim > 0) {
        p.count = index->shape.size[dim];
        for (int i = 0; i < OPERANDS; i++) {
            p.stride[i] = operand[i].stride[dim];
            operand[i].shape.size[dim] = 1;
        }
    }
    const int64_t grain = PARALLEL / (p.count < 1 ? 1 : p.count) + (adds && step > 1 ? WIDE : 2);
    tg_loop loop;
    tg_loop_init(&loop, &operand[INDEX].shape, OPERANDS,
                 (const tg_tensor *[]){&operand[VALUE], &operand[INDEX], &operand[ELEMENT]});
    tg_loop_run(&loop, grain / 2, grain, run_block, &p);
    return !p.is_out_of_range || reject_index(n, x, dim, index);
}

/* ---- gather: x, index (...) -> (...) --------------------------------------------------------- */

static tg_tensor *gather_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *index = n->in[1];
    const int dim = checked_dimension(n, x, index);
    tg_tensor *y = dim < 0 ? tg_error_tensor() : tg_result(n, x->dtype, index->shape);
    return !tg_is_error(y) && point(n, false, y, dim, index, x) ? y : tg_error_tensor();
}

static void gather_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *zeros = tg_expand_at(n->at, tg_scalar(g->dtype, 0), n->in[0]->shape);
    dx[0] = tg_scatter_add_at(n->at, zeros, *(const int *)n->attr, n->in[1], g);
}

TG_DEFINE_OP(gather, 2, TG_SAVES(1));

tg_tensor *tg_gather_at(const char *at, tg_tensor *x, int dim, tg_tensor *index)
{
    return tg_apply(at, &tg_op_gather, 2, (tg_tensor *[]){x, index}, &dim, sizeof dim);
}

/* The source with elements of a row side by side, which sums are worth; of one element, one row. */
static tg_tensor *with_rows(const char *at, tg_tensor *source)
{
    tg_shape row = source->shape;
    bool is_one_element = row.ndim > 0;
    for (int d = 0; d < row.ndim; d++) {
        is_one_element = is_one_element && (row.size[d] == 1 || source->stride[d] == 0);
        if (d < row.ndim - 1)
            row.size[d] = 1;
    }
    if (!is_one_element || tg_numel(source) == 0)
        return tg_contiguous_at(at, source);
    tg_tensor *first = tg_tensor_alias(source);
    first->shape = row;
    return tg_expand_at(at, tg_contiguous_at(at, first), source->shape);
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
    if (tg_is_error(y))
        return y;
    tg_copy_elements(y, x);
    source = with_rows(n->at, n->in[2]);
    return !tg_is_error(source) && point(n, true, source, dim, index, y) ? y : tg_error_tensor();
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
