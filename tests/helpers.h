/* helpers.h: what several test files use */
#ifndef TESTS_HELPERS_H
#define TESTS_HELPERS_H

#include <criterion/criterion.h>
#include <string.h>

#include "tapegrad.h"

/* A leaf () of f64 that requires a gradient. */
static inline tg_tensor *scalar_leaf(double value)
{
    tg_tensor *x = tg_owned_at(TG_HERE, TG_F64, (tg_shape){0});
    tg_fill(x, value);
    return tg_requires_grad(x);
}

/* Misuse whose message holds `message` was the first since the last call. */
static inline void expect_misuse(const char *message)
{
    cr_expect_eq(tg_last_error()->status, TG_EMISUSE, "%s expected", message);
    cr_expect_not_null(strstr(tg_last_error()->message, message), "%s\nexpected: %s",
                       tg_last_error()->message, message);
    tg_clear_error();
}

#endif
