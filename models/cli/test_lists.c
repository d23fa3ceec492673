#include "models/cli/test_lists.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers --------------------------------------------------------------------------------- */

static tg_status add(numbers *n, int64_t number)
{
    if (n->count == n->room) {
        const int64_t room = 2 * n->room + 64;
        int64_t *at = realloc(n->at, (size_t)room * sizeof *at);
        if (!at)
            return tg_failure(TG_ENOMEM, "no memory for %lld test items", (long long)room);
        n->at = at;
        n->room = room;
    }
    n->at[n->count++] = number;
    return TG_OK;
}

void test_lists_release(test_lists *l)
{
    free(l->user.at);
    free(l->positive.at);
    free(l->negative.at);
    free(l->positive_end.at);
    free(l->negative_end.at);
    *l = (test_lists){0};
}

static tg_status keep_or_release(test_lists *l, tg_status status)
{
    if (status != TG_OK)
        test_lists_release(l);
    return status;
}

/* The list that the last positives and negatives were added for is complete. */
static tg_status end_list(test_lists *l, int64_t user)
{
    tg_status status = add(&l->user, user);
    if (status == TG_OK)
        status = add(&l->positive_end, l->positive.count);
    return status == TG_OK ? add(&l->negative_end, l->negative.count) : status;
}

/* The numbers from `first` on; NULL where there is none at all. */
static const int64_t *numbers_from(const numbers *n, int64_t first)
{
    return n->at ? n->at + first : NULL;
}

list_items test_lists_get(const test_lists *l, int64_t list)
{
    const int64_t positive = list ? l->positive_end.at[list - 1] : 0;
    const int64_t negative = list ? l->negative_end.at[list - 1] : 0;
    return (list_items){.user = l->user.at[list],
                        .positives = l->positive_end.at[list] - positive,
                        .negatives = l->negative_end.at[list] - negative,
                        .positive = numbers_from(&l->positive, positive),
                        .negative = numbers_from(&l->negative, negative)};
}

/* ---- full lists ------------------------------------------------------------------------------ */

static int compare_pairs(const void *a, const void *b)
{
    const asked_pair *x = a, *y = b;
    return x->user != y->user ? (x->user > y->user) - (x->user < y->user)
                              : (x->item > y->item) - (x->item < y->item);
}

tg_status test_lists_of_pairs(asked_pair *pair, int64_t count, test_lists *l)
{
    tg_status status = TG_OK;
    *l = (test_lists){0};
    qsort(pair, (size_t)count, sizeof *pair, compare_pairs);
    for (int64_t i = 0; i < count && status == TG_OK; i++) { /* pairs may repeat */
        if (i == 0 || compare_pairs(&pair[i - 1], &pair[i]) != 0)
            status = add(&l->positive, pair[i].item);
        if (status == TG_OK && (i + 1 == count || pair[i + 1].user != pair[i].user))
            status = end_list(l, pair[i].user);
    }
    return keep_or_release(l, status);
}

tg_status test_lists_full(const asked *test, double relevant, test_lists *l)
{
    const float *rating = tg_dataset_rows(&test->rows, TG_RATING);
    asked_pair *kept = malloc(((size_t)test->rows.count + 1) * sizeof *kept);
    int64_t count = 0;
    *l = (test_lists){0};
    if (!kept)
        return tg_failure(TG_ENOMEM, "no memory for %lld test items",
                          (long long)test->rows.count);
    for (int64_t i = 0; i < test->rows.count; i++)
        if (asked_is_known(test, i) && (double)rating[i] >= relevant)
            kept[count++] = asked_get(test, i);
    const tg_status status = test_lists_of_pairs(kept, count, l);
    free(kept);
    return status;
}

/* ---- drawn negatives ------------------------------------------------------------------------- */

/* The user's list among full lists from number *next on, which is raised to it; none: empty. */
static list_items find_list(const test_lists *l, int64_t *next, int64_t user)
{
    while (l && *next < l->user.count && l->user.at[*next] < user)
        ++*next;
    const bool is_there = l && *next < l->user.count && l->user.at[*next] == user;
    return is_there ? test_lists_get(l, *next) : (list_items){.user = user};
}

static void mark_items(const int64_t *item, int64_t count, char *mark, char value)
{
    for (int64_t i = 0; i < count; i++)
        mark[item[i]] = value;
}

/* mark[item] = value for what a user has rated and what else is his. */
static void mark_own(const recommender *r, list_items list, list_items other, char *mark,
                     char value)
{
    const seen_items seen = recommender_seen(r, list.user);
    mark_items(seen.item, seen.count, mark, value);
    mark_items(list.positive, list.positives, mark, value);
    mark_items(other.positive, other.positives, mark, value);
}

/* `count` items that are not marked, or all of those, each once. */
static tg_status draw_items(tg_rng *rng, char *mark, int64_t items, int64_t count, numbers *drawn)
{
    const int64_t first = drawn->count;
    int64_t free_items = 0;
    tg_status status = TG_OK;
    for (int64_t i = 0; i < items; i++)
        free_items += !mark[i];
    for (int64_t i = 0; free_items <= count && i < items && status == TG_OK; i++)
        status = mark[i] ? TG_OK : add(drawn, i);
    while (free_items > count && drawn->count < first + count && status == TG_OK) {
        const int64_t item = (int64_t)tg_rng_below(rng, (uint64_t)items);
        if (mark[item])
            continue;
        mark[item] = 1;
        status = add(drawn, item);
    }
    for (int64_t i = first; i < drawn->count; i++)
        mark[drawn->at[i]] = 0;
    return status;
}

tg_status test_lists_draw(const recommender *r, const test_lists *full, const test_lists *others,
                          int64_t count, uint64_t seed, test_lists *l)
{
    char *mark = calloc((size_t)r->items.count + 1, 1);
    int64_t next = 0;
    tg_rng rng = {.seed = seed, .stream = 0x6E656761}; /* "nega": a sequence of its own */
    tg_status status = mark ? TG_OK : tg_failure(TG_ENOMEM, "no memory to draw test items");
    *l = (test_lists){.is_sampled = true};
    for (int64_t list = 0; list < full->user.count && status == TG_OK; list++) {
        const list_items of = test_lists_get(full, list);
        const list_items other = find_list(others, &next, of.user);
        mark_own(r, of, other, mark, 1);
        for (int64_t i = 0; i < of.positives && status == TG_OK; i++) {
            status = add(&l->positive, of.positive[i]);
            if (status == TG_OK)
                status = draw_items(&rng, mark, r->items.count, count, &l->negative);
            if (status == TG_OK)
                status = end_list(l, of.user);
        }
        mark_own(r, of, other, mark, 0);
    }
    free(mark);
    return keep_or_release(l, status);
}

/* ---- a file of negatives --------------------------------------------------------------------- */

/* Cut "(user,item)" in two, in place; false where it is not that. */
static bool cut_pair(char *field, char **user, char **item)
{
    char *comma = strchr(field, ',');
    const size_t length = strlen(field);
    if (field[0] != '(' || field[length - 1] != ')' || !comma)
        return false;
    field[length - 1] = *comma = '\0';
    *user = field + 1;
    *item = comma + 1 + strspn(comma + 1, " ");
    return **user && **item;
}

/* The fields of a line, one after the other: the next one, or NULL. */
static char *next_field(char **rest)
{
    char *field = *rest ? *rest + strspn(*rest, "\t") : NULL;
    if (!field || !*field)
        return NULL;
    char *end = strchr(field, '\t');
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return field;
}

static tg_status read_list(const recommender *r, const tg_lines *in, char *line, test_lists *l,
                           left_out *out)
{
    char *rest = line, *field = next_field(&rest), *user_id, *item_id;
    if (!field || !cut_pair(field, &user_id, &item_id))
        return tg_lines_wrong(in, "'%.40s' is no pair", field ? field : "");
    const int64_t user = tg_ids_find(&r->users, user_id), item = tg_ids_find(&r->items, item_id);
    out->all_lists++;
    if (user < 0 || item < 0)
        return out->lists++, TG_OK;
    tg_status status = add(&l->positive, item);
    while (status == TG_OK && (field = next_field(&rest))) {
        const int64_t negative = tg_ids_find(&r->items, field);
        out->all_negatives++;
        out->negatives += negative < 0;
        status = negative < 0 ? TG_OK : add(&l->negative, negative);
    }
    return status == TG_OK ? end_list(l, user) : status;
}

tg_status test_lists_read(const recommender *r, const char *path, test_lists *l, left_out *out)
{
    tg_lines *in = tg_lines_open(path, "(user,item) and items to rank it among, tabs between");
    tg_status status = in ? TG_OK : tg_last_error()->status;
    char *line;
    *l = (test_lists){.is_sampled = true};
    *out = (left_out){0};
    while (status == TG_OK && (status = tg_lines_next(in, &line)) == TG_OK && line)
        status = read_list(r, in, line, l, out);
    tg_lines_close(in);
    return keep_or_release(l, status);
}
