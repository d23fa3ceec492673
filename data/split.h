/*
 * split.h: a data set into two parts, to train and to test on
 *
 * Rows are moved within the columns: those of the second part behind those of the first, both in
 * the order that they had. So the parts share the memory of `all`, which stays a data set of all
 * rows (in the new order) and keeps the ownership; scratch memory is that of the smaller part of
 * one column, and a byte a row. A part can be split again, for validation:
 *
 *     tg_split_random(&all, 0.2, 10, &train, &test);
 *     tg_split_random(&train, 0.1, 11, &train, &validation);
 *
 * TG_EMISUSE (a fraction not between 0 and 1, a column that is not there or not (rows) i64) or
 * TG_ENOMEM on failure; nothing has moved then.
 */
#ifndef TG_DATA_SPLIT_H
#define TG_DATA_SPLIT_H

#include "data/dataset.h"

/* Draw round(fraction * count) rows into *test. The same seed draws the same rows. */
tg_status tg_split_random(const tg_dataset *all, double fraction, uint64_t seed, tg_dataset *train,
                          tg_dataset *test);

/* Each user's latest row by the column `timestamp`, the last one among equals and where timestamp
 * is -1, goes into *test; users with a single row stay in *train. Users are numbers from 0
 * to INT32_MAX. */
tg_status tg_split_leave_one_out(const tg_dataset *all, int user, int timestamp, tg_dataset *train,
                                 tg_dataset *test);

/* The latest round(fraction * count) rows go into *test; among equal timestamps the last ones. */
tg_status tg_split_temporal(const tg_dataset *all, double fraction, int timestamp,
                            tg_dataset *train, tg_dataset *test);

/* The rows of one part, part[i] == which, go into *test. The numbers, (count), move with their
 * rows, so that the next part can be held out after this one:
 *
 *     tg_draw_folds(5, 10, all.count, part);
 *     for (int fold = 0; fold < 5; fold++) {
 *         tg_split_part(&all, part, fold, &train, &test);
 *         ...
 */
tg_status tg_split_part(const tg_dataset *all, uint8_t *part, uint8_t which, tg_dataset *train,
                        tg_dataset *test);

/* Part numbers 0 to folds - 1 in random order, each equally often (or once more): folds is at most
 * 255. The same seed draws the same numbers. */
void tg_draw_folds(int folds, uint64_t seed, int64_t count, uint8_t *part);

#endif
