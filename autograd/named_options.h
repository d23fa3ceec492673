/*
 * named_options.h: arguments with names and defaults, tg_sgd(m, .lr = 0.1)
 *
 * A struct of options ends with TG_NO_OPTION, and its defaults are a list up to the last option:
 *
 *     typedef struct tg_sgd_options { double lr, momentum; TG_NO_OPTION; } tg_sgd_options;
 *     #define TG_SGD_DEFAULTS .lr = 1e-3, .momentum = 0
 *
 * What the caller names comes after the defaults and counts, a zero as well. Without options write
 * tg_sgd(m) or, in C, tg_sgd(m, 0). The functions behind, tg_sgd_new, take the struct as it stands:
 *
 *     tg_sgd_new(module, TG_OPTIONS(tg_sgd_options, TG_SGD_DEFAULTS, .lr = 0.1));
 *     tg_sgd_options o = {TG_SGD_DEFAULTS};
 */
#ifndef TG_AUTOGRAD_NAMED_OPTIONS_H
#define TG_AUTOGRAD_NAMED_OPTIONS_H

/* A struct of the type with the defaults but for the options given. */
#define TG_OPTIONS(...) TG_OPTIONS_(__VA_ARGS__, )

/* What the 0 of tg_sgd(m, 0) initialises, as the member after the defaults; a number without a name
 * does not compile there. */
#define TG_NO_OPTION const struct tg_no_option *no_option

/* ---- private to the macros ------------------------------------------------------------------- */

/* The list is never empty: whoever calls TG_OPTIONS_ puts an empty argument behind the caller's. */
#ifndef __cplusplus
#define TG_OPTIONS_(type, ...)                                                                     \
    __extension__({                                                                                \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverride-init\"")       \
        (type){__VA_ARGS__};                                                                       \
        _Pragma("GCC diagnostic pop")                                                              \
    })
#else
/* C++ has no initialiser that replaces another: each is an assignment, `o .lr = 0.1;`, and the
 * empty argument the value, `o ;`. The counter names an `o` apart for a call in another's
 * argument. */
#define TG_OPTIONS_(type, ...) TG_ASSIGN_(type, TG_JOIN_(tg_options_, __COUNTER__), __VA_ARGS__)
#define TG_ASSIGN_(type, o, ...) __extension__({ type o{}; TG_EACH_(o, __VA_ARGS__) })
#define TG_EACH_(o, ...)                                                                           \
    TG_JOIN_(TG_EACH_, TG_COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2,  \
                                 1, 0))(o, __VA_ARGS__)
#define TG_COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count
#define TG_JOIN_(a, b) TG_PASTE_(a, b)
#define TG_PASTE_(a, b) a##b
#define TG_EACH_1(o, a) o a;
#define TG_EACH_2(o, a, ...) o a; TG_EACH_1(o, __VA_ARGS__)
#define TG_EACH_3(o, a, ...) o a; TG_EACH_2(o, __VA_ARGS__)
#define TG_EACH_4(o, a, ...) o a; TG_EACH_3(o, __VA_ARGS__)
#define TG_EACH_5(o, a, ...) o a; TG_EACH_4(o, __VA_ARGS__)
#define TG_EACH_6(o, a, ...) o a; TG_EACH_5(o, __VA_ARGS__)
#define TG_EACH_7(o, a, ...) o a; TG_EACH_6(o, __VA_ARGS__)
#define TG_EACH_8(o, a, ...) o a; TG_EACH_7(o, __VA_ARGS__)
#define TG_EACH_9(o, a, ...) o a; TG_EACH_8(o, __VA_ARGS__)
#define TG_EACH_10(o, a, ...) o a; TG_EACH_9(o, __VA_ARGS__)
#define TG_EACH_11(o, a, ...) o a; TG_EACH_10(o, __VA_ARGS__)
#define TG_EACH_12(o, a, ...) o a; TG_EACH_11(o, __VA_ARGS__)
#define TG_EACH_13(o, a, ...) o a; TG_EACH_12(o, __VA_ARGS__)
#define TG_EACH_14(o, a, ...) o a; TG_EACH_13(o, __VA_ARGS__)
#define TG_EACH_15(o, a, ...) o a; TG_EACH_14(o, __VA_ARGS__)
#define TG_EACH_16(o, a, ...) o a; TG_EACH_15(o, __VA_ARGS__)
#endif

#endif
