#include "models/cli/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/ranking.h"

/* ---- sources --------------------------------------------------------------------------------- */

void score_by_model(const void *context, int64_t user, const int64_t *item, int64_t count,
                    float *score)
{
    const model_scores *m = context;
    if (!item) {
        scorer_score(m->all, user, score);
        return;
    }
    tg_step_begin();
    tg_no_grad {
        tg_tensor *users = tg_full(TG_I64, (double)user, count);
        const tg_tensor *y = m->r->model->forward(m->r->module, users,
                                                  tg_from(TG_I64, item, count)); /* (count) */
        for (int64_t i = 0; i < count; i++)
            score[item[i]] = ((const float *)y->data)[i];
    }
    tg_step_end();
}

void score_alike(const void *context, int64_t user, const int64_t *item, int64_t count,
                 float *score)
{
    const shared_scores *s = context;
    (void)user;
    (void)item; /* of all is no harm */
    (void)count;
    memcpy(score, s->score, (size_t)s->items * sizeof *score);
}

/* ---- lists ----------------------------------------------------------------------------------- */

enum { LISTS_AT_ONCE = 256 };

/* Some lists, of which several threads take their parts. */
typedef struct chunk {
    const recommender *r;
    const test_lists *lists;
    score_source source;
    int64_t first, count; /* lists */
    int64_t depth;        /* the largest cut */
    int64_t first_place;  /* among the positives of all lists */
    int64_t *place;       /* of the positives of these lists, each list's rising */
    int64_t *length;      /* (count); -1 where there was no memory */
    scored *top;          /* (count, depth) of full lists */
    int64_t *tops;        /* (count) */
} chunk;

/* What the user has rated in training leaves the list, but for the positives; both rise. */
static void leave_out_seen(const recommender *r, list_items list, float *score)
{
    const seen_items seen = recommender_seen(r, list.user);
    int64_t p = 0;
    for (int64_t i = 0; i < seen.count; i++) {
        while (p < list.positives && list.positive[p] < seen.item[i])
            p++;
        if (p == list.positives || list.positive[p] != seen.item[i])
            score[seen.item[i]] = -INFINITY;
    }
}

static int64_t *places_of(const chunk *c, int64_t list)
{
    return c->place + (test_lists_get(c->lists, c->first + list).positive -
                       c->lists->positive.at) - c->first_place;
}

static void rank_full(const chunk *c, int64_t list, float *score, float *bound)
{
    const list_items of = test_lists_get(c->lists, c->first + list);
    const int64_t items = c->r->items.count;
    c->source.score(c->source.context, of.user, NULL, 0, score);
    leave_out_seen(c->r, of, score);
    c->tops[list] = top_items(score, items, c->depth, c->top + list * c->depth);
    c->length[list] = places_among_all(score, items, of.positive, of.positives, places_of(c, list),
                                       bound);
}

static void rank_sampled(const chunk *c, int64_t list, float *score)
{
    const list_items of = test_lists_get(c->lists, c->first + list);
    c->source.score(c->source.context, of.user, of.positive, 1, score);
    if (of.negatives)
        c->source.score(c->source.context, of.user, of.negative, of.negatives, score);
    *places_of(c, list) = place_among(score, *of.positive, of.negative, of.negatives,
                                      &c->length[list]);
}

static void rank_part(void *context, int64_t begin, int64_t end)
{
    const chunk *c = context;
    const size_t size = (size_t)c->r->items.count * sizeof(float);
    float *score = malloc(size), *bound = malloc(size);
    for (int64_t list = begin; list < end; list++) {
        if (!score || !bound)
            c->length[list] = -1;
        else if (c->lists->is_sampled)
            rank_sampled(c, list, score);
        else
            rank_full(c, list, score, bound);
    }
    free(score);
    free(bound);
}

/* ---- means ----------------------------------------------------------------------------------- */

/* Sums over the lists of a chunk; shown[item] becomes the best place that the item had. */
static tg_status add_chunk(const chunk *c, const int64_t *cut, int cuts, int64_t *shown,
                           evaluation *e)
{
    for (int64_t list = 0; list < c->count; list++) {
        const int64_t m = test_lists_get(c->lists, c->first + list).positives;
        if (c->length[list] < 0)
            return tg_failure(TG_ENOMEM, "no memory for the scores of a user");
        for (int i = 0; i < cuts; i++)
            metrics_add(e->metric[i], places_of(c, list), m, cut[i]);
        e->area += area_under_curve(places_of(c, list), m, c->length[list]);
        e->length += (double)c->length[list];
        for (int64_t t = 0; !c->lists->is_sampled && t < c->tops[list]; t++) {
            int64_t *best = &shown[c->top[list * c->depth + t].item];
            *best = t < *best ? t : *best;
        }
    }
    return TG_OK;
}

static void finish(const test_lists *lists, const int64_t *shown, int64_t items,
                   const int64_t *cut, int cuts, evaluation *e)
{
    const double count = (double)lists->user.count;
    for (int i = 0; i < cuts; i++) {
        for (int m = 0; m < METRICS; m++)
            e->metric[i][m] /= count;
        for (int64_t item = 0; item < items; item++)
            e->coverage[i] += shown[item] < cut[i];
        e->coverage[i] /= (double)items;
    }
    e->area /= count;
    e->length /= count;
}

static tg_status rank_all(chunk *c, const int64_t *cut, int cuts, int64_t *shown, evaluation *e)
{
    const int64_t lists = c->lists->user.count, *end = c->lists->positive_end.at;
    tg_status status = TG_OK;
    for (; c->first < lists && status == TG_OK; c->first += c->count) {
        c->count = lists - c->first < LISTS_AT_ONCE ? lists - c->first : LISTS_AT_ONCE;
        c->first_place = c->first ? end[c->first - 1] : 0;
        tg_parallel_for(c->count, 1, rank_part, c);
        status = add_chunk(c, cut, cuts, shown, e);
    }
    return status;
}

/* The positives of the LISTS_AT_ONCE lists that have most of them. */
static int64_t most_places(const test_lists *l)
{
    int64_t most = 0, before = 0;
    for (int64_t i = LISTS_AT_ONCE; i - LISTS_AT_ONCE < l->user.count; i += LISTS_AT_ONCE) {
        const int64_t end = l->positive_end.at[i < l->user.count ? i - 1 : l->user.count - 1];
        most = end - before > most ? end - before : most;
        before = end;
    }
    return most;
}

tg_status evaluate_lists(const recommender *r, const test_lists *lists, score_source source,
                         const int64_t *cut, int cuts, evaluation *e)
{
    const size_t items = (size_t)r->items.count, depth = (size_t)cut[cuts - 1];
    chunk c = {.r = r,
               .lists = lists,
               .source = source,
               .depth = (int64_t)depth,
               .place = malloc(((size_t)most_places(lists) + 1) * sizeof *c.place),
               .length = malloc(LISTS_AT_ONCE * sizeof *c.length),
               .top = malloc(LISTS_AT_ONCE * depth * sizeof *c.top),
               .tops = malloc(LISTS_AT_ONCE * sizeof *c.tops)};
    int64_t *shown = malloc((items + 1) * sizeof *shown);
    tg_status status = TG_ENOMEM;
    *e = (evaluation){0};
    if (c.place && c.length && c.top && c.tops && shown) {
        for (size_t i = 0; i < items; i++)
            shown[i] = INT64_MAX;
        status = rank_all(&c, cut, cuts, shown, e);
        finish(lists, shown, r->items.count, cut, cuts, e);
    } else {
        tg_failure(status, "no memory to rank %lld lists", (long long)lists->user.count);
    }
    free(c.place);
    free(c.length);
    free(c.top);
    free(c.tops);
    free(shown);
    return status;
}
