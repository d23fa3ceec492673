/* ncf evaluate: how good a saved model is, beside what needs no model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/comparison.h"
#include "models/cli/json_text.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/terminal.h"

typedef struct settings {
    const char *load, *test, *ranking, *negatives_file, *at;
    int64_t negatives, seed, threads;
    double relevant;
    bool as_json;
    int64_t cut[MAX_CUTS];
    int cuts;
} settings;

typedef struct results {
    bool has_errors, has_ranking;
    int64_t ratings, unknown; /* of the test file */
    errors errors[PREDICTORS];
    int64_t lists;
    evaluation model, popularity;
} results;

/* ---- options --------------------------------------------------------------------------------- */

/* "5,10,20": rising numbers of at least 1. */
static bool read_cuts(settings *s)
{
    const char *text = s->at;
    for (s->cuts = 0; s->cuts < MAX_CUTS; text++) {
        char *end;
        const long long k = strtoll(text, &end, 10);
        const int64_t before = s->cuts ? s->cut[s->cuts - 1] : 0;
        if (end == text || k <= before || k > 1000000)
            return false;
        s->cut[s->cuts++] = k;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end;
    }
    return false;
}

static int check_settings(settings *s)
{
    if (!s->ranking)
        s->ranking = s->negatives_file ? "sampled" : "full";
    const bool is_sampled = strcmp(s->ranking, "sampled") == 0;
    if (s->negatives_file && !is_sampled)
        return usage_error("evaluate", "--negatives-file is for --ranking sampled, not for %s",
                           s->ranking);
    if (!s->test && !s->negatives_file)
        return usage_error("evaluate", "evaluate needs --test FILE, or --negatives-file FILE");
    if (!read_cuts(s))
        return usage_error("evaluate", "--at '%s': expected up to %d rising numbers with commas "
                           "between", s->at, MAX_CUTS);
    return EXIT_DONE;
}

/* ---- ranking --------------------------------------------------------------------------------- */

static tg_status read_lists(const settings *s, const recommender *r, test_lists *lists)
{
    left_out out;
    const tg_status status = test_lists_read(r, s->negatives_file, lists, &out);
    if (status == TG_OK && out.lists)
        say("%s: %lld of %lld lines are of a user or an item that the model does not know; they "
            "are left out", s->negatives_file, (long long)out.lists, (long long)out.all_lists);
    if (status == TG_OK && out.negatives)
        say("%s: %lld of %lld items to rank among are not known to the model; they are left out",
            s->negatives_file, (long long)out.negatives, (long long)out.all_negatives);
    return status;
}

static tg_status make_lists(const settings *s, const recommender *r, const asked *test,
                            test_lists *lists)
{
    if (s->negatives_file)
        return read_lists(s, r, lists);
    tg_status status = test_lists_full(test, s->relevant, lists);
    if (status != TG_OK || strcmp(s->ranking, "full") == 0)
        return status;
    test_lists full = *lists;
    status = test_lists_draw(r, &full, NULL, s->negatives, (uint64_t)s->seed, lists);
    test_lists_release(&full);
    return status;
}

static tg_status measure_ranking(const settings *s, const recommender *r, const asked *test,
                                 const baselines *b, results *out)
{
    test_lists lists;
    tg_status status = make_lists(s, r, test, &lists);
    if (status != TG_OK)
        return status;
    out->lists = lists.user.count;
    if (!out->lists)
        status = tg_failure(TG_EFORMAT, "%s: nothing to rank; expected items, of users and items "
                            "that the model knows%s",
                            s->negatives_file ? s->negatives_file : s->test,
                            isfinite(s->relevant) ? ", rated as --relevant says" : "");
    if (status == TG_OK)
        status = compare_rankings(r, &lists, b, s->cut, s->cuts, &out->model, &out->popularity);
    out->has_ranking = status == TG_OK;
    test_lists_release(&lists);
    return status;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void print_errors(const results *out, const char *model)
{
    const char *const names[PREDICTORS] = {"mean training rating", "user and item biases", model};
    printf("%-24s %8s  %8s   %lld test ratings\n", "rating prediction", "MAE", "RMSE",
           (long long)out->ratings);
    for (int i = PREDICTORS - 1; i >= 0; i--)
        printf("%-24s %8.4f  %8.4f\n", names[i], out->errors[i].mae, out->errors[i].rmse);
}

/* The width of a column of numbers under a name. */
static int width_of(const char *name)
{
    const int length = (int)strlen(name);
    return length < 6 ? 6 : length;
}

static void print_evaluation(const settings *s, const char *name, const evaluation *e,
                             bool has_coverage)
{
    for (int i = 0; i < s->cuts; i++) {
        printf("%-12s %4lld", i ? "" : name, (long long)s->cut[i]);
        for (int m = 0; m < METRICS; m++)
            printf(" %*.4f", width_of(metric_names[m]), e->metric[i][m]);
        if (has_coverage)
            printf(" %*.4f", width_of("coverage"), e->coverage[i]);
        if (i == 0)
            printf(" %*.4f", width_of("AUC"), e->area);
        putchar('\n');
    }
}

static void print_ranking(const settings *s, const results *out, const char *model)
{
    const bool is_full = strcmp(s->ranking, "full") == 0;
    char text[256];
    if (is_full)
        snprintf(text, sizeof text, "full ranking: the test items of %lld users, each user's among "
                 "all that the user has not rated in training, %.1f on average",
                 (long long)out->lists, out->model.length);
    else
        snprintf(text, sizeof text, "sampled ranking: %lld test items, each among %s items, %.1f "
                 "on average with it; not to be compared with full ranking", (long long)out->lists,
                 s->negatives_file ? "the file's" : "random", out->model.length);
    print_wrapped(text, 0, 0);
    printf("%-12s %4s", "", "k");
    for (int m = 0; m < METRICS; m++)
        printf(" %*s", width_of(metric_names[m]), metric_names[m]);
    printf("%s %*s\n", is_full ? " coverage" : "", width_of("AUC"), "AUC");
    print_evaluation(s, model, &out->model, is_full);
    print_evaluation(s, "popularity", &out->popularity, is_full);
}

static void json_errors(json *j, const char *key, errors e)
{
    json_object(j, key);
    json_number(j, "mae", e.mae);
    json_number(j, "rmse", e.rmse);
    json_close(j);
}

static void json_evaluation(json *j, const char *key, const settings *s, const evaluation *e)
{
    json_object(j, key);
    json_number(j, "auc", e->area);
    json_list(j, "at");
    for (int i = 0; i < s->cuts; i++) {
        json_object(j, NULL);
        json_integer(j, "k", s->cut[i]);
        for (int m = 0; m < METRICS; m++)
            json_number(j, metric_names[m], e->metric[i][m]);
        if (strcmp(s->ranking, "full") == 0)
            json_number(j, "coverage", e->coverage[i]);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void print_json(const settings *s, const recommender *r, const results *out)
{
    json j = json_begin(stdout);
    json_string(&j, "model", r->model->name);
    if (out->has_errors) {
        json_object(&j, "errors");
        json_integer(&j, "ratings", out->ratings);
        json_integer(&j, "unknown", out->unknown);
        json_errors(&j, "model", out->errors[MODEL]);
        json_errors(&j, "biases", out->errors[BIASES]);
        json_errors(&j, "mean", out->errors[MEAN_RATING]);
        json_close(&j);
    }
    if (out->has_ranking) {
        json_object(&j, "ranking");
        json_string(&j, "kind", s->ranking);
        json_integer(&j, "lists", out->lists);
        json_number(&j, "mean_length", out->model.length);
        json_evaluation(&j, "model", s, &out->model);
        json_evaluation(&j, "popularity", s, &out->popularity);
        json_close(&j);
    }
    json_end(&j);
}

static void print_results(const settings *s, const recommender *r, const results *out)
{
    if (s->as_json) {
        print_json(s, r, out);
        return;
    }
    if (out->has_errors)
        print_errors(out, r->model->name);
    if (out->has_errors && out->has_ranking)
        putchar('\n');
    if (out->has_ranking)
        print_ranking(s, out, r->model->name);
}

/* ---- the command ----------------------------------------------------------------------------- */

static tg_status evaluate(const settings *s, const recommender *r, const asked *test)
{
    results out = {.ratings = test->rows.count};
    const bool is_ranked = strcmp(s->ranking, "none") != 0;
    baselines b;
    tg_status status = baselines_make(r, &b);
    if (status != TG_OK)
        return status;
    if (s->test)
        out.unknown = asked_say_unknown(test, r, is_ranked ? "; left out of the ranking" : "");
    out.has_errors = s->test && r->task == TASK_RATING;
    if (out.has_errors)
        status = compare_errors(r, test, &b, out.errors);
    if (status == TG_OK && is_ranked)
        status = measure_ranking(s, r, test, &b, &out);
    if (status == TG_OK)
        print_results(s, r, &out);
    baselines_release(&b);
    return status;
}

int evaluate_command(int argc, char **argv)
{
    settings s = {.at = "5,10,20", .negatives = 99, .seed = 10, .relevant = -INFINITY};
    const option table[] = {
        {"load", OPTION_INPUT, &s.load, "FILE", "the model, as saved by train --save", 0, 0},
        {"test", OPTION_INPUT, &s.test, "FILE", "ratings to test on, in any format of train", 0, 0},
        {"ranking", OPTION_CHOICE, &s.ranking, "full|sampled|none",
         "among all items that the user has not rated, or among some, those of a file or drawn "
         "ones [full]", 0, 0},
        {"negatives-file", OPTION_INPUT, &s.negatives_file, "FILE",
         "of sampled: lines of (user,item) and items to rank it among, tabs between", 0, 0},
        {"negatives", OPTION_INT, &s.negatives, "N",
         "of sampled: items to draw for each test item", 1, 1e6},
        {"seed", OPTION_INT, &s.seed, "N", "of the drawing", 0, 1e15},
        {"relevant", OPTION_REAL, &s.relevant, "X",
         "what users go for are test ratings from X on", -INFINITY, 1e30},
        {"at", OPTION_TEXT, &s.at, "LIST", "metrics of the first k items, for each k", 0, 0},
        {"threads", OPTION_INT, &s.threads, "N", "0: one a physical core", 0, 1024},
        {"json", OPTION_FLAG, &s.as_json, NULL, "print the results as JSON", 0, 0},
    };
    const usage u = {"evaluate", "ncf evaluate --load FILE --test FILE [OPTION...]",
                     "Say how well a model predicts test ratings, and where it ranks what users "
                     "went for; beside it stand predictors that need no model.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 1, argc, argv, NULL, &status))
        return status;
    status = check_settings(&s);
    if (status != EXIT_DONE)
        return status;
    tg_set_num_threads((int)s.threads);
    recommender r;
    asked test = {0};
    if (recommender_load(&r, s.load) != TG_OK)
        return say_last_error();
    tg_module_train(r.module, false);
    if ((s.test && asked_read_ratings(&test, &r, s.test) != TG_OK) ||
        evaluate(&s, &r, &test) != TG_OK)
        status = say_last_error();
    asked_release(&test);
    recommender_release(&r);
    return status;
}
