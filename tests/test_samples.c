/* The batches of training, and draws of items that a user has not seen. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "models/cli/samples.h"
#include "tests/small_recommender.h"

static bool has_seen(const recommender *r, int64_t user, int64_t item)
{
    const seen_items seen = recommender_seen(r, user);
    for (int64_t i = 0; i < seen.count; i++)
        if (seen.item[i] == item)
            return true;
    return false;
}

Test(samples, unseen__items_are_drawn_alike_and_no_others)
{
    enum { DRAWS = 20000 };
    recommender r = small_recommender("gmf", TASK_RANKING);
    tg_rng rng = {.seed = 5};
    for (int64_t user = 0; user < 3; user++) {
        int count[30] = {0};
        for (int i = 0; i < DRAWS; i++)
            count[draw_unseen(&r, user, &rng)]++;
        const double expected = (double)DRAWS / (double)(30 - recommender_seen(&r, user).count);
        for (int64_t item = 0; item < 30; item++) {
            if (has_seen(&r, user, item))
                cr_expect_eq(count[item], 0);
            else /* five standard deviations of a binomial */
                cr_expect(fabs(count[item] - expected) < 5 * sqrt(expected), "%d of %g",
                          count[item], expected);
        }
    }
    recommender_release(&r);
}

/* Two users who have all of two items, but for one; the first has one of them twice. */
static void few_ratings(recommender *r, tg_dataset *train)
{
    static const int64_t user[] = {0, 0, 0, 1}, item[] = {1, 0, 1, 0};
    static const float rating[] = {4, 5, 2, 3};
    *train = tg_dataset_of(tg_owned(TG_I64, 4), tg_owned(TG_I64, 4), tg_owned(TG_F32, 4));
    for (int i = 0; i < 4; i++) {
        ((int64_t *)tg_dataset_rows(train, TG_USER))[i] = user[i];
        ((int64_t *)tg_dataset_rows(train, TG_ITEM))[i] = item[i];
        ((float *)tg_dataset_rows(train, TG_RATING))[i] = rating[i];
    }
    *r = (recommender){.task = TASK_RANKING};
    for (int i = 0; i < 2; i++) {
        tg_ids_intern(&r->users, i ? "b" : "a");
        tg_ids_intern(&r->items, i ? "y" : "x");
    }
    recommender_set_ratings(r, train);
}

Test(samples, seen__holds_each_item_once_with_its_last_rating)
{
    recommender r;
    tg_dataset train;
    few_ratings(&r, &train);
    const seen_items a = recommender_seen(&r, 0), b = recommender_seen(&r, 1);
    cr_assert_eq(a.count, 2);
    cr_expect(a.item[0] == 0 && a.item[1] == 1 && a.rating[0] == 5 && a.rating[1] == 2);
    cr_assert_eq(b.count, 1);
    cr_expect(b.item[0] == 0 && b.rating[0] == 3);
    cr_expect_eq(r.rating_mean, 3.5);
    cr_expect(r.rating_low == 2 && r.rating_high == 5);
    recommender_release(&r);
    tg_dataset_release(&train);
}

Test(samples, negatives__of_a_user_who_has_everything_are_his_pair)
{
    recommender r;
    tg_dataset train;
    few_ratings(&r, &train);
    tg_rng rng = {.seed = 1};
    cr_expect_eq(draw_unseen(&r, 0, &rng), -1);
    cr_expect_eq(draw_unseen(&r, 1, &rng), 1);
    samples *s = samples_new(&r, &train, (samples_options){.batch_size = 100, .negatives = 2});
    tg_tensor *user, *item, *target;
    tg_step_begin();
    cr_assert(samples_next(s, &user, &item, &target));
    cr_assert_eq(tg_size(user, 0), 12);
    for (int i = 0; i < 12; i++) {
        const bool is_negative = i % 3 && i / 3 == 3;
        cr_expect_eq(tg_get(user, i), i / 3 == 3);
        cr_expect_eq(tg_get(target, i), !is_negative);
        cr_expect(!is_negative || tg_get(item, i) == 1);
    }
    tg_step_end();
    samples_free(s);
    recommender_release(&r);
    tg_dataset_release(&train);
}

typedef struct drawn {
    int64_t count, user[2000], item[2000];
    float target[2000];
} drawn;

/* All samples of an epoch. */
static void draw_epoch(samples *s, drawn *d)
{
    tg_tensor *user, *item, *target;
    d->count = 0;
    for (;;) {
        tg_step_begin();
        const bool more = samples_next(s, &user, &item, &target);
        for (int64_t i = 0; more && i < tg_size(user, 0); i++, d->count++) {
            d->user[d->count] = (int64_t)tg_get(user, i);
            d->item[d->count] = (int64_t)tg_get(item, i);
            d->target[d->count] = (float)tg_get(target, i);
        }
        tg_step_end();
        if (!more)
            return;
    }
}

static bool are_same(const drawn *a, const drawn *b)
{
    bool same = a->count == b->count;
    for (int64_t i = 0; i < a->count && same; i++)
        same = a->user[i] == b->user[i] && a->item[i] == b->item[i] && a->target[i] == b->target[i];
    return same;
}

Test(samples, epoch__has_each_pair_once_and_negatives_of_its_user)
{
    static drawn first, second, again;
    recommender r = {.task = TASK_RANKING};
    tg_dataset train;
    cr_assert_eq(tg_synthetic(&r.users, &r.items, &train, .users = 40, .items = 30, .ratings = 300),
                 TG_OK);
    recommender_set_ratings(&r, &train);
    samples *s = samples_new(&r, &train, (samples_options){.batch_size = 64,
                                                           .negatives = 4,
                                                           .shuffle = true,
                                                           .seed = 3});
    cr_expect_eq(samples_count(s), 1500);
    cr_expect_eq(samples_batches(s), 24);
    draw_epoch(s, &first);
    draw_epoch(s, &second);
    int positives[40][30] = {{0}}, negatives[40] = {0};
    cr_assert_eq(first.count, 1500);
    for (int64_t i = 0; i < first.count; i++) {
        cr_expect_eq(first.target[i] == 1, has_seen(&r, first.user[i], first.item[i]));
        if (first.target[i] == 1)
            positives[first.user[i]][first.item[i]]++;
        else
            negatives[first.user[i]]++;
    }
    for (int64_t u = 0; u < 40; u++) {
        const seen_items seen = recommender_seen(&r, u);
        cr_expect_eq(negatives[u], 4 * seen.count);
        for (int64_t i = 0; i < seen.count; i++)
            cr_expect_eq(positives[u][seen.item[i]], 1);
    }
    cr_expect(!are_same(&first, &second));
    samples_set_epoch(s, 1);
    draw_epoch(s, &again);
    cr_expect(are_same(&second, &again), "an epoch is not a function of its number");
    samples_free(s);
    recommender_release(&r);
    tg_dataset_release(&train);
}

/* Batches are small, so that there are many blocks of them. */
static samples *many_batches(const recommender *r, const tg_dataset *train)
{
    return samples_new(r, train, (samples_options){.batch_size = 7,
                                                   .negatives = 4,
                                                   .shuffle = true,
                                                   .seed = 3});
}

Test(samples, thread__changes_no_sample)
{
    static drawn alone[3], beside[3], again;
    recommender r = {.task = TASK_RANKING};
    tg_dataset train;
    cr_assert_eq(tg_synthetic(&r.users, &r.items, &train, .users = 40, .items = 30, .ratings = 300),
                 TG_OK);
    recommender_set_ratings(&r, &train);
    samples *s = many_batches(&r, &train), *with = many_batches(&r, &train);
    for (int epoch = 0; epoch < 3; epoch++)
        draw_epoch(s, &alone[epoch]);
    tg_set_num_threads(2);
    for (int epoch = 0; epoch < 3; epoch++) {
        draw_epoch(with, &beside[epoch]);
        cr_assert_eq(beside[epoch].count, 1500);
        cr_expect(are_same(&alone[epoch], &beside[epoch]), "epoch %d", epoch);
    }
    samples_set_epoch(with, 1); /* in the middle of what was drawn ahead */
    draw_epoch(with, &again);
    cr_expect(are_same(&alone[1], &again));
    draw_epoch(s, &again); /* from here on with a thread, too: the fourth epoch */
    draw_epoch(with, &beside[0]);
    cr_expect(are_same(&alone[2], &beside[0]));
    samples_set_epoch(with, 3);
    draw_epoch(with, &beside[0]);
    cr_expect(are_same(&again, &beside[0]));
    tg_set_num_threads(1);
    samples_free(s);
    samples_free(with);
    recommender_release(&r);
    tg_dataset_release(&train);
}

/* A training that Ctrl-C ends frees them in the middle of an epoch. */
Test(samples, thread__ends_wherever_it_is)
{
    recommender r;
    tg_dataset train;
    few_ratings(&r, &train);
    tg_set_num_threads(2);
    for (int batches = 0; batches < 40; batches++) {
        samples *s = samples_new(&r, &train, (samples_options){.batch_size = 1, .negatives = 3});
        tg_tensor *user, *item, *target;
        for (int i = 0; i < batches; i++) {
            tg_step_begin();
            cr_expect_eq(samples_next(s, &user, &item, &target), i != 16 && i != 33);
            tg_step_end();
        }
        samples_free(s);
    }
    tg_set_num_threads(1);
    recommender_release(&r);
    tg_dataset_release(&train);
}
