/*
 * ranking.h: the places of a user's items in a list by score, and the first ones of it
 *
 * A score of -INFINITY takes an item off the list: whoever wants to leave items out (those that the
 * user has seen) sets theirs. Positives lose ties: an item of equal score stands before them, and
 * so does everything where a score is not a number. Hence a model that gives all items the same
 * score looks as bad as it is.
 */
#ifndef NCF_RANKING_H
#define NCF_RANKING_H

#include <stdint.h>

/* The places (metrics.h), rising, of m >= 1 distinct positives in the list of them and of all items
 * on it by score (items); gives its length. bound (m) is scratch memory. The positives' scores are
 * -INFINITY afterwards. */
int64_t places_among_all(float *score, int64_t items, const int64_t *positive, int64_t m,
                         int64_t *place, float *bound);

/* The place of one positive in the list of it and the negatives (count): it counts once where they
 * hold it too. *length is the list's. */
int64_t place_among(const float *score, int64_t positive, const int64_t *negative, int64_t count,
                    int64_t *length);

typedef struct scored {
    int64_t item;
    float score;
} scored;

/* The first n >= 1 items of the list of all, best first, of equal ones that of the smaller number;
 * gives how many there are. Those whose score is not a number come last. One pass, a heap of n. */
int64_t top_items(const float *score, int64_t items, int64_t n, scored *top);

#endif
