#include "data/synthetic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/dataset-internal.h"
#include "tensor/random.h"

/* Spreads of the terms of a score: rating by rating they add up to MovieLens' mean of about 3.55
 * and standard deviation of about 1.12. */
static const double MEAN = 3.6, USER_SPREAD = 0.4, ITEM_SPREAD = 0.5, TASTE_SPREAD = 0.5;

/* Popularity falls as 1 / (rank + 30), activity is log-normal: as in MovieLens 100K. */
static const double POPULARITY_OFFSET = 30, ACTIVITY_SPREAD = 1.0;
static const int64_t ACTIVITY_FLOOR = 20;

static const int64_t FIRST_TIMESTAMP = 1000000000;

/* Streams of random numbers under the seed. */
enum { TRUTH_STREAM = 0x7801, ACTIVITY_STREAM, CHOICE_STREAM, NOISE_STREAM, ORDER_STREAM };

/* ---- the truth ------------------------------------------------------------------------------- */

typedef struct truth {
    tg_synthetic_options o;
    double *values; /* one allocation for what follows */
    double *user_bias, *item_bias;
    double *user_taste, *item_taste; /* (users, rank), (items, rank) */
} truth;

static tg_status truth_new(truth *t, tg_synthetic_options o)
{
    if (o.users < 1 || o.items < 1 || o.rank < 1 || !(o.noise >= 0 && o.noise < INFINITY))
        return tg_failure(TG_EMISUSE,
                          "tg_synthetic: %lld users, %lld items, rank %d, noise %g; expected "
                          "positive numbers, and a finite noise of 0 or more",
                          (long long)o.users, (long long)o.items, o.rank, o.noise);
    const size_t width = (size_t)o.rank + 1;
    const size_t count = ((size_t)o.users + (size_t)o.items) * width;
    t->o = o;
    t->values = malloc(count * sizeof *t->values);
    if (!t->values)
        return tg_failure(TG_ENOMEM, "no memory for %zu numbers of the synthetic ratings", count);
    tg_rng rng = {.seed = o.seed, .stream = TRUTH_STREAM};
    for (size_t i = 0; i < count; i++)
        t->values[i] = tg_rng_normal(&rng);
    t->user_bias = t->values;
    t->item_bias = t->user_bias + o.users;
    t->user_taste = t->item_bias + o.items;
    t->item_taste = t->user_taste + o.users * o.rank;
    return TG_OK;
}

/* user and item count from 0. */
static double truth_score(const truth *t, int64_t user, int64_t item)
{
    double taste = 0;
    for (int k = 0; k < t->o.rank; k++)
        taste += t->user_taste[user * t->o.rank + k] * t->item_taste[item * t->o.rank + k];
    return MEAN + USER_SPREAD * t->user_bias[user] + ITEM_SPREAD * t->item_bias[item] +
           TASTE_SPREAD * taste / sqrt(t->o.rank);
}

/* ---- who rates what -------------------------------------------------------------------------- */

/* How many items each user rates: a floor, a log-normal rest, together o.ratings. */
static void draw_activity(const tg_synthetic_options *o, int64_t *activity)
{
    tg_rng rng = {.seed = o->seed, .stream = ACTIVITY_STREAM};
    const int64_t least = o->ratings / o->users < 2 * ACTIVITY_FLOOR
                              ? o->ratings / o->users / 2
                              : ACTIVITY_FLOOR;
    const int64_t most = o->items / 2; /* so that drawing unseen items stays quick */
    /* exp(spread * N) has mean exp(spread^2 / 2). */
    const double scale = ((double)o->ratings / (double)o->users - (double)least) *
                         exp(-ACTIVITY_SPREAD * ACTIVITY_SPREAD / 2);
    int64_t total = 0;
    for (int64_t u = 0; u < o->users; u++) {
        const double rest = scale * exp(ACTIVITY_SPREAD * tg_rng_normal(&rng));
        activity[u] = least + (int64_t)fmin(rest, (double)(most - least));
        total += activity[u];
    }
    for (int64_t u = 0; total != o->ratings; u = (u + 1) % o->users) { /* what chance left over */
        const int step = total < o->ratings ? activity[u] < most : -(activity[u] > least);
        activity[u] += step;
        total += step;
    }
}

/* The first i with cumulative[i] > x. */
static int64_t find(const double *cumulative, int64_t count, double x)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (cumulative[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* `count` different items by popularity; seen[i] == user + 1 marks those already drawn. */
static void draw_items(tg_rng *rng, const double *cumulative, int64_t items, int64_t user,
                       int64_t *seen, int64_t count, int64_t *drawn)
{
    while (count > 0) {
        const int64_t item = find(cumulative, items, tg_rng_uniform(rng) * cumulative[items - 1]);
        if (seen[item] == user + 1)
            continue;
        seen[item] = user + 1;
        *drawn++ = item;
        count--;
    }
}

static void swap(int64_t *a, int64_t *b)
{
    const int64_t other = *a;
    *a = *b;
    *b = other;
}

static void shuffle(int64_t *user, int64_t *item, int64_t count, uint64_t seed)
{
    tg_rng rng = {.seed = seed, .stream = ORDER_STREAM};
    for (int64_t i = count - 1; i > 0; i--) {
        const uint64_t j = tg_rng_below(&rng, (uint64_t)i + 1);
        swap(&user[i], &user[j]);
        swap(&item[i], &item[j]);
    }
}

static tg_status draw_pairs(const tg_synthetic_options *o, int64_t *user, int64_t *item)
{
    int64_t *activity = malloc((size_t)o->users * sizeof *activity);
    int64_t *seen = calloc((size_t)o->items, sizeof *seen);
    double *cumulative = malloc((size_t)o->items * sizeof *cumulative);
    tg_status status = TG_OK;
    if (activity && seen && cumulative) {
        draw_activity(o, activity);
        double sum = 0;
        for (int64_t i = 0; i < o->items; i++)
            cumulative[i] = sum += 1 / ((double)i + POPULARITY_OFFSET);
        tg_rng rng = {.seed = o->seed, .stream = CHOICE_STREAM};
        int64_t n = 0;
        for (int64_t u = 0; u < o->users; u++) {
            draw_items(&rng, cumulative, o->items, u, seen, activity[u], item + n);
            for (const int64_t end = n + activity[u]; n < end; n++)
                user[n] = u;
        }
        shuffle(user, item, o->ratings, o->seed);
    } else {
        status = tg_failure(TG_ENOMEM, "no memory for the synthetic ratings");
    }
    free(activity);
    free(seen);
    free(cumulative);
    return status;
}

/* ---- ratings --------------------------------------------------------------------------------- */

/* Numbers of the ids "1" to "count" in the place of 0 to count - 1. */
static tg_status number_ids(tg_ids *ids, int64_t count, int64_t *column, int64_t rows)
{
    int64_t *number = malloc((size_t)count * sizeof *number);
    tg_status status =
        number ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld ids", (long long)count);
    for (int64_t i = 0; i < count && status == TG_OK; i++) {
        char id[24];
        snprintf(id, sizeof id, "%lld", (long long)i + 1);
        number[i] = tg_ids_intern(ids, id);
        status = number[i] < 0 ? TG_ENOMEM : TG_OK;
    }
    for (int64_t i = 0; i < rows && status == TG_OK; i++)
        column[i] = number[column[i]];
    free(number);
    return status;
}

static tg_status draw_ratings(const truth *t, tg_ids *users, tg_ids *items, tg_dataset *ratings)
{
    int64_t *user = tg_dataset_rows(ratings, TG_USER), *item = tg_dataset_rows(ratings, TG_ITEM);
    int64_t *timestamp = tg_dataset_rows(ratings, TG_TIMESTAMP);
    float *rating = tg_dataset_rows(ratings, TG_RATING);
    tg_status status = draw_pairs(&t->o, user, item);
    tg_rng noise = {.seed = t->o.seed, .stream = NOISE_STREAM};
    for (int64_t i = 0; i < ratings->count && status == TG_OK; i++) {
        const double score = truth_score(t, user[i], item[i]);
        const double value = round(score + t->o.noise * tg_rng_normal(&noise));
        rating[i] = (float)fmin(fmax(value, 1), 5);
        timestamp[i] = FIRST_TIMESTAMP + i;
    }
    if (status == TG_OK)
        status = number_ids(users, t->o.users, user, ratings->count);
    return status == TG_OK ? number_ids(items, t->o.items, item, ratings->count) : status;
}

tg_status tg_synthetic_with(tg_ids *users, tg_ids *items, tg_dataset *ratings,
                            tg_synthetic_options o)
{
    *ratings = (tg_dataset){0};
    if (o.users < 1 || o.items < 4 || o.rank < 1 || o.ratings < 1 ||
        o.ratings / o.users > o.items / 4)
        return tg_failure(TG_EMISUSE,
                          "tg_synthetic: %lld users, %lld items, %lld ratings, rank %d; expected "
                          "positive numbers and ratings at most users * items / 4",
                          (long long)o.users, (long long)o.items, (long long)o.ratings, o.rank);
    truth t;
    tg_status status = truth_new(&t, o);
    if (status != TG_OK)
        return status;
    status = tg_dataset_add_ratings(ratings, TG_TIMESTAMP + 1, o.ratings);
    if (status == TG_OK)
        status = draw_ratings(&t, users, items, ratings);
    if (status != TG_OK)
        tg_dataset_release(ratings);
    free(t.values);
    return status;
}

/* ---- the best possible errors ---------------------------------------------------------------- */

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

/* The probabilities of the ratings 1 to 5 given a score. */
static void distribution(double score, double noise, double p[5])
{
    double below = 0;
    for (int k = 0; k < 5; k++) {
        const double gap = k + 1.5 - score;
        const double up_to = k == 4 ? 1 : noise > 0 ? normal_cdf(gap / noise) : gap > 0;
        p[k] = up_to - below;
        below = up_to;
    }
}

/* E|R - median R| and the variance of R, for the ratings 1 to 5 with probabilities p. */
static void spread(const double p[5], double *absolute, double *variance)
{
    double mean = 0, square = 0, below = 0;
    int median = 0;
    for (int k = 0; k < 5; k++) {
        mean += k * p[k];
        square += k * k * p[k];
        if (below < 0.5)
            median = k;
        below += p[k];
    }
    *variance = square - mean * mean;
    *absolute = 0;
    for (int k = 0; k < 5; k++)
        *absolute += p[k] * abs(k - median);
}

/* The i of the id that is i + 1; -1 where it is none of the `count` ids. */
static int64_t index_of(const tg_ids *ids, int64_t number, int64_t count)
{
    const int64_t id = strtoll(tg_ids_name(ids, number), NULL, 10);
    return id > 0 && id <= count ? id - 1 : -1;
}

tg_status tg_synthetic_best(const tg_ids *users, const tg_ids *items, const tg_dataset *ratings,
                            tg_synthetic_options o, tg_synthetic_floor *best)
{
    truth t;
    tg_status status = truth_new(&t, o);
    if (status != TG_OK)
        return status;
    const int64_t *user = tg_dataset_rows(ratings, TG_USER);
    const int64_t *item = tg_dataset_rows(ratings, TG_ITEM);
    double absolute = 0, square = 0;
    for (int64_t i = 0; i < ratings->count; i++) {
        double p[5], a, v;
        const int64_t u = index_of(users, user[i], o.users), j = index_of(items, item[i], o.items);
        if (u < 0 || j < 0) {
            status = tg_failure(TG_EMISUSE, "tg_synthetic_best: row %lld is not of these options",
                                (long long)i);
            break;
        }
        distribution(truth_score(&t, u, j), o.noise, p);
        spread(p, &a, &v);
        absolute += a;
        square += v;
    }
    free(t.values);
    best->mae = absolute / (double)ratings->count;
    best->rmse = sqrt(square / (double)ratings->count);
    return status;
}
