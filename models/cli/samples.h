/*
 * samples.h: the batches of training: rated pairs, or liked pairs among others drawn at random
 *
 * For ranking every training pair has the target 1, and for each there are `negatives` pairs of the
 * same user and an item that he has not in training, of target 0. They are drawn uniformly, afresh
 * every epoch. (He et al. 2017, section 3.1.1.) A user who has every item gets his pair again in
 * place of a negative.
 *
 * Which samples an epoch has and their order are a function of seed and epoch alone: every negative
 * is drawn from a number of its own. So where the program may use more than one thread
 * (tg_num_threads), a further one draws the next batches while the caller trains on the last ones,
 * and they are the same as without it.
 */
#ifndef NCF_SAMPLES_H
#define NCF_SAMPLES_H

#include "models/cli/recommender.h"

typedef struct samples samples;

typedef struct samples_options {
    int64_t batch_size;
    int64_t negatives; /* of ranking, for each pair */
    bool shuffle;
    uint64_t seed;
} samples_options;

/* Of the task of *r, whose training ratings (recommender_set_ratings) are `train`; both must
 * outlive it. */
samples *samples_new(const recommender *r, const tg_dataset *train, samples_options options);
void samples_free(samples *s);

int64_t samples_count(const samples *s);   /* of an epoch */
int64_t samples_batches(const samples *s); /* the same */

/* The next batch, in the step of the caller: user and item (size) i64, target (size) f32. False at
 * the end of the epoch; the call after that begins the next one. */
bool samples_next(samples *s, tg_tensor **user, tg_tensor **item, tg_tensor **target);

void samples_set_epoch(samples *s, int64_t epoch); /* as tg_loader_set_epoch */

/* An item that the user has not in training, each equally likely; -1 where he has all. */
int64_t draw_unseen(const recommender *r, int64_t user, tg_rng *rng);

#endif
