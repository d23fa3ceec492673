/*
 * data_source.h: where the ratings come from, as the options say
 */
#ifndef NCF_DATA_SOURCE_H
#define NCF_DATA_SOURCE_H

#include "tapegrad.h"

typedef struct data_options {
    const char *train, *test;  /* files; both or neither */
    const char *data, *split;  /* one file, and how to divide it */
} data_options;

/* Say which options contradict each other, and complete those left out; an exit status. */
int data_options_check(data_options *o);

typedef struct data_source {
    tg_dataset all;         /* what was divided; empty where the files were divided already */
    tg_dataset train, test; /* as tg_ratings_read gives them */
    bool is_synthetic;
    tg_synthetic_floor best; /* of synthetic ratings, over the test part */
} data_source;

/* Read or make the ratings and divide them; new ids are added to *users and *items. What a user
 * should know of them is said on stderr unless quiet. An exit status. */
int data_source_load(const data_options *o, uint64_t seed, bool quiet, tg_ids *users, tg_ids *items,
                     data_source *source);
void data_source_release(data_source *source);

#endif
