#include "models/registry.h"

#include <string.h>

#include "models/gmf.h"
#include "models/mf.h"
#include "models/mlp.h"
#include "models/ncf.h"
#include "models/simplecf.h"

#define MODELS(MODEL) MODEL(ncf) MODEL(gmf) MODEL(mlp) MODEL(simplecf) MODEL(mf)

#define CREATE(model)                                                                              \
    static tg_module *create_##model(int64_t users, int64_t items, int64_t output_dim, double p)   \
    {                                                                                              \
        return &model##_new(users, items, output_dim, p)->base;                                    \
    }
MODELS(CREATE)

/* base is the first member, so a module's address is its struct's. */
#define FORWARD(model)                                                                             \
    static tg_tensor *forward_##model(tg_module *m, tg_tensor *user, tg_tensor *item)              \
    {                                                                                              \
        return model##_forward((model *)m, user, item);                                            \
    }
MODELS(FORWARD)

#define HALVES(model)                                                                              \
    static void halves_##model(tg_module *m, halves *user, halves *item)                           \
    {                                                                                              \
        model##_halves((model *)m, user, item);                                                    \
    }                                                                                              \
    static tg_tensor *from_halves_##model(tg_module *m, halves user, halves item)                  \
    {                                                                                              \
        return model##_from_halves((model *)m, user, item);                                        \
    }
MODELS(HALVES)

#define ROW(model) {#model, create_##model, forward_##model, halves_##model, from_halves_##model},
const rating_model rating_models[] = {MODELS(ROW)};
const int rating_model_count = sizeof(rating_models) / sizeof(rating_models[0]);

const rating_model *rating_model_find(const char *name)
{
    for (int i = 0; i < rating_model_count; i++)
        if (strcmp(rating_models[i].name, name) == 0)
            return &rating_models[i];
    return NULL;
}

void rating_model_start(tg_module *m, double mean)
{
    tg_state_dict state = tg_module_state_dict(m);
    tg_tensor *parameter = tg_state_dict_get(&state, "mean");
    if (parameter)
        tg_fill(parameter, mean);
    tg_state_dict_release(&state);
}
