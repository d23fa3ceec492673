/*
 * trainer.h: the loop over epochs: steps, measures after each epoch, the choice of one, the log
 *
 *     trainer t;
 *     int status = trainer_init(&t, &plan, &r, &data);
 *     if (status == EXIT_DONE)
 *         status = trainer_run(&t);
 *     trainer_release(&t);
 *
 * Where there is a validation part the recommender ends up with the weights of the epoch that is
 * the best on it, and else with those of the last one. The test part is looked at to be reported,
 * and nothing follows from it. A training that Ctrl-C ends in the middle of an epoch goes on, from
 * its checkpoint, at that epoch's beginning.
 */
#ifndef NCF_TRAINER_H
#define NCF_TRAINER_H

#include <stdio.h>

#include "models/cli/data_source.h"
#include "models/cli/exam.h"
#include "models/cli/samples.h"

typedef struct training_plan {
    int64_t epochs, batch_size;
    int64_t stop;      /* the last epoch, of a schedule for all of them; 0: all */
    int64_t patience;  /* it ends after so many epochs without a better validation; 0: never */
    int64_t negatives; /* of ranking, for each training pair */
    const char *negatives_file; /* of ranking: what test pairs are ranked among, or NULL */
    const char *optimizer, *lr_schedule; /* as `ncf train --help` lists them */
    double lr;
    double weight_decay; /* x: x / 2 |p|^2 is added to a sample's loss for the vectors p it reads */
    const char *decay;   /* "all": and for the weights of dense layers; else of vectors alone */
    uint64_t seed;
    bool no_shuffle, quiet;
    bool resumed;           /* checkpoint_resume follows: the log is gone on with */
    const char *log;        /* a csv file, a line an epoch; or NULL */
    const char *checkpoint; /* written after each epoch, and before the first; or NULL */
} training_plan;

typedef struct trainer {
    const training_plan *plan;
    recommender *r;
    const data_source *data;
    samples *samples;
    tg_state_dict parameters; /* the module's own */
    tg_optimizer *optimizer;
    exam validation, test;
    bool is_validated; /* there is a validation part */

    int64_t epoch;        /* the last one that is complete */
    int64_t chosen;       /* the best one on validation; 0 before the first */
    measures best;        /* its validation */
    tg_state_dict weights; /* its parameters, owned; empty before the first */
    int64_t history_room;
    FILE *log_file;
    bool has_diverged; /* the parameters are of no use */
    bool is_of_use;    /* an epoch is complete, or none was wanted */
} trainer;

/* The recommender's module is built and its training ratings set. An exit status; what is wrong has
 * been said. */
int trainer_init(trainer *t, const training_plan *plan, recommender *r, const data_source *data);
void trainer_release(trainer *t);

/* For a checkpoint: keep the module's weights as those of the epoch chosen so far; take over the
 * history of so many epochs, false where it is not one of columns with this trainer's names. */
void trainer_keep_weights(trainer *t);
bool trainer_set_history(trainer *t, const tg_tensor *history, const char *names, int64_t epochs);

/* All epochs, or those until the plan ends them or Ctrl-C does (EXIT_INTERRUPTED). */
int trainer_run(trainer *t);

#endif
