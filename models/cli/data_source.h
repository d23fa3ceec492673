/*
 * data_source.h: where the ratings come from, and how they are divided, as the options say
 */
#ifndef NCF_DATA_SOURCE_H
#define NCF_DATA_SOURCE_H

#include "tapegrad.h"

typedef struct data_options {
    const char *train, *test; /* files; both or neither */
    const char *data, *split; /* one file, and how to divide it */
    const char *validation;   /* how to cut a part from the training part, or NULL */
    int64_t fold;             /* of kfold, from 1; 0 for all of them in turn */
} data_options;

/* Say which options contradict each other, and complete those left out; an exit status. */
int data_options_check(data_options *o);

/* How many folds there are to go through; 1 where only one division is asked for. */
int64_t data_options_folds(const data_options *o);

typedef struct data_source {
    tg_dataset all;          /* the rows of --data or of --train, which the parts share */
    tg_dataset train, test;  /* as tg_ratings_read gives them */
    tg_dataset validation;   /* empty where none is cut off */
    bool is_synthetic;
    tg_synthetic_floor best; /* of synthetic ratings, over the test part */
} data_source;

/* Read or make the ratings and divide them; new ids are added to *users and *items. What a user
 * should know of them is said on stderr unless quiet. An exit status. */
int data_source_load(const data_options *o, uint64_t seed, bool quiet, tg_ids *users, tg_ids *items,
                     data_source *source);
void data_source_release(data_source *source);

/* Put the validation part back into the training part. */
void data_source_rejoin(data_source *source);

#endif
