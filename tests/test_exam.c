/* The lists that a ranking is judged by while it is trained. */
#include <criterion/criterion.h>
#include <string.h>

#include "models/cli/exam.h"
#include "tests/small_recommender.h"

typedef struct pair {
    int64_t user, item;
} pair;

static tg_dataset held_out(const pair *pairs, int64_t count)
{
    tg_dataset held = tg_dataset_of(tg_owned(TG_I64, count), tg_owned(TG_I64, count));
    for (int64_t i = 0; i < count; i++) {
        ((int64_t *)tg_dataset_rows(&held, TG_USER))[i] = pairs[i].user;
        ((int64_t *)tg_dataset_rows(&held, TG_ITEM))[i] = pairs[i].item;
    }
    return held;
}

/* mark[item]: the user has it in training or in one of the parts. */
static void mark_rated(const recommender *r, int64_t user, const pair *const part[2],
                       const int64_t count[2], char mark[30])
{
    const seen_items seen = recommender_seen(r, user);
    memset(mark, 0, 30);
    for (int64_t i = 0; i < seen.count; i++)
        mark[seen.item[i]] = 1;
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < count[p]; i++)
            if (part[p][i].user == user)
                mark[part[p][i].item] = 1;
}

/* There are 30 items, fewer than are to be drawn: so a list has all that it may have. */
Test(exam, drawn_lists__leave_out_what_the_user_has_in_any_part)
{
    static const pair validation[] = {{9, 3}, {2, 5}, {2, 29}, {5, 0}};
    static const pair test[] = {{7, 1}, {2, 6}, {5, 28}, {2, 7}, {0, 2}};
    static const pair *const part[] = {validation, test};
    static const int64_t count[] = {4, 5};
    recommender r = small_recommender("gmf", TASK_RANKING);
    tg_dataset of[] = {held_out(validation, count[0]), held_out(test, count[1])};
    for (int p = 0; p < 2; p++) {
        exam e;
        cr_assert_eq(exam_init(&e, &r, &of[p], &of[1 - p], NULL, 1), TG_OK);
        cr_assert_eq(e.lists.user.count, count[p]);
        for (int64_t i = 0; i < e.lists.user.count; i++) {
            const list_items list = test_lists_get(&e.lists, i);
            char mark[30];
            int64_t left = 30;
            mark_rated(&r, list.user, part, count, mark);
            for (int item = 0; item < 30; item++)
                left -= mark[item];
            cr_expect_eq(list.negatives, left);
            for (int64_t k = 0; k < list.negatives; k++)
                cr_expect(!mark[list.negative[k]]++, "user %lld, item %lld", (long long)list.user,
                          (long long)list.negative[k]);
        }
        exam_release(&e);
    }
    tg_dataset none = {0};
    exam alone;
    cr_assert_eq(exam_init(&alone, &r, &of[1], &none, NULL, 1), TG_OK);
    cr_expect_eq(alone.lists.user.count, count[1]);
    exam_release(&alone);
    tg_dataset_release(&of[0]);
    tg_dataset_release(&of[1]);
    recommender_release(&r);
}
