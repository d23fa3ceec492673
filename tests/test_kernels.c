/* Every kernel of every instruction set of this machine, against plain loops. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/random.h"

/* An array of either element type: no longer than asked for, so that a sanitizer sees its end. */
typedef struct array {
    int64_t count;
    int type; /* 0 f32, 1 f64: as in tg_kernels.type */
    void *data;
} array;

static size_t bytes(const array *a)
{
    return (size_t)a->count * (a->type ? sizeof(double) : sizeof(float));
}

static array array_new(int type, int64_t count)
{
    array a = {count, type, NULL};
    a.data = malloc(bytes(&a) + !count);
    memset(a.data, 0x7E, bytes(&a)); /* huge numbers, which no kernel may build on */
    return a;
}

static array array_copy(const array *from)
{
    array a = array_new(from->type, from->count);
    memcpy(a.data, from->data, bytes(from));
    return a;
}

static double get(const array *a, int64_t i)
{
    return a->type ? ((double *)a->data)[i] : (double)((float *)a->data)[i];
}

static void put(const array *a, int64_t i, double value)
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
        put(&a, i, low + (high - low) * tg_rng_uniform(rng));
    return a;
}

/* Whole numbers up to `most`: sums of their products are exact in any order while they fit. */
static array array_whole(int type, int64_t count, tg_rng *rng, double most)
{
    array a = array_random(type, count, rng, -most, most);
    for (int64_t i = 0; i < count; i++)
        put(&a, i, trunc(get(&a, i)));
    return a;
}

static double rounded(int type, long double x)
{
    return type ? (double)x : (double)(float)x;
}

static double epsilon(int type)
{
    return type ? DBL_EPSILON : FLT_EPSILON;
}

#define EACH_SET(set, type)                                                                        \
    for (int set_ = 0; tg_kernels_supported(set_); set_++)                                         \
        for (int type = 0; type < 2; type++)                                                       \
            for (const tg_kernels *set = tg_kernels_supported(set_); set; set = NULL)
#define NAME(set, type) (set)->name, 32 + 32 * (type) /* "%s f%d", in front of each message */

/* ---- products -------------------------------------------------------------------------------- */

enum { ROW_MAJOR, TRANSPOSED, SPREAD, LAYOUTS }; /* SPREAD: gaps within and between the rows */
enum { START_ZERO, START_ROW, START_C, START_MATRIX, STARTS };

typedef struct product {
    int m, n, k, a_layout, b_layout, start, c_gap;
    int zeros; /* in a hundred elements of a */
    bool in_blocks;
} product;

static void strides(int layout, int rows, int columns, int64_t *row, int64_t *column)
{
    *row = layout == ROW_MAJOR ? columns : layout == TRANSPOSED ? 1 : 2 * columns + 1;
    *column = layout == ROW_MAJOR ? 1 : layout == TRANSPOSED ? rows : 2;
}

static void check_product(const tg_kernels *set, int type, product p, tg_rng *rng)
{
    const double most = floor(sqrt((type ? 0x1p53 : 0x1p24) / (p.k + 1)));
    tg_gemm g = {.m = p.m, .n = p.n, .k = p.k, .c_row = p.n + p.c_gap};
    strides(p.a_layout, p.m, p.k, &g.a_row, &g.a_col);
    strides(p.b_layout, p.k, p.n, &g.b_row, &g.b_col);
    array a = array_whole(type, p.m * (2 * p.k + 1), rng, most);
    for (int64_t i = 0; i < a.count && p.zeros; i++)
        if ((int)tg_rng_below(rng, 100) < p.zeros)
            put(&a, i, 0);
    array b = array_whole(type, p.k * (2 * p.n + 1), rng, most);
    array c = array_whole(type, p.m * g.c_row, rng, most), expected = array_copy(&c);
    array other = array_whole(type, p.m * p.n + p.n, rng, most);
    const array *start = p.start == START_C ? &c : &other;
    g.a = a.data, g.b = b.data, g.c = c.data, g.start = p.start == START_ZERO ? NULL : start->data;
    g.start_row = p.start == START_C ? g.c_row : p.start == START_MATRIX ? p.n : 0;
    for (int i = 0; i < p.m; i++)
        for (int j = 0; j < p.n; j++) {
            double sum = g.start ? get(start, i * g.start_row + j) : 0;
            for (int l = 0; l < p.k; l++)
                sum += get(&a, i * g.a_row + l * g.a_col) * get(&b, l * g.b_row + j * g.b_col);
            put(&expected, i * g.c_row + j, sum);
        }
    g.workspace = p.in_blocks ? aligned_alloc(64, (size_t)tg_gemm_workspace(p.n, type ? 8 : 4))
                              : NULL;
    set->type[type]->gemm(&g);
    free(g.workspace);
    for (int64_t i = 0; i < c.count; i++) /* the gaps too */
        cr_assert_eq(get(&c, i), get(&expected, i),
                     "%s f%d: m %d, n %d, k %d, layouts %d %d, start %d, gap %d: element %d",
                     NAME(set, type), p.m, p.n, p.k, p.a_layout, p.b_layout, p.start, p.c_gap,
                     (int)i);
    free(a.data), free(b.data), free(c.data), free(expected.data), free(other.data);
}

/* All small sizes in all four transpositions; gaps and starts change from size to size. */
Test(kernels, gemm__small_sizes)
{
    tg_rng rng = {.seed = 1};
    EACH_SET(set, type)
        for (int i = 0; i < 10 * 10 * 10; i++)
            for (int t = 0; t < 4; t++) {
                const product p = {i / 100, i / 10 % 10, i % 10, t / 2, t % 2,
                                   (i + t) % STARTS, i / 3 % 2, 0, false};
                check_product(set, type, p, &rng);
            }
}

/* Around the tiles; the inner size drawn at random, up to three panels. */
Test(kernels, gemm__larger_sizes)
{
    static const int size[] = {1, 6, 7, 16, 17, 33, 49, 65};
    tg_rng rng = {.seed = 2};
    EACH_SET(set, type)
        for (int i = 0; i < 8 * 8; i++)
            for (int l = i % 2; l < LAYOUTS * LAYOUTS; l += 2) {
                const product p = {size[i / 8], size[i % 8], (int)tg_rng_below(&rng, 600),
                                   l / LAYOUTS, l % LAYOUTS, (i + l / 2) % STARTS, i / 3 % 2, 0,
                                   i / 2 % 2};
                check_product(set, type, p, &rng);
            }
}

/* Around the blocks of large matrices. */
Test(kernels, gemm__large_sizes)
{
    tg_rng rng = {.seed = 5};
    int i = 0;
    EACH_SET(set, type) {
        const product p = {98, type ? 517 : 1030, 260, i % LAYOUTS, (i + 1) % LAYOUTS, i % STARTS,
                           i % 2, 0, true};
        check_product(set, type, p, &rng);
        i++;
    }
}

/* Where zeros are skipped, around the blocks: by few and many, and at random. */
Test(kernels, gemm__many_zeros)
{
    tg_rng rng = {.seed = 3};
    EACH_SET(set, type)
        for (int i = 0; i < 60; i++) {
            const int64_t r = (int64_t)tg_rng_below(&rng, 1 << 30);
            const product p = {100 + (int)(r % 60), 30 + (int)(r / 60 % 130),
                               1 + (int)tg_rng_below(&rng, 300), i % LAYOUTS, i / 3 % LAYOUTS,
                               i % STARTS, i % 2, 30 + 10 * (i % 8), false};
            check_product(set, type, p, &rng);
        }
}

/* x y + sum as the set computes it. */
static double multiply_add(const tg_kernels *set, int type, double x, double y, double sum)
{
#if defined(__FMA__) || defined(__aarch64__)
    const bool is_fused = true;
#else
    const bool is_fused = strcmp(set->name, "portable") != 0;
#endif
    (void)set;
    if (!is_fused)
        return rounded(type, rounded(type, x * y) + sum);
    return type ? fma(x, y, sum) : (double)fmaf((float)x, (float)y, (float)sum);
}

/* Each element is one chain of multiply-adds to the last bit, in blocks that are listed and in
 * those beside them that have too few zeros. */
Test(kernels, gemm__zeros_leave_the_bits)
{
    enum { M = 300, N = 70, K = 200, FULL_BEGIN = 128, FULL_END = 260 };
    tg_rng rng = {.seed = 4};
    EACH_SET(set, type) {
        array a = array_random(type, M * K, &rng, -1, 1), b = array_random(type, K * N, &rng, -1, 1);
        array c = array_new(type, M * N);
        for (int64_t i = 0; i < a.count; i++)
            if ((i / K < FULL_BEGIN || i / K >= FULL_END) && tg_rng_below(&rng, 4) > 0)
                put(&a, i, 0);
        set->type[type]->gemm(&(tg_gemm){.m = M, .n = N, .k = K, .a = a.data, .a_row = K,
                                         .a_col = 1, .b = b.data, .b_row = N, .b_col = 1,
                                         .c = c.data, .c_row = N});
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int l = 0; l < K; l++)
                    sum = multiply_add(set, type, get(&a, i * K + l), get(&b, l * N + j), sum);
                cr_assert_eq(get(&c, i * N + j), sum, "%s f%d: element %d, %d", NAME(set, type), i,
                             j);
            }
        free(a.data), free(b.data), free(c.data);
    }
}

/* A zero times an infinity is not skipped, and stays in its row or column. */
static void check_nan(const tg_kernels *set, int type, int m, int n, int k)
{
    array a = array_new(type, m * k), b = array_new(type, k * n), c = array_new(type, m * n);
    memset(a.data, 0, bytes(&a)), memset(b.data, 0, bytes(&b));
    put(&a, 1 * k + 3, INFINITY), put(&b, 2 * n + n - 1, -INFINITY);
    set->type[type]->gemm(&(tg_gemm){.m = m, .n = n, .k = k, .a = a.data, .a_row = k, .a_col = 1,
                                     .b = b.data, .b_row = n, .b_col = 1, .c = c.data,
                                     .c_row = n});
    for (int e = 0; e < m * n; e++)
        cr_assert_eq(isnan(get(&c, e)) != 0, e / n == 1 || e % n == n - 1,
                     "%s f%d: element %d of %d x %d", NAME(set, type), e, m, n);
    free(a.data), free(b.data), free(c.data);
}

Test(kernels, gemm__keeps_nan)
{
    EACH_SET(set, type) {
        for (int n = 1; n < 40; n += 5)
            check_nan(set, type, 9, n, 5);
        check_nan(set, type, 130, 64, 140); /* where zeros are skipped */
        check_nan(set, type, 130, 70, 140);
    }
}

/* ---- sparse matrices in compressed rows ------------------------------------------------------ */

/* out (rows, columns) = the matrix times b, or the matrix transposed times b, by plain chains. */
static array csr_expected(const tg_kernels *set, const tg_csr *t, const array *b, const array *a,
                          int64_t rows, bool transposed)
{
    array out = array_new(b->type, rows * t->columns);
    memset(out.data, 0, bytes(&out));
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t e = t->crow[r]; e < t->crow[r + 1]; e++)
            for (int64_t j = 0; j < t->columns; j++) {
                const int64_t to = (transposed ? t->col[e] : r) * t->columns + j;
                const int64_t from = (transposed ? r : t->col[e]) * t->columns + j;
                put(&out, to, multiply_add(set, b->type, t->a ? get(a, e) : 1, get(b, from),
                                           get(&out, to)));
            }
    return out;
}

/* Of 5 x 5 with an empty row, and an entry that stands there twice; of any number of columns. */
Test(kernels, csr__products_are_chains)
{
    static const int64_t crow[] = {0, 3, 3, 4, 8, 9}, col[] = {4, 0, 4, 1, 2, 3, 4, 0, 0};
    tg_rng rng = {.seed = 21};
    EACH_SET(set, type)
        for (int64_t way = 0; way < 2 * 2 * 290; way++) {
            const int64_t columns = way / 4;
            const bool transposed = way % 2;
            array a = array_random(type, 9, &rng, -1, 1);
            array b = array_random(type, 5 * columns, &rng, -1, 1);
            array out = array_new(type, 5 * columns);
            const tg_csr t = {5, columns, crow, col, way & 2 ? a.data : NULL, b.data, out.data};
            if (transposed)
                memset(out.data, 0, bytes(&out));
            const int64_t middle = transposed ? columns / 3 : 2;
            (transposed ? set->type[type]->csr_transposed_product
                        : set->type[type]->csr_product)(&t, 0, middle);
            (transposed ? set->type[type]->csr_transposed_product
                        : set->type[type]->csr_product)(&t, middle, transposed ? columns : 5);
            array expected = csr_expected(set, &t, &b, &a, 5, transposed);
            cr_assert_arr_eq(out.data, expected.data, bytes(&out), "%s f%d: %d columns, way %d",
                             NAME(set, type), (int)columns, (int)(way % 4));
            free(a.data), free(b.data), free(out.data), free(expected.data);
        }
}

Test(kernels, csr_sample__gives_products_of_rows)
{
    static const int64_t crow[] = {0, 2, 2, 5}, col[] = {1, 0, 3, 1, 3};
    tg_rng rng = {.seed = 22};
    EACH_SET(set, type)
        for (int64_t n = 0; n < 80; n++) {
            array a = array_whole(type, 3 * n, &rng, 9), b = array_whole(type, 4 * n, &rng, 9);
            array out = array_new(type, 5);
            set->type[type]->csr_sample(
                &(tg_csr){3, n, crow, col, a.data, b.data, out.data}, 0, 3);
            for (int64_t e = 0; e < 5; e++) {
                double sum = 0;
                for (int64_t j = 0; j < n; j++)
                    sum += get(&a, (e < 2 ? 0 : 2) * n + j) * get(&b, col[e] * n + j);
                cr_assert_eq(get(&out, e), sum, "%s f%d: %d columns", NAME(set, type), (int)n);
            }
            free(a.data), free(b.data), free(out.data);
        }
}

/* ---- windows of images ----------------------------------------------------------------------- */

/* Where window (row, column) has pixel (i, j) of the kernel; -1 outside. */
static int64_t pixel_of(const tg_windows *s, int64_t row, int64_t column, int64_t tap)
{
    const int64_t y = row * s->stride - s->padding + tap / s->kw * s->dilation;
    const int64_t x = column * s->stride - s->padding + tap % s->kw * s->dilation;
    return y >= 0 && y < s->h && x >= 0 && x < s->w ? y * s->w + x : -1;
}

static void check_unfold(const tg_kernels *set, int type, const tg_windows *s, tg_rng *rng)
{
    enum { CHANNELS = 2 };
    const int64_t first = s->out_h / 3, rows = s->out_h - first, taps = s->kh * s->kw;
    array x = array_whole(type, CHANNELS * s->h * s->w, rng, 9), sum = array_copy(&x);
    array columns = array_new(type, CHANNELS * taps * rows * s->out_w), back = array_copy(&x);
    set->type[type]->unfold(s, CHANNELS, x.data, first, s->out_h, columns.data);
    for (int64_t i = 0; i < columns.count; i++) {
        const int64_t column = i % s->out_w, row = first + i / s->out_w % rows;
        const int64_t tap = i / (s->out_w * rows) % taps, channel = i / (s->out_w * rows * taps);
        const int64_t at = pixel_of(s, row, column, tap), to = channel * s->h * s->w + at;
        cr_assert_eq(get(&columns, i), at < 0 ? 0 : get(&x, to), "%s f%d: column %d of %d x %d",
                     NAME(set, type), (int)i, (int)s->h, (int)s->w);
        put(&columns, i, (double)(i % 7));
        if (at >= 0)
            put(&sum, to, get(&sum, to) + (double)(i % 7));
    }
    set->type[type]->fold(s, CHANNELS, back.data, first, s->out_h, columns.data);
    cr_assert_arr_eq(back.data, sum.data, bytes(&sum), "%s f%d: fold of %d x %d", NAME(set, type),
                     (int)s->h, (int)s->w);
    free(x.data), free(sum.data), free(columns.data), free(back.data);
}

static void check_max_places(const tg_kernels *set, int type, const tg_windows *s, tg_rng *rng)
{
    static const double special[] = {INFINITY, -INFINITY, NAN, 1, 1, -INFINITY, 0};
    array x = array_new(type, s->h * s->w), values = array_new(type, s->out_h * s->out_w);
    int64_t *place = malloc((size_t)values.count * sizeof *place);
    for (int64_t i = 0; i < x.count; i++)
        put(&x, i, special[tg_rng_below(rng, 7)]);
    set->type[type]->max_places(s, x.data, values.data, place);
    for (int64_t i = 0; i < values.count; i++) {
        int64_t best = -1;
        for (int64_t tap = 0; tap < s->kh * s->kw; tap++) {
            const int64_t at = pixel_of(s, i / s->out_w, i % s->out_w, tap);
            if (at >= 0 && (best < 0 || get(&x, at) > get(&x, best) || isnan(get(&x, at))))
                best = at;
        }
        cr_assert_eq(place[i], best, "%s f%d: window %d of %d x %d: %d, not %d", NAME(set, type),
                     (int)i, (int)s->h, (int)s->w, (int)place[i], (int)best);
    }
    free(x.data), free(values.data), free(place);
}

/* Rows shorter and longer than vectors, kernels on the edge and beyond it. */
Test(kernels, windows__are_where_they_should_be)
{
    tg_rng rng = {.seed = 23};
    EACH_SET(set, type)
        for (int64_t i = 0; i < 600; i++) {
            tg_windows s = {.h = 1 + i % 5, .w = 1 + i % 41, .kh = 1 + i % 3, .kw = 1 + i / 3 % 3,
                            .stride = 1 + i / 9 % 3, .padding = i / 2 % 3, .dilation = 1 + i / 7 % 2};
            const int64_t rest_h = s.h + 2 * s.padding - s.dilation * (s.kh - 1) - 1;
            const int64_t rest_w = s.w + 2 * s.padding - s.dilation * (s.kw - 1) - 1;
            s.out_h = rest_h / s.stride + 1;
            s.out_w = rest_w / s.stride + 1;
            if (rest_h < 0 || rest_w < 0)
                continue;
            check_unfold(set, type, &s, &rng);
            check_max_places(set, type, &s, &rng);
        }
}

/* ---- element by element ---------------------------------------------------------------------- */

/* The rows of tensor/elementwise.def once more, in long double and from libm; test_ops_values.c and
 * test_gradcheck.c hold the formulas themselves. */
#define EXP expl
#define LOG logl
#define EXPM1 expm1l
#define LOG1P log1pl
#define LOG1P_EXP(x) log1pl(expl(x))
#define SIN sinl
#define COS cosl
#define ROUND nearbyintl
#define FLOOR floorl
#define NORMAL_CDF(x) (erfcl(-(x) * 0.70710678118654752440L) / 2)
#define GELU(x) ((x) * NORMAL_CDF(x))
#define NORMAL_PDF(x) (0.39894228040143267794L * expl(-(x) * (x) / 2))
#define POW powl
#define SIGMOID(x) (1 / (1 + expl(-(x))))
#define SIGMOID_OF_PAIR SIGMOID
#define SQRT sqrtl
#define TANH tanhl
#define ABS fabsl
#define C(c) ((long double)(c))
typedef long double (*reference)(long double g, long double a, long double b, long double y);
#define REFERENCE(op, kind, formula)                                                               \
    static long double op##_##kind(long double g, long double a, long double b, long double y)     \
    {                                                                                              \
        const long double x = a;                                                                   \
        return (void)g, (void)x, (void)b, (void)y, (formula);                                      \
    }
#define UNARY(op, f, fx, fxx, low, high)                                                           \
    REFERENCE(op, value, f) REFERENCE(op, da, fx) REFERENCE(op, daa, fxx)
#define BINARY(op, f, fa, fb, faa, fab, fbb, low, high)                                            \
    REFERENCE(op, value, f) REFERENCE(op, da, fa) REFERENCE(op, db, fb)                            \
    REFERENCE(op, daa, faa) REFERENCE(op, dab, fab) REFERENCE(op, dbb, fbb)
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY

typedef struct map_row {
    const char *name;
    int operands;
    double low, high;
    reference of[TG_MAPS];
} map_row;
#define UNARY(op, f, fx, fxx, low, high)                                                           \
    {#op, 1, low, high, {[TG_VALUE] = op##_value, [TG_DA] = op##_da, [TG_DAA] = op##_daa}},
#define BINARY(op, f, fa, fb, faa, fab, fbb, low, high)                                            \
    {#op, 2, low, high, {op##_value, op##_da, op##_db, op##_daa, op##_dab, op##_dbb}},
static const map_row rows[] = {
#include "tensor/elementwise.def"
};
#undef UNARY
#undef BINARY

/* One run of a map: its operands a and b, a row's value y of them, and the result. */
typedef struct map_run {
    int r, kind, inputs;
    array g, a, b, y, out;
    const void *in[TG_MAP_INPUTS];
} map_run;

static map_run map_run_new(const tg_type_kernels *k, int r, int kind, array g, array a, array b)
{
    const bool binary = rows[r].operands == 2;
    map_run m = {r, kind, 0, g, a, b, array_copy(&a), array_copy(&a), {a.data, b.data}};
    k->map[r][TG_VALUE](a.count, m.y.data, m.in);
    if (kind != TG_VALUE)
        m.in[m.inputs++] = g.data;
    m.in[m.inputs++] = a.data;
    if (binary)
        m.in[m.inputs++] = b.data;
    if (kind != TG_VALUE)
        m.in[m.inputs++] = m.y.data;
    k->map[r][kind](a.count, m.out.data, m.in);
    return m;
}

/* Half of them with operands beyond the row's own range. */
static map_run map_run_random(const tg_type_kernels *k, int type, int r, int kind, int64_t n,
                              tg_rng *rng)
{
    const double scale = n % 2 ? 4 : 1, low = scale * rows[r].low, high = scale * rows[r].high;
    const array g = array_random(type, n, rng, -2, 2);
    const array a = array_random(type, n, rng, low, high);
    const array b = array_random(type, n, rng, low, high);
    return map_run_new(k, r, kind, g, a, b);
}

static void map_run_free(map_run *m)
{
    free(m->g.data), free(m->a.data), free(m->b.data), free(m->y.data), free(m->out.data);
}

static long double map_expected(const map_run *m, int64_t i)
{
    return rows[m->r].of[m->kind](get(&m->g, i), get(&m->a, i), get(&m->b, i), get(&m->y, i));
}

/* Within 8 units in the last place of the result, or of 1 where it is smaller. */
Test(kernels, maps__agree_with_libm)
{
    tg_rng rng = {.seed = 5};
    EACH_SET(set, type)
        for (int rk = 0; rk < TG_ROWS * TG_MAPS; rk++) {
            const int r = rk / TG_MAPS, kind = rk % TG_MAPS;
            const tg_type_kernels *k = set->type[type];
            cr_assert_eq(k->map[r][kind] == NULL, rows[r].of[kind] == NULL, "%s", rows[r].name);
            for (int64_t n = 0; rows[r].of[kind] && n < 100; n += n < 36 ? 1 : 29) {
                map_run m = map_run_random(k, type, r, kind, n, &rng);
                for (int64_t i = 0; i < n; i++) {
                    const long double e = map_expected(&m, i);
                    cr_assert(fabsl(get(&m.out, i) - e) <= 8 * epsilon(type) * fmaxl(1, fabsl(e)),
                              "%s f%d %s %d: %.17g, not %.17g", NAME(set, type), rows[r].name,
                              kind, get(&m.out, i), (double)e);
                }
                map_run_free(&m);
            }
        }
}

/* Values and first derivatives for all pairs of operands at the ends of the range. What would be
 * subnormal may be zero. */
Test(kernels, maps__keep_nan_and_infinity)
{
    /* 1e36 - 1 is 1e36 and 1e-36 - 1 is -1 in a long double too, whatever its size */
    static const double ends[] = {NAN, INFINITY, -INFINITY, 0, -0., 1e36, -1e36, 1e-36, 100, -100};
    enum { E = sizeof ends / sizeof *ends, N = E * E };
    EACH_SET(set, type)
        for (int rk = 0; rk < TG_ROWS * 3; rk++) {
            const int r = rk / 3, kind = rk % 3; /* TG_VALUE, TG_DA, TG_DB */
            if (!rows[r].of[kind])
                continue;
            array g = array_new(type, N), a = array_new(type, N), b = array_new(type, N);
            for (int i = 0; i < N; i++)
                put(&g, i, 1), put(&a, i, ends[i / E]), put(&b, i, ends[i % E]);
            map_run m = map_run_new(set->type[type], r, kind, g, a, b);
            for (int i = 0; i < N; i++) {
                const double y = get(&m.out, i), e = rounded(type, map_expected(&m, i));
                const double allowed = fmax(8 * epsilon(type) * fabs(e), type ? DBL_MIN : FLT_MIN);
                cr_expect(y == e || (isnan(y) && isnan(e)) ||
                              (isfinite(e) && fabs(y - e) <= allowed),
                          "%s f%d %s %d of %g, %g: %g, not %g", NAME(set, type), rows[r].name,
                          kind, get(&a, i), get(&b, i), y, e);
            }
            map_run_free(&m);
        }
}

/* The output may be any of the inputs. */
Test(kernels, maps__work_in_place)
{
    tg_rng rng = {.seed = 6};
    EACH_SET(set, type)
        for (int rk = 0; rk < TG_ROWS * TG_MAPS; rk++) {
            const int r = rk / TG_MAPS, kind = rk % TG_MAPS;
            if (!rows[r].of[kind])
                continue;
            map_run m = map_run_random(set->type[type], type, r, kind, 77, &rng);
            for (int i = 0; i < m.inputs; i++) {
                array shared = array_new(type, 77);
                const void *const before = m.in[i];
                memcpy(shared.data, before, bytes(&shared));
                m.in[i] = shared.data;
                set->type[type]->map[r][kind](77, shared.data, m.in);
                m.in[i] = before;
                cr_expect_arr_eq(shared.data, m.out.data, bytes(&m.out), "%s f%d %s %d: input %d",
                                 NAME(set, type), rows[r].name, kind, i);
                free(shared.data);
            }
            map_run_free(&m);
        }
}

/* ---- rows and dropout ------------------------------------------------------------------------ */

/* Rows for a kernel: x, g and w (count, width) of that row stride, and one element for each row; of
 * log_sums two, a row apart, and in row_out up to four, TG_ROW_LANES apart. */
typedef struct row_run {
    int count, width, row;
    array x, g, w, out, row_y, row_g, log_sums, row_out;
    int64_t target[TG_ROW_COLUMNS];
} row_run;

static row_run row_run_new(int type, int count, int width, int row, tg_rng *rng)
{
    row_run r = {.count = count, .width = width, .row = row};
    r.x = array_random(type, count * row, rng, -3, 3);
    for (int64_t i = 0; i < r.x.count; i++) /* with equal ones */
        put(&r.x, i, tg_rng_below(rng, 2) ? get(&r.x, i) : trunc(get(&r.x, i)));
    r.g = array_random(type, count * row, rng, -1, 1);
    r.w = array_random(type, count * row, rng, -1, 1);
    r.out = array_new(type, count * row);
    r.row_y = array_new(type, width);
    r.row_g = array_random(type, width, rng, -1, 1);
    r.log_sums = array_new(type, 2 * row + width);
    r.row_out = array_new(type, 4 * TG_ROW_LANES + 2 * row);
    for (int l = 0; l < width; l++) {
        long double exps = 0;
        put(&r.row_y, l, -INFINITY);
        for (int i = 0; i < count; i++) {
            put(&r.row_y, l, fmax(get(&r.row_y, l), get(&r.x, i * row + l)));
            exps += expl(get(&r.x, i * row + l));
        }
        put(&r.log_sums, l, get(&r.row_y, l));
        put(&r.log_sums, l + row, (double)(logl(exps) - get(&r.row_y, l)));
        r.target[l] = count ? (int64_t)tg_rng_below(rng, (uint64_t)count) : 0;
    }
    return r;
}

static void row_run_free(row_run *r)
{
    free(r->x.data), free(r->g.data), free(r->w.data), free(r->out.data), free(r->row_y.data);
    free(r->row_g.data), free(r->log_sums.data), free(r->row_out.data);
}

static bool is_of_norm(tg_along op)
{
    return op == TG_ALONG_NORM_MOMENTS;
}

static bool gives_one(tg_along op)
{
    return is_of_norm(op) || op == TG_ALONG_SUM || op == TG_ALONG_MAX || op == TG_ALONG_MIN ||
           op == TG_ALONG_LOGSUMEXP || op == TG_ALONG_LOG_SUMS;
}

/* How many elements a kernel makes of a row. */
static int results_of(tg_along op, int count)
{
    if (is_of_norm(op))
        return count % 3 ? 4 : 2;
    return op == TG_ALONG_LOG_SUMS ? 2 : gives_one(op) ? 1 : count;
}

static void run_row_kernel(const tg_type_kernels *k, tg_along op, row_run *r)
{
    static const double eps = 0.25;
    const void *in[] = {r->x.data, r->g.data, r->row_g.data, r->row_g.data};
    if (op == TG_ALONG_NORM_MOMENTS) {
        in[1] = &eps;
        in[2] = r->count % 3 ? r->g.data : NULL;
        in[3] = r->count % 2 ? r->w.data : NULL;
    }
    if (op == TG_ALONG_MAX_GRADIENT)
        in[1] = r->row_y.data;
    if (op == TG_ALONG_LOGSUMEXP_GRADIENT)
        in[1] = r->row_g.data;
    if (op == TG_ALONG_CROSS_ENTROPY_GRADIENT) {
        in[1] = r->target;
        in[2] = r->log_sums.data;
    }
    k->rows[op](r->count, r->width, r->row,
                gives_one(op) ? r->row_out.data : r->out.data, in);
}

/* Element i of what is made of row l. */
static long double row_expected(tg_along op, const row_run *r, int l, int i)
{
    long double sum = 0, exps = 0, dot = 0, most = -INFINITY, least = INFINITY, equal = 0;
    for (int k = 0; k < r->count; k++) {
        const long double x = get(&r->x, k * r->row + l), g = get(&r->g, k * r->row + l);
        sum += op == TG_ALONG_LOG_SOFTMAX_GRADIENT ? g : x;
        dot += x * g;
        exps += expl(x);
        most = fmaxl(most, x), least = fminl(least, x);
        equal += x == get(&r->row_y, l);
    }
    const int at = (gives_one(op) ? (int)r->target[l] : i) * r->row + l;
    const long double x = r->count ? get(&r->x, at) : 0, g = r->count ? get(&r->g, at) : 0;
    const long double row_g = get(&r->row_g, l);
    switch (op) {
    case TG_ALONG_SUM: return sum;
    case TG_ALONG_MAX: return most;
    case TG_ALONG_MIN: return least;
    case TG_ALONG_MAX_GRADIENT: return x == get(&r->row_y, l) ? row_g / equal : 0;
    case TG_ALONG_SOFTMAX: return expl(x) / exps;
    case TG_ALONG_SOFTMAX_GRADIENT: return x * (g - dot); /* x stands for y */
    case TG_ALONG_LOG_SOFTMAX: return x - logl(exps);
    case TG_ALONG_LOG_SOFTMAX_GRADIENT: return g - expl(x) * sum;
    case TG_ALONG_LOGSUMEXP: return logl(exps);
    case TG_ALONG_LOG_SUMS: return i ? logl(exps) - most : most;
    case TG_ALONG_LOGSUMEXP_GRADIENT: return row_g * expl(x) / exps;
    default: return get(&r->row_g, 0) * (expl(x) / exps - (i == r->target[l]));
    }
}

/* Number i of those that layer norm's kernel makes of row l: two, or four where there is a g. */
static long double norm_expected(const row_run *r, int l, int i)
{
    long double sum = 0, square = 0, sum_u = 0, sum_ud = 0;
    for (int k = 0; k < r->count; k++)
        sum += get(&r->x, k * r->row + l);
    for (int k = 0; k < r->count; k++) {
        const long double d = get(&r->x, k * r->row + l) - sum / r->count;
        const long double w = r->count % 2 ? get(&r->w, k * r->row + l) : 1;
        square += d * d;
        sum_u += w * get(&r->g, k * r->row + l);
        sum_ud += w * get(&r->g, k * r->row + l) * d;
    }
    const long double root = 1 / sqrtl(square / r->count + 0.25L);
    return i == 0 ? sum / r->count : i == 1 ? root : (i == 2 ? sum_u : sum_ud * root) / r->count;
}

/* Each kernel, for one row and for columns, of all lengths around the lanes. */
Test(kernels, rows__agree_with_their_formulas)
{
    static const int widths[] = {1, 2, 31, TG_ROW_LANES, TG_ROW_COLUMNS};
    enum { COUNTS = 71 };
    tg_rng rng = {.seed = 12};
    EACH_SET(set, type)
        for (int way = 0; way < COUNTS * 5 * TG_ALONGS; way++) {
            const tg_along op = (tg_along)(way % TG_ALONGS);
            const int count = way / TG_ALONGS % COUNTS, width = widths[way / TG_ALONGS / COUNTS];
            if ((count == 0 && op != TG_ALONG_SUM && op != TG_ALONG_LOGSUMEXP) ||
                (is_of_norm(op) && width > TG_ROW_LANES))
                continue;
            row_run r = row_run_new(type, count, width, width + (width > 1) * (way % 3), &rng);
            run_row_kernel(set->type[type], op, &r);
            for (int l = 0; l < width; l++)
                for (int i = 0; i < results_of(op, count); i++) {
                    const double y = is_of_norm(op)  ? get(&r.row_out, i * TG_ROW_LANES + l)
                                     : gives_one(op) ? get(&r.row_out, i * r.row + l)
                                                     : get(&r.out, i * r.row + l);
                    const long double e = is_of_norm(op) ? norm_expected(&r, l, i)
                                                         : row_expected(op, &r, l, i);
                    const bool of_sum = op == TG_ALONG_SUM || op == TG_ALONG_SOFTMAX_GRADIENT ||
                                        op == TG_ALONG_LOG_SOFTMAX_GRADIENT; /* which cancels */
                    cr_assert(y == (double)e || fabsl(y - e) <= 8 * epsilon(type) *
                              fmaxl(of_sum ? 100 : 4, fabsl(e)),
                              "%s f%d kernel %d of (%d, %d): row %d, element %d: %.17g, not %.17g",
                              NAME(set, type), (int)op, count, width, l, i, y, (double)e);
                }
            row_run_free(&r);
        }
}

/* Whole numbers: a sum in double is exact, and rounded once at the end. */
Test(kernels, sum__is_exact_in_double)
{
    static const int counts[] = {0, 1, 2, 31, 32, 33, 63, 64, 130, 1000};
    static const int widths[] = {1, 2, 31, TG_ROW_LANES, TG_ROW_COLUMNS};
    tg_rng rng = {.seed = 7};
    EACH_SET(set, type)
        for (int way = 0; way < 10 * 5; way++) {
            const int count = counts[way % 10], width = widths[way / 10];
            const int row = width + way % 3; /* columns beside them are left out */
            array x = array_whole(type, count * row, &rng, type ? 0x1p40 : 0x1p23);
            array y = array_new(type, width);
            set->type[type]->rows[TG_ALONG_SUM](count, width, row, y.data,
                                                (const void *[]){x.data});
            for (int j = 0; j < width; j++) {
                double e = 0;
                for (int i = 0; i < count; i++)
                    e += get(&x, i * row + j);
                cr_assert_eq(get(&y, j), rounded(type, e), "%s f%d (%d, %d): column %d",
                             NAME(set, type), count, width, j);
            }
            double all = 0;
            for (int64_t i = 0; i < x.count; i++)
                all += get(&x, i);
            cr_assert_eq(set->type[type]->total(x.count, x.data), all);
            free(x.data), free(y.data);
        }
}

/* Keys for all orders: NaN before all, of equal ones the first. */
static bool goes_before(const double *x, int64_t a, int64_t b)
{
    if (isnan(x[a]) || isnan(x[b]))
        return isnan(x[a]) && (!isnan(x[b]) || a < b);
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

Test(kernels, places__follow_the_order)
{
    static const int counts[] = {1, 2, 31, 32, 33, 64, 65, 200};
    static const int widths[] = {1, 2, TG_ROW_LANES, TG_ROW_COLUMNS};
    tg_rng rng = {.seed = 13};
    EACH_SET(set, type)
        for (int way = 0; way < 8 * 4 * 6; way++) {
            const int count = counts[way % 8], width = widths[way / 8 % 4], row = width;
            array x = array_whole(type, count * row, &rng, way / 32 ? 40 : 2);
            for (int64_t i = 0; i < x.count; i++)
                if (way / 32 > 2 && tg_rng_below(&rng, 30) == 0)
                    put(&x, i, way / 32 > 3 ? NAN : -INFINITY);
            double column[200];
            int64_t place[200], held[200], whole[200];
            set->argmax[type](count, width, row, place, (const void *[]){x.data});
            for (int l = 0; l < width; l++) {
                int64_t best = 0;
                for (int i = 0; i < count; i++) {
                    column[i] = get(&x, i * row + l);
                    whole[i] = isfinite(column[i]) ? (int64_t)column[i] : INT64_MIN;
                    best = goes_before(column, i, best) ? i : best;
                }
                cr_assert_eq(place[l], best, "%s f%d: row %d of (%d, %d)", NAME(set, type), l, count,
                             width);
            }
            const int64_t k = (int64_t)tg_rng_below(&rng, (uint64_t)count + 1);
            array last = array_new(type, count);
            for (int i = 0; i < count; i++)
                put(&last, i, column[i]);
            set->topk[type](count, k, held, last.data);
            set->topk[TG_I64](count, k, place, whole);
            for (int64_t p = 0; p < k; p++) {
                int64_t before = 0, before_whole = 0;
                for (int64_t i = 0; i < count; i++) {
                    before += goes_before(column, i, held[p]);
                    before_whole += whole[i] > whole[place[p]] ||
                                    (whole[i] == whole[place[p]] && i < place[p]);
                }
                cr_assert_eq(before, p, "%s f%d: place %d of %d", NAME(set, type), (int)p, count);
                cr_assert_eq(before_whole, p, "%s i64: place %d of %d", set->name, (int)p, count);
            }
            free(x.data), free(last.data);
        }
}

Test(kernels, philox__is_tg_philox_side_by_side)
{
    enum { GROUPS = 5 };
    const uint64_t seed = UINT64_C(10) << 32 | 7, stream = UINT64_C(3) << 32 | 5;
    const uint64_t first = (UINT64_C(1) << 32) - 20; /* the counter carries */
    const tg_kernels *set;
    for (int s = 0; (set = tg_kernels_supported(s)); s++) {
        uint32_t word[GROUPS * TG_WORD_GROUP + 1], block[4];
        word[GROUPS * TG_WORD_GROUP] = 12345;
        set->philox(seed, stream, first, GROUPS, word);
        for (int i = 0; i < GROUPS * TG_WORD_ROW; i++) {
            tg_philox(seed, stream, first + (uint64_t)i, block);
            for (int w = 0; w < 4; w++)
                cr_assert_eq(word[(i / TG_WORD_ROW * 4 + w) * TG_WORD_ROW + i % TG_WORD_ROW],
                             block[w], "%s: word %d of block %d", set->name, w, i);
        }
        cr_expect_eq(word[GROUPS * TG_WORD_GROUP], 12345, "no more than the groups");
    }
}

/* The rule of kernels.h, written down once more: all kept, all dropped, and thresholds that need each
 * number of bits. */
Test(kernels, dropout__follows_its_rule)
{
    static const struct {
        uint32_t threshold;
        int bits;
    } cases[] = {{0, 1},      {65536, 1},  {0x8000, 1}, {0x4000, 2},  {0xC000, 2},  {0x1000, 4},
                 {0xF000, 4}, {0x0100, 8}, {0xAB00, 8}, {0x0001, 16}, {0x3333, 16}, {0xFFFF, 16}};
    enum { MOST = 5000 };
    static uint32_t word[MOST + TG_WORD_GROUP];
    tg_rng rng = {.seed = 1};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        word[i] = (uint32_t)tg_rng_below(&rng, UINT64_C(1) << 32);
    EACH_SET(set, type)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
            for (int64_t n = 0; n < MOST; n = n < 4 ? n + 1 : n * 3 / 2) {
                const int bits = cases[c].bits;
                const uint32_t threshold = cases[c].threshold, least = threshold >> (16 - bits);
                array x = array_whole(type, n, &rng, 8), y = array_new(type, n);
                set->type[type]->dropout(n, y.data, x.data, word, threshold, 1.5);
                for (int64_t i = 0; i < n; i++) {
                    const int64_t bit = i / 16 * bits;
                    const uint32_t piece =
                        word[bit / 32 * 16 + i % 16] >> bit % 32 & ((1u << bits) - 1);
                    cr_assert_eq(get(&y, i), piece >= least ? 1.5 * get(&x, i) : 0,
                                 "%s f%d: threshold %x: element %d of %d", NAME(set, type),
                                 threshold, (int)i, (int)n);
                }
                set->type[type]->dropout(n, x.data, x.data, word, threshold, 1.5);
                cr_assert_arr_eq(x.data, y.data, bytes(&y), "in place");
                free(x.data), free(y.data);
            }
}

/* ---- updates --------------------------------------------------------------------------------- */

/* A parameter with its gradient and moments. */
typedef struct slot {
    array p, g, m, v;
} slot;

static slot slot_random(int type, int64_t n, tg_rng *rng)
{
    const array p = array_random(type, n, rng, -1, 1), g = array_random(type, n, rng, -1, 1);
    const array m = array_random(type, n, rng, -1, 1), v = array_random(type, n, rng, 0, 1);
    return (slot){p, g, m, v};
}

static slot slot_copy(const slot *s)
{
    return (slot){array_copy(&s->p), array_copy(&s->g), array_copy(&s->m), array_copy(&s->v)};
}

static void slot_free(slot *s)
{
    free(s->p.data), free(s->g.data), free(s->m.data), free(s->v.data);
}

static void expect_near(const tg_kernels *set, const char *what, const array *a, int64_t i,
                        double e)
{
    cr_assert(fabs(get(a, i) - e) <= 4 * epsilon(a->type) * fmax(1, fabs(e)),
              "%s f%d %s: element %d of %d is %.17g, not %.17g", NAME(set, a->type), what, (int)i,
              (int)a->count, get(a, i), e);
}

Test(kernels, adam__agrees_with_its_formula)
{
    const tg_adam_update u = {.beta1 = 0.9, .beta2 = 0.9, .eps = 0.01, .weight_decay = 0.1,
                              .shrink = 0.75, .rate = 0.125, .root_scale = 1.7};
    tg_rng rng = {.seed = 8};
    EACH_SET(set, type)
        for (int64_t n = 0; n < 2 * 70; n++) {
            const bool given = n % 2;
            slot s = slot_random(type, n / 2, &rng), old = slot_copy(&s);
            set->type[type]->adam(n / 2, s.p.data, given ? s.g.data : NULL, s.m.data, s.v.data, &u);
            for (int64_t i = 0; i < n / 2; i++) {
                const double p = get(&old.p, i), g = (given ? get(&s.g, i) : 0) + 0.1 * p;
                const double m = 0.9 * get(&old.m, i) + (1 - 0.9) * g;
                const double v = 0.9 * get(&old.v, i) + (1 - 0.9) * g * g;
                expect_near(set, "m", &s.m, i, m);
                expect_near(set, "v", &s.v, i, v);
                expect_near(set, "p", &s.p, i, 0.75 * p - 0.125 * m / (1.7 * sqrt(v) + 0.01));
            }
            slot_free(&s), slot_free(&old);
        }
}

Test(kernels, adam_late__agrees_with_its_formula)
{
    const tg_adam_late u = {.sum = 0.3, .eps = 0.2, .variance = 0.01};
    tg_rng rng = {.seed = 10};
    EACH_SET(set, type)
        for (int64_t n = 0; n < 70; n++) {
            slot s = slot_random(type, n, &rng), old = slot_copy(&s);
            set->type[type]->adam_late(n, s.p.data, s.m.data, s.v.data, &u);
            for (int64_t i = 0; i < n; i++) {
                const double m = get(&old.m, i), x = 1 / (sqrt(get(&old.v, i)) + 0.2);
                expect_near(set, "p", &s.p, i,
                            get(&old.p, i) - m * 0.3 * x * (1 + 0.01 * x * x));
            }
            slot_free(&s), slot_free(&old);
        }
}

Test(kernels, moments__agree_with_their_formula)
{
    const tg_moments_update u = {.keep1 = 0.5, .keep2 = 0.9, .add1 = 0.3, .add2 = 0.2};
    tg_rng rng = {.seed = 11};
    EACH_SET(set, type)
        for (int64_t n = 0; n < 2 * 70; n++) {
            const bool given = n % 2;
            slot s = slot_random(type, n / 2, &rng), old = slot_copy(&s);
            set->type[type]->moments(n / 2, given ? s.g.data : NULL, s.m.data, s.v.data, &u);
            for (int64_t i = 0; i < n / 2; i++) {
                const double g = given ? get(&s.g, i) : 0;
                expect_near(set, "m", &s.m, i, 0.5 * get(&old.m, i) + 0.3 * g);
                expect_near(set, "v", &s.v, i, 0.9 * get(&old.v, i) + 0.2 * g * g);
            }
            slot_free(&s), slot_free(&old);
        }
}

/* Moments that only decay would be subnormal in the end, and slow for ever after. */
Test(kernels, adam__sets_subnormal_moments_to_zero)
{
    const tg_adam_update u = {.beta1 = 0.5, .beta2 = 0.5, .eps = 1e-8, .shrink = 1,
                              .root_scale = 1};
    const tg_moments_update halves = {.keep1 = 0.5, .keep2 = 0.5};
    tg_rng rng = {.seed = 9};
    EACH_SET(set, type)
    {
        const double least = type ? DBL_MIN : FLT_MIN;
        for (int late = 0; late < 2; late++) {
            slot s = slot_random(type, 40, &rng);
            for (int i = 0; i < 40; i++) {
                put(&s.m, i, i % 2 ? -1.5 * least : -2 * least);
                put(&s.v, i, i % 2 ? 1.5 * least : 2 * least);
            }
            if (late)
                set->type[type]->moments(40, NULL, s.m.data, s.v.data, &halves);
            else
                set->type[type]->adam(40, s.p.data, NULL, s.m.data, s.v.data, &u);
            for (int i = 0; i < 40; i++) {
                cr_expect_eq(get(&s.m, i), i % 2 ? 0 : -least, "%s f%d: m", NAME(set, type));
                cr_expect_eq(get(&s.v, i), i % 2 ? 0 : least, "%s f%d: v", NAME(set, type));
            }
            slot_free(&s);
        }
    }
}

/* With and without a gradient, momentum and weight decay. */
Test(kernels, sgd__agrees_with_its_formula)
{
    tg_rng rng = {.seed = 10};
    EACH_SET(set, type)
        for (int64_t n = 0; n < 8 * 40; n++) {
            const bool given = n & 1, moving = n & 2;
            const tg_sgd_update u = {.lr = 0.1, .momentum = moving ? 0.9 : 0,
                                     .weight_decay = n & 4 ? 0.01 : 0};
            slot s = slot_random(type, n / 8, &rng), old = slot_copy(&s);
            set->type[type]->sgd(n / 8, s.p.data, given ? s.g.data : NULL,
                                 moving ? s.v.data : NULL, &u);
            for (int64_t i = 0; i < n / 8; i++) {
                const double g = (given ? get(&s.g, i) : 0) + u.weight_decay * get(&old.p, i);
                const double v = u.momentum * get(&old.v, i) + g;
                expect_near(set, "v", &s.v, i, moving ? v : get(&old.v, i));
                expect_near(set, "p", &s.p, i, get(&old.p, i) - 0.1 * v);
            }
            slot_free(&s), slot_free(&old);
        }
}

/* ---- the same bits --------------------------------------------------------------------------- */

enum { MAPS = TG_ROWS * TG_MAPS, PRODUCTS = 8 };
enum { ROWS = MAPS + PRODUCTS, DROPOUT = ROWS + 3 * TG_ALONGS, ADAM, SGD, OUTPUTS };

/* What a set gives for fixed inputs: output number `which`: the maps, the products, the rest. */
static array output(const tg_type_kernels *k, int type, int which)
{
    enum { N = 1100, M = 31, K = 35 };
    tg_rng rng = {.seed = 11};
    const int r = which / TG_MAPS, kind = which % TG_MAPS, p = which - MAPS, n = p & 4 ? 1 : 29;
    slot s = slot_random(type, N, &rng);
    array out = array_copy(&s.p);
    if (which < MAPS && rows[r].of[kind]) {
        map_run m = map_run_random(k, type, r, kind, N, &rng);
        memcpy(out.data, m.out.data, bytes(&out));
        map_run_free(&m);
    } else if (which >= MAPS && which < ROWS) {
        k->gemm(&(tg_gemm){.m = M, .n = n, .k = K, .start = s.m.data, .c = out.data, .c_row = n,
                           .a = s.p.data, .a_row = p & 1 ? 1 : K, .a_col = p & 1 ? M : 1,
                           .b = s.g.data, .b_row = p & 2 ? 1 : n, .b_col = p & 2 ? K : 1});
    } else if (which >= ROWS && which < DROPOUT) {
        static const int widths[] = {1, 30, TG_ROW_COLUMNS};
        const tg_along op = (tg_along)((which - ROWS) / 3);
        const int width = is_of_norm(op) ? 1 : widths[(which - ROWS) % 3];
        row_run row = row_run_new(type, N / width, width, width, &rng);
        run_row_kernel(k, op, &row);
        memcpy(out.data, gives_one(op) ? row.row_out.data : row.out.data,
               bytes(gives_one(op) ? &row.row_out : &row.out));
        row_run_free(&row);
    } else if (which == DROPOUT) {
        k->dropout(N, out.data, s.g.data, s.m.data, 30000, 1.9);
    } else if (which == ADAM) {
        k->adam(N, out.data, s.g.data, s.m.data, s.v.data,
                &(tg_adam_update){0.9, 0.999, 1e-8, 0.01, 0.9, 1e-3, 1.7});
    } else if (which == SGD) {
        k->sgd(N, out.data, s.g.data, s.v.data, &(tg_sgd_update){0.1, 0.9, 0.01, true});
    }
    slot_free(&s);
    return out;
}

/* The portable set may lack the fused multiply-adds of products. */
Test(kernels, sets__give_the_same_bits)
{
    const tg_kernels *first = tg_kernels_supported(0), *other = tg_kernels_supported(1);
    if (!other)
        cr_skip_test("this machine has one instruction set");
    for (int s = 1; (other = tg_kernels_supported(s)); s++)
        for (int which = 0; which < 2 * OUTPUTS; which++) {
            const int type = which % 2, kind = which / 2;
            if (other == &tg_kernels_portable && kind >= MAPS && kind < MAPS + PRODUCTS)
                continue;
            array x = output(first->type[type], type, kind);
            array y = output(other->type[type], type, kind);
            cr_expect_arr_eq(x.data, y.data, bytes(&x), "%s, %s f%d: output %d", first->name,
                             NAME(other, type), kind);
            free(x.data), free(y.data);
        }
}
