/* ncf explain: which of a user's own ratings carried a prediction. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/cli/cli.h"
#include "models/cli/fold_in.h"
#include "models/cli/messages.h"
#include "models/cli/names.h"
#include "models/cli/options.h"

typedef struct explanation {
    const recommender *r;
    int64_t user, item, shown;
    seen_items seen;
    double *part;      /* (seen.count): what each rating adds */
    scored *top;       /* (shown): those of largest size, .item counts the user's ratings */
    double prediction; /* not cut to the range */
    double base, others, rest;
} explanation;

static tg_status predict_one(const recommender *r, int64_t user, int64_t item, double *prediction)
{
    recommender uncut = *r;
    float value;
    uncut.clamp = false;
    tg_dataset pair = tg_dataset_of(tg_owned(TG_I64, 1), tg_owned(TG_I64, 1));
    *(int64_t *)tg_dataset_rows(&pair, TG_USER) = user;
    *(int64_t *)tg_dataset_rows(&pair, TG_ITEM) = item;
    recommender_predict(&uncut, &pair, &value);
    tg_dataset_release(&pair);
    *prediction = (double)value;
    return TG_OK;
}

/* The parts of largest size, and the sums of the others and of what is left to the prediction. */
static void summarise(explanation *e, float *size)
{
    e->rest = e->prediction - e->base;
    for (int64_t i = 0; i < e->seen.count; i++) {
        size[i] = (float)fabs(e->part[i]);
        e->others += e->part[i];
        e->rest -= e->part[i];
    }
    e->shown = top_items(size, e->seen.count, e->shown, e->top);
    for (int64_t i = 0; i < e->shown; i++)
        e->others -= e->part[e->top[i].item];
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_text(const explanation *e)
{
    const recommender *r = e->r;
    printf("%9.4f  user %s, item %s: %s\n", e->prediction, tg_ids_name(&r->users, e->user),
           tg_ids_name(&r->items, e->item), item_name(r, e->item));
    printf("%9.4f  for a typical user\n", e->base);
    for (int64_t i = 0; i < e->shown; i++) {
        const int64_t row = e->top[i].item;
        printf("%+9.4f  for the rating %g of %s\n", e->part[row], (double)e->seen.rating[row],
               item_name(r, e->seen.item[row]));
    }
    if (e->seen.count > e->shown)
        printf("%+9.4f  for %lld other ratings\n", e->others,
               (long long)(e->seen.count - e->shown));
    printf("%+9.4f  not explained\n", e->rest);
}

static void print_json(const explanation *e)
{
    json j = json_begin(stdout);
    json_string(&j, "user", tg_ids_name(&e->r->users, e->user));
    json_item(&j, e->r, e->item);
    json_number(&j, "prediction", e->prediction);
    json_number(&j, "typical", e->base);
    json_list(&j, "ratings");
    for (int64_t i = 0; i < e->shown; i++) {
        const int64_t row = e->top[i].item;
        json_object(&j, NULL);
        json_item(&j, e->r, e->seen.item[row]);
        json_number(&j, "rating", (double)e->seen.rating[row]);
        json_number(&j, "adds", e->part[row]);
        json_close(&j);
    }
    json_close(&j);
    json_number(&j, "others", e->others);
    json_number(&j, "unexplained", e->rest);
    json_end(&j);
}

/* ---- the command ----------------------------------------------------------------------------- */

static tg_status fill(explanation *e)
{
    fold_in f;
    tg_status status = fold_in_init(&f, e->r);
    if (status == TG_OK) {
        user_model_take(&f.user, e->user);
        status = fold_in_explain(&f, e->seen, e->item, e->part, &e->base);
        fold_in_release(&f);
    }
    return status == TG_OK ? predict_one(e->r, e->user, e->item, &e->prediction) : status;
}

static tg_status explain(const recommender *r, int64_t user, int64_t item, int64_t n, bool as_json)
{
    explanation e = {.r = r, .user = user, .item = item, .seen = recommender_seen(r, user)};
    const size_t count = (size_t)e.seen.count + 1;
    e.shown = n < e.seen.count ? n : e.seen.count;
    e.part = malloc(count * sizeof *e.part);
    e.top = malloc(count * sizeof *e.top);
    float *size = malloc(count * sizeof *size);
    tg_status status = e.part && e.top && size
                           ? fill(&e)
                           : tg_failure(TG_ENOMEM, "no memory for %zu ratings", count);
    if (status == TG_OK) {
        summarise(&e, size);
        if (as_json)
            print_json(&e);
        else
            print_text(&e);
    }
    free(e.part);
    free(e.top);
    free(size);
    return status;
}

static int find_and_explain(const recommender *r, const char *user_id, const char *text, int64_t n,
                            bool as_json)
{
    const int64_t user = find_user(r, user_id), item = user < 0 ? -1 : find_item(r, text);
    if (item < 0)
        return EXIT_FAILED;
    if (recommender_seen(r, user).count == 0) {
        say("user '%s': no training ratings in the model; expected some to explain by", user_id);
        return EXIT_FAILED;
    }
    return explain(r, user, item, n, as_json) == TG_OK ? EXIT_DONE : say_last_error();
}

int explain_command(int argc, char **argv)
{
    const char *load = NULL, *user = NULL, *item = NULL;
    int64_t n = 10;
    bool as_json = false;
    const option table[] = {
        {"load", OPTION_INPUT, &load, "FILE", "the model, as saved by train --save", 0, 0},
        {"user", OPTION_TEXT, &user, "ID", "a user of the model", 0, 0},
        {"item", OPTION_TEXT, &item, "ID|TITLE", "an id, a title, or a part of one", 0, 0},
        {"n", OPTION_INT, &n, "N", "ratings to show, those that did most", 1, 1e9},
        {"json", OPTION_FLAG, &as_json, NULL, "print a JSON object", 0, 0},
    };
    const usage u = {"explain", "ncf explain --load FILE --user ID --item ID|TITLE [OPTION...]",
                     "Say what each of a user's training ratings adds to a prediction, in units of "
                     "it. The model is taken as linear in the user's vector near where it is, and "
                     "the vector as the most likely one given the ratings: then a prediction is "
                     "that for a typical user, and for each rating a weight times what sets it "
                     "apart from a typical user's (Hu, Koren and Volinsky 2008, section 5). What "
                     "that leaves of the prediction is shown as not explained.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 3, argc, argv, NULL, &status))
        return status;
    recommender r;
    if (recommender_load(&r, load) != TG_OK)
        return say_last_error();
    status = find_and_explain(&r, user, item, n, as_json);
    recommender_release(&r);
    return status;
}
