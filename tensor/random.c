#include "tensor/random.h"

#include <math.h>

#include "tensor/kernels/kernels.h"
#include "tensor/tensor-internal.h"

static _Thread_local tg_rng local;

tg_rng *tg_default_rng(void)
{
    return &local;
}

void tg_manual_seed(uint64_t seed)
{
    local = (tg_rng){.seed = seed};
}

void tg_philox(uint64_t seed, uint64_t stream, uint64_t position, uint32_t block[4])
{
    uint32_t c[4] = {(uint32_t)position, (uint32_t)(position >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = UINT64_C(0xD2511F53) * c[0], p1 = UINT64_C(0xCD9E8D57) * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9; /* the golden ratio */
        k1 += 0xBB67AE85; /* sqrt(3) - 1 */
    }
    for (int i = 0; i < 4; i++)
        block[i] = c[i];
}

/* The two halves of the next block. */
static void draw(tg_rng *rng, uint64_t half[2])
{
    uint32_t block[4];
    tg_philox(rng->seed, rng->stream, rng->position++, block);
    half[0] = (uint64_t)block[1] << 32 | block[0];
    half[1] = (uint64_t)block[3] << 32 | block[2];
}

double tg_rng_uniform(tg_rng *rng)
{
    uint64_t half[2];
    draw(rng, half);
    return (double)(half[0] >> 11) * 0x1p-53;
}

double tg_rng_normal(tg_rng *rng)
{
    uint64_t half[2];
    draw(rng, half);
    const double u = (double)((half[0] >> 11) + 1) * 0x1p-53; /* in (0, 1] for the logarithm */
    const double angle = (double)(half[1] >> 11) * 0x1p-53 * 6.283185307179586477;
    return sqrt(-2 * log(u)) * cos(angle);
}

/* Of the 2^64 numbers the first 2^64 mod bound are one more than go into bound equal parts. Few are
 * below bound itself, and need the division. */
static bool is_surplus(uint64_t number, uint64_t bound)
{
    return number < bound && number < (UINT64_MAX - bound + 1) % bound;
}

uint64_t tg_rng_below(tg_rng *rng, uint64_t bound)
{
    uint64_t half[2];
    do
        draw(rng, half);
    while (is_surplus(half[0], bound));
    return half[0] % bound;
}

void tg_rng_below_each(tg_rng *rng, int64_t count, uint64_t bound, uint64_t *out)
{
    uint32_t word[TG_WORD_GROUP];
    while (count > 0) {
        tg_kernels_get()->philox(rng->seed, rng->stream, rng->position, 1, word);
        for (int b = 0; b < TG_WORD_ROW && count > 0; b++) {
            const uint64_t half = (uint64_t)word[TG_WORD_ROW + b] << 32 | word[b];
            rng->position++;
            if (is_surplus(half, bound))
                continue;
            *out++ = half % bound--;
            count--;
        }
    }
}

double tg_uniform_between(tg_dtype dtype, double low, double high, double u)
{
    const double value = low + (high - low) * u;
    if (dtype == TG_F64)
        return value < high ? value : nextafter(high, low);
    const float rounded = (float)value, end = (float)high;
    return (double)(rounded < end ? rounded : nextafterf(end, (float)low));
}

/* An element of the distribution with parameters a and b. */
typedef double (*sampler)(tg_dtype dtype, double a, double b);

static double uniform(tg_dtype dtype, double low, double high)
{
    return tg_uniform_between(dtype, low, high, tg_rng_uniform(&local));
}

static double normal(tg_dtype dtype, double mean, double std)
{
    (void)dtype;
    return mean + std * tg_rng_normal(&local);
}

/* Element by element in row-major order, so that strides do not matter. */
static void fill(tg_tensor *t, sampler draw_element, double a, double b)
{
    if (!tg_writable("tg_fill_uniform or tg_fill_normal", "fill", t))
        return;
    if (t->dtype == TG_I64) {
        tg_misuse("tg_fill_uniform or tg_fill_normal", "fill", "i64; f32 or f64 expected");
        return;
    }
    const int64_t count = tg_numel(t);
    const bool contiguous = tg_is_contiguous(t);
    for (int64_t i = 0; i < count; i++)
        tg_element_set(t, contiguous ? i : tg_element_offset(t, i), draw_element(t->dtype, a, b));
    tg_touch(t);
}

void tg_fill_uniform(tg_tensor *t, double low, double high)
{
    if (low <= high)
        fill(t, uniform, low, high);
    else
        tg_misuse("tg_fill_uniform", "fill", "from %g to %g; the lower bound first expected", low,
                  high);
}

void tg_fill_normal(tg_tensor *t, double mean, double std)
{
    if (std >= 0)
        fill(t, normal, mean, std);
    else
        tg_misuse("tg_fill_normal", "fill", "standard deviation %g; 0 or more expected", std);
}

tg_tensor *tg_rand_at(const char *at, tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = tg_tensor_new(at, "rand", dtype, shape);
    tg_fill_uniform(t, 0, 1);
    return t;
}

tg_tensor *tg_randn_at(const char *at, tg_dtype dtype, tg_shape shape)
{
    tg_tensor *t = tg_tensor_new(at, "randn", dtype, shape);
    tg_fill_normal(t, 0, 1);
    return t;
}

tg_tensor *tg_randint_at(const char *at, int64_t low, int64_t high, tg_shape shape)
{
    if (low >= high)
        return tg_misuse(at, "randint", "from %lld to below %lld: a number between them expected",
                         (long long)low, (long long)high);
    tg_tensor *t = tg_tensor_new(at, "randint", TG_I64, shape);
    for (int64_t i = 0, count = tg_numel(t); i < count; i++)
        ((int64_t *)t->data)[i] =
            (int64_t)((uint64_t)low + tg_rng_below(&local, (uint64_t)high - (uint64_t)low));
    return t;
}

/* Each place from the last on down takes one of the numbers that are left (Fisher and Yates). */
tg_tensor *tg_randperm_at(const char *at, int64_t n)
{
    TG_FUNCTION("randperm");
    tg_tensor *t = tg_arange_at(at, TG_I64, 0, (double)n, 1);
    int64_t *number = t->data;
    for (int64_t left = tg_is_error(t) ? 0 : n; left > 1; left--) {
        const uint64_t other = tg_rng_below(&local, (uint64_t)left);
        const int64_t last = number[left - 1];
        number[left - 1] = number[other];
        number[other] = last;
    }
    return t;
}
