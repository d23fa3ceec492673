/* Masks, and what they leave out: triangles, masked_fill, one_hot. */
#include <string.h>

#include "autograd/ops-internal.h"
#include "tensor/parallel.h"

/* ---- tril and triu: x (..., m, n) -> (..., m, n), 0 above or below a diagonal ---------------- */

typedef struct triangle {
    const char *x;
    char *y;
    int64_t m, n, size, diagonal;
    bool is_upper;
} triangle;

static void triangle_rows(void *context, int64_t begin, int64_t end)
{
    const triangle *t = context;
    for (int64_t r = begin; r < end; r++) {
        /* Of n columns the first `left` are on or below the diagonal, or strictly below. */
        int64_t left = r % t->m + t->diagonal + !t->is_upper;
        left = left < 0 ? 0 : tg_min(left, t->n);
        const int64_t from = t->is_upper ? left : 0, to = t->is_upper ? t->n : left;
        const char *x = t->x + r * t->n * t->size;
        char *y = t->y + r * t->n * t->size;
        memset(y, 0, (size_t)(from * t->size));
        memcpy(y + from * t->size, x + from * t->size, (size_t)((to - from) * t->size));
        memset(y + to * t->size, 0, (size_t)((t->n - to) * t->size));
    }
}

static tg_tensor *triangle_of(const tg_node *n, bool is_upper)
{
    enum { PARALLEL = 8192 }; /* elements worth a thread */
    if (n->in[0]->shape.ndim < 2)
        return tg_reject(n, "%s: (..., m, n) expected", TG_TEXT(n->in[0]->shape));
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, n->in[0]->dtype, n->in[0]->shape);
    if (tg_is_error(x) || tg_is_error(y) || tg_numel(y) == 0)
        return tg_is_error(x) ? tg_error_tensor() : y;
    const int64_t rows = tg_size(y, -2), columns = tg_size(y, -1), diagonal = *(int64_t *)n->attr;
    triangle t = {x->data, y->data, rows, columns, (int64_t)tg_dtype_size(y->dtype),
                  diagonal < -rows ? -rows : tg_min(diagonal, columns), is_upper};
    tg_parallel_for(tg_numel(y) / columns, 1 + PARALLEL / columns, triangle_rows, &t);
    return y;
}

#define TRIANGLE(op, is_upper)                                                                     \
    static tg_tensor *op##_forward(const tg_node *n)                                               \
    {                                                                                              \
        return triangle_of(n, is_upper);                                                           \
    }                                                                                              \
    static void op##_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)                      \
    {                                                                                              \
        dx[0] = tg_##op##_at(n->at, g, *(const int64_t *)n->attr);                                 \
    }                                                                                              \
    TG_DEFINE_OP(op, 1, TG_SAVES_NOTHING);                                                         \
    tg_tensor *tg_##op##_at(const char *at, tg_tensor *x, int64_t diagonal)                        \
    {                                                                                              \
        return tg_apply(at, &tg_op_##op, 1, &x, &diagonal, sizeof diagonal);                       \
    }
TRIANGLE(tril, false)
TRIANGLE(triu, true)

/* ---- masked_fill ----------------------------------------------------------------------------- */

tg_tensor *tg_masked_fill_at(const char *at, tg_tensor *x, tg_tensor *mask, double value)
{
    TG_FUNCTION("masked_fill");
    if (!tg_usable(at, "masked_fill", x))
        return tg_error_tensor();
    return tg_where_at(at, mask, tg_full_at(at, x->dtype, value, (tg_shape){.ndim = 0}), x);
}

/* ---- one_hot: index (...) -> (..., classes) -------------------------------------------------- */

static tg_tensor *one_hot_forward(const tg_node *n)
{
    const int64_t classes = *(const int64_t *)n->attr;
    if (n->in[0]->dtype != TG_I64 || n->in[0]->shape.ndim == TG_MAX_DIMS || classes < 1)
        return tg_reject(n, "%s %s, %lld classes: indices (...) i64 and at least one class expected",
                         tg_dtype_name(n->in[0]->dtype), TG_TEXT(n->in[0]->shape),
                         (long long)classes);
    const tg_tensor *index = tg_contiguous_at(n->at, n->in[0]);
    tg_shape shape = n->in[0]->shape;
    shape.size[shape.ndim++] = classes;
    tg_tensor *y = tg_zeros_at(n->at, TG_I64, shape);
    if (tg_is_error(index) || tg_is_error(y))
        return tg_error_tensor();
    for (int64_t i = 0, count = tg_numel(index); i < count; i++) {
        const int64_t k = ((const int64_t *)index->data)[i];
        if (k < 0 || k >= classes)
            return tg_reject(n, "index %lld of %lld classes", (long long)k, (long long)classes);
        ((int64_t *)y->data)[i * classes + k] = 1;
    }
    return y;
}

const tg_op tg_op_one_hot = {.name = "one_hot", .arity = 1, .forward = one_hot_forward};

tg_tensor *tg_one_hot_at(const char *at, tg_tensor *index, int64_t classes)
{
    return tg_apply(at, &tg_op_one_hot, 1, &index, &classes, sizeof classes);
}
