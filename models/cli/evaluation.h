/*
 * evaluation.h: the metrics of a model, or of anything else that gives scores, over lists
 */
#ifndef NCF_EVALUATION_H
#define NCF_EVALUATION_H

#include "models/cli/metrics.h"
#include "models/cli/test_lists.h"
#include "models/scorer.h"

enum { MAX_CUTS = 8 };

/* Scores of a user: of `count` items, into score[item[i]]; of all items where item is NULL. Called
 * from several threads. */
typedef struct score_source {
    void (*score)(const void *context, int64_t user, const int64_t *item, int64_t count,
                  float *score);
    const void *context;
} score_source;

typedef struct evaluation {
    double metric[MAX_CUTS][METRICS]; /* means over the lists, at each k */
    double coverage[MAX_CUTS]; /* share of all items that are among the first k of some full list */
    double area;               /* under the curve, mean over the lists */
    double length;             /* of the lists, mean */
} evaluation;

/* Items that a user has rated in training are left out of full lists, but for positives. cut is k,
 * `cuts` of them, rising. The same numbers for any number of threads. TG_ENOMEM on failure. */
tg_status evaluate_lists(const recommender *r, const test_lists *lists, score_source source,
                         const int64_t *cut, int cuts, evaluation *e);

/* Sources: a model's scores, from a const model_scores *, and the same ones for every user, from a
 * const shared_scores *. */
typedef struct model_scores {
    const recommender *r;
    const scorer *all;
} model_scores;
void score_by_model(const void *context, int64_t user, const int64_t *item, int64_t count,
                    float *score);

typedef struct shared_scores {
    const float *score; /* (items) */
    int64_t items;
} shared_scores;
void score_alike(const void *context, int64_t user, const int64_t *item, int64_t count,
                 float *score);

#endif
