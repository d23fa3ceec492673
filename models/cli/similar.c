/* ncf similar: the items that a saved model takes for like one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/cli.h"
#include "models/cli/embeddings.h"
#include "models/cli/messages.h"
#include "models/cli/names.h"
#include "models/cli/options.h"

/* The cosine of the angle between two vectors; 0 where one of them is zero. */
static float cosine(const float *a, const float *b, int64_t dim)
{
    double product = 0, a_squares = 0, b_squares = 0;
    for (int64_t d = 0; d < dim; d++) {
        product += (double)a[d] * (double)b[d];
        a_squares += (double)a[d] * (double)a[d];
        b_squares += (double)b[d] * (double)b[d];
    }
    const double size = sqrt(a_squares * b_squares);
    return size > 0 ? (float)(product / size) : 0;
}

/* score (items), of `item` itself -INFINITY. */
static void compare_items(const recommender *r, int64_t item, float *score)
{
    const embeddings items = embeddings_of(r->module, SIDE_ITEM);
    const tg_tensor *table = items.table[embeddings_to_compare(&items)];
    const int64_t dim = tg_size(table, 1);
    const float *vector = table->data;
    for (int64_t i = 0; i < r->items.count; i++)
        score[i] = cosine(vector + i * dim, vector + item * dim, dim);
    score[item] = -INFINITY;
}

static void print_similar(const recommender *r, int64_t item, const scored *top, int64_t count,
                          bool as_json)
{
    if (as_json) {
        json j = json_begin(stdout);
        json_item(&j, r, item);
        json_items(&j, "similar", r, top, count);
        json_end(&j);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        print_item(r, top[i]);
}

static tg_status find_similar(const recommender *r, int64_t item, int64_t n, int64_t min_ratings,
                              bool as_json)
{
    const int64_t most = n < r->items.count ? n : r->items.count;
    float *score = malloc((size_t)r->items.count * sizeof *score);
    scored *top = malloc((size_t)most * sizeof *top);
    int64_t *counts = item_counts(r);
    const bool has_memory = score && top && counts;
    if (has_memory) {
        compare_items(r, item, score);
        leave_out_rare(r, counts, min_ratings, score);
        print_similar(r, item, top, top_items(score, r->items.count, most, top), as_json);
    }
    free(score);
    free(top);
    free(counts);
    return has_memory ? TG_OK
                      : tg_failure(TG_ENOMEM, "no memory for the scores of %lld items",
                                   (long long)r->items.count);
}

int similar_command(int argc, char **argv)
{
    const char *load = NULL, *text = NULL;
    int64_t n = 10, min_ratings = 1;
    bool as_json = false;
    const option table[] = {
        {"load", OPTION_INPUT, &load, "FILE", "the model, as saved by train --save", 0, 0},
        {"item", OPTION_TEXT, &text, "ID|TITLE", "an id, a title, or a part of one", 0, 0},
        {"n", OPTION_INT, &n, "N", "items", 1, 1e9},
        {"min-ratings", OPTION_INT, &min_ratings, "N", "items with at least N training ratings", 0,
         1e9},
        {"json", OPTION_FLAG, &as_json, NULL, "print a JSON object", 0, 0},
    };
    const usage u = {"similar", "ncf similar --load FILE --item ID|TITLE [OPTION...]",
                     "Print the items whose vectors point most nearly where this one's does: item, "
                     "cosine, and the title where it is known, tabs between. The vectors are "
                     "those that the model multiplies with a user's; mlp and simplecf have none, "
                     "and the inputs of their networks say less.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 2, argc, argv, NULL, &status))
        return status;
    recommender r;
    if (recommender_load(&r, load) != TG_OK)
        return say_last_error();
    const int64_t item = find_item(&r, text);
    if (item < 0)
        status = EXIT_FAILED;
    else if (find_similar(&r, item, n, min_ratings, as_json) != TG_OK)
        status = say_last_error();
    recommender_release(&r);
    return status;
}
