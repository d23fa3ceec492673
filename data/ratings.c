/* What is done with ratings in memory: counting, splitting, ids into rows. */
#include "data/ratings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tg_status no_memory(int64_t count)
{
    return tg_failure(TG_ENOMEM, "no memory for %lld ratings", (long long)count);
}

/* malloc gives NULL for nothing on some systems; an empty set is not a failure. */
static void *allocate(int64_t count, size_t size)
{
    return malloc(count ? (size_t)count * size : 1);
}

double tg_ratings_mean(const tg_ratings *ratings)
{
    double sum = 0;
    for (int64_t i = 0; i < ratings->count; i++)
        sum += ratings->row[i].rating;
    return sum / (double)ratings->count;
}

/* ---- duplicates ------------------------------------------------------------------------------ */

static uint64_t pair_hash(const tg_rating *row)
{
    uint64_t x = (uint64_t)row->user * 0x9E3779B97F4A7C15u ^ (uint64_t)row->item;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u; /* any odd constants that spread the bits do */
    return x ^ x >> 32;
}

int64_t tg_ratings_duplicates(const tg_ratings *ratings)
{
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)ratings->count)
        slots *= 2;
    int64_t *table = malloc(slots * sizeof *table); /* open addressing: a row's number, or -1 */
    if (!table) {
        tg_failure(TG_ENOMEM, "no memory to count duplicates");
        return 0;
    }
    for (uint64_t i = 0; i < slots; i++)
        table[i] = -1;
    int64_t duplicates = 0;
    for (int64_t i = 0; i < ratings->count; i++) {
        const tg_rating *row = &ratings->row[i];
        uint64_t slot = pair_hash(row) & (slots - 1);
        while (table[slot] >= 0 && (ratings->row[table[slot]].user != row->user ||
                                    ratings->row[table[slot]].item != row->item))
            slot = (slot + 1) & (slots - 1);
        duplicates += table[slot] >= 0;
        table[slot] = i;
    }
    free(table);
    return duplicates;
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* Rows with in_test set go to *test, the others to *train. */
static tg_status divide(const tg_ratings *all, const bool *in_test, tg_ratings *train,
                        tg_ratings *test)
{
    int64_t tests = 0;
    for (int64_t i = 0; i < all->count; i++)
        tests += in_test[i];
    *train = *test = (tg_ratings){.has_timestamp = all->has_timestamp};
    train->row = allocate(all->count - tests, sizeof *train->row);
    test->row = allocate(tests, sizeof *test->row);
    if (!train->row || !test->row) {
        tg_ratings_release(train);
        tg_ratings_release(test);
        return no_memory(all->count);
    }
    for (int64_t i = 0; i < all->count; i++) {
        tg_ratings *part = in_test[i] ? test : train;
        part->row[part->count++] = all->row[i];
    }
    return TG_OK;
}

/* Streams of random numbers, so that a split and a shuffle of one seed have nothing in common. */
enum { SPLIT_STREAM = 0x5911 };

tg_status tg_split_random(const tg_ratings *all, double fraction, uint64_t seed,
                          tg_ratings *train, tg_ratings *test)
{
    bool *in_test = calloc((size_t)all->count + 1, sizeof *in_test);
    if (!in_test)
        return no_memory(all->count);
    /* Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): each row with the probability that
     * leaves every subset of the size equally likely. */
    tg_rng rng = {.seed = seed, .stream = SPLIT_STREAM};
    int64_t wanted = llround(fraction * (double)all->count);
    for (int64_t i = 0; i < all->count && wanted > 0; i++) {
        in_test[i] = tg_rng_below(&rng, (uint64_t)(all->count - i)) < (uint64_t)wanted;
        wanted -= in_test[i];
    }
    const tg_status status = divide(all, in_test, train, test);
    free(in_test);
    return status;
}

typedef struct occurrence {
    int64_t user, timestamp, row;
} occurrence;

static int compare_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_occurrences(const void *left, const void *right)
{
    const occurrence *a = left, *b = right;
    const int user = compare_integers(a->user, b->user);
    const int time = compare_integers(a->timestamp, b->timestamp);
    return user ? user : time ? time : compare_integers(a->row, b->row);
}

tg_status tg_split_leave_one_out(const tg_ratings *all, tg_ratings *train, tg_ratings *test)
{
    const int64_t n = all->count;
    bool *in_test = calloc((size_t)n + 1, sizeof *in_test);
    occurrence *sorted = allocate(n, sizeof *sorted);
    tg_status status = TG_ENOMEM;
    if (in_test && sorted) {
        for (int64_t i = 0; i < n; i++)
            sorted[i] = (occurrence){all->row[i].user, all->row[i].timestamp, i};
        qsort(sorted, (size_t)n, sizeof *sorted, compare_occurrences);
        for (int64_t i = 1; i < n; i++) {
            const bool has_earlier = sorted[i - 1].user == sorted[i].user;
            const bool is_last = i + 1 == n || sorted[i + 1].user != sorted[i].user;
            in_test[sorted[i].row] = has_earlier && is_last;
        }
        status = divide(all, in_test, train, test);
    } else {
        no_memory(n);
    }
    free(in_test);
    free(sorted);
    return status;
}

/* ---- ids and rows ---------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    return compare_integers(*(const int64_t *)a, *(const int64_t *)b);
}

tg_status tg_idmap_new(tg_idmap *map, tg_id_column column, const tg_ratings *const *ratings,
                       int count)
{
    int64_t total = 0;
    for (int i = 0; i < count; i++)
        total += ratings[i]->count;
    *map = (tg_idmap){.id = allocate(total, sizeof *map->id)};
    if (!map->id)
        return no_memory(total);
    int64_t n = 0;
    for (int i = 0; i < count; i++)
        for (int64_t j = 0; j < ratings[i]->count; j++) {
            const tg_rating *row = &ratings[i]->row[j];
            const int64_t id = column == TG_USERS ? row->user : row->item;
            if (n == 0 || map->id[n - 1] != id) /* runs of one user are common */
                map->id[n++] = id;
        }
    qsort(map->id, (size_t)n, sizeof *map->id, compare_ids);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || map->id[i] != map->id[i - 1])
            map->id[map->count++] = map->id[i];
    return TG_OK;
}

void tg_idmap_release(tg_idmap *map)
{
    free(map->id);
    *map = (tg_idmap){0};
}

int64_t tg_idmap_row(const tg_idmap *map, int64_t id)
{
    int64_t low = 0, high = map->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (map->id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map->count && map->id[low] == id ? low : -1;
}

/* ---- data set -------------------------------------------------------------------------------- */

tg_status tg_dataset_new(tg_dataset *dataset, const tg_ratings *ratings, const tg_idmap *users,
                         const tg_idmap *items)
{
    const int64_t n = ratings->count;
    *dataset = (tg_dataset){.count = n,
                            .user = allocate(n, sizeof *dataset->user),
                            .item = allocate(n, sizeof *dataset->item),
                            .rating = allocate(n, sizeof *dataset->rating)};
    if (!dataset->user || !dataset->item || !dataset->rating) {
        tg_dataset_release(dataset);
        return no_memory(n);
    }
    for (int64_t i = 0; i < n; i++) {
        const tg_rating *row = &ratings->row[i];
        const int64_t user = tg_idmap_row(users, row->user), item = tg_idmap_row(items, row->item);
        if (user < 0 || item < 0) {
            tg_dataset_release(dataset);
            return tg_failure(TG_EMISUSE, "tg_dataset_new: %s %lld of row %lld is not in its map",
                              user < 0 ? "user" : "item",
                              (long long)(user < 0 ? row->user : row->item), (long long)i);
        }
        dataset->user[i] = (int32_t)user;
        dataset->item[i] = (int32_t)item;
        dataset->rating[i] = row->rating;
    }
    return TG_OK;
}

void tg_dataset_release(tg_dataset *dataset)
{
    free(dataset->user);
    free(dataset->item);
    free(dataset->rating);
    *dataset = (tg_dataset){0};
}
