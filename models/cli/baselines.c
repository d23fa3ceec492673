#include "models/cli/baselines.h"

#include <stdlib.h>

enum { PRIOR = 5, TURNS = 10 }; /* MovieLens: more turns change test errors by 0.001 at most */

static void count_ratings(const recommender *r, baselines *b)
{
    const int64_t *item = r->seen_item->data;
    for (int64_t i = 0; i < tg_numel(r->seen_item); i++)
        b->popularity[item[i]]++;
}

static void set_items(const recommender *r, baselines *b)
{
    for (int64_t i = 0; i < r->items.count; i++)
        b->item[i] = 0;
    for (int64_t u = 0; u < r->users.count; u++) {
        const seen_items seen = recommender_seen(r, u);
        for (int64_t i = 0; i < seen.count; i++)
            b->item[seen.item[i]] += seen.rating[i] - b->mean - b->user[u];
    }
    for (int64_t i = 0; i < r->items.count; i++)
        b->item[i] /= PRIOR + b->popularity[i];
}

static void set_users(const recommender *r, baselines *b)
{
    for (int64_t u = 0; u < r->users.count; u++) {
        const seen_items seen = recommender_seen(r, u);
        b->user[u] = 0;
        for (int64_t i = 0; i < seen.count; i++)
            b->user[u] += seen.rating[i] - b->mean - b->item[seen.item[i]];
        b->user[u] /= (float)(PRIOR + seen.count);
    }
}

tg_status baselines_make(const recommender *r, baselines *b)
{
    b->mean = (float)r->rating_mean;
    b->user = calloc((size_t)r->users.count + 1, sizeof *b->user);
    b->item = calloc((size_t)r->items.count + 1, sizeof *b->item);
    b->popularity = calloc((size_t)r->items.count + 1, sizeof *b->popularity);
    if (!b->user || !b->item || !b->popularity) {
        baselines_release(b);
        return tg_failure(TG_ENOMEM, "no memory for the baselines");
    }
    count_ratings(r, b);
    for (int turn = 0; turn < TURNS; turn++) {
        set_items(r, b);
        set_users(r, b);
    }
    return TG_OK;
}

float baselines_predict(const baselines *b, int64_t user, int64_t item)
{
    return b->mean + (user < 0 ? 0 : b->user[user]) + (item < 0 ? 0 : b->item[item]);
}

void baselines_release(baselines *b)
{
    free(b->user);
    free(b->item);
    free(b->popularity);
    *b = (baselines){0};
}
