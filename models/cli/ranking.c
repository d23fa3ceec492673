#include "models/cli/ranking.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- places ---------------------------------------------------------------------------------- */

/* What is not a number stands behind all others where it is a positive's, before them elsewhere. */
static float number_or(float score, float otherwise)
{
    return isnan(score) ? otherwise : score;
}

static int compare_falling(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The first of the falling numbers bound (m) that x is not below; m where it is below all. */
static int64_t first_not_above(const float *bound, int64_t m, float x)
{
    int64_t low = 0, high = m;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (x < bound[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t places_among_all(float *score, int64_t items, const int64_t *positive, int64_t m,
                         int64_t *place, float *bound)
{
    int64_t length = m;
    for (int64_t j = 0; j < m; j++) {
        bound[j] = number_or(score[positive[j]], -INFINITY);
        score[positive[j]] = -INFINITY;
        place[j] = 0;
    }
    qsort(bound, (size_t)m, sizeof *bound, compare_falling);
    for (int64_t i = 0; i < items; i++) {
        if (score[i] == -INFINITY)
            continue;
        length++;
        const float x = number_or(score[i], INFINITY);
        if (x < bound[m - 1]) /* as most are */
            continue;
        place[first_not_above(bound, m, x)]++;
    }
    for (int64_t j = 1; j < m; j++)
        place[j] += place[j - 1] + 1; /* behind those before the positive ahead of it, and that */
    return length;
}

int64_t place_among(const float *score, int64_t positive, const int64_t *negative, int64_t count,
                    int64_t *length)
{
    int64_t place = 0;
    *length = 1;
    for (int64_t i = 0; i < count; i++) {
        if (negative[i] == positive)
            continue;
        place += !(score[negative[i]] < score[positive]);
        ++*length;
    }
    return place;
}

/* ---- the first ones: a heap whose top is the worst of them ----------------------------------- */

static bool is_before(const scored *a, const scored *b)
{
    const float x = number_or(a->score, -INFINITY), y = number_or(b->score, -INFINITY);
    return x > y || (x == y && a->item < b->item);
}

/* Put `one` in at the top, and let it sink to where it belongs. */
static void sink(scored *heap, int64_t n, scored one)
{
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(&heap[child], &heap[child + 1]))
            child++;
        if (is_before(&heap[child], &one))
            break;
        heap[at] = heap[child];
    }
    heap[at] = one;
}

static void rise(scored *heap, int64_t at, scored one)
{
    for (int64_t parent; at > 0 && is_before(&heap[parent = (at - 1) / 2], &one); at = parent)
        heap[at] = heap[parent];
    heap[at] = one;
}

int64_t top_items(const float *score, int64_t items, int64_t n, scored *top)
{
    int64_t count = 0;
    for (int64_t i = 0; i < items; i++) {
        const scored one = {i, score[i]};
        if (score[i] == -INFINITY)
            continue;
        if (count < n)
            rise(top, count++, one);
        else if (is_before(&one, &top[0]))
            sink(top, n, one);
    }
    for (int64_t left = count; left > 1; left--) { /* the worst of those left goes behind them */
        const scored worst = top[0], last = top[left - 1];
        sink(top, left - 1, last);
        top[left - 1] = worst;
    }
    return count;
}
