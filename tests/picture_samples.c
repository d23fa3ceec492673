#include "tests/picture_samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tapegrad.h"

const char *const odd_names[ODD_NAMES] = {
    "</script><script>document.title = 'broken'</script>",
    "Salt & Pepper <1962> \"Director's cut\" \\",
    "Am\xe9lie et la for\xeat",             /* Latin-1 */
    "\xe4\xb8\x83\xe4\xba\xba\xe3\x81\xae", /* UTF-8 */
    "Bell\a, tab\t and line\n",
};

/* ---- the map --------------------------------------------------------------------------------- */

enum { GENRES = 10 };
static const char *const genres[GENRES] = {"Drama",   "Comedy",     "Action",      "Thriller",
                                           "Romance", "Children's", "Documentary", "Western",
                                           "Horror",  "other"};

static char *made_up_name(tg_rng *rng)
{
    static const char *const quality[] = {"Silent", "Last", "Crimson", "Little", "Broken", "Golden",
                                          "Distant", "Second", "Hollow", "Northern"};
    static const char *const thing[] = {"Harbour", "Summer", "Letter", "Orchard", "Witness",
                                        "Railway", "Garden", "Promise", "Empire", "Passenger",
                                        "Café", "River"};
    static const char *const place[] = {"", "", " of Lisbon", " at Midnight", " in the Rain",
                                        " of the Seven Hills"};
    char *name = malloc(64);
    if (name)
        snprintf(name, 64, "The %s %s%s (%d)", quality[tg_rng_below(rng, 10)],
                 thing[tg_rng_below(rng, 12)], place[tg_rng_below(rng, 6)],
                 1930 + (int)tg_rng_below(rng, 70));
    return name;
}

static struct {
    int64_t count;
    float *y;
    const char **name;
    uint8_t *group;
    int64_t *popularity;
} points;

static void end_points(void)
{
    for (int64_t i = ODD_NAMES; i < points.count; i++)
        free((void *)points.name[i]);
    free(points.y);
    free(points.name);
    free(points.group);
    free(points.popularity);
}

/* Clouds, one a genre, the later ones smaller. */
static void make_points(int64_t count)
{
    const size_t n = (size_t)count;
    tg_rng rng = {.seed = 17};
    end_points();
    points.count = count;
    points.y = calloc(2 * n, sizeof *points.y);
    points.name = calloc(n, sizeof *points.name);
    points.group = calloc(n, sizeof *points.group);
    points.popularity = calloc(n, sizeof *points.popularity);
    for (int64_t i = 0; i < count; i++) {
        const double u = tg_rng_uniform(&rng), angle = 2.4 * floor(GENRES * u * u);
        points.group[i] = (uint8_t)(GENRES * u * u);
        points.y[2 * i] = (float)(30 * cos(angle) + 11 * tg_rng_normal(&rng));
        points.y[2 * i + 1] = (float)(22 * sin(angle) + 9 * tg_rng_normal(&rng));
        points.popularity[i] = (int64_t)exp(2.5 + 1.8 * tg_rng_normal(&rng));
        points.name[i] = i < ODD_NAMES ? odd_names[i] : made_up_name(&rng);
    }
}

/* ---- the rest -------------------------------------------------------------------------------- */

enum { EPOCHS = 19, LISTED = 8, USERS = 4 };
static double loss[EPOCHS], mae[EPOCHS], rmse[EPOCHS];
static page_item rated[USERS][LISTED], recommended[USERS][LISTED];
static page_user users[USERS];

static void make_curves(void)
{
    for (int e = 0; e < EPOCHS; e++) {
        const double fall = exp(-e / 4.0);
        loss[e] = 0.84 + 2.9 * fall * fall;
        mae[e] = 0.737 + 0.19 * fall + 0.0006 * e + 0.003 * sin(9. * e);
        rmse[e] = 0.931 + 0.2 * fall + 0.0009 * e + 0.004 * sin(7. * e);
    }
}

static void make_users(void)
{
    static const char *const names[USERS] = {"User 42", "User 196", "User 577", "User 811"};
    for (int u = 0; u < USERS; u++) {
        for (int i = 0; i < LISTED; i++) {
            const int64_t first = (ODD_NAMES - 2 + u * 31 + i * 7) % points.count;
            const int64_t second = (ODD_NAMES + u * 17 + i * 11) % points.count;
            rated[u][i] = (page_item){points.name[first], i < 3 ? 5 : 4};
            recommended[u][i] = (page_item){points.name[second], 4.83 - 0.07 * i - 0.03 * u};
        }
        users[u] = (page_user){names[u], LISTED, LISTED, rated[u], recommended[u]};
    }
}

const page *picture_sample(int64_t count)
{
    static const page_metric metrics[] = {{"MAE", true}, {"RMSE", true}, {"HR@10", false}};
    static const page_result results[] = {
        {"ncf after 16 epochs", {0.7412, 0.9361, 0.5523}},
        {"mean training rating", {0.9511, 1.1133, NAN}},
        {"most popular items", {NAN, NAN, 0.4535}},
    };
    static const curve_panel panels[] = {
        {"Training loss", 1, {{"mean squared error", loss}}},
        {"Error on test ratings", 2, {{"MAE", mae}, {"RMSE", rmse}}},
    };
    static const page_setting settings[] = {
        {"data", "ratings.csv"}, {"split", "random:0.2"}, {"model", "ncf"}, {"output-dim", "32"},
        {"dropout", "0.5"},      {"epochs", "19"},        {"lr", "0.0005"}, {"seed", "10"},
    };
    static page sample;
    make_points(count);
    make_curves();
    make_users();
    sample = (page){
        .title = "ncf on ratings.csv",
        .summary = "943 users and 1682 items; 80,000 ratings to train on, 20,000 to test. The "
                   "weights of epoch 16 were kept, the best on held-out ratings.",
        .metrics = 3, .results = 3, .metric = metrics, .result = results,
        .curves = {.epochs = EPOCHS, .chosen = 16, .count = 2, .panel = panels},
        .map = {.title = "t-SNE of the item embeddings (64 dimensions)", .count = count,
                .y = points.y, .name = points.name, .groups = GENRES, .group_name = genres,
                .group = points.group, .popularity = points.popularity},
        .users = USERS, .user = users, .settings = 8, .setting = settings};
    return &sample;
}
