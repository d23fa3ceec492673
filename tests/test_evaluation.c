/* Lists to be ranked, their metrics, and the predictors that need no model. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/cli/baselines.h"
#include "models/cli/evaluation.h"
#include "models/cli/json_text.h"
#include "tests/program.h"
#include "tests/small_recommender.h"

static char path[] = "/tmp/tapegrad-lists-XXXXXX";
static recommender r;

static void set_up(void)
{
    close(mkstemp(path));
    r = small_recommender("ncf", TASK_RATING);
}

static void tear_down(void)
{
    recommender_release(&r);
    remove(path);
}

TestSuite(evaluation, .init = set_up, .fini = tear_down);

/* ---- lists ----------------------------------------------------------------------------------- */

/* Synthetic ids are "1", "2", ...: number plus one. */
static const char some_tests[] = "3 5 4\n1 9 5\n3 2 1\n1 9 2\n99 1 5\n3 77 5\n1 4 3\n";

static test_lists full_lists(double relevant)
{
    asked test;
    test_lists l;
    write_text(path, some_tests);
    cr_assert_eq(asked_read_ratings(&test, &r, path), TG_OK);
    cr_assert_eq(test_lists_full(&test, relevant, &l), TG_OK);
    asked_release(&test);
    return l;
}

Test(evaluation, full_lists__are_the_users_distinct_known_items)
{
    test_lists l = full_lists(-INFINITY);
    cr_assert_eq(l.user.count, 2);
    const list_items first = test_lists_get(&l, 0), second = test_lists_get(&l, 1);
    cr_expect(first.user == 0 && first.positives == 2 && first.positive[0] == 3 &&
              first.positive[1] == 8);
    cr_expect(second.user == 2 && second.positives == 2 && second.positive[0] == 1 &&
              second.positive[1] == 4);
    test_lists_release(&l);
    l = full_lists(4);
    cr_assert_eq(l.user.count, 2);
    cr_expect_eq(test_lists_get(&l, 0).positives, 1);
    cr_expect_eq(*test_lists_get(&l, 1).positive, 4);
    test_lists_release(&l);
}

Test(evaluation, drawn_lists__hold_other_items_once)
{
    test_lists full = full_lists(-INFINITY), l, same, other;
    cr_assert_eq(test_lists_draw(&r, &full, NULL, 6, 1, &l), TG_OK);
    cr_assert_eq(test_lists_draw(&r, &full, NULL, 6, 1, &same), TG_OK);
    cr_assert_eq(test_lists_draw(&r, &full, NULL, 6, 2, &other), TG_OK);
    cr_assert_eq(l.user.count, 4);
    cr_assert_eq(l.negative.count, 24);
    cr_expect_eq(memcmp(l.negative.at, same.negative.at, 24 * sizeof(int64_t)), 0);
    cr_expect_neq(memcmp(l.negative.at, other.negative.at, 24 * sizeof(int64_t)), 0);
    for (int64_t i = 0; i < 4; i++) {
        const list_items list = test_lists_get(&l, i), of = test_lists_get(&full, i / 2);
        const seen_items seen = recommender_seen(&r, list.user);
        cr_expect(list.user == of.user && list.positives == 1 && list.negatives == 6);
        cr_expect_eq(*list.positive, of.positive[i % 2]);
        for (int64_t a = 0; a < 6; a++) {
            for (int64_t b = 0; b < a; b++)
                cr_expect_neq(list.negative[a], list.negative[b]);
            for (int64_t b = 0; b < seen.count; b++)
                cr_expect_neq(list.negative[a], seen.item[b]);
            for (int64_t b = 0; b < of.positives; b++)
                cr_expect_neq(list.negative[a], of.positive[b]);
        }
    }
    test_lists_release(&l);
    test_lists_release(&same);
    test_lists_release(&other);
    cr_assert_eq(test_lists_draw(&r, &full, NULL, 1000, 1, &l), TG_OK); /* all that there are */
    const seen_items seen = recommender_seen(&r, 0);
    int64_t own = seen.count + 2;
    for (int64_t i = 0; i < seen.count; i++)
        own -= seen.item[i] == 3 || seen.item[i] == 8;
    cr_expect_eq(test_lists_get(&l, 0).negatives, 30 - own);
    test_lists_release(&l);
    test_lists_release(&full);
}

Test(evaluation, lists_of_a_file__by_raw_ids)
{
    test_lists l;
    left_out missing;
    write_text(path, "(3,5)\t1\t2\t99\t\n(99,5)\t1\n(1, 2)\n(3,77)\t4\n");
    cr_assert_eq(test_lists_read(&r, path, &l, &missing), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(l.user.count, 2);
    const list_items list = test_lists_get(&l, 0);
    cr_expect(list.user == 2 && *list.positive == 4 && list.negatives == 2 &&
              list.negative[0] == 0 && list.negative[1] == 1);
    cr_expect(test_lists_get(&l, 1).negatives == 0 && *test_lists_get(&l, 1).positive == 1);
    cr_expect(missing.lists == 2 && missing.all_lists == 4 && missing.negatives == 1 &&
              missing.all_negatives == 3);
    test_lists_release(&l);
    static const char *const wrong[] = {"3,5\t1\n", "(35)\t1\n", "(,5)\t1\n", "(3,)\t1\n",
                                        "(3,5\t1\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_text(path, wrong[i]);
        cr_expect_eq(test_lists_read(&r, path, &l, &missing), TG_EFORMAT, "%s", wrong[i]);
        cr_expect_not_null(strstr(tg_last_error()->message, ":1: '"), "%s",
                           tg_last_error()->message);
        cr_expect_eq(l.user.count, 0);
    }
}

/* ---- metrics over lists ---------------------------------------------------------------------- */

/* Lists of every user whose number leaves 1 by 3, with items that he may have seen. */
static test_lists many_lists(void)
{
    char text[4096], *to = text;
    for (int user = 1; user < 40; user += 3)
        for (int k = 0; k < 1 + user % 4; k++)
            to += sprintf(to, "%d %d 5\n", user + 1, 1 + (user * 7 + k * 11) % 30);
    write_text(path, text);
    asked test;
    test_lists l;
    cr_assert_eq(asked_read_ratings(&test, &r, path), TG_OK);
    cr_assert_eq(test_lists_full(&test, -INFINITY, &l), TG_OK);
    asked_release(&test);
    return l;
}

static bool holds(const int64_t *item, int64_t count, int64_t wanted)
{
    for (int64_t i = 0; i < count; i++)
        if (item[i] == wanted)
            return true;
    return false;
}

/* HR and NDCG at k and AUC by their definitions, from the scores of all pairs. */
static void measure_slowly(const test_lists *l, const scorer *all, int64_t k, double *hr,
                           double *ndcg, double *area)
{
    *hr = *ndcg = *area = 0;
    for (int64_t i = 0; i < l->user.count; i++) {
        const list_items list = test_lists_get(l, i);
        const seen_items seen = recommender_seen(&r, list.user);
        float score[30];
        double dcg = 0, best = 0, right = 0, pairs = 0;
        scorer_score(all, list.user, score);
        for (int64_t p = 0; p < list.positives; p++) {
            int64_t place = 0;
            for (int64_t item = 0; item < 30; item++) {
                const bool is_own = holds(list.positive, list.positives, item);
                if (item == list.positive[p] || (!is_own && holds(seen.item, seen.count, item)))
                    continue;
                place += score[item] >= score[list.positive[p]];
                right += !is_own && score[item] < score[list.positive[p]];
                pairs += !is_own;
            }
            dcg += place < k ? 1 / log2((double)place + 2) : 0;
            best += p < k ? 1 / log2((double)p + 2) : 0;
        }
        *hr += (dcg > 0) / (double)l->user.count;
        *ndcg += dcg / best / (double)l->user.count;
        *area += right / pairs / (double)l->user.count;
    }
}

Test(evaluation, full_ranking__agrees_with_the_definitions_for_any_threads)
{
    test_lists l = many_lists();
    scorer *all = scorer_new(r.model, r.module);
    const model_scores scores = {&r, all};
    const int64_t cut[] = {1, 3, 10};
    evaluation first, e;
    for (int threads = 1; threads <= 3; threads++) {
        tg_set_num_threads(threads);
        cr_assert_eq(evaluate_lists(&r, &l, (score_source){score_by_model, &scores}, cut, 3, &e),
                     TG_OK);
        first = threads == 1 ? e : first;
        cr_expect_eq(memcmp(&first, &e, sizeof e), 0);
    }
    tg_set_num_threads(1);
    for (int i = 0; i < 3; i++) {
        double hr, ndcg, area;
        measure_slowly(&l, all, cut[i], &hr, &ndcg, &area);
        cr_expect_float_eq(e.metric[i][HIT_RATE], hr, 1e-12);
        cr_expect_float_eq(e.metric[i][NDCG], ndcg, 1e-12);
        cr_expect_float_eq(e.area, area, 1e-12);
        cr_expect(e.coverage[i] > 0 && e.coverage[i] <= 1 &&
                  (i == 0 || e.coverage[i] >= e.coverage[i - 1]));
    }
    scorer_free(all);
    test_lists_release(&l);
}

/* Sampled among all others that he has not seen is the same as full, one positive a list. */
Test(evaluation, sampled_ranking__among_all_items_is_full_ranking)
{
    test_lists full, all_others;
    asked test;
    write_text(path, "1 30 5\n2 29 5\n7 3 1\n12 14 4\n");
    cr_assert_eq(asked_read_ratings(&test, &r, path), TG_OK);
    cr_assert_eq(test_lists_full(&test, -INFINITY, &full), TG_OK);
    cr_assert_eq(test_lists_draw(&r, &full, NULL, 1000, 1, &all_others), TG_OK);
    scorer *all = scorer_new(r.model, r.module);
    const model_scores scores = {&r, all};
    const score_source model = {score_by_model, &scores};
    const int64_t cut[] = {1, 5};
    evaluation a, b;
    cr_assert_eq(evaluate_lists(&r, &full, model, cut, 2, &a), TG_OK);
    cr_assert_eq(evaluate_lists(&r, &all_others, model, cut, 2, &b), TG_OK);
    for (int i = 0; i < 2; i++)
        for (int m = 0; m < METRICS; m++)
            cr_expect_float_eq(a.metric[i][m], b.metric[i][m], 1e-12, "%s", metric_names[m]);
    cr_expect_float_eq(a.area, b.area, 1e-12);
    cr_expect_float_eq(a.length, b.length, 1e-12);
    scorer_free(all);
    asked_release(&test);
    test_lists_release(&full);
    test_lists_release(&all_others);
}

/* All items are equal: every positive is last, its own list's others before it. */
Test(evaluation, equal_scores__are_worth_nothing)
{
    test_lists l = many_lists();
    const float zero[30] = {0};
    const shared_scores scores = {zero, 30};
    const int64_t cut[] = {1};
    evaluation e;
    cr_assert_eq(evaluate_lists(&r, &l, (score_source){score_alike, &scores}, cut, 1, &e), TG_OK);
    cr_expect_eq(e.metric[0][HIT_RATE], 0);
    cr_expect_float_eq(e.area, 0, 1e-12);
    cr_expect_float_eq(e.coverage[0] * 30, 4, 4); /* the lowest numbers that are not seen */
    test_lists_release(&l);
}

/* ---- baselines ------------------------------------------------------------------------------- */

Test(evaluation, baselines__worked_by_hand)
{
    recommender small = {0};
    tg_dataset ratings;
    baselines b;
    write_text(path, "a x 5\na y 3\nb x 4\n"); /* mean 4 */
    cr_assert_eq(tg_ratings_read(path, &small.users, &small.items, &ratings), TG_OK);
    recommender_set_ratings(&small, &ratings);
    cr_assert_eq(baselines_make(&small, &b), TG_OK);
    /* Where the derivatives of the squares and of 5 |b|^2 are zero. */
    const double u = (double)b.user[0], v = (double)b.user[1];
    const double x = (double)b.item[0], y = (double)b.item[1];
    cr_expect_float_eq(7 * x + u + v, 1, 1e-6);
    cr_expect_float_eq(6 * y + u, -1, 1e-6);
    cr_expect_float_eq(7 * u + x + y, 0, 1e-6);
    cr_expect_float_eq(6 * v + x, 0, 1e-6);
    cr_expect_float_eq((double)baselines_predict(&b, 1, 1), 4 + v + y, 1e-6);
    cr_expect_float_eq((double)baselines_predict(&b, -1, 0), 4 + x, 1e-6);
    cr_expect_float_eq((double)baselines_predict(&b, 0, -1), 4 + u, 1e-6);
    cr_expect(b.popularity[0] == 2 && b.popularity[1] == 1);
    cr_expect(b.popularity[0] == 2 && b.popularity[1] == 1);
    baselines_release(&b);
    tg_dataset_release(&ratings);
    recommender_release(&small);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

Test(json_text, writes__what_the_header_shows_escaped)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    json j = json_begin(file);
    json_string(&j, "user", "al\"i\\ce\t\x7F\xC3\xA9");
    json_list(&j, "items");
    json_integer(&j, NULL, 50);
    json_object(&j, NULL);
    json_close(&j);
    json_number(&j, NULL, 0.1);
    json_close(&j);
    json_list(&j, "none");
    json_close(&j);
    json_number(&j, "bad", NAN);
    json_boolean(&j, "yes", true);
    json_end(&j);
    fclose(file);
    cr_expect_str_eq(text, "{\"user\":\"al\\\"i\\\\ce\\u0009\\u007f\xC3\xA9\","
                           "\"items\":[50,{},0.1],\"none\":[],\"bad\":null,\"yes\":true}\n");
    free(text);
}
