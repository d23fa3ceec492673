#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tapegrad.h"
#include "tensor/tensor-internal.h"

/* Known answers of Philox4x32-10, from the authors' Random123 (tests/kat_vectors). */
Test(random, philox__gives_the_known_answers)
{
    static const struct {
        uint64_t position, stream, seed;
        uint32_t expected[4];
    } known[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {UINT64_C(0x85a308d3243f6a88), UINT64_C(0x0370734413198a2e), UINT64_C(0x299f31d0a4093822),
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t block[4];
        tg_philox(known[i].seed, known[i].stream, known[i].position, block);
        for (int w = 0; w < 4; w++)
            cr_expect_eq(block[w], known[i].expected[w], "vector %d, word %d: %08x", i, w,
                         block[w]);
    }
}

/* The means of n draws lie within five standard errors of those expected; the seeds are fixed. */
Test(random, draws__have_their_moments)
{
    enum { N = 200000 };
    tg_rng rng = {.seed = 5, .stream = 3};
    double u1 = 0, u2 = 0, n1 = 0, n2 = 0, n4 = 0;
    for (int i = 0; i < N; i++) {
        const double u = tg_rng_uniform(&rng), z = tg_rng_normal(&rng);
        cr_assert(u >= 0 && u < 1);
        u1 += u;
        u2 += u * u;
        n1 += z;
        n2 += z * z;
        n4 += z * z * z * z;
    }
    cr_expect_float_eq(u1 / N, 1. / 2, 5 * sqrt(1. / 12 / N));
    cr_expect_float_eq(u2 / N, 1. / 3, 5 * sqrt(4. / 45 / N));
    cr_expect_float_eq(n1 / N, 0, 5 * sqrt(1. / N));
    cr_expect_float_eq(n2 / N, 1, 5 * sqrt(2. / N));
    cr_expect_float_eq(n4 / N, 3, 5 * sqrt(96. / N));
    cr_expect_eq(rng.position, 2 * N, "one block a draw");
}

Test(random, below__is_uniform_for_every_bound)
{
    enum { N = 60000 };
    tg_rng rng = {.seed = 9};
    static const uint64_t bounds[] = {1, 2, 3, 6, 7};
    for (int b = 0; b < 5; b++) {
        int count[7] = {0};
        const double p = 1. / (double)bounds[b];
        for (int i = 0; i < N; i++) {
            const uint64_t k = tg_rng_below(&rng, bounds[b]);
            cr_assert_lt(k, bounds[b]);
            count[k]++;
        }
        for (uint64_t k = 0; k < bounds[b]; k++)
            cr_expect_float_eq(count[k], N * p, 5 * sqrt(N * p * (1 - p)) + 1e-9);
    }
    uint64_t largest = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t k = tg_rng_below(&rng, UINT64_C(3) << 62);
        cr_assert_lt(k, UINT64_C(3) << 62);
        largest = k > largest ? k : largest;
    }
    cr_expect_gt(largest, UINT64_C(1) << 63);
}

/* The same draws as one by one; of those below 3 2^62 one in four is drawn again. */
Test(random, below_each__is_below_with_bounds_that_fall)
{
    static const uint64_t bounds[] = {100, UINT64_C(1) << 32, UINT64_C(3) << 62, UINT64_MAX};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
        for (int count = 0; count <= 100; count += count < 20 ? 1 : 16) {
            tg_rng rng = {.seed = 9, .stream = 4, .position = (UINT64_C(1) << 32) - 40};
            tg_rng one_by_one = rng;
            uint64_t drawn[101] = {0};
            drawn[count] = 12345;
            tg_rng_below_each(&rng, count, bounds[b], drawn);
            for (int i = 0; i < count; i++)
                cr_assert_eq(drawn[i], tg_rng_below(&one_by_one, bounds[b] - (uint64_t)i));
            cr_assert_eq(rng.position, one_by_one.position);
            cr_assert_eq(drawn[count], 12345);
        }
}

Test(random, generator__replays_from_a_saved_state)
{
    tg_manual_seed(42);
    tg_step_begin();
    tg_rand(TG_F32, 100);
    const tg_rng saved = *tg_default_rng();
    const tg_tensor *a = tg_randn(TG_F32, 33);
    *tg_default_rng() = saved;
    const tg_tensor *b = tg_randn(TG_F32, 33);
    const tg_tensor *c = tg_randn(TG_F32, 33);
    cr_expect_eq(memcmp(a->data, b->data, 33 * sizeof(float)), 0);
    cr_expect_neq(memcmp(a->data, c->data, 33 * sizeof(float)), 0);
    tg_step_end();
}

Test(random, dropout__keeps_its_share_and_scales_it)
{
    enum { N = 100003 }; /* the last segment is cut */
    static const double rates[] = {0.1, 0.5, 0.75};
    for (int r = 0; r < 3; r++) {
        tg_manual_seed(7);
        tg_step_begin();
        const double p = rates[r];
        const tg_tensor *y = tg_dropout(tg_full(TG_F32, 3, N), p, true);
        const float *v = y->data;
        int kept = 0;
        for (int i = 0; i < N; i++) {
            kept += v[i] != 0;
            if (v[i] != 0) /* probabilities are multiples of 2^-16 */
                cr_assert_float_eq((double)v[i], 3 / (1 - p), 1e-4);
        }
        cr_expect_float_eq(kept, N * (1 - p), 5 * sqrt(N * p * (1 - p)));
        tg_step_end();
    }
}

Test(random, dropout__is_the_same_for_any_number_of_threads)
{
    enum { N = 100003 };
    static const double rates[] = {0.5, 0.3};
    static const uint64_t segments[] = {2048, 128}; /* a group's elements, of 1 and of 16 bits */
    float first[N];
    for (int i = 0; i < 6; i++) {
        const int r = i / 3, threads = 1 + 2 * (i % 3);
        tg_set_num_threads(threads);
        tg_manual_seed(7);
        tg_step_begin();
        const tg_tensor *y = tg_dropout(tg_full(TG_F32, 1, N), rates[r], true);
        if (threads == 1)
            memcpy(first, y->data, sizeof first);
        cr_expect_eq(memcmp(y->data, first, sizeof first), 0, "%d threads", threads);
        cr_expect_eq(tg_default_rng()->position, (N + segments[r] - 1) / segments[r] * 16);
        tg_step_end();
    }
    tg_set_num_threads(1);
}

Test(random, fill__draws_the_interval_and_the_moments)
{
    enum { N = 50000 };
    tg_manual_seed(1);
    tg_step_begin();
    tg_tensor *x = tg_empty(TG_F64, N);
    const double *v = x->data;
    double sum = 0, square = 0;
    tg_fill_uniform(x, -3, 5);
    for (int i = 0; i < N; i++) {
        cr_assert(v[i] >= -3 && v[i] < 5);
        sum += v[i];
    }
    cr_expect_float_eq(sum / N, 1, 5 * 8 / sqrt(12. * N));
    tg_fill_normal(x, 2, 0.5);
    sum = 0;
    for (int i = 0; i < N; i++) {
        sum += v[i];
        square += (v[i] - 2) * (v[i] - 2);
    }
    cr_expect_float_eq(sum / N, 2, 5 * 0.5 / sqrt(N));
    cr_expect_float_eq(sqrt(square / N), 0.5, 5 * 0.5 / sqrt(2. * N));
    tg_step_end();
}
