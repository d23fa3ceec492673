#include "models/cli/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/messages.h"

const char *item_title(const recommender *r, int64_t item)
{
    return r->titles ? r->titles[item] : "";
}

const char *item_name(const recommender *r, int64_t item)
{
    return *item_title(r, item) ? item_title(r, item) : tg_ids_name(&r->items, item);
}

/* ---- finding --------------------------------------------------------------------------------- */

int64_t find_user(const recommender *r, const char *id)
{
    const int64_t user = tg_ids_find(&r->users, id);
    if (user < 0)
        say("user '%s': not known to the model; expected one of its %lld users (ncf export --what "
            "user lists them)", id, (long long)r->users.count);
    return user;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Whether the title holds the text at some place; *is_all where it is nothing else. */
static bool holds(const char *title, const char *text, bool *is_all)
{
    for (const char *start = title; *start; start++) {
        size_t n = 0;
        while (text[n] && lower(start[n]) == lower(text[n]))
            n++;
        *is_all = start == title && start[n] == '\0';
        if (text[n] == '\0')
            return true;
    }
    return false;
}

/* The items whose title holds the text, those with most ratings first. */
static void list_items(const recommender *r, const char *text)
{
    enum { LISTED = 20 };
    scored top[LISTED + 1];
    bool is_all;
    int64_t *counts = item_counts(r);
    float *score = malloc(((size_t)r->items.count + 1) * sizeof *score);
    for (int64_t i = 0; counts && score && i < r->items.count; i++)
        score[i] = holds(item_title(r, i), text, &is_all) ? (float)counts[i] : -INFINITY;
    const int64_t listed =
        counts && score ? top_items(score, r->items.count, LISTED + 1, top) : 0;
    for (int64_t i = 0; i < listed && i < LISTED; i++)
        fprintf(stderr, "%s\t%s\n", tg_ids_name(&r->items, top[i].item),
                item_title(r, top[i].item));
    if (listed > LISTED)
        fputs("...\n", stderr);
    free(counts);
    free(score);
}

int64_t find_item(const recommender *r, const char *text)
{
    const int64_t item = tg_ids_find(&r->items, text);
    int64_t found = -1, count = 0, whole = -1, wholes = 0;
    for (int64_t i = 0; item < 0 && i < r->items.count; i++) {
        bool is_all;
        if (!holds(item_title(r, i), text, &is_all))
            continue;
        found = i;
        count++;
        whole = is_all ? i : whole;
        wholes += is_all;
    }
    if (item >= 0 || count == 1 || wholes == 1)
        return item >= 0 ? item : wholes == 1 ? whole : found;
    if (count == 0) {
        say("item '%s': neither an id%s; expected one of the model's %lld items (ncf export --what "
            "item lists them)", text, r->titles ? " nor in a title" : ", and no titles are known",
            (long long)r->items.count);
        return -1;
    }
    say("item '%s': in %lld titles; expected one of these, or its id:", text, (long long)count);
    list_items(r, text);
    return -1;
}

int64_t *item_counts(const recommender *r)
{
    int64_t *counts = calloc((size_t)r->items.count + 1, sizeof *counts);
    const int64_t *item = r->seen_item->data;
    for (int64_t i = 0; counts && i < tg_numel(r->seen_item); i++)
        counts[item[i]]++;
    if (!counts)
        tg_failure(TG_ENOMEM, "no memory to count the ratings of %lld items",
                   (long long)r->items.count);
    return counts;
}

void leave_out_rare(const recommender *r, const int64_t *counts, int64_t least, float *score)
{
    for (int64_t i = 0; i < r->items.count; i++)
        if (counts[i] < least)
            score[i] = -INFINITY;
}

float shown_score(const recommender *r, float score)
{
    return r->task == TASK_RATING
               ? fminf(fmaxf(score, (float)r->rating_low), (float)r->rating_high)
               : score;
}

int64_t best_items(const recommender *r, float *score, seen_items without, const int64_t *counts,
                   int64_t least, int64_t n, scored *top)
{
    for (int64_t i = 0; i < without.count; i++)
        score[without.item[i]] = -INFINITY;
    leave_out_rare(r, counts, least, score);
    const int64_t count = top_items(score, r->items.count, n, top);
    for (int64_t i = 0; i < count; i++)
        top[i].score = shown_score(r, top[i].score);
    return count;
}

/* ---- printing -------------------------------------------------------------------------------- */

void print_item(const recommender *r, scored one)
{
    const char *title = item_title(r, one.item);
    printf("%s\t%.4f%s%s\n", tg_ids_name(&r->items, one.item), (double)one.score,
           *title ? "\t" : "", title);
}

void json_item(json *j, const recommender *r, int64_t item)
{
    json_string(j, "item", tg_ids_name(&r->items, item));
    if (*item_title(r, item))
        json_string(j, "title", item_title(r, item));
    if (r->genres && *r->genres[item])
        json_string(j, "genres", r->genres[item]);
}

void json_items(json *j, const char *key, const recommender *r, const scored *top, int64_t count)
{
    json_list(j, key);
    for (int64_t i = 0; i < count; i++) {
        json_object(j, NULL);
        json_item(j, r, top[i].item);
        json_number(j, "score", (double)top[i].score);
        json_close(j);
    }
    json_close(j);
}
