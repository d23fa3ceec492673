/* What is done with ratings in memory. */
#include "data/ratings.h"

#include <stdlib.h>

#include "data/dataset-internal.h"

tg_status tg_dataset_add_ratings(tg_dataset *data, int columns, int64_t rows)
{
    static const tg_dtype dtype[] = {
        [TG_USER] = TG_I64, [TG_ITEM] = TG_I64, [TG_RATING] = TG_F32, [TG_TIMESTAMP] = TG_I64};
    tg_status status = TG_OK;
    for (int i = 0; i < columns && status == TG_OK; i++)
        status = tg_dataset_add(data, dtype[i], TG_SHAPE(rows));
    data->count = rows;
    return status;
}

double tg_ratings_mean(const tg_dataset *ratings)
{
    const float *rating = tg_dataset_rows(ratings, TG_RATING);
    double sum = 0;
    for (int64_t i = 0; i < ratings->count; i++)
        sum += (double)rating[i];
    return sum / (double)ratings->count;
}

/* ---- duplicates ------------------------------------------------------------------------------ */

static int64_t largest(const int64_t *number, int64_t count)
{
    int64_t most = -1;
    for (int64_t i = 0; i < count; i++)
        most = number[i] > most ? number[i] : most;
    return most;
}

/* The items sorted by user, counting: end[u] becomes where user u's items end in `sorted`. */
static void sort_by_user(const int64_t *user, const int64_t *item, int64_t count, int64_t *end,
                         int64_t users, uint32_t *sorted)
{
    for (int64_t i = 0; i < count; i++)
        end[user[i] + 1]++;
    for (int64_t u = 1; u < users; u++)
        end[u] += end[u - 1]; /* where they begin, at first */
    for (int64_t i = 0; i < count; i++)
        sorted[end[user[i]]++] = (uint32_t)item[i];
}

int64_t tg_ratings_duplicates(const tg_dataset *ratings)
{
    const int64_t *user = tg_dataset_rows(ratings, TG_USER), count = ratings->count;
    const int64_t *item = tg_dataset_rows(ratings, TG_ITEM);
    const int64_t users = largest(user, count) + 1, items = largest(item, count) + 1;
    int64_t *end = calloc((size_t)users + 1, sizeof *end);
    int64_t *seen_by = calloc((size_t)items + 1, sizeof *seen_by); /* user + 1 */
    uint32_t *sorted = malloc((size_t)count * sizeof *sorted + 1);
    int64_t duplicates = -1;
    if (end && seen_by && sorted) {
        sort_by_user(user, item, count, end, users, sorted);
        duplicates = 0;
        for (int64_t u = 0, i = 0; u < users; u++)
            for (; i < end[u]; i++) {
                duplicates += seen_by[sorted[i]] == u + 1;
                seen_by[sorted[i]] = u + 1;
            }
    } else {
        tg_failure(TG_ENOMEM, "no memory to count duplicates");
    }
    free(end);
    free(seen_by);
    free(sorted);
    return duplicates;
}
