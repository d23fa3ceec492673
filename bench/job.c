#include "bench/job.h"

#include <string.h>

enum { USERS = 6041, ITEMS = 3707, RATINGS = 500000, OUTPUT_DIM = 32, SMALLER = 16 };

static tg_dataset skewed_ratings(int64_t users, int64_t items, int64_t ratings)
{
    tg_dataset data = tg_dataset_of(tg_owned(TG_I64, ratings), tg_owned(TG_I64, ratings),
                                    tg_owned(TG_F32, ratings));
    int64_t *user = tg_dataset_rows(&data, TG_USER), *item = tg_dataset_rows(&data, TG_ITEM);
    float *rating = tg_dataset_rows(&data, TG_RATING);
    tg_rng rng = {.seed = 1};
    for (int64_t i = 0; i < ratings; i++) {
        const double u = tg_rng_uniform(&rng), v = tg_rng_uniform(&rng);
        user[i] = (int64_t)((double)users * u * u);
        item[i] = (int64_t)((double)items * v * v * v);
        rating[i] = (float)(1 + tg_rng_below(&rng, 5));
    }
    return data;
}

job job_new(int64_t batch_size, const char *optimizer, bool small)
{
    const int64_t share = small ? SMALLER : 1;
    job j = {.data = skewed_ratings(USERS / share, ITEMS / share, RATINGS / share)};
    tg_manual_seed(10);
    const model_options options = {.factors = OUTPUT_DIM, .dropout = 0.5};
    j.model = ncf_new(USERS / share, ITEMS / share, options);
    j.optimizer = strcmp(optimizer, "sparse-adam") == 0
                      ? tg_sparse_adam(j.model, .lr = 5e-4)
                      : tg_adam(j.model, .lr = 5e-4, .catch_up = strcmp(optimizer, "adam") == 0);
    j.loader = tg_loader_new(&j.data, batch_size, .shuffle = true, .seed = 10);
    return j;
}

void job_end(job *j)
{
    tg_loader_free(j->loader);
    tg_optimizer_free(j->optimizer);
    tg_module_free(&j->model->base);
    tg_dataset_release(&j->data);
}
