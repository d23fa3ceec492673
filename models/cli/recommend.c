/* ncf recommend: the items that a saved model thinks best for a user, known to it or new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/asked.h"
#include "models/cli/cli.h"
#include "models/cli/fold_in.h"
#include "models/cli/messages.h"
#include "models/cli/names.h"
#include "models/cli/options.h"
#include "models/scorer.h"

typedef struct settings {
    const char *load, *user, *users, *ratings;
    int64_t n, min_ratings;
    bool include_seen, as_json;
} settings;

typedef struct shop {
    const settings *set;
    const recommender *r;
    int64_t *counts; /* (items): training ratings */
    float *score;    /* (items) */
    scored *top;     /* (n) */
} shop;

/* ---- one user -------------------------------------------------------------------------------- */

/* From s->score of a user who has rated `seen`. */
static void print_best(const shop *s, const char *user, seen_items seen)
{
    const recommender *r = s->r;
    const seen_items without = s->set->include_seen ? (seen_items){0} : seen;
    const int64_t count = best_items(r, s->score, without, s->counts, s->set->min_ratings,
                                     s->set->n, s->top);
    if (s->set->as_json) {
        json j = json_begin(stdout);
        json_string(&j, "user", user);
        json_items(&j, "items", r, s->top, count);
        json_end(&j);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        printf("%s\t", user);
        print_item(r, s->top[i]);
    }
}

/* ---- users of the model ---------------------------------------------------------------------- */

static void recommend_to(const shop *s, const scorer *all, int64_t user)
{
    scorer_score(all, user, s->score);
    print_best(s, tg_ids_name(&s->r->users, user), recommender_seen(s->r, user));
}

/* The users of a file, an id a line. */
static tg_status recommend_to_file(const shop *s, const scorer *all)
{
    tg_lines *in = tg_lines_open(s->set->users, "the id of a user a line");
    tg_status status = in ? TG_OK : tg_last_error()->status;
    int64_t count = 0, unknown = 0;
    char *line, first[64] = "";
    while (status == TG_OK && (status = tg_lines_next(in, &line)) == TG_OK && line) {
        line[strcspn(line, "\t")] = '\0';
        const int64_t user = tg_ids_find(&s->r->users, line);
        count++;
        if (user >= 0)
            recommend_to(s, all, user);
        else if (unknown++ == 0)
            snprintf(first, sizeof first, "%s", line);
    }
    tg_lines_close(in);
    if (status == TG_OK && unknown)
        say("%s: %lld of %lld users are not known to the model (first: %s); nothing is recommended "
            "to them", s->set->users, (long long)unknown, (long long)count, first);
    return status;
}

static tg_status recommend_to_known(const shop *s)
{
    const settings *set = s->set;
    scorer *all = scorer_new(s->r->model, s->r->module);
    tg_status status = all ? TG_OK : tg_failure(TG_ENOMEM, "no memory to score all items");
    if (all && set->user)
        recommend_to(s, all, tg_ids_find(&s->r->users, set->user));
    else if (all && strcmp(set->users, "all") == 0)
        for (int64_t user = 0; user < s->r->users.count; user++)
            recommend_to(s, all, user);
    else if (all)
        status = recommend_to_file(s, all);
    scorer_free(all);
    return status;
}

/* ---- new users ------------------------------------------------------------------------------- */

/* A row of the file: the file's number of the user, the model's of the item. */
typedef struct row {
    int64_t user, item, number;
} row;

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    const int64_t d = x->user != y->user ? x->user - y->user
                      : x->item != y->item ? x->item - y->item
                                           : x->number - y->number;
    return (d > 0) - (d < 0);
}

static tg_status fold_in_user(const shop *s, fold_in *f, const char *user, seen_items ratings)
{
    fitted how;
    tg_status status = fold_in_fit(f, ratings, &how);
    if (status == TG_OK)
        status = user_model_score(&f->user, s->score);
    if (status != TG_OK)
        return status;
    fprintf(stderr,
            "user %s: fitted to %lld ratings in %d steps: %s %.4f, for a typical user %.4f\n", user,
            (long long)ratings.count, how.steps, how.measure, how.after, how.before);
    print_best(s, user, ratings);
    return TG_OK;
}

/* Rows (count) in order, one user behind the other; item and rating (count) are scratch. */
static tg_status fold_in_rows(const shop *s, const asked *a, const row *rows, int64_t count,
                              int64_t *item, float *rating)
{
    const float *given = tg_dataset_rows(&a->rows, TG_RATING);
    fold_in f;
    tg_status status = fold_in_init(&f, s->r);
    int64_t n = 0;
    for (int64_t i = 0; i < count && status == TG_OK; i++) {
        if (i + 1 < count && rows[i + 1].user == rows[i].user && rows[i + 1].item == rows[i].item)
            continue; /* rated again: the last one holds */
        item[n] = rows[i].item;
        rating[n++] = given[rows[i].number];
        if (i + 1 < count && rows[i + 1].user == rows[i].user)
            continue;
        status = fold_in_user(s, &f, tg_ids_name(&a->users, rows[i].user),
                              (seen_items){n, item, rating});
        n = 0;
    }
    fold_in_release(&f);
    return status;
}

static tg_status fold_in_file(const shop *s, const asked *a)
{
    const int64_t *user = tg_dataset_rows(&a->rows, TG_USER);
    const size_t room = (size_t)a->rows.count + 1;
    row *rows = malloc(room * sizeof *rows);
    int64_t *item = malloc(room * sizeof *item), count = 0;
    float *rating = malloc(room * sizeof *rating);
    tg_status status = TG_ENOMEM;
    for (int64_t i = 0; rows && i < a->rows.count; i++)
        if (asked_get(a, i).item >= 0)
            rows[count++] = (row){user[i], asked_get(a, i).item, i};
    if (count < a->rows.count && rows)
        say("%s: %lld of %lld ratings are of items that the model does not know; they are left out",
            s->set->ratings, (long long)(a->rows.count - count), (long long)a->rows.count);
    if (!rows || !item || !rating) {
        tg_failure(status, "no memory for %lld ratings", (long long)a->rows.count);
    } else if (!count) {
        status = tg_failure(TG_EFORMAT, "%s: no rating of an item of the model; expected some",
                            s->set->ratings);
    } else {
        qsort(rows, (size_t)count, sizeof *rows, compare_rows);
        status = fold_in_rows(s, a, rows, count, item, rating);
    }
    free(rows);
    free(item);
    free(rating);
    return status;
}

static tg_status recommend_to_new(const shop *s)
{
    asked a;
    tg_status status = asked_read_ratings(&a, s->r, s->set->ratings);
    if (status == TG_OK) {
        status = fold_in_file(s, &a);
        asked_release(&a);
    }
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static tg_status recommend(const settings *set, const recommender *r)
{
    const size_t items = (size_t)r->items.count;
    const size_t n = set->n < r->items.count ? (size_t)set->n : items;
    settings fitting = *set;
    fitting.n = (int64_t)n;
    shop s = {.set = &fitting,
              .r = r,
              .counts = item_counts(r),
              .score = malloc(items * sizeof *s.score),
              .top = malloc(n * sizeof *s.top)};
    tg_status status = TG_ENOMEM;
    if (s.counts && s.score && s.top)
        status = set->ratings ? recommend_to_new(&s) : recommend_to_known(&s);
    else
        tg_failure(status, "no memory for the scores of %zu items", items);
    free(s.counts);
    free(s.score);
    free(s.top);
    return status;
}

int recommend_command(int argc, char **argv)
{
    settings s = {.n = 10, .min_ratings = 1};
    const option table[] = {
        {"load", OPTION_INPUT, &s.load, "FILE", "the model, as saved by train --save", 0, 0},
        {"user", OPTION_TEXT, &s.user, "ID", "for this user", 0, 0},
        {"users", OPTION_TEXT, &s.users, "all|FILE", "for all users, or those of a file, an id a "
         "line", 0, 0},
        {"ratings", OPTION_INPUT, &s.ratings, "FILE",
         "for the users of a file of ratings, which the model need not know", 0, 0},
        {"n", OPTION_INT, &s.n, "N", "items a user", 1, 1e9},
        {"min-ratings", OPTION_INT, &s.min_ratings, "N",
         "items with at least N training ratings", 0, 1e9},
        {"include-seen", OPTION_FLAG, &s.include_seen, NULL,
         "items that the user has rated, too", 0, 0},
        {"json", OPTION_FLAG, &s.as_json, NULL, "print a JSON object a user, each in a line", 0, 0},
    };
    const usage u = {"recommend", "ncf recommend --load FILE --user ID [OPTION...]",
                     "Print the best items for a user: user, item, predicted rating or score, and "
                     "the title where it is known, tabs between. Ratings are cut to the range of "
                     "the training ratings, in the order of what they were before. Users of "
                     "--ratings are fitted to their ratings there, without changing the model.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 1, argc, argv, NULL, &status))
        return status;
    if (!!s.user + !!s.users + !!s.ratings != 1)
        return usage_error("recommend", "recommend needs one of --user ID, --users all|FILE and "
                           "--ratings FILE");
    recommender r;
    if (recommender_load(&r, s.load) != TG_OK)
        return say_last_error();
    if (s.user && find_user(&r, s.user) < 0)
        status = EXIT_FAILED;
    else if (recommend(&s, &r) != TG_OK)
        status = say_last_error();
    recommender_release(&r);
    return status;
}
