/*
 * frame.h: what the models of this folder share: data and first weights, the same as in frame.py,
 * and the process that runs one of them
 *
 * The models are programs as users write them: of the library they include tapegrad.h alone. What
 * they make lives until the process ends.
 */
#ifndef BENCH_MODELS_FRAME_H
#define BENCH_MODELS_FRAME_H

#include "tapegrad.h"

typedef struct contender {
    const char *name;
    void *(*make)(void); /* model, data and optimiser */
    /* One training step, between tg_step_begin and tg_step_end; gives the loss. Steps take batches
     * in turn; without `training` nothing is random. */
    double (*step)(void *model, int64_t number, bool training);
} contender;

extern const contender deepfm, gpt, gru4rec, lenet, lightgcn, multvae, sasrec, two_tower, wgan_gp,
    word2vec;

/* Data, drawn from the name: f32 in [low, high), and ids below `bound`, of which the small ones are
 * frequent. The first dimension counts the batches. */
enum { BATCHES = 4 };
tg_tensor *make_numbers(const char *name, double low, double high, tg_shape shape);
tg_tensor *make_ids(const char *name, int64_t bound, tg_shape shape);
tg_tensor *batch_of(tg_tensor *data, int64_t number); /* (BATCHES, ...) -> (...) */

/* First weights, drawn from the names of the parameters. */
void init(tg_module *m);

/* The model and its data are made, the optimiser is not: memory is counted from here. */
void begin_training(void);

/* Gradients and an update; gives the loss. */
double update(tg_optimizer *optimizer, tg_tensor *loss);

#endif
