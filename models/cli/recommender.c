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
    tg_ids_release(&r->users);
    tg_ids_release(&r->items);
    *r = (recommender){0};
}

/* ---- file ------------------------------------------------------------------------------------ */

/* Whether the id is a whole number written as printf would write it. */
static bool is_whole_number(const char *id)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", strtoll(id, NULL, 10));
    return strcmp(id, text) == 0;
}

static tg_tensor *ids_to_tensor(const tg_ids *ids)
{
    tg_tensor *numbers = tg_owned(TG_I64, ids->count);
    for (int64_t i = 0; i < ids->count; i++)
        ((int64_t *)numbers->data)[i] = strtoll(tg_ids_name(ids, i), NULL, 10);
    return numbers;
}

/* An id a line: none holds a line end, as they come from lines. NULL where there is no memory. */
static char *ids_to_text(const tg_ids *ids)
{
    size_t size = 1;
    for (int64_t i = 0; i < ids->count; i++)
        size += strlen(tg_ids_name(ids, i)) + 1;
    char *text = malloc(size), *to = text;
    for (int64_t i = 0; i < ids->count && text; i++)
        to += sprintf(to, i ? "\n%s" : "%s", tg_ids_name(ids, i));
    return text;
}

/* Gives the tensor, if it is one, for the caller to free after saving. */
static tg_status save_ids(tg_state_dict *state, const char *name, const tg_ids *ids,
                          tg_tensor **tensor)
{
    bool are_numbers = true;
    for (int64_t i = 0; i < ids->count && are_numbers; i++)
        are_numbers = is_whole_number(tg_ids_name(ids, i));
    if (are_numbers) {
        *tensor = ids_to_tensor(ids);
        tg_state_dict_add(state, name, *tensor);
        return TG_OK;
    }
    char *text = ids_to_text(ids);
    if (!text)
        return tg_failure(TG_ENOMEM, "no memory to save %s", name);
    tg_state_dict_note(state, name, text);
    free(text);
    return TG_OK;
}

tg_status recommender_save(const recommender *r, const char *path)
{
    char text[64];
    tg_state_dict state = tg_module_state_dict(r->module);
    tg_tensor *users = NULL, *items = NULL;
    tg_state_dict_note(&state, "format", FORMAT);
    tg_state_dict_note(&state, "model", r->model->name);
    snprintf(text, sizeof text, "%lld", (long long)r->output_dim);
    tg_state_dict_note(&state, "output_dim", text);
    snprintf(text, sizeof text, "%.17g", r->dropout);
    tg_state_dict_note(&state, "dropout", text);
    snprintf(text, sizeof text, "%.17g", r->rating_mean);
    tg_state_dict_note(&state, "rating_mean", text);
    tg_status status = save_ids(&state, "user_ids", &r->users, &users);
    if (status == TG_OK)
        status = save_ids(&state, "item_ids", &r->items, &items);
    if (status == TG_OK)
        status = tg_safetensors_save(path, &state);
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

/* Add an id that must be a new one. */
static tg_status load_id(tg_ids *ids, const char *id, const char *path, const char *name)
{
    const int64_t next = ids->count, number = tg_ids_intern(ids, id);
    if (number == next)
        return TG_OK;
    return number < 0 ? TG_ENOMEM
                      : tg_failure(TG_EFORMAT, "%s: %s[%lld] is '%.40s', as %s[%lld] is; expected "
                                   "each id once", path, name, (long long)next, id, name,
                                   (long long)number);
}

static tg_status load_id_numbers(const tg_tensor *numbers, const char *path, const char *name,
                                 tg_ids *ids)
{
    char id[24];
    tg_status status = TG_OK;
    for (int64_t i = 0; i < tg_numel(numbers) && status == TG_OK; i++) {
        snprintf(id, sizeof id, "%lld", (long long)((const int64_t *)numbers->data)[i]);
        status = load_id(ids, id, path, name);
    }
    return status;
}

static tg_status load_id_lines(const char *text, const char *path, const char *name, tg_ids *ids)
{
    char *lines = malloc(strlen(text) + 1), *next = lines;
    if (!lines)
        return tg_failure(TG_ENOMEM, "%s: no memory for %s", path, name);
    strcpy(lines, text);
    tg_status status = TG_OK;
    while (next && status == TG_OK) {
        char *id = next;
        next = strchr(id, '\n');
        if (next)
            *next++ = '\0';
        status = load_id(ids, id, path, name);
    }
    free(lines);
    return status;
}

static tg_status load_ids(const tg_state_dict *state, const char *path, const char *name,
                          tg_ids *ids)
{
    const tg_tensor *numbers = tg_state_dict_get(state, name);
    const char *text = tg_state_dict_get_note(state, name);
    if (text)
        return load_id_lines(text, path, name, ids);
    if (!numbers || numbers->dtype != TG_I64 || numbers->shape.ndim != 1 || tg_numel(numbers) == 0)
        return tg_failure(TG_EFORMAT, "%s: no list %s of I64; expected a model that ncf saved",
                          path, name);
    return load_id_numbers(numbers, path, name, ids);
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
    tg_tensor *user, *item;
    tg_module_train(r->module, false);
    while (tg_loader_next(loader, &user, &item)) {
        const int64_t size = tg_size(user, 0);
        tg_step_begin();
        tg_no_grad {
            const tg_tensor *y = r->model->forward(r->module, user, item);
            memcpy(prediction, y->data, (size_t)size * sizeof *prediction);
        }
        tg_step_end();
        prediction += size;
    }
    tg_loader_free(loader);
}
