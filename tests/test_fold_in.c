/* A user's vector from his ratings: against the closed form, and what must hold of any model. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/cli/embeddings.h"
#include "models/cli/fold_in.h"
#include "tests/small_recommender.h"

enum { ITEMS = 30, RATED = 6, DIM = 3 };

static const int64_t rated[RATED] = {1, 4, 7, 11, 20, 29};
static const float ratings[RATED] = {5, 1, 4, 2, 5, 3};
static const seen_items some = {RATED, rated, ratings};

/* ---- the closed form, of a model that is linear in the vector -------------------------------- */

/* Solve a x = b (n, n) by elimination, both are overwritten; x is in b. */
static void eliminate(double a[DIM][DIM], double b[DIM])
{
    for (int k = 0; k < DIM; k++)
        for (int row = 0; row < DIM; row++) {
            const double factor = row == k ? 0 : a[row][k] / a[k][k];
            for (int c = k; c < DIM; c++)
                a[row][c] -= factor * a[k][c];
            b[row] -= factor * b[k];
        }
    for (int k = 0; k < DIM; k++)
        b[k] /= a[k][k];
}

static double weight_at(const recommender *r, const char *name, int64_t row, int64_t column)
{
    tg_state_dict state = tg_module_state_dict(r->module);
    const tg_tensor *t = tg_state_dict_get(&state, name);
    cr_assert_not_null(t, "%s", name);
    const double value = t->shape.ndim == 2 ? tg_get(t, row, column) : tg_get(t, column);
    tg_state_dict_release(&state);
    return value;
}

/* GMF: a rating is a_i . u + c with a_i the item's vector times the last layer's weights. */
static double slope_of(const recommender *r, int64_t item, int d)
{
    return weight_at(r, "GMF_layers.item_emb.weight", item, d) *
           weight_at(r, "predict_layer.weight", 0, d);
}

static double noise_of(const recommender *r)
{
    double squares = 0;
    for (int64_t u = 0; u < r->users.count; u++) {
        const seen_items seen = recommender_seen(r, u);
        for (int64_t i = 0; i < seen.count; i++) {
            double y = weight_at(r, "predict_layer.bias", 0, 0);
            for (int d = 0; d < DIM; d++)
                y += slope_of(r, seen.item[i], d) *
                     weight_at(r, "GMF_layers.user_emb.weight", u, d);
            squares += (y - (double)seen.rating[i]) * (y - (double)seen.rating[i]);
        }
    }
    return squares / (double)tg_numel(r->seen_item);
}

/* The vector that makes the sum in fold_in.h smallest. */
static void best_vector(const recommender *r, double u[DIM])
{
    const double noise = noise_of(r), users = (double)r->users.count;
    double a[DIM][DIM] = {{0}};
    for (int d = 0; d < DIM; d++) {
        double mean = 0, squares = 0;
        for (int64_t row = 0; row < r->users.count; row++)
            mean += weight_at(r, "GMF_layers.user_emb.weight", row, d) / users;
        for (int64_t row = 0; row < r->users.count; row++)
            squares += pow(weight_at(r, "GMF_layers.user_emb.weight", row, d) - mean, 2) / users;
        a[d][d] = 1 / squares;
        u[d] = mean / squares;
    }
    for (int j = 0; j < RATED; j++)
        for (int d = 0; d < DIM; d++) {
            const double missing = (double)ratings[j] - weight_at(r, "predict_layer.bias", 0, 0);
            u[d] += slope_of(r, rated[j], d) * missing / noise;
            for (int e = 0; e < DIM; e++)
                a[d][e] += slope_of(r, rated[j], d) * slope_of(r, rated[j], e) / noise;
        }
    eliminate(a, u);
}

Test(fold_in, gmf__has_the_closed_form)
{
    recommender r = small_recommender("gmf", TASK_RATING);
    double u[DIM];
    float score[ITEMS];
    fitted how;
    for (int64_t user = 0; user < r.users.count; user++) /* the mean is over all of them */
        cr_assert_gt(recommender_seen(&r, user).count, 0);
    fold_in f;
    cr_assert_eq(fold_in_init(&f, &r), TG_OK);
    cr_assert_eq(fold_in_fit(&f, some, &how), TG_OK);
    cr_assert_eq(user_model_score(&f.user, score), TG_OK);
    cr_expect_lt(how.after, how.before);
    cr_expect_leq(how.steps, 2);
    best_vector(&r, u);
    for (int64_t i = 0; i < ITEMS; i++) {
        double y = weight_at(&r, "predict_layer.bias", 0, 0);
        for (int d = 0; d < DIM; d++)
            y += slope_of(&r, i, d) * u[d];
        cr_expect_float_eq((double)score[i], y, 2e-5, "item %lld: %.7f, expected %.7f",
                           (long long)i, (double)score[i], y);
    }
    fold_in_release(&f);
    recommender_release(&r);
}

/* ---- any model ------------------------------------------------------------------------------- */

Test(fold_in, every_model__comes_nearer_to_the_ratings_and_repeats_itself)
{
    for (int m = 0; m < rating_model_count; m++)
        for (recommender_task task = TASK_RATING; task <= TASK_RANKING; task++) {
            recommender r = small_recommender(rating_models[m].name, task);
            float first[ITEMS], second[ITEMS];
            fitted how;
            fold_in f;
    cr_assert_eq(fold_in_init(&f, &r), TG_OK);
            cr_assert_eq(fold_in_fit(&f, some, &how), TG_OK);
            cr_expect(how.after < how.before, "%s: %g, before %g", r.model->name, how.after,
                      how.before);
            cr_assert_eq(user_model_score(&f.user, first), TG_OK);
            user_model_take(&f.user, 3);
            cr_assert_eq(fold_in_fit(&f, some, &how), TG_OK);
            cr_assert_eq(user_model_score(&f.user, second), TG_OK);
            cr_expect_eq(memcmp(first, second, sizeof first), 0, "%s", r.model->name);
            fold_in_release(&f);
            recommender_release(&r);
        }
}

Test(fold_in, take__gives_what_the_model_gives_its_user)
{
    for (int m = 0; m < rating_model_count; m++) {
        recommender r = small_recommender(rating_models[m].name, TASK_RATING);
        float score[ITEMS], expected[ITEMS];
        tg_dataset pairs = tg_dataset_of(tg_owned(TG_I64, ITEMS), tg_owned(TG_I64, ITEMS));
        for (int64_t i = 0; i < ITEMS; i++) {
            ((int64_t *)tg_dataset_rows(&pairs, TG_USER))[i] = 17;
            ((int64_t *)tg_dataset_rows(&pairs, TG_ITEM))[i] = i;
        }
        recommender_predict(&r, &pairs, expected);
        fold_in f;
    cr_assert_eq(fold_in_init(&f, &r), TG_OK);
        user_model_take(&f.user, 17);
        cr_assert_eq(user_model_score(&f.user, score), TG_OK);
        for (int i = 0; i < ITEMS; i++)
            cr_expect_float_eq((double)score[i], (double)expected[i], 1e-4, "%s", r.model->name);
        fold_in_release(&f);
        tg_dataset_release(&pairs);
        recommender_release(&r);
    }
}

/* ---- explanations ---------------------------------------------------------------------------- */

/* Fit to the ratings; gives the prediction of an item, its parts and its base. */
static double explain(fold_in *f, seen_items of, int64_t item, double *part, double *base)
{
    float score[ITEMS];
    fitted how;
    cr_assert_eq(fold_in_fit(f, of, &how), TG_OK);
    cr_assert_eq(user_model_score(&f->user, score), TG_OK);
    cr_assert_eq(fold_in_explain(f, of, item, part, base), TG_OK);
    return (double)score[item];
}

Test(fold_in, explain__parts_add_up_and_are_what_each_rating_does)
{
    recommender r = small_recommender("mf", TASK_RATING);
    fold_in f;
    cr_assert_eq(fold_in_init(&f, &r), TG_OK);
    float changed[RATED];
    const int64_t items[] = {0, 4, 28}; /* one of them is rated */
    for (int k = 0; k < 3; k++) {
        double part[RATED], base, other[RATED], other_base;
        const double prediction = explain(&f, some, items[k], part, &base);
        double sum = base;
        for (int j = 0; j < RATED; j++)
            sum += part[j];
        cr_expect_float_eq(sum, prediction, 1e-4, "%g, expected %g", sum, prediction);
        for (int j = 0; j < RATED; j++) { /* half a star more changes this rating's part alone */
            memcpy(changed, ratings, sizeof changed);
            changed[j] += 0.5F;
            const double now = explain(&f, (seen_items){RATED, rated, changed}, items[k], other,
                                       &other_base);
            cr_expect_float_eq(other_base, base, 1e-4);
            for (int i = 0; i < RATED; i++)
                cr_expect_float_eq(other[i] - part[i], i == j ? now - prediction : 0, 2e-4);
        }
    }
    fold_in_release(&f);
    recommender_release(&r);
}

Test(fold_in, explain__near_the_fit_of_a_network_adds_up)
{
    for (int m = 0; m < rating_model_count; m++) {
        recommender r = small_recommender(rating_models[m].name, TASK_RATING);
        fold_in f;
    cr_assert_eq(fold_in_init(&f, &r), TG_OK);
        double part[RATED], base;
        const double prediction = explain(&f, some, 12, part, &base);
        double sum = base;
        for (int j = 0; j < RATED; j++)
            sum += part[j];
        cr_expect_float_eq(sum, prediction, 0.02, "%s: %g, expected %g", r.model->name, sum,
                           prediction);
        fold_in_release(&f);
        recommender_release(&r);
    }
}

Test(embeddings, tables__by_side_and_beside_each_other)
{
    recommender r = small_recommender("ncf", TASK_RATING);
    const embeddings items = embeddings_of(r.module, SIDE_ITEM);
    float row[15];
    cr_expect(items.tables == 2 && items.dim == 15);
    cr_expect_str_eq(items.name[0], "GMF_layers.item_emb");
    cr_expect_str_eq(items.name[1], "MLP_layers.item_emb");
    cr_expect_eq(embeddings_to_compare(&items), 0);
    embeddings_row(&items, 7, row);
    for (int d = 0; d < 15; d++)
        cr_expect_eq((double)row[d], d < 3 ? tg_get(items.table[0], 7, d)
                                           : tg_get(items.table[1], 7, d - 3));
    recommender_release(&r);
}
