/*
 * test_lists.h: lists to be ranked: items of a user (the positives), and among which others
 *
 * Full: every item that he has not rated in training stands on his list, beside his test items.
 * Sampled: some items were drawn for every test item, as He et al. 2017 drew 99, and it is ranked
 * among them alone. The two give different numbers, and not even the same order of models always
 * (Krichene and Rendle 2020).
 */
#ifndef NCF_TEST_LISTS_H
#define NCF_TEST_LISTS_H

#include "models/cli/asked.h"

/* A growing array of numbers. */
typedef struct numbers {
    int64_t count, room;
    int64_t *at; /* (room) */
} numbers;

typedef struct test_lists {
    bool is_sampled;
    numbers user;     /* (lists) */
    numbers positive; /* of all lists one behind the other; a full list's are distinct and rise */
    numbers negative; /* the same; none for full lists */
    numbers positive_end, negative_end; /* (lists): where those of each list end */
} test_lists;

void test_lists_release(test_lists *l);

typedef struct list_items {
    int64_t user, positives, negatives;
    const int64_t *positive, *negative;
} list_items;
list_items test_lists_get(const test_lists *l, int64_t list);

/* A full list for every user with test ratings of at least `relevant`, of items that the model
 * knows; users rise. TG_ENOMEM on failure; *l is then empty, as below. */
tg_status test_lists_full(const asked *test, double relevant, test_lists *l);

/* The same of `count` pairs of the model's numbers, which are put in order. */
tg_status test_lists_of_pairs(asked_pair *pair, int64_t count, test_lists *l);

/* Of each positive of full lists a list of its own, with `count` distinct items that are neither in
 * the user's training ratings nor among his positives, here and in `others`, full lists too (of
 * ratings held out for something else) or NULL; fewer where there are not so many. Drawn by seed;
 * the same for any order of the test ratings. */
tg_status test_lists_draw(const recommender *r, const test_lists *full, const test_lists *others,
                          int64_t count, uint64_t seed, test_lists *l);

/* Lists of a file: `(user,item) <tab> item <tab> item ...` with raw ids, as He et al. published
 * them. Lines of a user or positive that the model does not know are left out, as are such
 * negatives. */
typedef struct left_out {
    int64_t lists, all_lists, negatives, all_negatives;
} left_out;
tg_status test_lists_read(const recommender *r, const char *path, test_lists *l, left_out *out);

#endif
