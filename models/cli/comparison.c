#include "models/cli/comparison.h"

#include <stdlib.h>

/* ---- errors of predicted ratings ------------------------------------------------------------- */

static void predict_baselines(const asked *test, const baselines *b, float *mean, float *biases)
{
    for (int64_t i = 0; i < test->rows.count; i++) {
        const asked_pair pair = asked_get(test, i);
        mean[i] = b->mean;
        biases[i] = baselines_predict(b, pair.user, pair.item);
    }
}

tg_status compare_errors(const recommender *r, const asked *test, const baselines *b,
                         errors of[PREDICTORS])
{
    const int64_t n = test->rows.count;
    const float *rating = tg_dataset_rows(&test->rows, TG_RATING);
    float *prediction[PREDICTORS] = {NULL}; /* (n) each */
    tg_status status = TG_OK;
    for (int i = 0; i < PREDICTORS && status == TG_OK; i++) {
        prediction[i] = malloc((size_t)n * sizeof *prediction[i]);
        if (!prediction[i])
            status = tg_failure(TG_ENOMEM, "no memory for %lld predictions", (long long)n);
    }
    if (status == TG_OK)
        status = asked_predict(test, r, prediction[MODEL]);
    if (status == TG_OK) {
        predict_baselines(test, b, prediction[MEAN_RATING], prediction[BIASES]);
        for (int i = 0; i < PREDICTORS; i++)
            of[i] = errors_of(prediction[i], rating, n);
    }
    for (int i = 0; i < PREDICTORS; i++)
        free(prediction[i]);
    return status;
}

/* ---- rankings -------------------------------------------------------------------------------- */

tg_status compare_rankings(const recommender *r, const test_lists *lists, const baselines *b,
                           const int64_t *cut, int cuts, evaluation *model, evaluation *popularity)
{
    scorer *all = scorer_new(r->model, r->module);
    const model_scores scores = {r, all};
    const shared_scores popular = {b->popularity, r->items.count};
    if (!all)
        return tg_failure(TG_ENOMEM, "no memory to score all items");
    tg_status status = evaluate_lists(r, lists, (score_source){score_by_model, &scores}, cut, cuts,
                                      model);
    scorer_free(all);
    if (status == TG_OK)
        status = evaluate_lists(r, lists, (score_source){score_alike, &popular}, cut, cuts,
                                popularity);
    return status;
}
