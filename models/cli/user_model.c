#include "models/cli/user_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/scorer.h"

enum { ROWS = 256 };

/* ---- the module ------------------------------------------------------------------------------ */

/* A module like the recommender's, of ROWS users, whose user tables alone want gradients. */
static void make_module(user_model *u)
{
    recommender few = *u->r;
    few.users.count = ROWS;
    recommender_build(&few);
    u->module = few.module;
    tg_module_train(u->module, false);
    tg_module_freeze(u->module, true);
    u->trained = embeddings_of(u->r->module, SIDE_USER);
    u->rows = embeddings_of(u->module, SIDE_USER);
    u->dim = u->rows.dim;
    for (int t = 0; t < u->rows.tables; t++)
        tg_requires_grad(u->rows.table[t]);
    tg_state_dict of = tg_module_state_dict(u->r->module), to = tg_module_state_dict(u->module);
    for (int64_t i = 0; i < to.count; i++)
        if (!to.entry[i].tensor->requires_grad)
            tg_copy(to.entry[i].tensor, of.entry[i].tensor);
    tg_state_dict_release(&of);
    tg_state_dict_release(&to);
}

/* Mean and spread of the vectors of users that have training ratings. */
static void measure_users(user_model *u)
{
    int64_t count = 0;
    for (int64_t user = 0; user < u->r->users.count; user++)
        if (recommender_seen(u->r, user).count > 0) {
            embeddings_row(&u->trained, user, u->vector);
            for (int64_t d = 0; d < u->dim; d++)
                u->mean[d] += (double)u->vector[d];
            count++;
        }
    for (int64_t d = 0; d < u->dim && count; d++)
        u->mean[d] /= (double)count;
    for (int64_t user = 0; user < u->r->users.count; user++)
        if (recommender_seen(u->r, user).count > 0) {
            embeddings_row(&u->trained, user, u->vector);
            for (int64_t d = 0; d < u->dim; d++)
                u->spread[d] += pow((double)u->vector[d] - u->mean[d], 2);
        }
    for (int64_t d = 0; d < u->dim && count; d++)
        u->spread[d] = sqrt(u->spread[d] / (double)count);
}

tg_status user_model_init(user_model *u, const recommender *r)
{
    *u = (user_model){.r = r};
    make_module(u);
    const size_t dim = (size_t)u->dim;
    u->x = calloc(dim, sizeof *u->x);
    u->mean = calloc(dim, sizeof *u->mean);
    u->spread = calloc(dim, sizeof *u->spread);
    u->vector = calloc(dim, sizeof *u->vector);
    if (!u->x || !u->mean || !u->spread || !u->vector) {
        user_model_release(u);
        return tg_failure(TG_ENOMEM, "no memory for the vector of a user");
    }
    measure_users(u);
    user_model_set(u);
    return TG_OK;
}

void user_model_release(user_model *u)
{
    tg_module_free(u->module);
    free(u->x);
    free(u->mean);
    free(u->spread);
    free(u->vector);
    *u = (user_model){0};
}

/* ---- the vector ------------------------------------------------------------------------------ */

void user_model_set(user_model *u)
{
    const float *from = u->vector;
    for (int64_t d = 0; d < u->dim; d++)
        u->vector[d] = (float)(u->mean[d] + u->spread[d] * u->x[d]);
    for (int t = 0; t < u->rows.tables; t++) {
        const int64_t width = embeddings_width(&u->rows, t);
        float *to = u->rows.table[t]->data;
        for (int64_t row = 0; row < ROWS; row++)
            memcpy(to + row * width, from, (size_t)width * sizeof *to);
        from += width;
    }
}

void user_model_take(user_model *u, int64_t user)
{
    embeddings_row(&u->trained, user, u->vector);
    for (int64_t d = 0; d < u->dim; d++)
        u->x[d] = u->spread[d] > 0 ? ((double)u->vector[d] - u->mean[d]) / u->spread[d] : 0;
    user_model_set(u);
}

/* ---- the function ---------------------------------------------------------------------------- */

/* Move the tables' gradients into the slopes of a batch, (rows, dim): row i is the module's user
 * i's. */
static void take_slopes(user_model *u, float *slope)
{
    int64_t first = 0;
    for (int t = 0; t < u->rows.tables; t++) {
        const int64_t width = embeddings_width(&u->rows, t);
        const tg_tensor *g = u->rows.table[t]->grad; /* row-sparse */
        for (int64_t i = 0; i < tg_numel(g->rows); i++) {
            const float *from = (const float *)g->data + i * width;
            float *to = slope + ((const int64_t *)g->rows->data)[i] * u->dim + first;
            for (int64_t d = 0; d < width; d++)
                to[d] = (float)u->spread[first + d] * from[d];
        }
        tg_zero_grad_tensor(u->rows.table[t]);
        first += width;
    }
}

void user_model_run(user_model *u, const int64_t *item, int64_t count, double *output, float *slope)
{
    int64_t user[ROWS]; /* one for each item of a batch, so that each has a gradient to itself */
    for (int64_t row = 0; row < ROWS; row++)
        user[row] = row;
    for (int64_t from = 0; from < count; from += ROWS) {
        const int64_t n = count - from < ROWS ? count - from : ROWS;
        tg_step_begin();
        tg_tensor *y = u->r->model->forward(u->module, tg_from(TG_I64, user, n),
                                            tg_from(TG_I64, item + from, n)); /* (n) */
        for (int64_t i = 0; i < n; i++)
            output[from + i] = (double)((const float *)y->data)[i];
        tg_backward(tg_sum(y));
        tg_step_end();
        take_slopes(u, slope + from * u->dim);
    }
}

tg_status user_model_score(const user_model *u, float *score)
{
    scorer *all = scorer_new(u->r->model, u->module);
    if (!all)
        return tg_failure(TG_ENOMEM, "no memory to score all items");
    scorer_score(all, 0, score);
    scorer_free(all);
    return TG_OK;
}
