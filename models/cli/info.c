/* ncf info: what is in a model file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/history.h"
#include "models/cli/json_text.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/recommender.h"
#include "models/cli/titles.h"

static void print_history(const recommender *r)
{
    enum { WIDTH = 10, MAX_COLUMNS = 16 };
    char name[HISTORY_NAME];
    int width[MAX_COLUMNS], columns = 0;
    printf("\nepoch");
    const char *rest = r->history_columns;
    while (columns < MAX_COLUMNS && history_next(&rest, name)) {
        const int length = (int)strlen(name);
        width[columns] = length > WIDTH ? length : WIDTH;
        printf("  %*s", width[columns++], name);
    }
    putchar('\n');
    for (int64_t epoch = 0; epoch < tg_size(r->history, 0); epoch++) {
        printf("%5lld", (long long)epoch + 1);
        for (int c = 0; c < columns; c++)
            printf("  %*.4f", width[c], tg_get(r->history, epoch, c));
        putchar('\n');
    }
}

static void print_text(const recommender *r)
{
    char layers[LAYERS_TEXT];
    format_layers(&r->options, layers);
    printf("model     %s%s, %lld factors%s%s, dropout %g, %lld parameters\n", r->model->name,
           r->model->has_biases ? " with biases" : "", (long long)r->options.factors,
           *layers ? ", layers " : "", layers, r->options.dropout,
           (long long)tg_module_parameter_count(r->module));
    if (r->task == TASK_RATING)
        printf("task      rating: predicts ratings of %g to %g, mean %.4f%s\n", r->rating_low,
               r->rating_high, r->rating_mean, r->clamp ? "; clamped when measured" : "");
    else
        printf("task      ranking: gives scores, of which only the order means something\n");
    printf("data      %lld users, %lld items, %lld training ratings\n", (long long)r->users.count,
           (long long)r->items.count, (long long)tg_numel(r->seen_item));
    printf("titles    of %lld items, genres of %lld\n",
           (long long)titles_known(r->titles, r->items.count),
           (long long)titles_known(r->genres, r->items.count));
    if (r->settings)
        printf("made by   ncf train %s\n", r->settings + strspn(r->settings, " "));
    if (r->history)
        print_history(r);
}

static void json_history(json *j, const recommender *r)
{
    char name[HISTORY_NAME];
    const char *rest = r->history_columns;
    json_object(j, "history");
    for (int64_t c = 0; history_next(&rest, name); c++) {
        json_list(j, name);
        for (int64_t epoch = 0; epoch < tg_size(r->history, 0); epoch++)
            json_number(j, NULL, tg_get(r->history, epoch, c));
        json_close(j);
    }
    json_close(j);
}

static void print_json(const recommender *r)
{
    char layers[LAYERS_TEXT];
    json j = json_begin(stdout);
    json_string(&j, "model", r->model->name);
    json_integer(&j, "factors", r->options.factors);
    if (*format_layers(&r->options, layers))
        json_string(&j, "layers", layers);
    json_boolean(&j, "biases", r->model->has_biases);
    json_number(&j, "dropout", r->options.dropout);
    json_integer(&j, "parameters", tg_module_parameter_count(r->module));
    json_string(&j, "task", r->task == TASK_RATING ? "rating" : "ranking");
    json_number(&j, "rating_mean", r->rating_mean);
    json_number(&j, "rating_low", r->rating_low);
    json_number(&j, "rating_high", r->rating_high);
    json_boolean(&j, "clamp", r->clamp);
    json_integer(&j, "users", r->users.count);
    json_integer(&j, "items", r->items.count);
    json_integer(&j, "ratings", tg_numel(r->seen_item));
    json_integer(&j, "titles", titles_known(r->titles, r->items.count));
    json_integer(&j, "genres", titles_known(r->genres, r->items.count));
    if (r->settings)
        json_string(&j, "settings", r->settings + strspn(r->settings, " "));
    if (r->history)
        json_history(&j, r);
    json_end(&j);
}

int info_command(int argc, char **argv)
{
    const char *load = NULL, *path = NULL;
    bool as_json = false;
    const option table[] = {
        {"load", OPTION_INPUT, &load, "FILE",
         "the same as FILE: the model, as saved by train --save", 0, 0},
        {"json", OPTION_FLAG, &as_json, NULL, "print a JSON object", 0, 0},
    };
    const usage u = {"info", "ncf info FILE [--json]",
                     "Print what a model is, what it was trained on and how, and how that went.",
                     table, sizeof table / sizeof *table, "FILE"};
    int status;
    if (!parse_options(&u, 0, argc, argv, &path, &status))
        return status;
    if (!load == !path)
        return usage_error("info", "info needs one FILE");
    load = load ? load : path;
    recommender r;
    if (recommender_load(&r, load) != TG_OK)
        return say_last_error();
    if (as_json)
        print_json(&r);
    else
        print_text(&r);
    recommender_release(&r);
    return status;
}
