#include "models/registry.h"

#include <string.h>

#include "models/biased.h"
#include "models/gmf.h"
#include "models/mf.h"
#include "models/mlp.h"
#include "models/ncf.h"
#include "models/simplecf.h"

#define UNBIASED(MODEL) MODEL(ncf) MODEL(gmf) MODEL(mlp) MODEL(simplecf)
#define MODELS(MODEL) UNBIASED(MODEL) MODEL(mf)

/* ---- initial values -------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* What He et al. published with their paper: embeddings N(0, 0.01^2), hidden layers as Glorot and
 * Bengio, the last one as LeCun, no bias. */
static tg_module *started(tg_module *m, const model_options *o)
{
    tg_state_dict state = tg_module_state_dict(m);
    for (int64_t i = 0; i < state.count && o->paper_init; i++) {
        const char *name = state.entry[i].name;
        tg_tensor *p = state.entry[i].tensor;
        if (ends_in(name, "_emb.weight"))
            tg_fill_normal(p, 0, 0.01);
        else if (ends_in(name, "predict_layer.weight"))
            tg_lecun_uniform(p);
        else if (ends_in(name, ".bias"))
            tg_fill(p, 0);
        else if (strstr(name, "linear_"))
            tg_xavier_uniform(p);
    }
    tg_state_dict_release(&state);
    return m;
}

/* ---- functions by name ----------------------------------------------------------------------- */

#define CREATE(model)                                                                              \
    static tg_module *create_##model(int64_t users, int64_t items, model_options o)                \
    {                                                                                              \
        return started(&model##_new(users, items, o)->base, &o);                                   \
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

#define ROW(model, biases)                                                                         \
    {#model, biases, create_##model, forward_##model, halves_##model, from_halves_##model},
#define UNBIASED_ROW(model) ROW(model, false)
const rating_model rating_models[] = {UNBIASED(UNBIASED_ROW) ROW(mf, true)};
const int rating_model_count = sizeof(rating_models) / sizeof(rating_models[0]);

/* ---- beside biases --------------------------------------------------------------------------- */

#define CREATE_BIASED(model)                                                                       \
    static tg_module *create_biased_##model(int64_t users, int64_t items, model_options o)         \
    {                                                                                              \
        return &biased_new(users, items, rating_model_find(#model),                                \
                           create_##model(users, items, o))->base;                                 \
    }
UNBIASED(CREATE_BIASED)
FORWARD(biased)
HALVES(biased)

#define BIASED_ROW(model)                                                                          \
    {#model, true, create_biased_##model, forward_biased, halves_biased, from_halves_biased},
static const rating_model biased_models[] = {UNBIASED(BIASED_ROW)};

const rating_model *rating_model_with_biases(const rating_model *model)
{
    return model->has_biases ? model : &biased_models[model - rating_models];
}

/* ---- for all of them ------------------------------------------------------------------------- */

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
