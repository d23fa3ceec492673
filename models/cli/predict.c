/* ncf predict: ratings of pairs of user and item, by a saved model. */
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/recommender.h"

/* Ids that are new to the model have numbers from these on. */
typedef struct known {
    int64_t users, items;
} known;

static bool is_known(const known *k, const tg_dataset *pairs, int64_t i)
{
    const int64_t *user = tg_dataset_rows(pairs, TG_USER), *item = tg_dataset_rows(pairs, TG_ITEM);
    return user[i] < k->users && item[i] < k->items;
}

/* The pairs that the model knows, in order. */
static tg_dataset select_known(const known *k, const tg_dataset *pairs)
{
    int64_t count = 0;
    for (int64_t i = 0; i < pairs->count; i++)
        count += is_known(k, pairs, i);
    tg_dataset kept = tg_dataset_of(tg_owned(TG_I64, count), tg_owned(TG_I64, count));
    for (int c = TG_USER; c <= TG_ITEM; c++) {
        const int64_t *from = tg_dataset_rows(pairs, c);
        int64_t *to = tg_dataset_rows(&kept, c);
        for (int64_t i = 0; i < pairs->count; i++)
            if (is_known(k, pairs, i))
                *to++ = from[i];
    }
    return kept;
}

static void say_unknown(const recommender *r, const known *k, const tg_dataset *pairs)
{
    int64_t unknown = 0, first = 0;
    for (int64_t i = pairs->count - 1; i >= 0; i--)
        if (!is_known(k, pairs, i)) {
            unknown++;
            first = i;
        }
    if (!unknown)
        return;
    const int64_t user = ((const int64_t *)tg_dataset_rows(pairs, TG_USER))[first];
    const int64_t item = ((const int64_t *)tg_dataset_rows(pairs, TG_ITEM))[first];
    const bool is_user = user >= k->users;
    say("%lld of %lld pairs have a user or an item that the model does not know (first: %s %s); "
        "predicted for them: the mean training rating, %.6f", (long long)unknown,
        (long long)pairs->count, is_user ? "user" : "item",
        is_user ? tg_ids_name(&r->users, user) : tg_ids_name(&r->items, item), r->rating_mean);
}

static tg_status predict(const recommender *r, const known *k, const tg_dataset *pairs)
{
    tg_dataset kept = select_known(k, pairs);
    float *prediction = malloc(((size_t)kept.count + 1) * sizeof *prediction), *next = prediction;
    if (prediction) {
        const int64_t *user = tg_dataset_rows(pairs, TG_USER);
        const int64_t *item = tg_dataset_rows(pairs, TG_ITEM);
        say_unknown(r, k, pairs);
        recommender_predict(r, &kept, prediction);
        for (int64_t i = 0; i < pairs->count; i++)
            printf("%s\t%s\t%.6f\n", tg_ids_name(&r->users, user[i]),
                   tg_ids_name(&r->items, item[i]),
                   is_known(k, pairs, i) ? (double)*next++ : r->rating_mean);
    }
    tg_dataset_release(&kept);
    free(prediction);
    return prediction ? TG_OK
                      : tg_failure(TG_ENOMEM, "no memory for %lld predictions",
                                   (long long)pairs->count);
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
    const known k = {r.users.count, r.items.count};
    tg_dataset pairs;
    tg_status status = tg_pairs_read(pairs_path ? pairs_path : "-", &r.users, &r.items, &pairs);
    if (status == TG_OK) {
        status = predict(&r, &k, &pairs);
        tg_dataset_release(&pairs);
    }
    recommender_release(&r);
    return status == TG_OK ? EXIT_DONE : say_last_error();
}
