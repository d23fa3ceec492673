/* small_recommender.h: a recommender in memory, of made-up ratings and random weights, for tests */
#ifndef TESTS_SMALL_RECOMMENDER_H
#define TESTS_SMALL_RECOMMENDER_H

#include <criterion/criterion.h>

#include "models/cli/recommender.h"

/* 40 users, 30 items, 300 training ratings; parameters are scaled up so that users differ. */
static inline recommender small_recommender(const char *model, recommender_task task)
{
    recommender r = {.model = rating_model_find(model),
                     .options = {.factors = 3, .dropout = 0.5},
                     .task = task};
    tg_dataset ratings;
    cr_assert_eq(tg_synthetic(&r.users, &r.items, &ratings, .users = 40, .items = 30,
                              .ratings = 300), TG_OK);
    recommender_set_ratings(&r, &ratings);
    tg_dataset_release(&ratings);
    tg_manual_seed(4);
    recommender_build(&r);
    tg_state_dict state = tg_module_state_dict(r.module);
    for (int64_t i = 0; i < state.count; i++)
        tg_fill_normal(state.entry[i].tensor, 0.2, 0.5);
    tg_state_dict_release(&state);
    tg_module_train(r.module, false);
    return r;
}

#endif
