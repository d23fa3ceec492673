/* The strided loop and what stands on it, against loops over element numbers: for all small shapes
 * and for some that are longer than blocks, tiles and what is worth a thread; of operands that were
 * permuted, narrowed and expanded at random; on 1, 2 and 3 threads. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"
#include "tensor/strided-internal.h"
#include "tests/elements.h"

static void begin(void)
{
    tg_set_misuse(TG_MISUSE_RETURN);
}

TestSuite(strided, .init = begin, .timeout = 120);

/* ---- what is drawn --------------------------------------------------------------------------- */

static int64_t below(tg_rng *rng, int64_t bound)
{
    return (int64_t)tg_rng_below(rng, (uint64_t)bound);
}

static bool one_in(tg_rng *rng, int64_t n)
{
    return below(rng, n) == 0;
}

/* All shapes of at most 4 dimensions of 0 to 3 come first, then random ones. */
enum { SMALL_SHAPES = 1 + 4 + 16 + 64 + 256, SHAPES = SMALL_SHAPES + 200 };

static tg_shape shape_of(tg_rng *rng, int number)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 15, 16, 17, 63, 65, 130, 1025, 4097, 9000, 20000};
    tg_shape shape = {.ndim = 0};
    if (number >= SMALL_SHAPES) {
        int64_t total = 1;
        for (shape.ndim = 0; shape.ndim < 5; shape.ndim++) {
            const int64_t size = sizes[below(rng, sizeof sizes / sizeof *sizes)];
            shape.size[shape.ndim] = total * size > 40000 ? 1 + below(rng, 2) : size;
            total *= shape.size[shape.ndim];
        }
        shape.ndim -= (int)below(rng, 4);
        return shape;
    }
    for (int64_t count = 1; number >= count; count *= 4) {
        number -= (int)count;
        shape.ndim++;
    }
    for (int d = 0; d < shape.ndim; d++, number /= 4)
        shape.size[d] = number % 4;
    return shape;
}

static void draw(tg_rng *rng, tg_tensor *t)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0, 1e300, 1e10, -0x1p63,
                                     0x1p53};
    for (int64_t i = 0; i < tg_numel(t); i++)
        if (t->dtype == TG_I64)
            ((int64_t *)t->data)[i] = one_in(rng, 4) ? (INT64_C(1) << 53) + below(rng, 3)
                                                     : below(rng, 5) - 2;
        else
            tg_element_set(t, i, one_in(rng, 8) ? special[below(rng, 9)]
                                                : (double)(below(rng, 9) - 4) / 3);
}

/* A tensor of the shape in memory of another order, with gaps, and expanded if it may be. */
static tg_tensor *operand(tg_rng *rng, tg_dtype dtype, tg_shape shape, bool may_expand)
{
    const int ndim = shape.ndim;
    tg_shape order = {.ndim = ndim}, base = {.ndim = ndim};
    const bool is_plain = one_in(rng, 3);
    for (int d = 0; d < ndim; d++)
        order.size[d] = d;
    for (int d = ndim - 1; d > 0 && !is_plain; d--) {
        const int64_t other = below(rng, d + 1), kept = order.size[d];
        order.size[d] = order.size[other];
        order.size[other] = kept;
    }
    for (int d = 0; d < ndim; d++) {
        const int64_t size = shape.size[d];
        base.size[order.size[d]] = is_plain                          ? size
                                   : may_expand && one_in(rng, 4) ? 1
                                                                     : size + below(rng, 2);
    }
    tg_tensor *t = tg_empty_at(TG_HERE, dtype, base);
    draw(rng, t);
    t = tg_permute_at(TG_HERE, t, order);
    for (int d = 0; d < ndim; d++)
        if (t->shape.size[d] > shape.size[d])
            t = tg_narrow(t, d, t->shape.size[d] - shape.size[d], shape.size[d]);
    return tg_expand_at(TG_HERE, t, shape);
}

/* The same where dimensions of size 1, or missing in front, stand for those of the shape. */
static tg_tensor *broadcast_operand(tg_rng *rng, tg_dtype dtype, tg_shape shape)
{
    const int skip = one_in(rng, 3) ? (int)below(rng, shape.ndim + 1) : 0;
    tg_shape own = {.ndim = shape.ndim - skip};
    for (int d = 0; d < own.ndim; d++)
        own.size[d] = one_in(rng, 4) ? 1 : shape.size[d + skip];
    return operand(rng, dtype, own, true);
}

/* Where element number i of `shape` lies in t. */
static int64_t offset_in(const tg_tensor *t, const tg_shape *shape, int64_t i)
{
    int64_t offset = 0;
    for (int d = shape->ndim - 1; d >= 0; i /= shape->size[d--]) {
        const int own = d - (shape->ndim - t->shape.ndim);
        if (own >= 0 && t->shape.size[own] > 1)
            offset += i % shape->size[d] * t->stride[own];
    }
    return offset;
}

static double value_at(const tg_tensor *t, const tg_shape *shape, int64_t i)
{
    return tg_element(t, offset_in(t, shape, i));
}

static const void *address(const tg_tensor *t, int64_t offset)
{
    return (const char *)t->data + offset * (int64_t)tg_dtype_size(t->dtype);
}

/* Calls check_shape for all shapes, on a number of threads that changes. */
static void for_shapes(uint64_t seed, void (*check_shape)(tg_rng *rng, tg_shape shape))
{
    tg_rng rng = {.seed = seed};
    for (int number = 0; number < SHAPES; number++) {
        tg_step_begin();
        tg_set_num_threads(1 + number % 3);
        const tg_shape shape = shape_of(&rng, number);
        check_shape(&rng, shape);
        cr_assert_eq(tg_last_error()->status, TG_OK, "%s: %s", TEXT(shape),
                     tg_last_error()->message);
        tg_step_end();
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

enum { OPERANDS = 3 };

/* By the element of the first operand: how often it came, and with which of the others. */
typedef struct visits {
    const tg_tensor *operand[OPERANDS];
    int64_t most; /* elements of a block */
    atomic_int *count;
    int64_t (*other)[OPERANDS];
} visits;

static void visit(void *context, const tg_block *b)
{
    const visits *v = context;
    cr_assert(b->rows > 0 && b->n > 0 && b->rows * b->n <= v->most);
    for (int64_t row = 0; row < b->rows; row++)
        for (int64_t column = 0; column < b->n; column++) {
            int64_t at[OPERANDS];
            for (int i = 0; i < OPERANDS; i++) {
                const tg_tensor *t = v->operand[i];
                at[i] = (b->data[i] - (const char *)t->data) / (int64_t)tg_dtype_size(t->dtype) +
                        row * b->row[i] + column * b->stride[i];
            }
            atomic_fetch_add(&v->count[at[0]], 1);
            memcpy(v->other[at[0]], at, sizeof at);
        }
}

static void check_visits(tg_rng *rng, tg_shape shape)
{
    static const int64_t blocks[] = {1, 7, 64, 1000, 5000};
    visits v = {.operand = {operand(rng, TG_F32, shape, false),
                            broadcast_operand(rng, TG_I64, shape),
                            broadcast_operand(rng, TG_F32, shape)}};
    const int64_t last = tg_numel(v.operand[0]) > 0 ? 1 + offset_in(v.operand[0], &shape,
                                                                    tg_numel(v.operand[0]) - 1) : 1;
    v.count = calloc((size_t)last, sizeof *v.count);
    v.other = calloc((size_t)last, sizeof *v.other);
    v.most = blocks[below(rng, 5)];
    tg_loop loop;
    tg_loop_init(&loop, &shape, OPERANDS, v.operand);
    tg_loop_run(&loop, v.most, below(rng, 2000), visit, &v);
    int64_t all = 0;
    for (int64_t i = 0; i < last; i++)
        all += v.count[i];
    cr_assert_eq(all, tg_shape_numel(&shape));
    for (int64_t i = 0; i < tg_shape_numel(&shape); i++) {
        const int64_t at = offset_in(v.operand[0], &shape, i);
        cr_assert_eq(v.count[at], 1, "%s: element %d", TEXT(shape), (int)i);
        for (int k = 1; k < OPERANDS; k++)
            cr_assert_eq(v.other[at][k], offset_in(v.operand[k], &shape, i), "%s: element %d of %d",
                         TEXT(shape), (int)i, k);
    }
    free(v.count);
    free(v.other);
}

Test(strided, loop__visits_each_element_once)
{
    for_shapes(1, check_visits);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void check_maps(tg_rng *rng, tg_shape shape)
{
    const tg_dtype dtype = one_in(rng, 2) ? TG_F32 : TG_F64;
    const tg_tensor *y = tg_empty_at(TG_HERE, dtype, shape), *in[TG_MAP_INPUTS];
    for (int i = 0; i < TG_MAP_INPUTS; i++)
        in[i] = broadcast_operand(rng, dtype, shape);
    tg_map(tg_kernels_of(dtype)->map[TG_ROW_sub][TG_VALUE], y, 2, in);
    for (int64_t i = 0; i < tg_numel(y); i++) {
        const double a = value_at(in[0], &shape, i), b = value_at(in[1], &shape, i);
        const double wanted = dtype == TG_F32 ? (double)((float)a - (float)b) : a - b;
        cr_assert(is_same(tg_element(y, i), wanted), "%s: element %d", TEXT(shape), (int)i);
    }
    tg_map(tg_kernels_of(dtype)->map[TG_ROW_minimum][TG_DB], y, 4, in); /* of g, a and b */
    for (int64_t i = 0; i < tg_numel(y); i++) {
        const double g = value_at(in[0], &shape, i), a = value_at(in[1], &shape, i);
        const double b = value_at(in[2], &shape, i), wanted = a < b ? 0 : a == b ? g / 2 : g;
        cr_assert(is_same(tg_element(y, i), dtype == TG_F32 ? (double)(float)wanted : wanted),
                  "%s: element %d of four operands", TEXT(shape), (int)i);
    }
}

Test(strided, maps__agree_with_formulas)
{
    for_shapes(2, check_maps);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void check_copies(tg_rng *rng, tg_shape shape)
{
    for (int pair = 0; pair < 9; pair++) {
        const tg_tensor *from = operand(rng, pair / 3, shape, true);
        tg_tensor *to = operand(rng, pair % 3, shape, false);
        tg_copy(to, from);
        for (int64_t i = 0; i < tg_numel(to); i++) {
            const int64_t at = offset_in(to, &shape, i), source = offset_in(from, &shape, i);
            const double x = tg_element(from, source), y = tg_element(to, at);
            const int64_t whole = from->dtype == TG_I64 ? ((const int64_t *)from->data)[source] : 0;
            const bool is_same_dtype = to->dtype == from->dtype;
            cr_assert(is_same_dtype ? memcmp(address(to, at), address(from, source),
                                             tg_dtype_size(to->dtype)) == 0
                      : to->dtype == TG_I64 ? ((const int64_t *)to->data)[at] == tg_to_i64(x)
                      : from->dtype == TG_I64 && to->dtype == TG_F32 ? y == (double)(float)whole
                      : is_same(y, to->dtype == TG_F32 ? (double)(float)x : x),
                      "%s: element %d, %s from %s", TEXT(shape), (int)i, tg_dtype_name(to->dtype),
                      tg_dtype_name(from->dtype));
        }
    }
}

Test(strided, copies__convert)
{
    for_shapes(3, check_copies);
}

/* ---- comparisons and where ------------------------------------------------------------------- */

#define COMPARED(a, b) {(a) == (b), (a) != (b), (a) < (b), (a) <= (b), (a) > (b), (a) >= (b)}

static void check_comparisons(tg_rng *rng, tg_shape shape)
{
    static tg_tensor *(*const op[])(const char *at, tg_tensor *a, tg_tensor *b) = {
        tg_eq_at, tg_ne_at, tg_lt_at, tg_le_at, tg_gt_at, tg_ge_at};
    const tg_dtype dtype = (tg_dtype)below(rng, 3);
    tg_tensor *a = operand(rng, dtype, shape, true), *b = broadcast_operand(rng, dtype, shape);
    for (int k = 0; k < 6; k++) {
        const tg_tensor *y = op[k](TG_HERE, a, b);
        for (int64_t i = 0; i < tg_numel(y); i++) {
            const int64_t at_a = offset_in(a, &shape, i), at_b = offset_in(b, &shape, i);
            const double p = tg_element(a, at_a), q = tg_element(b, at_b);
            const int64_t m = dtype == TG_I64 ? ((const int64_t *)a->data)[at_a] : 0;
            const int64_t n = dtype == TG_I64 ? ((const int64_t *)b->data)[at_b] : 0;
            const bool floats[] = COMPARED(p, q), integers[] = COMPARED(m, n);
            cr_assert_eq(((const int64_t *)y->data)[i],
                         dtype == TG_I64 ? integers[k] : floats[k], "%s: element %d of op %d",
                         TEXT(shape), (int)i, k);
        }
    }
}

Test(strided, comparisons__are_those_of_c)
{
    for_shapes(4, check_comparisons);
}

static void check_where(tg_rng *rng, tg_shape shape)
{
    const tg_dtype dtype = (tg_dtype)below(rng, 3);
    tg_tensor *c = broadcast_operand(rng, TG_I64, shape), *a = operand(rng, dtype, shape, true);
    tg_tensor *b = broadcast_operand(rng, dtype, shape);
    const tg_tensor *y = tg_where(c, a, b);
    for (int64_t i = 0; i < tg_numel(y); i++) {
        const tg_tensor *x = ((const int64_t *)c->data)[offset_in(c, &shape, i)] != 0 ? a : b;
        cr_assert_eq(memcmp(address(y, i), address(x, offset_in(x, &shape, i)),
                            tg_dtype_size(dtype)), 0, "%s: element %d", TEXT(shape), (int)i);
    }
}

Test(strided, where__chooses_elements)
{
    for_shapes(5, check_where);
}

/* ---- index ops ------------------------------------------------------------------------------- */

/* An index of a shape, of numbers below `size`. */
static tg_tensor *index_of(tg_rng *rng, tg_shape shape, int64_t size)
{
    tg_tensor *index = operand(rng, TG_I64, shape, true);
    for (int64_t i = 0; i < tg_numel(index); i++)
        ((int64_t *)index->data)[offset_in(index, &shape, i)] = below(rng, size);
    return index;
}

/* Where element i of the index points to in x. */
static int64_t pointed(const tg_tensor *x, int dim, const tg_tensor *index, int64_t i)
{
    const int64_t k = ((const int64_t *)index->data)[offset_in(index, &index->shape, i)];
    int64_t offset = k * x->stride[dim];
    for (int d = index->shape.ndim - 1; d >= 0; i /= index->shape.size[d--])
        offset += d == dim ? 0 : i % index->shape.size[d] * x->stride[d];
    return offset;
}

/* x, and an index into one of its dimensions, at most as large beside it; false without any. */
static bool draw_index(tg_rng *rng, tg_shape shape, tg_dtype dtype, tg_tensor **x, int *dim,
                       tg_tensor **index)
{
    *dim = shape.ndim > 0 ? (int)below(rng, shape.ndim) : 0;
    if (shape.ndim == 0 || shape.size[*dim] == 0)
        return false;
    *x = operand(rng, dtype, shape, true);
    for (int d = 0; d < shape.ndim; d++)
        shape.size[d] = d == *dim ? below(rng, shape.size[d] + 3) : shape.size[d] - below(rng, 2);
    for (int d = 0; d < shape.ndim; d++)
        shape.size[d] = shape.size[d] < 0 ? 0 : shape.size[d];
    *index = index_of(rng, shape, (*x)->shape.size[*dim]);
    return true;
}

static void check_gather(tg_rng *rng, tg_shape shape)
{
    const tg_dtype dtype = (tg_dtype)below(rng, 3);
    tg_tensor *x, *index;
    int dim;
    if (!draw_index(rng, shape, dtype, &x, &dim, &index))
        return;
    const tg_tensor *y = tg_gather(x, dim, index);
    for (int64_t i = 0; i < tg_numel(y); i++)
        cr_assert_eq(memcmp(address(y, i), address(x, pointed(x, dim, index, i)),
                            tg_dtype_size(dtype)), 0, "%s at %s in dimension %d: element %d",
                     TEXT(shape), TEXT(index->shape), dim, (int)i);
    if (dtype == TG_I64)
        return;
    tg_tensor *source = operand(rng, dtype, index->shape, true);
    const tg_tensor *sum = tg_scatter_add(x, dim, index, source), *wanted = tg_retain(x);
    for (int64_t i = 0; i < tg_numel(source); i++) {
        const int64_t to = pointed(wanted, dim, index, i);
        const int64_t from = offset_in(source, &source->shape, i);
        if (dtype == TG_F32)
            ((float *)wanted->data)[to] += ((const float *)source->data)[from];
        else
            ((double *)wanted->data)[to] += ((const double *)source->data)[from];
    }
    for (int64_t i = 0; i < tg_numel(wanted); i++)
        cr_assert(is_same(tg_element(sum, i), tg_element(wanted, i)),
                  "%s at %s in dimension %d: sum %d", TEXT(shape), TEXT(index->shape), dim, (int)i);
    tg_free((tg_tensor *)wanted);
}

Test(strided, gather_and_scatter_add__go_by_the_index)
{
    for_shapes(6, check_gather);
}

/* index_select, and its gradient, the sum of rows in the order of the index. */
static void check_index_select(tg_rng *rng, tg_shape shape)
{
    const tg_dtype dtype = one_in(rng, 2) ? TG_F32 : TG_F64;
    const int dim = shape.ndim > 0 ? (int)below(rng, shape.ndim) : 0;
    if (shape.ndim == 0 || shape.size[dim] == 0)
        return;
    tg_tensor *x = operand(rng, dtype, shape, false), *leaf = tg_requires_grad(tg_detach(x));
    tg_tensor *index = index_of(rng, TG_SHAPE(below(rng, shape.size[dim] + 3)), shape.size[dim]);
    tg_tensor *y = tg_index_select(leaf, dim, index), *g = operand(rng, dtype, y->shape, true);
    tg_tensor *dx = tg_empty_at(TG_HERE, dtype, shape);
    tg_fill(dx, 0);
    for (int64_t i = 0; i < tg_numel(y); i++) {
        int64_t inner = 1;
        for (int d = dim + 1; d < shape.ndim; d++)
            inner *= shape.size[d];
        const int64_t count = tg_numel(index), place = i / inner % count;
        const int64_t row = ((const int64_t *)index->data)[place * index->stride[0]];
        const int64_t number = (i / inner / count * shape.size[dim] + row) * inner + i % inner;
        const double from = value_at(x, &shape, number), part = value_at(g, &y->shape, i);
        cr_assert(is_same(tg_element(y, i), from), "%s by %d in dimension %d: element %d",
                  TEXT(shape), (int)count, dim, (int)i);
        tg_element_set(dx, number, tg_element(dx, number) + part);
    }
    tg_backward(tg_sum(tg_mul(y, g)));
    for (int64_t i = 0; i < tg_numel(dx); i++)
        cr_assert(is_same(value_at(leaf->grad, &shape, i), tg_element(dx, i)),
                  "%s in dimension %d: gradient %d", TEXT(shape), dim, (int)i);
}

Test(strided, index_select__selects_and_its_gradient_adds)
{
    for_shapes(7, check_index_select);
}

/* The first index that points to nothing is named, whatever thread finds one. */
Test(strided, index_out_of_range__is_the_first)
{
    enum { N = 300 };
    tg_set_num_threads(3);
    for (int round = 0; round < 20; round++) {
        tg_step_begin();
        tg_tensor *x = tg_zeros(TG_F32, N, N), *index = tg_zeros(TG_I64, N, N);
        tg_set(index, round % 2 ? N : -1, 100, 7 * round);
        tg_set(index, N + 5, 100 + 10 * round, 290);
        const char *wanted = round % 2 ? "index 300 of dimension 0 of [300, 300]"
                                       : "index -1 of dimension 0 of [300, 300]";
        REFUSED(tg_gather(x, 0, index), wanted);
        REFUSED(tg_scatter_add(x, 0, index, x), wanted);
        tg_step_end();
    }
}
