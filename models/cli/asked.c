#include "models/cli/asked.h"

#include <math.h>
#include <stdlib.h>

#include "models/cli/messages.h"

/* ---- reading --------------------------------------------------------------------------------- */

/* known's number of each of the ids; NULL, and TG_ENOMEM, without memory. */
static int64_t *rows_of(const tg_ids *ids, const tg_ids *known)
{
    int64_t *row = malloc(((size_t)ids->count + 1) * sizeof *row);
    for (int64_t i = 0; row && i < ids->count; i++)
        row[i] = tg_ids_find(known, tg_ids_name(ids, i));
    if (!row)
        tg_failure(TG_ENOMEM, "no memory for %lld ids", (long long)ids->count);
    return row;
}

static tg_status match_ids(asked *a, const recommender *r, tg_status status)
{
    if (status == TG_OK) {
        a->user_row = rows_of(&a->users, &r->users);
        a->item_row = rows_of(&a->items, &r->items);
        status = a->user_row && a->item_row ? TG_OK : TG_ENOMEM;
    }
    if (status != TG_OK)
        asked_release(a);
    return status;
}

tg_status asked_read_pairs(asked *a, const recommender *r, const char *path)
{
    *a = (asked){0};
    return match_ids(a, r, tg_pairs_read(path, &a->users, &a->items, &a->rows));
}

tg_status asked_read_ratings(asked *a, const recommender *r, const char *path)
{
    *a = (asked){0};
    return match_ids(a, r, tg_ratings_read(path, &a->users, &a->items, &a->rows));
}

void asked_release(asked *a)
{
    tg_ids_release(&a->users);
    tg_ids_release(&a->items);
    tg_dataset_release(&a->rows);
    free(a->user_row);
    free(a->item_row);
    *a = (asked){0};
}

/* ---- pairs ----------------------------------------------------------------------------------- */

asked_pair asked_get(const asked *a, int64_t i)
{
    const int64_t *user = tg_dataset_rows(&a->rows, TG_USER);
    const int64_t *item = tg_dataset_rows(&a->rows, TG_ITEM);
    return (asked_pair){a->user_row[user[i]], a->item_row[item[i]]};
}

bool asked_is_known(const asked *a, int64_t i)
{
    const asked_pair pair = asked_get(a, i);
    return pair.user >= 0 && pair.item >= 0;
}

/* The pairs that the model knows, in order, by its numbers. */
static tg_dataset known_pairs(const asked *a)
{
    int64_t count = 0;
    for (int64_t i = 0; i < a->rows.count; i++)
        count += asked_is_known(a, i);
    tg_dataset known = tg_dataset_of(tg_owned(TG_I64, count), tg_owned(TG_I64, count));
    int64_t *user = tg_dataset_rows(&known, TG_USER), *item = tg_dataset_rows(&known, TG_ITEM);
    for (int64_t i = 0; i < a->rows.count; i++)
        if (asked_is_known(a, i)) {
            const asked_pair pair = asked_get(a, i);
            *user++ = pair.user;
            *item++ = pair.item;
        }
    return known;
}

tg_status asked_predict(const asked *a, const recommender *r, float *prediction)
{
    tg_dataset known = known_pairs(a);
    float *of_known = malloc(((size_t)known.count + 1) * sizeof *of_known), *next = of_known;
    if (of_known) {
        recommender_predict(r, &known, of_known);
        for (int64_t i = 0; i < a->rows.count; i++)
            prediction[i] = asked_is_known(a, i)     ? *next++
                            : r->task == TASK_RATING ? (float)r->rating_mean
                                                     : NAN;
    }
    tg_dataset_release(&known);
    free(of_known);
    return of_known ? TG_OK
                    : tg_failure(TG_ENOMEM, "no memory for %lld predictions",
                                 (long long)a->rows.count);
}

int64_t asked_say_unknown(const asked *a, const recommender *r, const char *more)
{
    int64_t unknown = 0, first = 0;
    for (int64_t i = a->rows.count - 1; i >= 0; i--)
        if (!asked_is_known(a, i)) {
            unknown++;
            first = i;
        }
    if (!unknown)
        return 0;
    const bool is_user = asked_get(a, first).user < 0;
    const int64_t *number = tg_dataset_rows(&a->rows, is_user ? TG_USER : TG_ITEM);
    char instead[64] = "no number";
    if (r->task == TASK_RATING)
        snprintf(instead, sizeof instead, "the mean training rating, %.6f", r->rating_mean);
    say("%lld of %lld pairs have a user or an item that the model does not know (first: %s %s); "
        "predicted for them: %s%s", (long long)unknown, (long long)a->rows.count,
        is_user ? "user" : "item", tg_ids_name(is_user ? &a->users : &a->items, number[first]),
        instead, more);
    return unknown;
}
