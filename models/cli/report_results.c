/* Results of the report page: the measures of the model's task, beside baselines. */
#include <math.h>
#include <stdio.h>

#include "models/cli/comparison.h"
#include "models/cli/exam.h"
#include "models/cli/history.h"
#include "models/cli/report_parts.h"

static void name_model(report_results *p, const recommender *r)
{
    const int64_t chosen = history_chosen(r), epochs = chosen ? chosen : history_epochs(r);
    if (epochs)
        snprintf(p->name, sizeof p->name, "%s after %lld epoch%s", r->model->name,
                 (long long)epochs, epochs == 1 ? "" : "s");
    else
        snprintf(p->name, sizeof p->name, "%s", r->model->name);
    p->result[p->results++] = (page_result){.name = p->name};
}

/* ---- on a test file -------------------------------------------------------------------------- */

static tg_status test_ratings(report_results *p, const recommender *r, const asked *test,
                              const baselines *b)
{
    errors of[PREDICTORS];
    const tg_status status = compare_errors(r, test, b, of);
    if (status != TG_OK)
        return status;
    static const int shown[] = {MODEL, BIASES, MEAN_RATING};
    p->metric[p->metrics++] = (page_metric){"MAE", true};
    p->metric[p->metrics++] = (page_metric){"RMSE", true};
    p->result[p->results++] = (page_result){.name = "user and item biases"};
    p->result[p->results++] = (page_result){.name = "mean training rating"};
    for (int i = 0; i < p->results; i++) {
        p->result[i].value[0] = of[shown[i]].mae;
        p->result[i].value[1] = of[shown[i]].rmse;
    }
    return TG_OK;
}

static tg_status test_rankings(report_results *p, const recommender *r, const asked *test,
                               const char *path, const baselines *b)
{
    static const page_metric metrics[] = {{"HR@10", false}, {"NDCG@10", false}, {"MRR@10", false},
                                          {"recall@10", false}, {"coverage@10", false},
                                          {"AUC", false}};
    const int64_t cut = LIST_K;
    evaluation of[2];
    test_lists lists;
    tg_status status = test_lists_full(test, -INFINITY, &lists);
    if (status == TG_OK && lists.user.count == 0)
        status = tg_failure(TG_EFORMAT, "%s: nothing to rank; expected items, of users and items "
                            "that the model knows", path);
    if (status == TG_OK)
        status = compare_rankings(r, &lists, b, &cut, 1, &of[0], &of[1]);
    test_lists_release(&lists);
    if (status != TG_OK)
        return status;
    for (; p->metrics < (int)(sizeof metrics / sizeof *metrics); p->metrics++)
        p->metric[p->metrics] = metrics[p->metrics];
    p->result[p->results++] = (page_result){.name = "popularity"};
    for (int i = 0; i < p->results; i++) {
        const double *at = of[i].metric[0];
        const double value[] = {at[HIT_RATE], at[NDCG], at[MRR], at[RECALL], of[i].coverage[0],
                                of[i].area};
        for (int m = 0; m < p->metrics; m++)
            p->result[i].value[m] = value[m];
    }
    return TG_OK;
}

tg_status report_results_test(report_results *p, const recommender *r, const asked *test,
                              const char *path)
{
    baselines b;
    *p = (report_results){0};
    tg_status status = baselines_make(r, &b);
    if (status != TG_OK)
        return status;
    name_model(p, r);
    snprintf(p->note, sizeof p->note, "Tested on %lld ratings of %.80s%s.",
             (long long)test->rows.count, report_file_name(path),
             r->task == TASK_RATING ? "" : ": where each user's stand among all items that he has "
                                           "not rated in training (full ranking)");
    status = r->task == TASK_RATING ? test_ratings(p, r, test, &b)
                                    : test_rankings(p, r, test, path, &b);
    baselines_release(&b);
    return status;
}

/* ---- from the history ------------------------------------------------------------------------ */

void report_results_history(report_results *p, const recommender *r)
{
    const int64_t chosen = history_chosen(r), epoch = chosen ? chosen : history_epochs(r);
    *p = (report_results){0};
    for (int i = 0; i < MEASURES && epoch; i++) {
        const char *measure = measure_names[r->task][i];
        const int64_t column = history_find(r, "test", measure);
        if (column < 0)
            continue;
        p->metric[p->metrics] = (page_metric){measure, r->task == TASK_RATING};
        p->result[0].value[p->metrics++] = history_get(r, epoch, column);
    }
    if (!p->metrics)
        return;
    const page_result model = p->result[0];
    name_model(p, r);
    p->result[0] = model;
    p->result[0].name = p->name;
    snprintf(p->note, sizeof p->note, "The results are those of training%s.",
             r->task == TASK_RATING ? ", on its test part"
                                    : ": where each test item stands among some others (sampled "
                                      "ranking)");
}
