/*
 * recommender.h: a model with what it needs to be used: whose ratings its rows are for
 *
 * The file is safetensors: the model's state_dict under PyTorch's names, the raw ids `user_ids` and
 * `item_ids` (row r of a table belongs to id r), and notes: format, model, output_dim, dropout,
 * rating_mean. The ids are i64 tensors where all of them are whole numbers, and else notes with an
 * id a line.
 */
#ifndef NCF_RECOMMENDER_H
#define NCF_RECOMMENDER_H

#include "models/registry.h"

typedef struct recommender {
    const rating_model *model;
    int64_t output_dim;
    double dropout;
    double rating_mean; /* of the training ratings: the fallback for what the model does not know */
    tg_ids users, items;
    tg_module *module;
} recommender;

/* Make the module, drawn from this thread's generator, once all other members are set. */
void recommender_build(recommender *r);
void recommender_release(recommender *r);

/* tg_last_error() has the reason of a failure. */
tg_status recommender_save(const recommender *r, const char *path);
tg_status recommender_load(recommender *r, const char *path);

/* The predicted rating of every row of `pairs` (columns user and item, others are left out), in
 * evaluation mode: (pairs->count). */
void recommender_predict(const recommender *r, const tg_dataset *pairs, float *prediction);

#endif
