/* ncf report: a saved model as one HTML page. */
#include <stdlib.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/names.h"
#include "models/cli/options.h"
#include "models/cli/output.h"
#include "models/cli/pictures.h"
#include "models/cli/report_parts.h"

typedef struct settings {
    const char *load, *out, *test, *method;
    texts user;
    int64_t users, min_ratings, seed, threads;
} settings;

typedef struct sample {
    int count;
    int64_t user[TEXTS_LIMIT];
} sample;

/* ---- users to show --------------------------------------------------------------------------- */

/* Drawn from those with training ratings: each set of so many is as likely as any other. */
static void draw_users(sample *s, const recommender *r, int64_t wanted, uint64_t seed)
{
    tg_rng rng = {.seed = seed};
    int64_t left = 0;
    for (int64_t u = 0; u < r->users.count; u++)
        left += recommender_seen(r, u).count > 0;
    for (int64_t u = 0; u < r->users.count; u++) {
        if (recommender_seen(r, u).count == 0)
            continue;
        if ((int64_t)tg_rng_below(&rng, (uint64_t)left--) < wanted - s->count)
            s->user[s->count++] = u;
    }
}

/* An exit status. */
static int find_users(sample *s, const recommender *r, const texts *ids)
{
    for (; s->count < ids->count; s->count++) {
        s->user[s->count] = find_user(r, ids->text[s->count]);
        if (s->user[s->count] < 0)
            return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* ---- the page -------------------------------------------------------------------------------- */

typedef struct parts {
    report_results results;
    history_curves curves;
    vector_map map;
    report_users users;
    report_texts texts;
} parts;

/* The map comes last: it may take minutes. */
static tg_status make_parts(parts *p, const settings *s, const recommender *r, const asked *test,
                            const sample *shown)
{
    const map_options drawn = {SIDE_ITEM, s->method, s->min_ratings, (uint64_t)s->seed};
    tg_status status = TG_OK;
    if (s->test)
        status = report_results_test(&p->results, r, test, s->test);
    else
        report_results_history(&p->results, r);
    if (status == TG_OK)
        status = report_texts_make(&p->texts, r, p->results.note);
    if (status == TG_OK)
        status = history_curves_make(&p->curves, r);
    if (status == TG_OK)
        status = report_users_make(&p->users, r, shown->user, shown->count);
    return status == TG_OK ? vector_map_make(&p->map, r, drawn) : status;
}

static void release_parts(parts *p)
{
    history_curves_release(&p->curves);
    vector_map_release(&p->map);
    report_users_release(&p->users);
    report_texts_release(&p->texts);
}

static int write_page(FILE *file, const void *context)
{
    const parts *p = context;
    return page_write(file, &(page){
        .title = p->texts.title, .summary = p->texts.summary,
        .metrics = p->results.metrics, .results = p->results.results,
        .metric = p->results.metric, .result = p->results.result,
        .curves = p->curves.curves, .map = p->map.map,
        .users = p->users.count, .user = p->users.user,
        .settings = p->texts.settings, .setting = p->texts.setting});
}

static int report(const settings *s, const recommender *r, const asked *test)
{
    sample shown = {0};
    int status = EXIT_DONE;
    if (s->user.count)
        status = find_users(&shown, r, &s->user);
    else
        draw_users(&shown, r, s->users, (uint64_t)s->seed);
    if (status != EXIT_DONE)
        return status;
    if (s->test)
        asked_say_unknown(test, r, "; left out of the ranking");
    parts p = {0};
    status = make_parts(&p, s, r, test, &shown) == TG_OK ? output_write(s->out, write_page, &p)
                                                         : say_last_error();
    if (status == EXIT_DONE && p.map.map.count == 0)
        say("%s: no item has %lld training ratings: the page has no map; a smaller --min-ratings "
            "gives one", s->load, (long long)s->min_ratings);
    release_parts(&p);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(const settings *s)
{
    recommender r;
    asked test = {0};
    if (recommender_load(&r, s->load) != TG_OK)
        return say_last_error();
    const bool is_read = !s->test || asked_read_ratings(&test, &r, s->test) == TG_OK;
    const int status = is_read ? report(s, &r, &test) : say_last_error();
    asked_release(&test);
    recommender_release(&r);
    return status;
}

int report_command(int argc, char **argv)
{
    settings s = {.method = "tsne", .users = 6, .min_ratings = MAP_MIN_RATINGS, .seed = 10};
    const option table[] = {
        {"load", OPTION_INPUT, &s.load, "FILE", "the model, as saved by train --save", 0, 0},
        {"out", OPTION_OUTPUT, &s.out, "FILE", "where to; - is standard output", 0, 0},
        {"test", OPTION_INPUT, &s.test, "FILE",
         "ratings to test on; without it, what training noted", 0, 0},
        {"users", OPTION_INT, &s.users, "N", "users to show, a sample", 0, TEXTS_LIMIT},
        {"user", OPTION_TEXTS, &s.user, "ID", "this user instead; again for each further one", 0,
         0},
        {"method", OPTION_CHOICE, &s.method, "tsne|pca", "of the map", 0, 0},
        {"min-ratings", OPTION_INT, &s.min_ratings, "N",
         "on the map: items with at least N training ratings", 0, 1e9},
        {"seed", OPTION_INT, &s.seed, "N", "of the sample, and of t-SNE", 0, 1e15},
        {"threads", OPTION_INT, &s.threads, "N", "0: one a physical core", 0, 1024},
    };
    const usage u = {"report", "ncf report --load FILE --out FILE.html [OPTION...]",
                     "Write one HTML page, which needs nothing else: results beside baselines, "
                     "learning curves, a map of the items to search, recommendations for some "
                     "users, settings.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 2, argc, argv, NULL, &status))
        return status;
    tg_set_num_threads((int)s.threads);
    return run(&s);
}
