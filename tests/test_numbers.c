/* Numbers on their way into tensors and out: conversions, C arrays, random numbers and printing.
 * Expected values are PyTorch's where it has an opinion. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/elements.h"

static void begin(void)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
}

static void end(void)
{
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    tg_step_end();
}

TestSuite(numbers, .init = begin, .fini = end);

/* ---- numbers that a dtype does not hold ------------------------------------------------------ */

Test(numbers, i64__refuses_a_number_beyond_it)
{
    static const struct {
        double value;
        const char *text;
    } beyond[] = {{1e30, "1e+30"}, {-1e30, "-1e+30"}, {NAN, "nan"}, {INFINITY, "inf"},
                  {0x1p63, "9.2233720368547758e+18"},
                  {-0x1.0000000000001p63, "-9.2233720368547779e+18"}};
    tg_tensor *t = tg_full(TG_I64, 3, 2);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const double value = beyond[i].value;
        char message[96];
        static const char format[] = "%s: %s as an i64; a number from -2^63 to below 2^63 expected";
        tg_fill(t, value);
        snprintf(message, sizeof message, format, "fill", beyond[i].text);
        expect_misuse(message);
        tg_set(t, value, 1);
        snprintf(message, sizeof message, format, "set", beyond[i].text);
        expect_misuse(message);
        snprintf(message, sizeof message, format, "full", beyond[i].text);
        REFUSED(tg_full(TG_I64, value, 2), message);
        REFUSED(tg_scalar(TG_I64, value), message);
        snprintf(message, sizeof message, format, "from", beyond[i].text);
        REFUSED(tg_from(TG_I64, ((double[]){0, value}), 2), message);
    }
    IS(t, TG_SHAPE(2), 3, 3);
    tg_fill(t, -0x1p63);
    tg_set(t, -1.9, 1);
    IS(t, TG_SHAPE(2), -0x1p63, -1);
    IS(tg_full(TG_I64, 1.9, 1), TG_SHAPE(1), 1);
}

static void expect_i64(const tg_tensor *t, const int64_t *expected)
{
    for (int64_t i = 0; i < tg_numel(t); i++)
        cr_expect_eq(((const int64_t *)t->data)[i], expected[i], "element %d: %lld", (int)i,
                     (long long)((const int64_t *)t->data)[i]);
}

Test(numbers, copy__takes_the_nearest_i64)
{
    static const double x[] = {1e30, -1e30, NAN, INFINITY, 0x1p63, -0x1p63, 1.7, -1.7};
    static const int64_t expected[] = {INT64_MAX, INT64_MIN, 0,  INT64_MAX,
                                       INT64_MAX, INT64_MIN, 1, -1};
    tg_tensor *t = tg_zeros(TG_I64, 8);
    tg_copy(t, tg_from(TG_F64, x, 8));
    expect_i64(t, expected);
    tg_copy(t, tg_from(TG_F32, x, 8));
    expect_i64(t, expected);
}

/* From 2^53 on a double does not hold every i64. */
Test(numbers, i64__passes_through_no_double)
{
    static const int64_t large[] = {INT64_MAX, INT64_MIN + 1, (INT64_C(1) << 53) + 1,
                                    (INT64_C(1) << 60) + (INT64_C(1) << 36) + 1};
    tg_tensor *t = tg_from(TG_I64, large, 2, 2), *copy = tg_zeros(TG_I64, 2, 2);
    expect_i64(t, large);
    tg_copy(tg_t(copy), tg_t(t));
    expect_i64(copy, large);
    expect_i64(tg_cat(0, tg_narrow(t, 0, 0, 1), tg_narrow(t, 0, 1, 1)), large);
    tg_tensor *single = tg_zeros(TG_F32, 2, 2);
    tg_copy(single, t);
    cr_expect_eq(tg_get(single, 1, 1) - 0x1p60, 0x1p37); /* torch's: rounded once */
    cr_expect_eq(tg_get(tg_from(TG_F32, large, 4), 3) - 0x1p60, 0x1p37);
}

/* ---- C arrays -------------------------------------------------------------------------------- */

Test(numbers, from__converts_what_the_array_holds)
{
    static const float f[] = {1.5F, -2, 3};
    const double d[] = {1.5, -2, 3};
    const int i[] = {1, -2, 3};
    int64_t l[] = {1, -2, 3};
    const float rows[2][2] = {{1, 2}, {3, 4}};
    long long int ll[1][3] = {{7, 8, 9}};
    static const tg_dtype dtypes[] = {TG_F32, TG_F64, TG_I64};
    for (int k = 0; k < 3; k++) {
        const tg_dtype t = dtypes[k];
        const double first = t == TG_I64 ? 1 : 1.5;
        IS(tg_from(t, f, 3), TG_SHAPE(3), first, -2, 3);
        IS(tg_from(t, d, 3), TG_SHAPE(3), first, -2, 3);
        IS(tg_from(t, i, 3), TG_SHAPE(3), 1, -2, 3);
        IS(tg_from(t, l, 3), TG_SHAPE(3), 1, -2, 3);
        IS(tg_from(t, l + 1, 2), TG_SHAPE(2), -2, 3);
        IS(tg_from(t, ((double[]){1, 2, 3}), 3, 1), TG_SHAPE(3, 1), 1, 2, 3);
        IS(tg_from(t, rows, 2, 2), TG_SHAPE(2, 2), 1, 2, 3, 4);
        IS(tg_from(t, rows[1], 2), TG_SHAPE(2), 3, 4);
        IS(tg_from(t, ll, 3), TG_SHAPE(3), 7, 8, 9);
        EMPTY(tg_from(t, f, 0, 3), 0, 3);
    }
    const void *unknown = f;
    IS(tg_from(TG_F32, unknown, 3), TG_SHAPE(3), 1.5, -2, 3);
    IS(tg_from(TG_F32, ((double[]){0.1}), 1), TG_SHAPE(1), (double)0.1F);
}

Test(numbers, from__refuses_an_array_that_is_too_short)
{
    const double three[] = {1, 2, 3};
    const float rows[2][2] = {{1, 2}, {3, 4}};
    REFUSED(tg_from(TG_F64, three, 4), "from: [4] from an array of 3 elements; 4 expected");
    REFUSED(tg_from(TG_F32, three, 2, 2), "from: [2, 2] from an array of 3 elements; 4 expected");
    REFUSED(tg_from(TG_I64, ((int[]){1}), 2), "from: [2] from an array of 1 elements; 2 expected");
    REFUSED(tg_from(TG_F32, rows, 5), "from: [5] from an array of 4 elements; 5 expected");
    REFUSED(tg_from(TG_F32, rows[0], 3), "from: [3] from an array of 2 elements; 3 expected");
}

/* ---- random numbers -------------------------------------------------------------------------- */

/* The number does not fall as u rises, for each rounding on its way is monotonic. So no u gives
 * less than 0 does or more than the largest u, 1 - 2^-53. */
Test(numbers, uniform__is_below_its_upper_bound)
{
    static const double bounds[][2] = {{0, 1}, {-3, 5}, {1, 1 + 0x1p-20}, {0.7, 0.7000001},
                                       {1, 1 + 0x1p-51}, {-1, -0.5}, {-0.25, 0}, {0, 1e-300},
                                       {1e6, 1e6 + 1}, {0, 16777217}, {-1e30, 1e30}};
    static const tg_dtype dtypes[] = {TG_F32, TG_F64};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int k = 0; k < 2; k++) {
            const tg_tensor *b = tg_from(dtypes[k], bounds[i], 2);
            const double low = tg_get(b, 0), high = tg_get(b, 1);
            const double least = tg_uniform_between(dtypes[k], bounds[i][0], bounds[i][1], 0);
            const double most = tg_uniform_between(dtypes[k], bounds[i][0], bounds[i][1],
                                                   1 - 0x1p-53);
            cr_expect(least == low && most >= low && (most < high || low == high),
                      "%g to %g: %.17g to %.17g", low, high, least, most);
        }
    tg_manual_seed(0);
    tg_default_rng()->position = 80860892;
    const tg_tensor *x = tg_rand(TG_F32, 1);
    cr_expect_eq(tg_item(x), 1 - 0x1p-24);
}

Test(numbers, fill__refuses_bounds_that_hold_nothing)
{
    tg_tensor *x = COUNT(2);
    tg_fill_uniform(x, 1, 0.5);
    expect_misuse("fill: from 1 to 0.5; the lower bound first expected");
    tg_fill_uniform(x, NAN, 1);
    expect_misuse("fill: from nan to 1");
    tg_fill_normal(x, 0, -1);
    expect_misuse("fill: standard deviation -1; 0 or more expected");
    IS(x, TG_SHAPE(2), 0, 1);
    tg_fill_uniform(x, 2, 2);
    IS(x, TG_SHAPE(2), 2, 2);
    tg_fill_normal(x, 3, 0);
    IS(x, TG_SHAPE(2), 3, 3);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void prints(const tg_tensor *t, const char *expected)
{
    FILE *file = tmpfile();
    fflush(stdout);
    const int before = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    tg_print(t);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    char text[256] = "";
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cr_expect_str_eq(text, expected, "%s", text);
}

Test(numbers, print__is_exact_for_i64)
{
    static const int64_t large[] = {1234567, INT64_MAX, INT64_MIN};
    static const double x[] = {1234567, 0.1, 1. / 3, -1e10, 3e-9, NAN};
    prints(tg_from(TG_I64, large, 3),
           "i64 [3]: 1234567 9223372036854775807 -9223372036854775808\n");
    prints(tg_from(TG_F32, x, 6), "f32 [6]: 1234567 0.1 0.3333333 -1e+10 3e-09 nan\n");
    prints(tg_from(TG_F64, x, 2, 3), "f64 [2, 3]: 1234567 0.1 0.3333333 -1e+10 3e-09 nan\n");
    prints(tg_t(COUNT(3, 3)), "f64 [3, 3]: 0 3 6 1 4 7 2 5 ...\n");
    prints(COUNT(0, 3), "f64 [0, 3]:\n");
}
