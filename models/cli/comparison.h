/*
 * comparison.h: a model on test ratings, beside what needs no model
 */
#ifndef NCF_COMPARISON_H
#define NCF_COMPARISON_H

#include "models/cli/baselines.h"
#include "models/cli/evaluation.h"

/* Errors of predicted ratings: by the mean training rating, by the user's and the item's deviations
 * from it, and by the model. What is not known is predicted as asked_predict does. TG_ENOMEM. */
enum { MEAN_RATING, BIASES, MODEL, PREDICTORS };
tg_status compare_errors(const recommender *r, const asked *test, const baselines *b,
                         errors of[PREDICTORS]);

/* Lists ranked by the model, and by how often items are rated. TG_ENOMEM. */
tg_status compare_rankings(const recommender *r, const test_lists *lists, const baselines *b,
                           const int64_t *cut, int cuts, evaluation *model, evaluation *popularity);

#endif
