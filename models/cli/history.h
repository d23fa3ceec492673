/*
 * history.h: what a recommender's training reached, epoch by epoch
 *
 * Its columns are train_loss, the mean of what was minimised, and for each of the two measures of
 * its task (exam.h) validation_MEASURE, where there was a validation part, and test_MEASURE, in
 * small letters: validation_rmse, test_hr@10.
 */
#ifndef NCF_HISTORY_H
#define NCF_HISTORY_H

#include "models/cli/recommender.h"

enum { HISTORY_NAME = 32 };

int64_t history_epochs(const recommender *r); /* 0 where there is no history */

/* The next name of *rest, which is r->history_columns at first; false after the last one. */
bool history_next(const char **rest, char name[HISTORY_NAME]);

/* The column of a part ("train", "validation", "test") and a measure, in any case; -1: none. */
int64_t history_find(const recommender *r, const char *part, const char *measure);

double history_get(const recommender *r, int64_t epoch, int64_t column); /* epochs from 1 on */

/* The epoch whose weights were kept: the best on validation, the first of such. 0: there was no
 * validation part, and the last epoch's are. */
int64_t history_chosen(const recommender *r);

#endif
