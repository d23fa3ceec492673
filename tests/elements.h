/* elements.h: tensors of known elements, and what ops make of them */
#ifndef TESTS_ELEMENTS_H
#define TESTS_ELEMENTS_H

#include "tensor/tensor-internal.h"
#include "tests/helpers.h"

#define TEXT(shape) tg_shape_format(&(shape), (char[TG_SHAPE_TEXT]){0})

/* 0, 1, 2, ... */
static inline tg_tensor *counting(tg_shape shape)
{
    tg_tensor *t = tg_empty_at(TG_HERE, TG_F64, shape);
    for (int64_t i = 0; i < tg_numel(t); i++)
        ((double *)t->data)[i] = (double)i;
    return t;
}
#define COUNT(...) counting(TG_SHAPE(__VA_ARGS__))

/* Shape and elements, row-major. */
static inline void check(const char *at, const tg_tensor *t, tg_shape shape, const double *expected)
{
    cr_assert_not(tg_is_error(t), "%s: %s", at, tg_last_error()->message);
    cr_assert(tg_shape_equal(&t->shape, &shape), "%s: %s; expected %s", at, TEXT(t->shape),
              TEXT(shape));
    for (int64_t i = 0; i < tg_numel(t); i++)
        cr_expect_eq(tg_element(t, tg_element_offset(t, i)), expected[i], "%s: element %d is %g",
                     at, (int)i, tg_element(t, tg_element_offset(t, i)));
}
#define IS(t, shape, ...) check(TG_HERE, t, shape, (const double[]){__VA_ARGS__})
#define EMPTY(t, ...) check(TG_HERE, t, TG_SHAPE(__VA_ARGS__), NULL)

static inline void refused(const char *call, const tg_tensor *result, const char *message)
{
    cr_expect(tg_is_error(result), "%s was accepted", call);
    expect_misuse(message);
}
#define REFUSED(call, message) refused(#call, call, message)

#endif
