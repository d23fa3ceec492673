/* Every kernel of every instruction set of this machine, against plain loops in double. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/random.h"

/* An array of either element type, filled from a generator. */
typedef struct array {
    int64_t count;
    int type; /* 0 f32, 1 f64: as in tg_kernels.type */
    void *data;
} array;

static array array_new(int type, int64_t count)
{
    return (array){count, type, calloc((size_t)count + 1, type ? 8 : 4)};
}

static double get(const array *a, int64_t i)
{
    return a->type ? ((double *)a->data)[i] : (double)((float *)a->data)[i];
}

static void set(const array *a, int64_t i, double value)
{
    if (a->type)
        ((double *)a->data)[i] = value;
    else
        ((float *)a->data)[i] = (float)value;
}

static array array_random(int type, int64_t count, tg_rng *rng, double low, double high)
{
    array a = array_new(type, count);
    for (int64_t i = 0; i < count; i++)
        set(&a, i, low + (high - low) * tg_rng_uniform(rng));
    return a;
}

static double epsilon(int type)
{
    return type ? 0x1p-52 : 0x1p-23;
}

#define EACH_SET(k, type)                                                                          \
    for (int set_ = 0; tg_kernels_supported(set_); set_++)                                         \
        for (int type = 0; type < 2; type++)                                                       \
            for (const tg_type_kernels *k = tg_kernels_supported(set_)->type[type]; k; k = NULL)
#define SET_NAME tg_kernels_supported(set_)->name

/* ---- products -------------------------------------------------------------------------------- */

typedef struct product {
    int m, n, k;
    bool a_transposed, b_transposed;
    int start; /* 0 none, 1 a row for all, 2 accumulate */
} product;

static void check_product(const tg_type_kernels *kernels, const char *name, int type, product p,
                          tg_rng *rng)
{
    array a = array_random(type, p.m * p.k, rng, -1, 1);
    array b = array_random(type, p.k * p.n, rng, -1, 1);
    array c = array_random(type, p.m * p.n, rng, -1, 1);
    array row = array_random(type, p.n, rng, -1, 1);
    const tg_gemm g = {
        .m = p.m, .n = p.n, .k = p.k,
        .a = a.data, .a_row = p.a_transposed ? 1 : p.k, .a_col = p.a_transposed ? p.m : 1,
        .b = b.data, .b_row = p.b_transposed ? 1 : p.n, .b_col = p.b_transposed ? p.k : 1,
        .c = c.data, .c_row = p.n,
        .start = p.start == 0 ? NULL : p.start == 1 ? row.data : c.data,
        .start_row = p.start == 2 ? p.n : 0,
    };
    double *expected = malloc(((size_t)(p.m * p.n) + 1) * sizeof *expected);
    for (int i = 0; i < p.m; i++)
        for (int j = 0; j < p.n; j++) {
            double sum = p.start == 0 ? 0 : p.start == 1 ? get(&row, j) : get(&c, i * p.n + j);
            for (int l = 0; l < p.k; l++)
                sum += get(&a, i * g.a_row + l * g.a_col) * get(&b, l * g.b_row + j * g.b_col);
            expected[i * p.n + j] = sum;
        }
    kernels->gemm(&g);
    const double allowed = (p.k + 2) * epsilon(type); /* terms of at most 1, one rounding each */
    for (int i = 0; i < p.m * p.n; i++)
        cr_assert(fabs(get(&c, i) - expected[i]) <= allowed,
                  "%s f%d, %d x %d x %d %c%c start %d: element %d is %.9g, not %.9g", name,
                  32 + 32 * type, p.m, p.k, p.n, p.a_transposed ? 'T' : 'N',
                  p.b_transposed ? 'T' : 'N', p.start, i, get(&c, i), expected[i]);
    free(expected);
    free(a.data);
    free(b.data);
    free(c.data);
    free(row.data);
}

static void check_product_in_all_ways(const tg_type_kernels *k, const char *name, int type, int m,
                                      int n, int inner, tg_rng *rng)
{
    for (int way = 0; way < 12; way++)
        check_product(k, name, type, (product){m, n, inner, way & 1, way & 2, way / 4}, rng);
}

Test(kernels, gemm__small_sizes)
{
    tg_rng rng = {.seed = 1};
    EACH_SET(k, type)
        for (int m = 0; m < 10; m++)
            for (int n = 0; n < 10; n++)
                for (int inner = 0; inner < 6; inner++)
                    check_product_in_all_ways(k, SET_NAME, type, m, n, inner, &rng);
}

Test(kernels, gemm__sizes_around_the_tiles)
{
    static const int sizes[] = {1, 7, 15, 16, 17, 31, 33, 47, 49, 64, 65};
    const int count = sizeof sizes / sizeof *sizes;
    tg_rng rng = {.seed = 2};
    EACH_SET(k, type)
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                check_product_in_all_ways(k, SET_NAME, type, sizes[i], sizes[j],
                                          sizes[(i + 3 * j) % count], &rng);
}

Test(kernels, gemm__large_sizes)
{
    tg_rng rng = {.seed = 3};
    EACH_SET(k, type)
    {
        check_product_in_all_ways(k, SET_NAME, type, 255, 127, 255, &rng);
        check_product_in_all_ways(k, SET_NAME, type, 37, 61, 1097, &rng);
        check_product_in_all_ways(k, SET_NAME, type, 130, 1, 600, &rng);
        check_product_in_all_ways(k, SET_NAME, type, 3, 700, 5, &rng);
    }
}

/* A zero times an infinity is not skipped. */
Test(kernels, gemm__keeps_nan)
{
    EACH_SET(k, type)
    {
        array a = array_new(type, 20), b = array_new(type, 20), c = array_new(type, 16);
        set(&b, 3 * 4 + 2, INFINITY);
        k->gemm(&(tg_gemm){.m = 4, .n = 4, .k = 5, .a = a.data, .a_row = 5, .a_col = 1,
                           .b = b.data, .b_row = 4, .b_col = 1, .c = c.data, .c_row = 4});
        for (int i = 0; i < 16; i++)
            cr_expect_eq(isnan(get(&c, i)) != 0, i % 4 == 2, "%s", SET_NAME);
        free(a.data);
        free(b.data);
        free(c.data);
    }
}

/* ---- element by element ---------------------------------------------------------------------- */

/* The rows of tensor/elementwise.def once more, in double and from libm. */
#define EXP exp
#define ERFC erfc
#define POW pow
#define SQRT sqrt
#define C(c) ((double)(c))
#define LOG log
#define TANH tanh
#define LOG1P log1p
#define ABS fabs
#define UNARY(op, value, dx, dxx, low, high)                                                       \
    static double op##_value(double x)                                                             \
    {                                                                                              \
        return value;                                                                              \
    }
#define BINARY(op, value, da, db, daa, dab, dbb, low, high)                                        \
    static double op##_value(double a, double b)                                                   \
    {                                                                                              \
        return value;                                                                              \
    }
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

typedef struct map_row {
    const char *name;
    double (*unary)(double x);
    double (*binary)(double a, double b);
    double low, high;
} map_row;
#define UNARY(op, value, dx, dxx, low, high) {#op, op##_value, NULL, low, high},
#define BINARY(op, value, da, db, daa, dab, dbb, low, high) {#op, NULL, op##_value, low, high},
static const map_row rows[] = {
#include "tensor/elementwise.def"
};
#undef UNARY
#undef BINARY

static double expected_value(const map_row *row, double a, double b)
{
    return row->unary ? row->unary(a) : row->binary(a, b);
}

Test(kernels, maps__agree_with_libm)
{
    enum { N = 100 };
    tg_rng rng = {.seed = 4};
    EACH_SET(k, type)
        for (int r = 0; r < TG_ROWS; r++)
            for (int64_t n = 0; n <= N; n += n < 40 ? 1 : 13) {
                array a = array_random(type, n, &rng, rows[r].low, rows[r].high);
                array b = array_random(type, n, &rng, rows[r].low, rows[r].high);
                array y = array_new(type, n);
                k->map[r][TG_VALUE](n, y.data, (const void *[]){a.data, b.data});
                for (int64_t i = 0; i < n; i++) {
                    const double e = expected_value(&rows[r], get(&a, i), get(&b, i));
                    /* operands of at most 4, a few roundings on the way */
                    cr_assert(fabs(get(&y, i) - e) <= 8 * epsilon(type) * fmax(1, fabs(e)),
                              "%s f%d %s: %.9g, not %.9g", SET_NAME, 32 + 32 * type, rows[r].name,
                              get(&y, i), e);
                }
                free(a.data);
                free(b.data);
                free(y.data);
            }
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

Test(kernels, maps__keep_nan_and_infinity)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, 0, -0., 1e30, -1e30, 1e-30, 100};
    enum { N = sizeof special / sizeof *special };
    EACH_SET(k, type)
        for (int r = 0; r < TG_ROWS; r++) {
            if (!rows[r].unary)
                continue;
            array x = array_new(type, 40), y = array_new(type, 40);
            for (int i = 0; i < 40; i++)
                set(&x, i, special[i % N]);
            k->map[r][TG_VALUE](40, y.data, (const void *[]){x.data});
            for (int i = 0; i < 40; i++) {
                const double e = rows[r].unary(get(&x, i));
                const double rounded = type ? e : (double)(float)e;
                cr_expect(same(get(&y, i), rounded) ||
                              fabs(get(&y, i) - e) <= 8 * epsilon(type) * fabs(e),
                          "%s f%d %s(%g): %g, not %g", SET_NAME, 32 + 32 * type, rows[r].name,
                          get(&x, i), get(&y, i), e);
            }
            free(x.data);
            free(y.data);
        }
}

Test(kernels, sum__agrees_with_a_loop)
{
    static const int64_t counts[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000};
    static const int64_t inners[] = {1, 2, 3, 7, 16, 33};
    tg_rng rng = {.seed = 6};
    EACH_SET(k, type)
        for (int c = 0; c < 10; c++)
            for (int j = 0; j < 6; j++) {
                const int64_t count = counts[c], inner = inners[j];
                array x = array_random(type, count * inner, &rng, -1, 1);
                array y = array_new(type, inner);
                k->sum(count, inner, y.data, x.data);
                for (int64_t i = 0; i < inner; i++) {
                    double e = 0;
                    for (int64_t l = 0; l < count; l++)
                        e += get(&x, l * inner + i);
                    cr_assert_float_eq(get(&y, i), e, 2 * epsilon(type) * fmax(1, fabs(e)) + 1e-13,
                                       "%s: (%d, %d)", SET_NAME, (int)count, (int)inner);
                }
                free(x.data);
                free(y.data);
            }
}

/* The rule of kernels.h, written down once more with tg_philox. */
Test(kernels, dropout_mask__follows_its_rule)
{
    EACH_SET(k, type)
        for (int64_t n = 1; n < 600; n += 37) {
            const tg_mask_draw draw = {.seed = 10, .stream = 3, .threshold = 20000, .scale = 1.5,
                                       .position = (UINT64_C(1) << 32) - 20};
            array y = array_new(type, n);
            k->dropout_mask(n, y.data, &draw);
            for (int64_t i = 0; i < n; i++) {
                const int64_t segment = i / 128, place = i % 128;
                uint32_t block[4];
                tg_philox(10, 3, draw.position + (uint64_t)(16 * segment + place % 16), block);
                const uint32_t word = block[place / 32];
                const uint32_t bits = place / 16 % 2 ? word >> 16 : word & 0xFFFF;
                cr_assert_eq(get(&y, i), bits >= 20000 ? 1.5 : 0, "%s: element %d of %d", SET_NAME,
                             (int)i, (int)n);
            }
            free(y.data);
        }
}

/* ---- updates --------------------------------------------------------------------------------- */

Test(kernels, adam__agrees_with_its_formula)
{
    const tg_adam_update u = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01,
                              .rate = 1e-3, .root_scale = 1.7};
    tg_rng rng = {.seed = 7};
    EACH_SET(k, type)
        for (int with_gradient = 0; with_gradient < 2; with_gradient++)
            for (int64_t n = 0; n < 70; n++) {
                array p = array_random(type, n, &rng, -1, 1);
                array g = array_random(type, n, &rng, -1, 1);
                array m = array_random(type, n, &rng, -1, 1), v = array_random(type, n, &rng, 0, 1);
                array before[4] = {array_new(type, n), array_new(type, n), array_new(type, n), g};
                const array *const now[3] = {&p, &m, &v};
                for (int a = 0; a < 3; a++)
                    memcpy(before[a].data, now[a]->data, (size_t)n * (type ? 8 : 4));
                k->adam(n, p.data, with_gradient ? g.data : NULL, m.data, v.data, &u);
                for (int64_t i = 0; i < n; i++) {
                    const double p0 = get(&before[0], i);
                    const double d = (with_gradient ? get(&g, i) : 0) + u.weight_decay * p0;
                    const double m1 = u.beta1 * get(&before[1], i) + (1 - u.beta1) * d;
                    const double v1 = u.beta2 * get(&before[2], i) + (1 - u.beta2) * d * d;
                    const double p1 = p0 - u.rate * m1 / (u.root_scale * sqrt(v1) + u.eps);
                    const double allowed = 8 * epsilon(type);
                    cr_assert_float_eq(get(&m, i), m1, allowed, "%s", SET_NAME);
                    cr_assert_float_eq(get(&v, i), v1, allowed, "%s", SET_NAME);
                    cr_assert_float_eq(get(&p, i), p1, allowed, "%s", SET_NAME);
                }
                for (int a = 0; a < 4; a++)
                    free(before[a].data);
                for (int a = 0; a < 3; a++)
                    free(now[a]->data);
            }
}

Test(kernels, sgd__agrees_with_its_formula)
{
    const tg_sgd_update u = {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01};
    tg_rng rng = {.seed = 8};
    EACH_SET(k, type)
        for (int64_t n = 0; n < 70; n++) {
            array p = array_random(type, n, &rng, -1, 1), g = array_random(type, n, &rng, -1, 1);
            array v = array_random(type, n, &rng, -1, 1), q = array_new(type, n);
            memcpy(q.data, p.data, (size_t)n * (type ? 8 : 4));
            array w = array_new(type, n);
            memcpy(w.data, v.data, (size_t)n * (type ? 8 : 4));
            k->sgd(n, p.data, g.data, v.data, &u);
            for (int64_t i = 0; i < n; i++) {
                const double v1 = 0.9 * get(&w, i) + get(&g, i) + 0.01 * get(&q, i);
                cr_assert_float_eq(get(&v, i), v1, 8 * epsilon(type), "%s", SET_NAME);
                cr_assert_float_eq(get(&p, i), get(&q, i) - 0.1 * v1, 8 * epsilon(type), "%s",
                                   SET_NAME);
            }
            free(p.data);
            free(g.data);
            free(v.data);
            free(q.data);
            free(w.data);
        }
}

/* ---- the same bits --------------------------------------------------------------------------- */

static void expect_same_bits(const char *what, const array *first, const array *second)
{
    cr_expect_eq(memcmp(first->data, second->data, (size_t)first->count * (first->type ? 8 : 4)), 0,
                 "%s: other bits", what);
}

/* All sets but the portable one, which may lack fused multiply-adds. */
Test(kernels, sets__give_the_same_bits)
{
    enum { M = 61, N = 45, K = 77 };
    for (int type = 0; type < 2; type++) {
        tg_rng rng = {.seed = 9};
        array a = array_random(type, M * K, &rng, -1, 1);
        array b = array_random(type, K * N, &rng, 0.5, 2);
        array first[TG_ROWS + 2];
        for (int s = 0; tg_kernels_supported(s); s++) {
            const tg_type_kernels *k = tg_kernels_supported(s)->type[type];
            if (strcmp(tg_kernels_supported(s)->name, "portable") == 0)
                continue;
            for (int r = 0; r < TG_ROWS + 2; r++) {
                array y = array_new(type, M * N);
                if (r < TG_ROWS)
                    k->map[r][TG_VALUE](M * N, y.data, (const void *[]){b.data, a.data});
                else if (r == TG_ROWS)
                    k->sum(K, N, y.data, b.data);
                else
                    k->gemm(&(tg_gemm){.m = M, .n = N, .k = K, .a = a.data, .a_row = K, .a_col = 1,
                                       .b = b.data, .b_row = N, .b_col = 1, .c = y.data,
                                       .c_row = N});
                if (s == 0) {
                    first[r] = y;
                } else {
                    expect_same_bits(r < TG_ROWS ? rows[r].name : r == TG_ROWS ? "sum" : "gemm",
                                     &first[r], &y);
                    free(y.data);
                }
            }
        }
        if (strcmp(tg_kernels_supported(0)->name, "portable") != 0)
            for (int r = 0; r < TG_ROWS + 2; r++)
                free(first[r].data);
        free(a.data);
        free(b.data);
    }
}
