/* Ratings made up: what they are like, and what is known of them. */
#include <criterion/criterion.h>
#include <math.h>

#include "data/ratings.h"
#include "data/split.h"
#include "data/synthetic.h"

#define OPTIONS(...) TG_OPTIONS(tg_synthetic_options, TG_SYNTHETIC_DEFAULTS, __VA_ARGS__)

typedef struct made { /* synthetic ratings with their ids */
    tg_ids users, items;
    tg_dataset ratings;
    const int64_t *user, *item, *timestamp;
    const float *rating;
} made;

static made make(tg_synthetic_options options)
{
    made m = {0};
    cr_assert_eq(tg_synthetic_with(&m.users, &m.items, &m.ratings, options), TG_OK);
    m.user = tg_dataset_rows(&m.ratings, TG_USER);
    m.item = tg_dataset_rows(&m.ratings, TG_ITEM);
    m.rating = tg_dataset_rows(&m.ratings, TG_RATING);
    m.timestamp = tg_dataset_rows(&m.ratings, TG_TIMESTAMP);
    return m;
}

static void release(made *m)
{
    tg_ids_release(&m->users);
    tg_ids_release(&m->items);
    tg_dataset_release(&m->ratings);
}

Test(synthetic, ratings__resemble_movielens)
{
    made m = make(OPTIONS(0));
    cr_assert_eq(m.ratings.count, 100000);
    cr_expect_eq(tg_ratings_duplicates(&m.ratings), 0);
    const double mean = tg_ratings_mean(&m.ratings); /* MovieLens 100K: 3.53, deviation 1.13 */
    double square = 0;
    int64_t by_item[1500] = {0}, by_user[1000] = {0}, top = 0;
    for (int64_t i = 0; i < m.ratings.count; i++) {
        const float rating = m.rating[i];
        cr_assert(m.user[i] >= 0 && m.user[i] < 1000 && m.item[i] >= 0 && m.item[i] < 1500);
        cr_assert(rating >= 1 && rating <= 5 && rating == roundf(rating));
        cr_assert(i == 0 || m.timestamp[i] > m.timestamp[i - 1]);
        square += pow((double)rating - mean, 2);
        by_item[m.item[i]]++;
        by_user[m.user[i]]++;
    }
    cr_expect_float_eq(mean, 3.55, 0.1);
    cr_expect_float_eq(sqrt(square / (double)m.ratings.count), 1.12, 0.05);
    for (int i = 0; i < 150; i++)
        top += by_item[i];
    cr_expect_gt(top, 35000, "a tenth of the items has more than a third of the ratings");
    for (int i = 0; i < 1000; i++)
        cr_expect_geq(by_user[i], 20);
    release(&m);
}

Test(synthetic, ids__are_numbers_from_1_on)
{
    made m = make(OPTIONS(.users = 50, .items = 80, .ratings = 900));
    cr_expect_eq(m.users.count, 50);
    cr_expect_eq(m.items.count, 80);
    cr_expect_str_eq(tg_ids_name(&m.users, 0), "1");
    cr_expect_str_eq(tg_ids_name(&m.items, 79), "80");
    made more = {0}; /* ids that are there keep their numbers */
    tg_ids_intern(&more.users, "7");
    tg_ids_intern(&more.items, "other");
    cr_assert_eq(tg_synthetic(&more.users, &more.items, &more.ratings, .users = 50, .items = 80,
                              .ratings = 900), TG_OK);
    cr_expect_eq(more.users.count, 50);
    cr_expect_eq(more.items.count, 81);
    for (int64_t i = 0; i < 900; i++) {
        const int64_t user = ((int64_t *)tg_dataset_rows(&more.ratings, TG_USER))[i];
        const int64_t item = ((int64_t *)tg_dataset_rows(&more.ratings, TG_ITEM))[i];
        cr_assert_str_eq(tg_ids_name(&more.users, user), tg_ids_name(&m.users, m.user[i]));
        cr_assert_str_eq(tg_ids_name(&more.items, item), tg_ids_name(&m.items, m.item[i]));
    }
    tg_synthetic_floor best, same;
    const tg_synthetic_options few = OPTIONS(.users = 49, .items = 80, .ratings = 900);
    tg_synthetic_options all = few;
    all.users = 50;
    cr_assert_eq(tg_synthetic_best(&m.users, &m.items, &m.ratings, all, &best), TG_OK);
    cr_assert_eq(tg_synthetic_best(&more.users, &more.items, &more.ratings, all, &same), TG_OK);
    cr_expect_eq(best.mae, same.mae);
    cr_expect_eq(tg_synthetic_best(&m.users, &m.items, &m.ratings, few, &same), TG_EMISUSE);
    release(&more);
    release(&m);
}

Test(synthetic, ratings__are_a_function_of_their_seed)
{
    made m[3];
    for (int i = 0; i < 3; i++)
        m[i] = make(OPTIONS(.users = 50, .items = 80, .ratings = 900, .seed = (uint64_t)i / 2));
    int64_t equal = 0;
    for (int64_t i = 0; i < 900; i++) {
        cr_assert(m[0].user[i] == m[1].user[i] && m[0].item[i] == m[1].item[i] &&
                  m[0].rating[i] == m[1].rating[i]);
        equal += m[0].user[i] == m[2].user[i] && m[0].item[i] == m[2].item[i];
    }
    cr_expect_lt(equal, 90);
    for (int i = 0; i < 3; i++)
        release(&m[i]);
}

/* With hardly any noise the best predictor still errs by the rounding of scores near a half, and
 * the realised error of rounding is what the formula expects of it. */
Test(synthetic, best_error__is_that_of_its_distribution)
{
    const tg_synthetic_options quiet = OPTIONS(.noise = 1e-6);
    made m = make(quiet);
    tg_synthetic_floor low, high, half;
    cr_assert_eq(tg_synthetic_best(&m.users, &m.items, &m.ratings, quiet, &low), TG_OK);
    cr_assert_eq(tg_synthetic_best(&m.users, &m.items, &m.ratings,
                                   OPTIONS(.noise = 0.9), &high), TG_OK);
    cr_expect_lt(low.mae, 1e-3);
    cr_expect_float_eq(high.mae, 0.644, 0.02);
    cr_expect_float_eq(high.rmse, 0.853, 0.02);
    tg_dataset train, test; /* of a part, with its pairs */
    cr_assert_eq(tg_split_random(&m.ratings, 0.5, 1, &train, &test), TG_OK);
    cr_assert_eq(tg_synthetic_best(&m.users, &m.items, &train,
                                   OPTIONS(.noise = 0.9), &half), TG_OK);
    cr_assert_eq(tg_synthetic_best(&m.users, &m.items, &test,
                                   OPTIONS(.noise = 0.9), &low), TG_OK);
    cr_expect_float_eq((half.mae + low.mae) / 2, high.mae, 1e-9);
    release(&m);
}

Test(synthetic, options__that_cannot_be_drawn_are_refused)
{
    tg_ids users = {0}, items = {0};
    tg_dataset r;
    cr_expect_eq(tg_synthetic(&users, &items, &r, .users = 10, .items = 10, .ratings = 90),
                 TG_EMISUSE);
    cr_expect_eq(tg_synthetic(&users, &items, &r, .users = -1), TG_EMISUSE);
    cr_expect_eq(users.count, 0);
}
