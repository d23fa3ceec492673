/*
 * pictures.h: a recommender as svg.h and page.h want it: its history as learning curves, its
 * vectors as a map
 */
#ifndef NCF_PICTURES_H
#define NCF_PICTURES_H

#include "models/cli/embeddings.h"
#include "models/cli/exam.h"
#include "models/cli/groups.h"
#include "models/cli/svg.h"

/* A panel for the training loss and one for each measure of the task, on validation and on test. */
typedef struct history_curves {
    learning_curves curves; /* its panels are those below; none where there is no history */
    curve_panel panel[1 + MEASURES];
    double *value; /* of all curves, one behind the other */
} history_curves;

/* TG_ENOMEM on failure; *h is then empty. It stays where it is until it is released. */
tg_status history_curves_make(history_curves *h, const recommender *r);
void history_curves_release(history_curves *h);

/* The users or items as points, those with few training ratings left out: their vectors are hardly
 * trained and would lie together without being alike. The vectors are those that `ncf similar`
 * compares, and as there their directions count, not their lengths. Items have their titles as
 * names, ids where there is none, and their genres as groups where known; popularity is in training
 * ratings. */
typedef struct vector_map {
    embedding_map map; /* of what is below */
    char title[192], axis[2][64];
    int64_t *row; /* of the table of vectors */
    float *y;
    const char **name;
    int64_t *popularity;
    item_groups genres;
} vector_map;

typedef struct map_options {
    model_side side;
    const char *method; /* "pca" or "tsne" */
    int64_t min_ratings;
    uint64_t seed;
} map_options;

enum { MAP_MIN_RATINGS = 5 }; /* unless told otherwise */

/* t-SNE says on stderr how far it is. TG_ENOMEM, or TG_EFORMAT where a vector is not finite; *m is
 * then empty. It has no points where nothing has so many ratings. It stays where it is until it is
 * released. */
tg_status vector_map_make(vector_map *m, const recommender *r, map_options o);
void vector_map_release(vector_map *m);

#endif
