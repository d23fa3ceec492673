/* ncf predict: ratings of pairs of user and item, by a saved model. */
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/asked.h"
#include "models/cli/cli.h"
#include "models/cli/json_text.h"
#include "models/cli/messages.h"
#include "models/cli/names.h"
#include "models/cli/options.h"

static void print_pair(const asked *a, const recommender *r, int64_t i, double prediction,
                       bool as_json)
{
    const int64_t *user = tg_dataset_rows(&a->rows, TG_USER);
    const int64_t *item = tg_dataset_rows(&a->rows, TG_ITEM);
    const char *user_id = tg_ids_name(&a->users, user[i]);
    const char *item_id = tg_ids_name(&a->items, item[i]);
    const int64_t row = asked_get(a, i).item;
    const char *title = r->titles && row >= 0 ? r->titles[row] : "";
    if (!as_json) {
        printf("%s\t%s\t%.6f%s%s\n", user_id, item_id, prediction, *title ? "\t" : "", title);
        return;
    }
    json j = json_begin(stdout);
    json_string(&j, "user", user_id);
    json_string(&j, "item", item_id);
    json_number(&j, "prediction", prediction);
    json_boolean(&j, "known", asked_is_known(a, i));
    if (*title)
        json_string(&j, "title", title);
    json_end(&j);
}

static tg_status predict(const asked *a, const recommender *r, bool as_json)
{
    float *prediction = malloc(((size_t)a->rows.count + 1) * sizeof *prediction);
    if (!prediction)
        return tg_failure(TG_ENOMEM, "no memory for %lld predictions", (long long)a->rows.count);
    const tg_status status = asked_predict(a, r, prediction);
    if (status == TG_OK) {
        asked_say_unknown(a, r, "");
        for (int64_t i = 0; i < a->rows.count; i++)
            print_pair(a, r, i, (double)shown_score(r, prediction[i]), as_json);
    }
    free(prediction);
    return status;
}

int predict_command(int argc, char **argv)
{
    const char *load = NULL, *path;
    bool as_json = false;
    const option table[] = {
        {"load", OPTION_INPUT, &load, "FILE", "the model, as saved by train --save", 0, 0},
        {"json", OPTION_FLAG, &as_json, NULL, "print a JSON object a line", 0, 0},
    };
    const usage u = {"predict", "ncf predict --load FILE [PAIRS]",
                     "Read lines of `user item` from the file PAIRS, or from standard input where "
                     "it is - or left out; print user, item, predicted rating, and the title "
                     "where it is known, tabs between. Ratings are cut to the range of the "
                     "training ratings. A model trained for ranking gives a score: the higher, "
                     "the more the user may like it.",
                     table, sizeof table / sizeof *table, "PAIRS"};
    int status;
    if (!parse_options(&u, 1, argc, argv, &path, &status))
        return status;
    recommender r;
    asked a;
    if (recommender_load(&r, load) != TG_OK)
        return say_last_error();
    if (asked_read_pairs(&a, &r, path ? path : "-") != TG_OK || predict(&a, &r, as_json) != TG_OK)
        status = say_last_error();
    asked_release(&a);
    recommender_release(&r);
    return status;
}
