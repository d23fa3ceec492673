/*
 * metrics.h: how good predicted ratings and rankings are
 *
 * Ratings: errors over all samples alike.
 *
 * Rankings: a list is what one user is offered, best first, of which some items are his (the
 * positives). Place 0 is the best. With the m positives at places p_1 < ... < p_m, at k:
 *
 *     HR          1 where p_1 < k, else 0                                  (hit rate)
 *     NDCG        sum over p_j < k of 1 / log2(p_j + 2), over that of the best order, places 0 to
 *                 min(m, k) - 1                             (Jarvelin and Kekalainen 2002)
 *     MAP         sum over p_j < k of j / (p_j + 1), over min(m, k)
 *     MRR         1 / (p_1 + 1) where p_1 < k, else 0
 *     precision   the number of p_j < k, over k
 *     recall      the number of p_j < k, over m
 *
 * and the mean of each over all lists. With one positive a list, as He et al. 2017 have it, NDCG is
 * ln 2 / ln(p_1 + 2) and HR is recall. NDCG <= HR <= 1.
 */
#ifndef NCF_METRICS_H
#define NCF_METRICS_H

#include <stdint.h>

typedef struct errors {
    double mae, rmse; /* means over samples */
} errors;

/* Of prediction (count) against rating (count); count is 1 or more. */
errors errors_of(const float *prediction, const float *rating, int64_t count);

enum { HIT_RATE, NDCG, MAP, MRR, PRECISION, RECALL, METRICS };
extern const char *const metric_names[METRICS]; /* as above */

/* Add a list's metrics at k >= 1 to sum[]: place (m) rising, m >= 1. */
void metrics_add(double sum[METRICS], const int64_t *place, int64_t m, int64_t k);

/* The share of pairs of a positive and another one of the list's `length` items in which the
 * positive stands before the other one (area under the ROC curve); 1 where there is no other. */
double area_under_curve(const int64_t *place, int64_t m, int64_t length);

#endif
