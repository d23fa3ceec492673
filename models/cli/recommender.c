#include "models/cli/recommender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "tapegrad-ncf-1";

void recommender_build(recommender *r)
{
    r->module = r->model->create(r->users.count, r->items.count, r->output_dim, r->dropout);
}

void recommender_release(recommender *r)
{
    tg_module_free(r->module);
    tg_idmap_release(&r->users);
    tg_idmap_release(&r->items);
    *r = (recommender){0};
}

/* ---- file ------------------------------------------------------------------------------------ */

static tg_tensor *ids_to_tensor(const tg_idmap *map)
{
    tg_tensor *ids = tg_owned(TG_I64, map->count);
    memcpy(ids->data, map->id, (size_t)map->count * sizeof *map->id);
    return ids;
}

tg_status recommender_save(const recommender *r, const char *path)
{
    char text[64];
    tg_state_dict state = tg_module_state_dict(r->module);
    tg_tensor *users = ids_to_tensor(&r->users), *items = ids_to_tensor(&r->items);
    tg_state_dict_add(&state, "user_ids", users);
    tg_state_dict_add(&state, "item_ids", items);
    tg_state_dict_note(&state, "format", FORMAT);
    tg_state_dict_note(&state, "model", r->model->name);
    snprintf(text, sizeof text, "%lld", (long long)r->output_dim);
    tg_state_dict_note(&state, "output_dim", text);
    snprintf(text, sizeof text, "%.17g", r->dropout);
    tg_state_dict_note(&state, "dropout", text);
    snprintf(text, sizeof text, "%.17g", r->rating_mean);
    tg_state_dict_note(&state, "rating_mean", text);
    const tg_status status = tg_safetensors_save(path, &state);
    tg_state_dict_release(&state);
    tg_free(users);
    tg_free(items);
    return status;
}

static tg_status load_number(const tg_state_dict *state, const char *path, const char *key,
                             double low, double high, double *number)
{
    const char *text = tg_state_dict_get_note(state, key);
    char *end = NULL;
    *number = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end || !(*number >= low && *number <= high))
        return tg_failure(TG_EFORMAT, "%s: %s is '%s'; expected a number from %g to %g", path, key,
                          text ? text : "", low, high);
    return TG_OK;
}

static tg_status load_ids(const tg_state_dict *state, const char *path, const char *name,
                          tg_idmap *map)
{
    const tg_tensor *ids = tg_state_dict_get(state, name);
    if (!ids || ids->dtype != TG_I64 || ids->shape.ndim != 1 || tg_numel(ids) == 0)
        return tg_failure(TG_EFORMAT, "%s: no list %s of I64; expected a model that ncf saved",
                          path, name);
    const int64_t count = tg_numel(ids), *id = ids->data;
    for (int64_t i = 1; i < count; i++)
        if (id[i - 1] >= id[i])
            return tg_failure(TG_EFORMAT, "%s: %s[%lld] is %lld; expected ascending ids", path,
                              name, (long long)i, (long long)id[i]);
    map->id = malloc((size_t)count * sizeof *map->id);
    if (!map->id)
        return tg_failure(TG_ENOMEM, "%s: no memory for %s", path, name);
    memcpy(map->id, id, (size_t)count * sizeof *map->id);
    map->count = count;
    return TG_OK;
}

static tg_status load_settings(recommender *r, const tg_state_dict *state, const char *path)
{
    const char *format = tg_state_dict_get_note(state, "format");
    const char *model = tg_state_dict_get_note(state, "model");
    if (!format || strcmp(format, FORMAT) != 0)
        return tg_failure(TG_EFORMAT, "%s: format '%s'; expected '%s', a model that ncf saved",
                          path, format ? format : "", FORMAT);
    r->model = model ? rating_model_find(model) : NULL;
    if (!r->model)
        return tg_failure(TG_EFORMAT, "%s: model '%s' is not known", path, model ? model : "");
    double output_dim = 0;
    tg_status status = load_number(state, path, "output_dim", 1, 4096, &output_dim);
    r->output_dim = (int64_t)output_dim;
    if (status == TG_OK)
        status = load_number(state, path, "dropout", 0, 1, &r->dropout);
    if (status == TG_OK)
        status = load_number(state, path, "rating_mean", -1e30, 1e30, &r->rating_mean);
    return status;
}

tg_status recommender_load(recommender *r, const char *path)
{
    *r = (recommender){0};
    tg_state_dict state;
    tg_status status = tg_safetensors_load(path, &state);
    if (status != TG_OK)
        return status;
    status = load_settings(r, &state, path);
    if (status == TG_OK)
        status = load_ids(&state, path, "user_ids", &r->users);
    if (status == TG_OK)
        status = load_ids(&state, path, "item_ids", &r->items);
    if (status == TG_OK) {
        recommender_build(r);
        status = tg_module_load_state_dict(r->module, &state);
        if (status != TG_OK) {
            const tg_error reason = *tg_last_error();
            tg_failure(status, "%s: %.400s", path, reason.message);
        }
    }
    tg_state_dict_release(&state);
    if (status != TG_OK)
        recommender_release(r);
    return status;
}

/* ---- prediction ------------------------------------------------------------------------------ */

void recommender_predict(const recommender *r, const tg_dataset *pairs, float *prediction)
{
    enum { BATCH_SIZE = 1024 };
    tg_loader *loader = tg_loader_new(pairs, BATCH_SIZE, 0);
    tg_batch batch;
    tg_module_train(r->module, false);
    while (tg_loader_next(loader, &batch)) {
        tg_step_begin();
        tg_no_grad {
            const tg_tensor *y = r->model->forward(r->module, batch.user, batch.item);
            memcpy(prediction, y->data, (size_t)batch.size * sizeof *prediction);
        }
        tg_step_end();
        prediction += batch.size;
    }
    tg_loader_free(loader);
}
