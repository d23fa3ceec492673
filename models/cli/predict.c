/* ncf predict: ratings of pairs of user and item, by a saved model. */
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/recommender.h"

/* The pairs that the model knows, as rows; row[i] is pair i's place among them, or -1. */
static tg_status select_known(const recommender *r, const tg_ratings *pairs, tg_dataset *known,
                              int64_t *row)
{
    tg_ratings kept = {.row = malloc(((size_t)pairs->count + 1) * sizeof *kept.row)};
    if (!kept.row)
        return tg_failure(TG_ENOMEM, "no memory for %lld pairs", (long long)pairs->count);
    for (int64_t i = 0; i < pairs->count; i++) {
        const tg_rating *pair = &pairs->row[i];
        const bool is_known = tg_idmap_row(&r->users, pair->user) >= 0 &&
                              tg_idmap_row(&r->items, pair->item) >= 0;
        row[i] = is_known ? kept.count : -1;
        if (is_known)
            kept.row[kept.count++] = *pair;
    }
    const tg_status status = tg_dataset_new(known, &kept, &r->users, &r->items);
    tg_ratings_release(&kept);
    return status;
}

static void say_unknown(const recommender *r, const tg_ratings *pairs, const int64_t *row)
{
    int64_t unknown = 0, first = 0;
    for (int64_t i = pairs->count - 1; i >= 0; i--)
        if (row[i] < 0) {
            unknown++;
            first = i;
        }
    if (!unknown)
        return;
    const tg_rating *pair = &pairs->row[first];
    const bool is_user = tg_idmap_row(&r->users, pair->user) < 0;
    say("%lld of %lld pairs have a user or an item that the model does not know (first: %s %lld); "
        "predicted for them: the mean training rating, %.6f", (long long)unknown,
        (long long)pairs->count, is_user ? "user" : "item",
        (long long)(is_user ? pair->user : pair->item), r->rating_mean);
}

static tg_status predict(const recommender *r, const tg_ratings *pairs)
{
    const size_t count = (size_t)pairs->count + 1;
    int64_t *row = malloc(count * sizeof *row);
    float *prediction = malloc(count * sizeof *prediction);
    tg_dataset known = {0};
    tg_status status = row && prediction
                           ? select_known(r, pairs, &known, row)
                           : tg_failure(TG_ENOMEM, "no memory for %zu predictions", count);
    if (status == TG_OK) {
        say_unknown(r, pairs, row);
        recommender_predict(r, &known, prediction);
        for (int64_t i = 0; i < pairs->count; i++)
            printf("%lld\t%lld\t%.6f\n", (long long)pairs->row[i].user,
                   (long long)pairs->row[i].item,
                   row[i] < 0 ? r->rating_mean : (double)prediction[row[i]]);
    }
    tg_dataset_release(&known);
    free(prediction);
    free(row);
    return status;
}

int predict_command(int argc, char **argv)
{
    const char *path = NULL, *pairs_path;
    const option table[] = {
        {"load", OPTION_TEXT, &path, "FILE", "the model, as saved by train --save", 0, 0},
    };
    const usage u = {"ncf predict --load FILE [PAIRS]",
                     "Read lines of `user item` from the file PAIRS, or from standard input where "
                     "it is - or\nleft out; print user, item and predicted rating, tabs between.",
                     table, sizeof table / sizeof *table, "PAIRS"};
    const parsed p = parse_options(&u, argc, argv, &pairs_path);
    if (p != PARSED)
        return p == PARSED_HELP ? EXIT_DONE : EXIT_USAGE;
    if (!path)
        return usage_error("predict needs --load FILE");
    recommender r;
    if (recommender_load(&r, path) != TG_OK)
        return say_last_error();
    tg_ratings pairs;
    tg_status status = tg_pairs_read(pairs_path ? pairs_path : "-", &pairs);
    if (status == TG_OK) {
        status = predict(&r, &pairs);
        tg_ratings_release(&pairs);
    }
    recommender_release(&r);
    return status == TG_OK ? EXIT_DONE : say_last_error();
}
