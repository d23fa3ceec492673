/*
 * exam.h: what a model is judged by on held-out ratings while it is trained
 *
 *     rating     MAE and RMSE over all of them
 *     ranking    HR@10 and NDCG@10 of each held-out pair among the items that a file gives, or
 *                among 99 drawn ones that the user has not rated (exam_init)
 */
#ifndef NCF_EXAM_H
#define NCF_EXAM_H

#include "models/cli/recommender.h"
#include "models/cli/test_lists.h"

enum { MEASURES = 2, LIST_K = 10, NEGATIVES_DRAWN = 99 };

typedef struct measures {
    double value[MEASURES];
} measures;

extern const char *const measure_names[][MEASURES]; /* [task]: "MAE", "RMSE" */

/* Whether a is better than b, by the second measure: RMSE or NDCG. */
bool is_better(recommender_task task, measures a, measures b);

typedef struct exam {
    const recommender *r;
    const tg_dataset *held;
    float *prediction; /* of ratings: (held->count) */
    test_lists lists;  /* of ranking */
} exam;

/* The exam of `held`, numbers of r's users and items, for the task of *r, whose training ratings
 * are set; both must outlive it. The lists come from the file `negatives`, or are drawn by seed
 * where that is NULL: no item of the user's in `held`, in training, or in `others`, the ratings
 * held out for another exam. */
tg_status exam_init(exam *e, const recommender *r, const tg_dataset *held,
                    const tg_dataset *others, const char *negatives, uint64_t seed);
void exam_release(exam *e);

/* What the model reaches now. TG_ENOMEM without memory to rank. */
tg_status exam_of_model(exam *e, measures *of);

/* What is reached without one: of ratings by the biases of users and items, and by the mean
 * training rating; of rankings by how often an item is rated. Gives how many; TG_ENOMEM where
 * negative. */
enum { BASELINES = 2 };
typedef struct baseline {
    const char *name;
    measures reached;
} baseline;
int exam_of_baselines(const exam *e, baseline of[BASELINES]);

#endif
