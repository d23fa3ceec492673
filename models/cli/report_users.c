/* Users of the report page: what they rated highest, and what is recommended to them. */
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/names.h"
#include "models/cli/report_parts.h"
#include "models/scorer.h"

enum { LISTED = 8 };

typedef struct rated {
    int64_t item, count;
    float rating;
} rated;

/* What lists are made from. */
typedef struct sources {
    const recommender *r;
    const scorer *all;
    int64_t *counts; /* (items): training ratings */
    float *score;    /* (items) */
    rated *rated;    /* (items) */
} sources;

static int by_rating(const void *a, const void *b)
{
    const rated *x = a, *y = b;
    if (x->rating != y->rating)
        return x->rating < y->rating ? 1 : -1;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static int64_t list_rated(const sources *s, seen_items seen, page_item *list)
{
    for (int64_t i = 0; i < seen.count; i++)
        s->rated[i] = (rated){seen.item[i], s->counts[seen.item[i]], seen.rating[i]};
    qsort(s->rated, (size_t)seen.count, sizeof *s->rated, by_rating);
    const int64_t count = seen.count < LISTED ? seen.count : LISTED;
    for (int64_t i = 0; i < count; i++)
        list[i] = (page_item){item_name(s->r, s->rated[i].item), (double)s->rated[i].rating};
    return count;
}

static int64_t list_best(const sources *s, int64_t user, seen_items seen, page_item *list)
{
    scored top[LISTED];
    scorer_score(s->all, user, s->score);
    const int64_t count = best_items(s->r, s->score, seen, s->counts, 1, LISTED, top);
    for (int64_t i = 0; i < count; i++)
        list[i] = (page_item){item_name(s->r, top[i].item), (double)top[i].score};
    return count;
}

static void fill(report_users *p, const sources *s, const int64_t *user)
{
    for (int i = 0; i < p->count; i++) {
        const seen_items seen = recommender_seen(s->r, user[i]);
        page_item *list = p->items + 2 * LISTED * i;
        snprintf(p->name[i], sizeof p->name[i], "User %s", tg_ids_name(&s->r->users, user[i]));
        p->user[i] = (page_user){.name = p->name[i], .rated = list, .recommended = list + LISTED};
        p->user[i].rated_count = list_rated(s, seen, list);
        p->user[i].recommended_count = list_best(s, user[i], seen, list + LISTED);
    }
}

tg_status report_users_make(report_users *p, const recommender *r, const int64_t *user, int count)
{
    const size_t items = (size_t)r->items.count + 1, n = (size_t)count + 1;
    *p = (report_users){.count = count,
                        .user = malloc(n * sizeof *p->user),
                        .items = malloc(n * 2 * LISTED * sizeof *p->items),
                        .name = malloc(n * sizeof *p->name)};
    scorer *all = scorer_new(r->model, r->module);
    const sources s = {.r = r,
                       .all = all,
                       .counts = item_counts(r),
                       .score = malloc(items * sizeof *s.score),
                       .rated = malloc(items * sizeof *s.rated)};
    const bool has_memory =
        p->user && p->items && p->name && all && s.counts && s.score && s.rated;
    if (has_memory)
        fill(p, &s, user);
    else
        report_users_release(p);
    scorer_free(all);
    free(s.counts);
    free(s.score);
    free(s.rated);
    return has_memory ? TG_OK
                      : tg_failure(TG_ENOMEM, "no memory for the lists of %d users", count);
}

void report_users_release(report_users *p)
{
    free(p->user);
    free(p->items);
    free(p->name);
    *p = (report_users){0};
}
