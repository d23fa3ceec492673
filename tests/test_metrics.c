/* Metrics of ratings and rankings: numbers worked by hand, and what must hold for any list. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/metrics.h"
#include "models/cli/ranking.h"
#include "tapegrad.h"

/* ---- metrics --------------------------------------------------------------------------------- */

Test(metrics, errors__are_means_over_samples)
{
    const float prediction[] = {3, 4.5F, 1, 2}, rating[] = {3, 4, 3, 1};
    const errors e = errors_of(prediction, rating, 4);
    cr_expect_float_eq(e.mae, (0 + 0.5 + 2 + 1) / 4, 1e-12);
    cr_expect_float_eq(e.rmse, sqrt((0 + 0.25 + 4 + 1) / 4), 1e-12);
}

static void expect_metrics(const int64_t *place, int64_t m, int64_t k,
                           const double expected[METRICS])
{
    double sum[METRICS] = {0};
    metrics_add(sum, place, m, k);
    for (int i = 0; i < METRICS; i++)
        cr_expect_float_eq(sum[i], expected[i], 1e-12, "%s at %lld: %.15f, expected %.15f",
                           metric_names[i], (long long)k, sum[i], expected[i]);
}

Test(metrics, one_positive__as_he_et_al_have_it)
{
    const int64_t place[] = {2};
    expect_metrics(place, 1, 10, (double[]){1, log(2) / log(4), 1.0 / 3, 1.0 / 3, 0.1, 1});
    expect_metrics(place, 1, 3, (double[]){1, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3, 1});
    expect_metrics(place, 1, 2, (double[]){0, 0, 0, 0, 0, 0});
}

/* Places 0, 3 and 7 of three positives. At 5: gains 1 and 1 / log2(5), of at best 1 + 1 / log2(3) +
 * 1 / 2; precisions at the hits 1 / 1 and 2 / 4. */
Test(metrics, several_positives__worked_by_hand)
{
    const int64_t place[] = {0, 3, 7};
    const double best = 1 + 1 / log2(3) + 0.5;
    expect_metrics(place, 3, 5, (double[]){1, (1 + 1 / log2(5)) / best, (1 + 0.5) / 3, 1, 0.4,
                                           2.0 / 3});
    expect_metrics(place, 3, 1, (double[]){1, 1, 1, 1, 1, 1.0 / 3});
    expect_metrics(place, 3, 8, (double[]){1, (1 + 1 / log2(5) + 1 / log2(9)) / best,
                                           (1 + 0.5 + 0.375) / 3, 1, 0.375, 1});
}

Test(metrics, area__counts_pairs_in_order)
{
    /* + - - + - of 5: the first stands before all three others, the second before one. */
    cr_expect_float_eq(area_under_curve((int64_t[]){0, 3}, 2, 5), 4.0 / 6, 1e-12);
    cr_expect_float_eq(area_under_curve((int64_t[]){0, 1}, 2, 5), 1, 1e-12);
    cr_expect_float_eq(area_under_curve((int64_t[]){3, 4}, 2, 5), 0, 1e-12);
    cr_expect_float_eq(area_under_curve((int64_t[]){0, 1}, 2, 2), 1, 1e-12);
}

/* A random list: m of `length` places. */
static int64_t draw_places(tg_rng *rng, int64_t length, int64_t *place)
{
    int64_t m = 0;
    const double share = tg_rng_uniform(rng);
    for (int64_t p = 0; p < length; p++)
        if (tg_rng_uniform(rng) < share || (p == length - 1 && m == 0))
            place[m++] = p;
    return m;
}

Test(metrics, any_list__bounds_and_monotony)
{
    tg_rng rng = {.seed = 1};
    for (int run = 0; run < 2000; run++) {
        int64_t place[40];
        double before[METRICS] = {0};
        const int64_t length = 1 + (int64_t)tg_rng_below(&rng, 40);
        const int64_t m = draw_places(&rng, length, place);
        for (int64_t k = 1; k <= length + 2; k++) {
            double now[METRICS] = {0};
            metrics_add(now, place, m, k);
            cr_assert(now[NDCG] <= now[HIT_RATE] + 1e-12 && now[HIT_RATE] <= 1);
            cr_assert(now[MAP] <= now[HIT_RATE] + 1e-12 && now[MRR] <= now[HIT_RATE]);
            cr_assert(now[PRECISION] <= 1 && now[RECALL] <= 1);
            cr_assert(now[HIT_RATE] >= before[HIT_RATE] && now[MRR] >= before[MRR] &&
                      now[RECALL] >= before[RECALL]);
            memcpy(before, now, sizeof now);
        }
        cr_assert_eq(before[RECALL], 1);
        for (int64_t i = 0; i < m; i++) /* the best list there is */
            place[i] = i;
        memset(before, 0, sizeof before);
        metrics_add(before, place, m, m);
        for (int i = 0; i < METRICS; i++)
            cr_assert_float_eq(before[i], 1, 1e-12, "%s", metric_names[i]);
    }
}

/* ---- places ---------------------------------------------------------------------------------- */

Test(ranking, places__ties_are_lost_and_seen_items_are_no_part)
{
    float score[] = {0.9F, 0.5F, -INFINITY, 0.5F, 0.1F, 0.7F}, bound[2];
    int64_t place[2];
    /* 0.9, 0.7, [3: 0.5] before 1: 0.5, then [4: 0.1]; 2 is off the list */
    cr_expect_eq(places_among_all(score, 6, (int64_t[]){4, 1}, 2, place, bound), 5);
    cr_expect(place[0] == 3 && place[1] == 4, "%lld %lld", (long long)place[0],
              (long long)place[1]);
    cr_expect(score[4] == -INFINITY && score[1] == -INFINITY && score[0] == 0.9F);
}

Test(ranking, places__of_a_constant_or_broken_model_are_the_last)
{
    float constant[] = {1, 1, 1, 1}, broken[] = {NAN, 1, NAN, 2}, bound[1];
    int64_t place[1], length;
    cr_expect_eq(places_among_all(constant, 4, (int64_t[]){1}, 1, place, bound), 4);
    cr_expect_eq(place[0], 3);
    cr_expect_eq(places_among_all(broken, 4, (int64_t[]){0}, 1, place, bound), 4);
    cr_expect_eq(place[0], 3);
    cr_expect_eq(place_among((float[]){NAN, 1, NAN, 2}, 0, (int64_t[]){1, 2, 3}, 3, &length), 3);
    cr_expect_eq(place_among((float[]){1, 1, NAN, 0}, 0, (int64_t[]){1, 2, 3}, 3, &length), 2);
}

Test(ranking, place_among__counts_the_positive_once)
{
    const float score[] = {0.1F, 0.5F, 0.5F, 0.9F};
    int64_t length;
    cr_expect_eq(place_among(score, 1, (int64_t[]){0, 2, 3}, 3, &length), 2);
    cr_expect_eq(length, 4);
    cr_expect_eq(place_among(score, 1, (int64_t[]){0, 1, 3}, 3, &length), 1);
    cr_expect_eq(length, 3);
    cr_expect_eq(place_among(score, 3, NULL, 0, &length), 0);
    cr_expect_eq(length, 1);
}

/* Against a count of what stands before each positive, by the definition. */
Test(ranking, places__agree_with_counting_pairs)
{
    enum { ITEMS = 30 };
    tg_rng rng = {.seed = 2};
    for (int run = 0; run < 2000; run++) {
        float score[ITEMS], copy[ITEMS], bound[ITEMS];
        int64_t positive[ITEMS], place[ITEMS], m = 0, length = 0;
        bool is_positive[ITEMS];
        for (int i = 0; i < ITEMS; i++) {
            const double kind = tg_rng_uniform(&rng);
            score[i] = copy[i] = kind < 0.2 ? -INFINITY : (float)tg_rng_below(&rng, 8);
            is_positive[i] = kind > 0.8 || (i == ITEMS - 1 && m == 0);
            if (is_positive[i])
                positive[m++] = i;
            length += is_positive[i] || copy[i] > -INFINITY;
        }
        cr_assert_eq(places_among_all(score, ITEMS, positive, m, place, bound), length);
        for (int64_t j = 0; j < m; j++) { /* the positive of rank j among the positives */
            float value = -INFINITY;
            int64_t others = 0;
            for (int64_t p = 0; p < m; p++) {
                int64_t above = 0;
                for (int64_t q = 0; q < m; q++)
                    above += copy[positive[q]] > copy[positive[p]] ||
                             (copy[positive[q]] == copy[positive[p]] && q < p);
                value = above == j ? copy[positive[p]] : value;
            }
            for (int i = 0; i < ITEMS; i++)
                others += !is_positive[i] && copy[i] > -INFINITY && copy[i] >= value;
            cr_assert_eq(place[j], others + j);
        }
    }
}

/* ---- the first ones -------------------------------------------------------------------------- */

static const float *sorted_scores;

static int compare_items(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    const float p = sorted_scores[x], q = sorted_scores[y];
    return p != q ? (p < q) - (p > q) : (x > y) - (x < y);
}

Test(ranking, top_items__are_those_of_a_full_sort)
{
    enum { ITEMS = 50 };
    tg_rng rng = {.seed = 3};
    for (int run = 0; run < 1000; run++) {
        float score[ITEMS];
        int64_t order[ITEMS], listed = 0;
        scored top[ITEMS + 1];
        for (int64_t i = 0; i < ITEMS; i++) {
            score[i] = tg_rng_below(&rng, 5) ? (float)tg_rng_below(&rng, 20) : -INFINITY;
            order[i] = i;
            listed += score[i] > -INFINITY;
        }
        sorted_scores = score;
        qsort(order, ITEMS, sizeof *order, compare_items);
        const int64_t n = 1 + (int64_t)tg_rng_below(&rng, ITEMS + 1);
        const int64_t count = top_items(score, ITEMS, n, top);
        cr_assert_eq(count, listed < n ? listed : n);
        for (int64_t i = 0; i < count; i++)
            cr_assert(top[i].item == order[i] && top[i].score == score[order[i]]);
    }
}

Test(ranking, top_items__put_what_is_no_number_last)
{
    scored top[3];
    cr_expect_eq(top_items((float[]){NAN, -1e30F, 2, -INFINITY, NAN}, 5, 3, top), 3);
    cr_expect(top[0].item == 2 && top[1].item == 1 && top[2].item == 0);
}
