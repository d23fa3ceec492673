/*
 * recommender.h: a model with what it needs to be used: whose ratings its rows are for
 *
 * The file is safetensors: the model's state_dict under PyTorch's names, `user_ids` and `item_ids`
 * (i64; row r of a table belongs to raw id r of the list), and notes: format, model, output_dim,
 * dropout, rating_mean.
 */
#ifndef NCF_RECOMMENDER_H
#define NCF_RECOMMENDER_H

#include "models/registry.h"

typedef struct recommender {
    const rating_model *model;
    int64_t output_dim;
    double dropout;
    double rating_mean; /* of the training ratings: the fallback for what the model does not know */
    tg_idmap users, items;
    tg_module *module;
} recommender;

/* Make the module, drawn from this thread's generator, once all other members are set. */
void recommender_build(recommender *r);
void recommender_release(recommender *r);

/* tg_last_error() has the reason of a failure. */
tg_status recommender_save(const recommender *r, const char *path);
tg_status recommender_load(recommender *r, const char *path);

/* The predicted rating of every row of `pairs`, in evaluation mode: (pairs->count). */
void recommender_predict(const recommender *r, const tg_dataset *pairs, float *prediction);

#endif
