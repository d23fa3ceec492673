#include "models/cli/exam.h"

#include <stdlib.h>

#include "models/cli/baselines.h"
#include "models/cli/evaluation.h"
#include "models/cli/messages.h"

const char *const measure_names[][MEASURES] = {[TASK_RATING] = {"MAE", "RMSE"},
                                               [TASK_RANKING] = {"HR@10", "NDCG@10"}};

bool is_better(recommender_task task, measures a, measures b)
{
    return task == TASK_RATING ? a.value[1] < b.value[1] : a.value[1] > b.value[1];
}

static tg_status full_lists(const tg_dataset *held, test_lists *full)
{
    asked_pair *pair = malloc(((size_t)held->count + 1) * sizeof *pair);
    *full = (test_lists){0};
    if (!pair)
        return tg_failure(TG_ENOMEM, "no memory for %lld lists", (long long)held->count);
    for (int64_t i = 0; i < held->count; i++)
        pair[i] = (asked_pair){((const int64_t *)tg_dataset_rows(held, TG_USER))[i],
                               ((const int64_t *)tg_dataset_rows(held, TG_ITEM))[i]};
    const tg_status status = test_lists_of_pairs(pair, held->count, full);
    free(pair);
    return status;
}

static tg_status draw_lists(exam *e, const tg_dataset *others, uint64_t seed)
{
    test_lists full, of_others = {0};
    tg_status status = full_lists(e->held, &full);
    if (status == TG_OK)
        status = full_lists(others, &of_others);
    if (status == TG_OK)
        status = test_lists_draw(e->r, &full, &of_others, NEGATIVES_DRAWN, seed, &e->lists);
    test_lists_release(&full);
    test_lists_release(&of_others);
    return status;
}

static tg_status read_lists(exam *e, const char *path)
{
    left_out out;
    const tg_status status = test_lists_read(e->r, path, &e->lists, &out);
    if (status == TG_OK && e->lists.user.count && (out.lists || out.negatives))
        say("%s: %lld of %lld lists and %lld of %lld items are not in the data; they are left out",
            path, (long long)out.lists, (long long)out.all_lists, (long long)out.negatives,
            (long long)out.all_negatives);
    if (status == TG_OK && e->lists.user.count == 0)
        return tg_failure(TG_EFORMAT, "%s: no list is of a user and an item of the data; expected "
                          "lines of (user,item) and items", path);
    return status;
}

tg_status exam_init(exam *e, const recommender *r, const tg_dataset *held,
                    const tg_dataset *others, const char *negatives, uint64_t seed)
{
    *e = (exam){.r = r, .held = held};
    tg_status status = TG_OK;
    if (r->task == TASK_RANKING)
        status = negatives ? read_lists(e, negatives) : draw_lists(e, others, seed);
    else if (!(e->prediction = malloc(((size_t)held->count + 1) * sizeof *e->prediction)))
        status = tg_failure(TG_ENOMEM, "no memory for %lld predictions", (long long)held->count);
    if (status != TG_OK)
        exam_release(e);
    return status;
}

void exam_release(exam *e)
{
    test_lists_release(&e->lists);
    free(e->prediction);
    *e = (exam){0};
}

static void judge_ratings(const exam *e, measures *of)
{
    const float *rating = tg_dataset_rows(e->held, TG_RATING);
    const errors all = errors_of(e->prediction, rating, e->held->count);
    *of = (measures){{all.mae, all.rmse}};
}

static tg_status judge_lists(const exam *e, score_source source, measures *of)
{
    const int64_t cut = LIST_K;
    evaluation all = {0};
    const tg_status status = evaluate_lists(e->r, &e->lists, source, &cut, 1, &all);
    *of = (measures){{all.metric[0][HIT_RATE], all.metric[0][NDCG]}};
    return status;
}

tg_status exam_of_model(exam *e, measures *of)
{
    tg_module_train(e->r->module, false);
    if (e->r->task == TASK_RANKING)
        return judge_lists(e, (score_source){score_by_model, &(model_scores){e->r, NULL}}, of);
    recommender_predict(e->r, e->held, e->prediction);
    judge_ratings(e, of);
    return TG_OK;
}

static int judge_baseline_ratings(const exam *e, const baselines *b, baseline of[BASELINES])
{
    const int64_t *user = tg_dataset_rows(e->held, TG_USER);
    const int64_t *item = tg_dataset_rows(e->held, TG_ITEM);
    of[0].name = "user and item biases";
    for (int64_t i = 0; i < e->held->count; i++)
        e->prediction[i] = baselines_predict(b, user[i], item[i]);
    judge_ratings(e, &of[0].reached);
    of[1].name = "mean training rating";
    for (int64_t i = 0; i < e->held->count; i++)
        e->prediction[i] = b->mean;
    judge_ratings(e, &of[1].reached);
    return 2;
}

int exam_of_baselines(const exam *e, baseline of[BASELINES])
{
    baselines b;
    if (baselines_make(e->r, &b) != TG_OK)
        return TG_ENOMEM;
    int count = 1;
    if (e->r->task == TASK_RATING) {
        count = judge_baseline_ratings(e, &b, of);
    } else {
        const shared_scores scores = {b.popularity, e->r->items.count};
        of[0].name = "most training ratings";
        if (judge_lists(e, (score_source){score_alike, &scores}, &of[0].reached) != TG_OK)
            count = TG_ENOMEM;
    }
    baselines_release(&b);
    return count;
}
