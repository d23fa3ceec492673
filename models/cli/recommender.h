/*
 * recommender.h: a model with what it needs to be used: whose ratings its rows are for, what each
 * user has rated, and how it was made
 *
 * The file is safetensors. Beside the model's state_dict under PyTorch's names it holds the tensors
 *
 *     user_ids, item_ids    (users), (items) i64: row r of a table belongs to id r
 *     seen_start            (users + 1) i64   what user u has rated in training is in rows
 *     seen_item             (n) i64           seen_start[u] to seen_start[u + 1] - 1 of these two,
 *     seen_rating           (n) f32           by rising item, each once, with its last rating
 *     history               (epochs, k) f32: a row an epoch, where there is any
 *
 * and the notes format, model, biases, factors, layers ("64,32"), dropout, task, rating_mean,
 * rating_low, rating_high, clamp, settings, history_columns ("train_loss,test_mae"), titles and
 * genres (a line an item, where known). Ids that are not whole numbers all are notes with an id a
 * line instead.
 */
#ifndef NCF_RECOMMENDER_H
#define NCF_RECOMMENDER_H

#include "models/registry.h"

typedef enum recommender_task {
    TASK_RATING,  /* the model gives a rating */
    TASK_RANKING, /* the model gives the logit of liking: only its order means something */
} recommender_task;

typedef struct recommender {
    const rating_model *model;
    model_options options; /* what the model was made with */
    recommender_task task;
    bool clamp;                     /* measured as predictions cut to rating_low .. rating_high */
    double rating_mean;             /* of the training ratings: for what the model does not know */
    double rating_low, rating_high; /* their range */

    tg_ids users, items;
    char **titles, **genres; /* (items) a string each, "" where unknown; NULL where none is known */
    tg_tensor *seen_start, *seen_item, *seen_rating; /* see above */

    tg_tensor *history;    /* (epochs, k), or NULL */
    char *history_columns; /* k names with commas between, or NULL */
    char *settings;        /* the command line that made it, or NULL */
    tg_module *module;
} recommender;

/* The layers of a model's options as text, "64,32,16", and back; "" for the usual ones. False where
 * it is not 2 to MAX_LAYERS + 1 widths, the first one even. */
enum { LAYERS_TEXT = 64 };
const char *format_layers(const model_options *o, char text[LAYERS_TEXT]);
bool parse_layers(const char *text, model_options *o);

/* Make the module, drawn from this thread's generator, once the members that say how are set. */
void recommender_build(recommender *r);
void recommender_release(recommender *r);

/* Take over the training ratings: seen_*, rating_mean and the range. */
void recommender_set_ratings(recommender *r, const tg_dataset *train);

/* What a user has rated in training: by rising item, each once. */
typedef struct seen_items {
    int64_t count;
    const int64_t *item;
    const float *rating;
} seen_items;
seen_items recommender_seen(const recommender *r, int64_t user);

/* Whether some parameter holds what is no finite number: its name, which may be cut. */
enum { PARAMETER_NAME = 64 };
bool recommender_find_not_finite(const recommender *r, char name[PARAMETER_NAME]);

/* tg_last_error() has the reason of a failure, TG_EFORMAT for parameters that are not finite; *r is
 * empty where it could not be loaded. */
tg_status recommender_save(const recommender *r, const char *path);
tg_status recommender_load(recommender *r, const char *path);

/* What the model gives for every row of `pairs` (columns user and item, others are left out), in
 * evaluation mode: (pairs->count). Ratings are cut to the range where r->clamp. */
void recommender_predict(const recommender *r, const tg_dataset *pairs, float *prediction);

#endif
