#include "tests/model_samples.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "models/autorec.h"
#include "models/biased.h"
#include "models/bpr.h"
#include "models/classifier.h"
#include "models/fm.h"
#include "models/gmf.h"
#include "models/logistic.h"
#include "models/mf.h"
#include "models/mlp.h"
#include "models/ncf.h"
#include "models/simplecf.h"

enum { USERS = 5, ITEMS = 4, DIM = 2, BATCH = 5 };

/* ---- data: indices with repetitions, so that rows have several gradients, one, or none ------- */

static tg_tensor *some_users(void)
{
    return tg_from(TG_I64, ((int64_t[]){3, 0, 3, 4, 3}), BATCH);
}

static tg_tensor *some_items(void)
{
    return tg_from(TG_I64, ((int64_t[]){1, 1, 2, 0, 1}), BATCH);
}

static tg_tensor *other_items(void)
{
    return tg_from(TG_I64, ((int64_t[]){2, 0, 1, 3, 2}), BATCH);
}

static tg_tensor *some_ratings(void)
{
    return tg_from(TG_F64, ((double[]){4, 3, 5, 1, 2}), BATCH);
}

static tg_tensor *some_labels(void) /* (4) */
{
    return tg_from(TG_F64, ((double[]){0, 1, 1, 0}), 4);
}

static tg_tensor *some_points(void) /* (4, 2) */
{
    return tg_from(TG_F64, ((double[]){0.3, -1.2, 0.8, 0.1, -0.7, 1.1, 1.9, -0.4}), 4, 2);
}

static tg_tensor *some_classes(void) /* (4) */
{
    return tg_from(TG_I64, ((int64_t[]){2, 0, 1, 0}), 4);
}

static tg_tensor *rating_table(void) /* (2, ITEMS) */
{
    return tg_from(TG_F64, ((double[]){4, 9, 1, 3, 9, 2, 5, 9}), 2, ITEMS);
}

static tg_tensor *observed_table(void) /* (2, ITEMS) */
{
    return tg_from(TG_I64, ((int64_t[]){1, 0, 1, 1, 0, 1, 1, 0}), 2, ITEMS);
}

static tg_tensor *some_features(void) /* (BATCH, 3), of 9: user, item, something else */
{
    return tg_from(TG_I64, ((int64_t[]){3, 6, 7, 0, 6, 8, 3, 5, 7, 4, 5, 7, 3, 6, 8}), BATCH, 3);
}

/* ---- the models: MODEL(name, arguments of name_new, loss of the model m) --------------------- */

#define SMALL (model_options){.factors = DIM, .dropout = 0.5}
#define RATING_LOSS(name) tg_mse_loss(name##_forward(m, some_users(), some_items()), some_ratings())

#define MODELS(MODEL)                                                                              \
    MODEL(ncf, (USERS, ITEMS, SMALL), RATING_LOSS(ncf))                                         \
    MODEL(gmf, (USERS, ITEMS, SMALL), RATING_LOSS(gmf))                                         \
    MODEL(mlp, (USERS, ITEMS, SMALL), RATING_LOSS(mlp))                                         \
    MODEL(simplecf, (USERS, ITEMS, SMALL), RATING_LOSS(simplecf))                               \
    MODEL(mf, (USERS, ITEMS, SMALL), RATING_LOSS(mf))                                           \
    MODEL(biased, (USERS, ITEMS, rating_model_find("gmf"), &gmf_new(USERS, ITEMS, SMALL)->base),   \
          RATING_LOSS(biased))                                                                     \
    MODEL(bpr, (USERS, ITEMS, DIM), bpr_loss(m, some_users(), some_items(), other_items()))        \
    MODEL(fm, (9, DIM), fm_loss(m, some_features(), some_ratings()))                               \
    MODEL(autorec, (ITEMS, DIM), autorec_loss(m, rating_table(), observed_table()))                \
    MODEL(logistic, (2), logistic_loss(m, some_points(), some_labels()))                           \
    MODEL(classifier, (2, 4, 3, 0.5), classifier_loss(m, some_points(), some_classes()))

#define FUNCTIONS(name, arguments, loss)                                                           \
    static tg_module *create_##name(void)                                                          \
    {                                                                                              \
        return &name##_new arguments->base;                                                        \
    }                                                                                              \
    static tg_tensor *loss_of_##name(tg_module *base)                                              \
    {                                                                                              \
        name *m = (name *)base;                                                                    \
        return loss;                                                                               \
    }
MODELS(FUNCTIONS)

#define ROW(name, arguments, loss) {#name, create_##name, loss_of_##name},
const model_sample model_samples[] = {MODELS(ROW)};
const int model_sample_count = sizeof model_samples / sizeof *model_samples;

/* ---- none is forgotten ----------------------------------------------------------------------- */

static bool has_sample(const char *name)
{
    for (int i = 0; i < model_sample_count; i++)
        if (strcmp(model_samples[i].name, name) == 0)
            return true;
    return false;
}

static bool has_module(const char *path)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file))
        found = strstr(line, "tg_module base;") != NULL;
    if (file)
        fclose(file);
    return found;
}

const char *model_without_sample(void)
{
    static char name[64];
    const char *missing = NULL;
    glob_t headers;
    if (glob("models/*.h", 0, NULL, &headers) != 0)
        return "models/*.h (run in the root of the tree)";
    for (size_t i = 0; i < headers.gl_pathc && !missing; i++) {
        sscanf(headers.gl_pathv[i], "models/%63[^.]", name);
        missing = has_module(headers.gl_pathv[i]) && !has_sample(name) ? name : NULL;
    }
    globfree(&headers);
    return missing;
}
