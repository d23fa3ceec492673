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

/* (n, dim): the rows of length 1, but for rows of zeros. */
static float *directions(const tg_tensor *table)
{
    const int64_t n = tg_size(table, 0), dim = tg_size(table, 1);
    float *x = malloc((size_t)(n * dim) * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) {
        const float *row = (const float *)table->data + i * dim;
        double square = 0;
        for (int64_t d = 0; d < dim; d++)
            square += (double)row[d] * (double)row[d];
        for (int64_t d = 0; d < dim; d++)
            x[i * dim + d] = square != 0 ? (float)((double)row[d] / sqrt(square)) : 0;
    }
    return x;
}

/* What the points are called and how often they are rated. */
static void describe(vector_map *m, const recommender *r, model_side side)
{
    const int64_t *item = r->seen_item->data;
    for (int64_t i = 0; i < m->map.count; i++) {
        m->name[i] = side == SIDE_ITEM ? item_name(r, i) : tg_ids_name(&r->users, i);
        m->popularity[i] = side == SIDE_ITEM ? 0 : recommender_seen(r, i).count;
    }
    for (int64_t k = 0; side == SIDE_ITEM && k < tg_numel(r->seen_item); k++)
        m->popularity[item[k]]++;
}

static tg_status group(vector_map *m, const recommender *r)
{
    const tg_status status =
        item_groups_new(&m->genres, (const char *const *)r->genres, r->items.count);
    m->map.groups = m->genres.count;
    m->map.group_name = (const char *const *)m->genres.name;
    m->map.group = m->genres.group;
    return status;
}

tg_status vector_map_make(vector_map *m, const recommender *r, map_options o)
{
    const embeddings e = embeddings_of(r->module, o.side);
    const int compared = embeddings_to_compare(&e);
    const tg_tensor *table = e.table[compared];
    const int64_t n = tg_size(table, 0), dim = tg_size(table, 1);
    float *x = directions(table);
    *m = (vector_map){.y = malloc((size_t)n * 2 * sizeof *m->y),
                      .name = malloc((size_t)n * sizeof *m->name),
                      .popularity = malloc((size_t)n * sizeof *m->popularity)};
    snprintf(m->title, sizeof m->title, "%s of the %s by %s, %lld dimensions",
             strcmp(o.method, "pca") == 0 ? "PCA" : "t-SNE",
             o.side == SIDE_ITEM ? "items" : "users", e.name[compared], (long long)dim);
    m->map = (embedding_map){.title = m->title, .count = n, .y = m->y, .name = m->name,
                             .popularity = m->popularity};
    tg_status status = x && m->y && m->name && m->popularity
                           ? project(m, x, n, dim, o)
                           : tg_failure(TG_ENOMEM, "no memory for %lld points", (long long)n);
    free(x);
    if (status == TG_OK)
        describe(m, r, o.side);
    if (status == TG_OK && o.side == SIDE_ITEM && r->genres)
        status = group(m, r);
    if (status != TG_OK)
        vector_map_release(m);
    return status;
}

void vector_map_release(vector_map *m)
{
    free(m->y);
    free(m->name);
    free(m->popularity);
    item_groups_release(&m->genres);
    *m = (vector_map){0};
}
