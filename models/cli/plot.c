/* ncf plot: a saved model's learning curves, or the map of its vectors, as SVG. */
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/output.h"
#include "models/cli/pictures.h"

typedef struct settings {
    const char *load, *what, *of, *method, *out;
    int64_t min_ratings, seed, threads;
} settings;

static int check_settings(settings *s)
{
    if ((s->of || s->method) && strcmp(s->what, "embeddings") != 0)
        return usage_error("plot", "%s is for --what embeddings, not for %s",
                           s->of ? "--of" : "--method", s->what);
    s->of = s->of ? s->of : "item";
    s->method = s->method ? s->method : "tsne";
    return EXIT_DONE;
}

static int write_curves(FILE *file, const void *curves)
{
    return svg_write_curves(file, curves);
}

static int plot_curves(const settings *s, const recommender *r)
{
    history_curves h;
    if (history_curves_make(&h, r) != TG_OK)
        return say_last_error();
    int status = EXIT_FAILED;
    if (h.curves.count == 0)
        say("%s: no history in the model; expected one that ncf train saved", s->load);
    else
        status = output_write(s->out, write_curves, &h.curves);
    history_curves_release(&h);
    return status;
}

static int write_map(FILE *file, const void *map)
{
    return svg_write_map(file, map);
}

static int plot_map(const settings *s, const recommender *r)
{
    const map_options o = {.side = strcmp(s->of, "user") == 0 ? SIDE_USER : SIDE_ITEM,
                           .method = s->method,
                           .min_ratings = s->min_ratings,
                           .seed = (uint64_t)s->seed};
    vector_map m;
    if (vector_map_make(&m, r, o) != TG_OK)
        return say_last_error();
    int status = EXIT_FAILED;
    if (m.map.count == 0)
        say("%s: no %s has %lld training ratings; expected a smaller --min-ratings", s->load, s->of,
            (long long)s->min_ratings);
    else
        status = output_write(s->out, write_map, &m.map);
    vector_map_release(&m);
    return status;
}

int plot_command(int argc, char **argv)
{
    settings s = {.what = "curves", .min_ratings = MAP_MIN_RATINGS, .seed = 10};
    const option table[] = {
        {"load", OPTION_INPUT, &s.load, "FILE", "the model, as saved by train --save", 0, 0},
        {"out", OPTION_OUTPUT, &s.out, "FILE", "where to; - is standard output", 0, 0},
        {"what", OPTION_CHOICE, &s.what, "curves|embeddings",
         "how training went, epoch by epoch; or a map of the vectors that similar compares", 0, 0},
        {"of", OPTION_CHOICE, &s.of, "user|item", "of embeddings: whose [item]", 0, 0},
        {"method", OPTION_CHOICE, &s.method, "tsne|pca",
         "of embeddings: neighbours stay neighbours, or the directions of largest variance [tsne]",
         0, 0},
        {"min-ratings", OPTION_INT, &s.min_ratings, "N",
         "of embeddings: those with at least N training ratings", 0, 1e9},
        {"seed", OPTION_INT, &s.seed, "N", "of t-SNE", 0, 1e15},
        {"threads", OPTION_INT, &s.threads, "N", "0: one a physical core", 0, 1024},
    };
    const usage u = {"plot", "ncf plot --load FILE --out FILE.svg [OPTION...]",
                     "Draw a model as SVG, light or dark as the reader prefers. On a map a point "
                     "shows its title to the pointer; items have the colours of their genres, "
                     "where the model knows these, and else, as users, of their number of "
                     "training ratings.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 2, argc, argv, NULL, &status))
        return status;
    status = check_settings(&s);
    if (status != EXIT_DONE)
        return status;
    tg_set_num_threads((int)s.threads);
    recommender r;
    if (recommender_load(&r, s.load) != TG_OK)
        return say_last_error();
    status = strcmp(s.what, "curves") == 0 ? plot_curves(&s, &r) : plot_map(&s, &r);
    recommender_release(&r);
    return status;
}
