/*
 * asked.h: pairs of user and item that a model is asked about, by raw ids that it may not know
 */
#ifndef NCF_ASKED_H
#define NCF_ASKED_H

#include "models/cli/recommender.h"

typedef struct asked {
    tg_ids users, items;          /* the file's own ids */
    int64_t *user_row, *item_row; /* (users), (items): the model's number for each, -1 for none */
    tg_dataset rows;              /* numbers of the file's ids; with ratings where they were read */
} asked;

/* Read pairs, or ratings, of a file. tg_last_error() has the reason of a failure; *a is then
 * empty. */
tg_status asked_read_pairs(asked *a, const recommender *r, const char *path);
tg_status asked_read_ratings(asked *a, const recommender *r, const char *path);
void asked_release(asked *a);

/* The model's numbers for pair i, -1 where it has none. */
typedef struct asked_pair {
    int64_t user, item;
} asked_pair;
asked_pair asked_get(const asked *a, int64_t i);
bool asked_is_known(const asked *a, int64_t i);

/* What the model gives for every pair, (rows.count): for a pair that it does not know the mean
 * training rating, and no number where the model does not predict ratings. */
tg_status asked_predict(const asked *a, const recommender *r, float *prediction);

/* How many pairs the model does not know, said on stderr with the first of them, what is predicted
 * for them, and what the caller adds to that. */
int64_t asked_say_unknown(const asked *a, const recommender *r, const char *more);

#endif
