#include "models/cli/metrics.h"

#include <math.h>

errors errors_of(const float *prediction, const float *rating, int64_t count)
{
    double absolute = 0, square = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)prediction[i] - (double)rating[i];
        absolute += fabs(d);
        square += d * d;
    }
    return (errors){absolute / (double)count, sqrt(square / (double)count)};
}

const char *const metric_names[METRICS] = {"HR", "NDCG", "MAP", "MRR", "precision", "recall"};

/* What an item at a place, from 0, is worth to NDCG. */
static double gain(int64_t place)
{
    return 1 / log2((double)place + 2);
}

void metrics_add(double sum[METRICS], const int64_t *place, int64_t m, int64_t k)
{
    const int64_t most = m < k ? m : k; /* positives among the first k, in the best order */
    double dcg = 0, best = 0, precisions = 0;
    int64_t hits = 0;
    for (; hits < m && place[hits] < k; hits++) {
        dcg += gain(place[hits]);
        precisions += (double)(hits + 1) / (double)(place[hits] + 1);
    }
    for (int64_t j = 0; j < most; j++)
        best += gain(j);
    sum[HIT_RATE] += hits > 0;
    sum[NDCG] += dcg / best;
    sum[MAP] += precisions / (double)most;
    sum[MRR] += hits > 0 ? 1 / (double)(place[0] + 1) : 0;
    sum[PRECISION] += (double)hits / (double)k;
    sum[RECALL] += (double)hits / (double)m;
}

double area_under_curve(const int64_t *place, int64_t m, int64_t length)
{
    const double others = (double)(length - m);
    double before = 0; /* pairs in which the other item stands first */
    for (int64_t j = 0; j < m; j++)
        before += (double)(place[j] - j);
    return others > 0 ? 1 - before / ((double)m * others) : 1;
}
