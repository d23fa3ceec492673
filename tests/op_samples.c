#include "tests/op_samples.h"

#include "autograd/autograd.h"
#include "autograd/ops.h"

#define D0 {0}
#define D1(a) {1, {a}}
#define D2(a, b) {2, {a, b}}
#define D3(a, b, c) {3, {a, b, c}}
#define D4(a, b, c, d) {4, {a, b, c, d}}

/* Indices for lookups in a table of five rows: with repetitions and without row 3. */
static const int64_t ids[] = {4, 0, 4, 1, 2, 4};
static const int64_t other_ids[] = {1, 1, 0, 4};
#define IDS(...) indices(ids, TG_SHAPE(__VA_ARGS__))
#define OTHER_IDS(...) indices(other_ids, TG_SHAPE(__VA_ARGS__))

/* Where the entries of each row of a sparse matrix end. */
#define ENDS(...)                                                                                  \
    tg_from(TG_I64, ((int64_t[]){__VA_ARGS__}), sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

index_fault op_index_fault = INDEX_FITS;
int op_indices_made;

static tg_tensor *indices(const int64_t *id, tg_shape shape)
{
    op_indices_made++;
    if (op_index_fault == INDEX_ABSENT)
        return NULL;
    if (op_index_fault == INDEX_FLOATING)
        return tg_zeros_at(TG_HERE, TG_F64, shape);
    if (op_index_fault == INDEX_ENDED)
        tg_step_begin();
    tg_tensor *index = tg_from_at(TG_HERE, TG_I64, TG_ARRAY(id), shape);
    if (op_index_fault == INDEX_NEGATIVE)
        ((int64_t *)index->data)[tg_numel(index) - 1] = -1;
    if (op_index_fault == INDEX_TOO_LARGE)
        ((int64_t *)index->data)[tg_numel(index) - 1] = INT64_C(1) << 40;
    if (op_index_fault == INDEX_ENDED)
        tg_step_end();
    return index;
}

/* ---- the calls ------------------------------------------------------------------------------- */

#define UNARY(op, ...)                                                                             \
    static tg_tensor *apply_##op(tg_tensor *const *x)                                              \
    {                                                                                              \
        return tg_##op(x[0]);                                                                      \
    }
#define BINARY(op, ...)                                                                            \
    static tg_tensor *apply_##op(tg_tensor *const *x)                                              \
    {                                                                                              \
        return tg_##op(x[0], x[1]);                                                                \
    }
#define SAMPLE(op, id, call, ...)                                                                  \
    static tg_tensor *apply_##op##_##id(tg_tensor *const *x)                                       \
    {                                                                                              \
        return call;                                                                               \
    }
#define DECISION SAMPLE
#include "tensor/elementwise.def"
#include "tests/op_samples.def"
#undef UNARY
#undef BINARY
#undef SAMPLE
#undef DECISION

/* ---- the table ------------------------------------------------------------------------------- */

/* 33 elements fill vectors of every instruction set and leave a rest. */
#define UNARY_ROW(op, low, high, x)                                                                \
    {#op, "tg_" #op "(x[0])", apply_##op, low, high, 1, {x}},
#define UNARY(op, value, dx, dxx, low, high)                                                       \
    UNARY_ROW(op, low, high, D0)                                                                   \
    UNARY_ROW(op, low, high, D1(5))                                                                \
    UNARY_ROW(op, low, high, D1(33))                                                               \
    UNARY_ROW(op, low, high, D2(3, 4))                                                             \
    UNARY_ROW(op, low, high, D2(2, 0))                                                             \
    UNARY_ROW(op, low, high, D3(2, 1, 3))
#define BINARY_ROW(op, low, high, a, b)                                                            \
    {#op, "tg_" #op "(x[0], x[1])", apply_##op, low, high, 2, {a, b}},
#define BINARY(op, value, da, db, daa, dab, dbb, low, high)                                        \
    BINARY_ROW(op, low, high, D0, D0)                                                              \
    BINARY_ROW(op, low, high, D1(33), D1(33))                                                      \
    BINARY_ROW(op, low, high, D2(3, 4), D2(3, 4))                                                  \
    BINARY_ROW(op, low, high, D2(3, 4), D1(4))                                                     \
    BINARY_ROW(op, low, high, D2(3, 1), D2(1, 4))                                                  \
    BINARY_ROW(op, low, high, D3(2, 1, 3), D2(4, 1))                                               \
    BINARY_ROW(op, low, high, D0, D1(3))                                                           \
    BINARY_ROW(op, low, high, D1(33), D2(2, 1))                                                    \
    BINARY_ROW(op, low, high, D2(2, 0), D1(1))                                                     \
    BINARY_ROW(op, low, high, D2(0, 3), D1(3))
#define SAMPLE(op, id, call, ...)                                                                  \
    {#op, #call, apply_##op##_##id, -2, 2,                                                         \
     (int)(sizeof((tg_shape[]){__VA_ARGS__}) / sizeof(tg_shape)), {__VA_ARGS__}},
#define DECISION SAMPLE
const op_sample op_samples[] = {
#include "tensor/elementwise.def"
#include "tests/op_samples.def"
};
const int op_call_count = sizeof op_samples / sizeof *op_samples;

#undef UNARY
#undef BINARY
#undef SAMPLE
#undef DECISION
#define SAMPLE(...)
#define DECISION(...) +1
const int op_sample_count = sizeof op_samples / sizeof *op_samples - (0
#include "tests/op_samples.def"
);
