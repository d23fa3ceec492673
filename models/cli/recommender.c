#include "models/cli/recommender.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/titles.h"

void recommender_build(recommender *r)
{
    r->module = r->model->create(r->users.count, r->items.count, r->options);
}

const char *format_layers(const model_options *o, char text[LAYERS_TEXT])
{
    int n = 0;
    text[0] = '\0';
    for (int i = 0; o->layer[i]; i++)
        n += snprintf(text + n, (size_t)(LAYERS_TEXT - n), "%s%lld", i ? "," : "",
                      (long long)o->layer[i]);
    return text;
}

bool parse_layers(const char *text, model_options *o)
{
    enum { WIDEST = 4096 };
    int count = 0;
    memset(o->layer, 0, sizeof o->layer);
    for (char *end; *text; text = end + (*end == ',')) {
        const long long width = strtoll(text, &end, 10);
        if (end == text || (*end && (*end != ',' || !end[1])) || width < 1 || width > WIDEST ||
            count > MAX_LAYERS)
            return false;
        o->layer[count++] = width;
    }
    return count == 0 || (count >= 2 && o->layer[0] % 2 == 0);
}

void recommender_release(recommender *r)
{
    tg_module_free(r->module);
    titles_free(r->titles, r->items.count);
    titles_free(r->genres, r->items.count);
    tg_ids_release(&r->users);
    tg_ids_release(&r->items);
    tg_free(r->seen_start);
    tg_free(r->seen_item);
    tg_free(r->seen_rating);
    tg_free(r->history);
    free(r->history_columns);
    free(r->settings);
    *r = (recommender){0};
}

static bool is_finite(const tg_tensor *t)
{
    const float *value = t->data;
    const int64_t count = tg_numel(t);
    int64_t finite = 0;
    for (int64_t i = 0; i < count; i++)
        finite += isfinite(value[i]) != 0;
    return finite == count;
}

bool recommender_find_not_finite(const recommender *r, char name[PARAMETER_NAME])
{
    tg_state_dict parameters = tg_module_state_dict(r->module);
    bool found = false;
    for (int64_t i = 0; i < parameters.count && !found; i++) {
        found = !is_finite(parameters.entry[i].tensor);
        snprintf(name, PARAMETER_NAME, "%s", parameters.entry[i].name);
    }
    tg_state_dict_release(&parameters);
    return found;
}

/* ---- training ratings ------------------------------------------------------------------------ */

/* Where the rows of each value begin once they are in its order: (values + 1) of them. */
static void count_starts(const int64_t *value, int64_t rows, int64_t *start, int64_t values)
{
    memset(start, 0, (size_t)(values + 1) * sizeof *start);
    for (int64_t i = 0; i < rows; i++)
        start[value[i] + 1]++;
    for (int64_t v = 0; v < values; v++)
        start[v + 1] += start[v];
}

/* The rows by user, those of a user by item: first by item, then by user without changing the order
 * of the items. start (users + 1) says where each user's rows begin. */
static tg_tensor *order_rows(const recommender *r, const tg_dataset *train, int64_t *start)
{
    const int64_t *user = tg_dataset_rows(train, TG_USER), *item = tg_dataset_rows(train, TG_ITEM);
    tg_tensor *by_item = tg_owned(TG_I64, train->count), *by_user = tg_owned(TG_I64, train->count);
    const int64_t values = r->users.count > r->items.count ? r->users.count : r->items.count;
    tg_tensor *places = tg_owned(TG_I64, values + 1);
    int64_t *first = by_item->data, *second = by_user->data, *place = places->data;
    count_starts(item, train->count, place, r->items.count);
    for (int64_t i = 0; i < train->count; i++)
        first[place[item[i]]++] = i;
    count_starts(user, train->count, start, r->users.count);
    memcpy(place, start, (size_t)r->users.count * sizeof *place);
    for (int64_t i = 0; i < train->count; i++)
        second[place[user[first[i]]]++] = first[i];
    tg_free(places);
    tg_free(by_item);
    return by_user;
}

/* Of rows that repeat a pair the last one is kept. */
static void set_seen(recommender *r, const tg_dataset *train)
{
    tg_tensor *starts = tg_owned(TG_I64, r->users.count + 1);
    tg_tensor *order = order_rows(r, train, starts->data);
    const int64_t *start = starts->data, *row = order->data;
    const int64_t *item = tg_dataset_rows(train, TG_ITEM);
    const float *rating = tg_dataset_rows(train, TG_RATING);
    int64_t kept = 0, *seen_start = r->seen_start->data, *seen_item = r->seen_item->data;
    for (int64_t u = 0; u < r->users.count; u++) {
        seen_start[u] = kept;
        for (int64_t i = start[u]; i < start[u + 1]; i++) {
            if (i + 1 < start[u + 1] && item[row[i]] == item[row[i + 1]])
                continue;
            seen_item[kept] = item[row[i]];
            ((float *)r->seen_rating->data)[kept++] = rating[row[i]];
        }
    }
    seen_start[r->users.count] = kept;
    r->seen_item->shape.size[0] = r->seen_rating->shape.size[0] = kept;
    tg_free(order);
    tg_free(starts);
}

void recommender_set_ratings(recommender *r, const tg_dataset *train)
{
    tg_free(r->seen_start);
    tg_free(r->seen_item);
    tg_free(r->seen_rating);
    r->seen_start = tg_owned(TG_I64, r->users.count + 1);
    r->seen_item = tg_owned(TG_I64, train->count);
    r->seen_rating = tg_owned(TG_F32, train->count);
    set_seen(r, train);
    const float *rating = tg_dataset_rows(train, TG_RATING);
    r->rating_mean = tg_ratings_mean(train);
    r->rating_low = r->rating_high = train->count ? (double)rating[0] : 0;
    for (int64_t i = 0; i < train->count; i++) {
        r->rating_low = fmin(r->rating_low, (double)rating[i]);
        r->rating_high = fmax(r->rating_high, (double)rating[i]);
    }
}

seen_items recommender_seen(const recommender *r, int64_t user)
{
    const int64_t *start = (const int64_t *)r->seen_start->data + user;
    return (seen_items){start[1] - start[0], (const int64_t *)r->seen_item->data + start[0],
                        (const float *)r->seen_rating->data + start[0]};
}

/* ---- prediction ------------------------------------------------------------------------------ */

void recommender_predict(const recommender *r, const tg_dataset *pairs, float *prediction)
{
    enum { BATCH_SIZE = 1024 };
    tg_loader *loader = tg_loader_new(pairs, BATCH_SIZE, 0);
    tg_tensor *user, *item;
    tg_module_train(r->module, false);
    while (tg_loader_next(loader, &user, &item)) {
        const int64_t size = tg_size(user, 0);
        tg_step_begin();
        tg_no_grad {
            tg_tensor *y = r->model->forward(r->module, user, item);
            if (r->clamp)
                y = tg_clamp(y, r->rating_low, r->rating_high);
            memcpy(prediction, y->data, (size_t)size * sizeof *prediction);
        }
        tg_step_end();
        prediction += size;
    }
    tg_loader_free(loader);
}
