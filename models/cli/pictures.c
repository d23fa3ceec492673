#include "models/cli/pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/history.h"
#include "models/cli/names.h"
#include "models/cli/progress.h"
#include "models/cli/projection.h"

/* ---- learning curves ------------------------------------------------------------------------- */

/* Add a column to the panel, its values behind those of all curves so far. */
static void add_curve(history_curves *h, const recommender *r, curve_panel *panel,
                      const char *name, int64_t column, double **next)
{
    if (column < 0)
        return;
    panel->curve[panel->count++] = (curve){name, *next};
    for (int64_t epoch = 1; epoch <= h->curves.epochs; epoch++)
        *(*next)++ = history_get(r, epoch, column);
}

/* One more panel, if it has any curves. */
static void add_panel(history_curves *h, const curve_panel *panel)
{
    if (panel->count > 0)
        h->panel[h->curves.count++] = *panel;
}

tg_status history_curves_make(history_curves *h, const recommender *r)
{
    const int64_t epochs = history_epochs(r);
    *h = (history_curves){.curves = {.epochs = epochs, .chosen = history_chosen(r)}};
    h->curves.panel = h->panel;
    h->value = malloc(((size_t)epochs * (1 + 2 * MEASURES) + 1) * sizeof *h->value);
    if (!h->value)
        return tg_failure(TG_ENOMEM, "no memory for the curves of %lld epochs", (long long)epochs);
    double *next = h->value;
    curve_panel loss = {.title = "Training loss"};
    add_curve(h, r, &loss, r->task == TASK_RATING ? "mean squared error" : "cross entropy",
              history_find(r, "train", "loss"), &next);
    add_panel(h, &loss);
    for (int i = 0; i < MEASURES; i++) {
        const char *measure = measure_names[r->task][i];
        curve_panel panel = {.title = measure};
        add_curve(h, r, &panel, "validation", history_find(r, "validation", measure), &next);
        add_curve(h, r, &panel, "test", history_find(r, "test", measure), &next);
        add_panel(h, &panel);
    }
    return TG_OK;
}

void history_curves_release(history_curves *h)
{
    free(h->value);
    *h = (history_curves){0};
}

/* ---- the map --------------------------------------------------------------------------------- */

static void draw_progress(void *context, int64_t done, int64_t iterations)
{
    progress *bar = context;
    bar->samples = iterations;
    progress_draw_steps(bar, "t-SNE", done);
}

static tg_status project(vector_map *m, const float *x, int64_t n, int64_t dim, map_options o)
{
    double share[2];
    if (strcmp(o.method, "pca") == 0) {
        const tg_status status = pca(x, n, dim, 2, m->y, share);
        for (int i = 0; i < 2 && status == TG_OK; i++) {
            snprintf(m->axis[i], sizeof m->axis[i], "component %d, %.0f %% of the variance", i + 1,
                     100 * share[i]);
            m->map.axis[i] = m->axis[i];
        }
        return status;
    }
    progress bar = progress_start(false, 0, 1, 0);
    const tg_status status = tsne(x, n, dim, (tsne_options){.seed = o.seed,
                                                            .progress = draw_progress,
                                                            .context = &bar}, m->y);
    progress_clear(&bar);
    return status;
}

/* (points, dim): the rows of length 1, but for rows of zeros. */
static float *directions(const vector_map *m, const tg_tensor *table)
{
    const int64_t n = m->map.count, dim = tg_size(table, 1);
    float *x = malloc((size_t)(n * dim + 1) * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) {
        const float *row = (const float *)table->data + m->row[i] * dim;
        double square = 0;
        for (int64_t d = 0; d < dim; d++)
            square += (double)row[d] * (double)row[d];
        for (int64_t d = 0; d < dim; d++)
            x[i * dim + d] = square != 0 ? (float)((double)row[d] / sqrt(square)) : 0;
    }
    return x;
}

/* Which rows of n are points, by the number of their ratings, and what those are called. */
static void choose_points(vector_map *m, const recommender *r, map_options o, int64_t n,
                          const int64_t *ratings)
{
    for (int64_t i = 0; i < n; i++) {
        if (ratings[i] < o.min_ratings)
            continue;
        const int64_t point = m->map.count++;
        m->row[point] = i;
        m->name[point] = o.side == SIDE_ITEM ? item_name(r, i) : tg_ids_name(&r->users, i);
        m->popularity[point] = ratings[i];
    }
}

static tg_status group(vector_map *m, const recommender *r)
{
    const char **label = malloc(((size_t)m->map.count + 1) * sizeof *label);
    for (int64_t i = 0; label && i < m->map.count; i++)
        label[i] = r->genres[m->row[i]];
    const tg_status status = label ? item_groups_new(&m->genres, label, m->map.count)
                                   : tg_failure(TG_ENOMEM, "no memory for %lld points",
                                                (long long)m->map.count);
    free(label);
    m->map.groups = m->genres.count;
    m->map.group_name = (const char *const *)m->genres.name;
    m->map.group = m->genres.group;
    return status;
}

static void write_title(vector_map *m, map_options o, const char *table, int64_t rows, int64_t dim)
{
    char few[64] = "";
    if (m->map.count < rows)
        snprintf(few, sizeof few, " with %lld ratings or more", (long long)o.min_ratings);
    snprintf(m->title, sizeof m->title, "%s of the %s%s by %s, %lld dimensions",
             strcmp(o.method, "pca") == 0 ? "PCA" : "t-SNE",
             o.side == SIDE_ITEM ? "items" : "users", few, table, (long long)dim);
}

/* (n) training ratings of each user or item; NULL without memory. */
static int64_t *count_ratings(const recommender *r, model_side side, int64_t n)
{
    if (side == SIDE_ITEM)
        return item_counts(r);
    int64_t *counts = malloc((size_t)n * sizeof *counts);
    for (int64_t i = 0; counts && i < n; i++)
        counts[i] = recommender_seen(r, i).count;
    return counts;
}

tg_status vector_map_make(vector_map *m, const recommender *r, map_options o)
{
    const embeddings e = embeddings_of(r->module, o.side);
    const int compared = embeddings_to_compare(&e);
    const tg_tensor *table = e.table[compared];
    const int64_t n = tg_size(table, 0), dim = tg_size(table, 1);
    int64_t *ratings = count_ratings(r, o.side, n);
    float *x = NULL;
    *m = (vector_map){.y = malloc((size_t)n * 2 * sizeof *m->y),
                      .row = malloc((size_t)n * sizeof *m->row),
                      .name = malloc((size_t)n * sizeof *m->name),
                      .popularity = malloc((size_t)n * sizeof *m->popularity)};
    m->map = (embedding_map){.title = m->title, .y = m->y, .name = m->name,
                             .popularity = m->popularity};
    const bool has_memory = ratings && m->y && m->row && m->name && m->popularity;
    if (has_memory) {
        choose_points(m, r, o, n, ratings);
        write_title(m, o, e.name[compared], n, dim);
        x = directions(m, table);
    }
    tg_status status = x ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld points", (long long)n);
    if (status == TG_OK && m->map.count)
        status = project(m, x, m->map.count, dim, o);
    free(x);
    free(ratings);
    if (status == TG_OK && o.side == SIDE_ITEM && r->genres)
        status = group(m, r);
    if (status != TG_OK)
        vector_map_release(m);
    return status;
}

void vector_map_release(vector_map *m)
{
    free(m->row);
    free(m->y);
    free(m->name);
    free(m->popularity);
    item_groups_release(&m->genres);
    *m = (vector_map){0};
}
