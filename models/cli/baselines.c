#include "models/cli/baselines.h"

#include <stdlib.h>

enum { ITEM_PRIOR = 25, USER_PRIOR = 10 }; /* ratings of the mean that count as given */

static void set_items(const recommender *r, baselines *b)
{
    const int64_t *item = r->seen_item->data;
    const float *rating = r->seen_rating->data;
    for (int64_t i = 0; i < tg_numel(r->seen_item); i++) {
        b->item[item[i]] += rating[i] - (float)r->rating_mean;
        b->popularity[item[i]]++;
    }
    for (int64_t i = 0; i < r->items.count; i++)
        b->item[i] /= ITEM_PRIOR + b->popularity[i];
}

static void set_users(const recommender *r, baselines *b)
{
    for (int64_t u = 0; u < r->users.count; u++) {
        const seen_items seen = recommender_seen(r, u);
        for (int64_t i = 0; i < seen.count; i++)
            b->user[u] += seen.rating[i] - (float)r->rating_mean - b->item[seen.item[i]];
        b->user[u] /= (float)(USER_PRIOR + seen.count);
    }
}

tg_status baselines_make(const recommender *r, baselines *b)
{
    b->user = calloc((size_t)r->users.count + 1, sizeof *b->user);
    b->item = calloc((size_t)r->items.count + 1, sizeof *b->item);
    b->popularity = calloc((size_t)r->items.count + 1, sizeof *b->popularity);
    if (!b->user || !b->item || !b->popularity) {
        baselines_release(b);
        return tg_failure(TG_ENOMEM, "no memory for the baselines");
    }
    set_items(r, b);
    set_users(r, b);
    return TG_OK;
}

void baselines_release(baselines *b)
{
    free(b->user);
    free(b->item);
    free(b->popularity);
    *b = (baselines){0};
}
