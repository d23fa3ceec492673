/* The recommender's file, as recommender.h describes it. */
#include "models/cli/recommender.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "tapegrad-ncf-2";
static const char *const task_names[] = {[TASK_RATING] = "rating", [TASK_RANKING] = "ranking"};

/* ---- lines: texts in one note ---------------------------------------------------------------- */

/* The texts a line each; none holds a line end. NULL where there is no memory. */
static char *join_lines(const char *(*text_of)(const void *context, int64_t i),
                        const void *context, int64_t count)
{
    size_t size = 1;
    for (int64_t i = 0; i < count; i++)
        size += strlen(text_of(context, i)) + 1;
    char *lines = malloc(size), *to = lines;
    for (int64_t i = 0; i < count && lines; i++)
        to += sprintf(to, i ? "\n%s" : "%s", text_of(context, i));
    return lines;
}

/* Cut the next line off; NULL after the last one. */
static char *next_line(char **rest)
{
    char *line = *rest;
    if (line) {
        *rest = strchr(line, '\n');
        if (*rest)
            *(*rest)++ = '\0';
    }
    return line;
}

static tg_status save_lines(tg_state_dict *state, const char *name,
                            const char *(*text_of)(const void *context, int64_t i),
                            const void *context, int64_t count)
{
    char *lines = join_lines(text_of, context, count);
    if (!lines)
        return tg_failure(TG_ENOMEM, "no memory to save %s", name);
    tg_state_dict_note(state, name, lines);
    free(lines);
    return TG_OK;
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* Whether the id is a whole number written as printf would write it. */
static bool is_whole_number(const char *id)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", strtoll(id, NULL, 10));
    return strcmp(id, text) == 0;
}

static const char *id_of(const void *ids, int64_t i)
{
    return tg_ids_name(ids, i);
}

/* Gives the tensor, if it is one, for the caller to free after saving. */
static tg_status save_ids(tg_state_dict *state, const char *name, const tg_ids *ids,
                          tg_tensor **tensor)
{
    bool are_numbers = true;
    for (int64_t i = 0; i < ids->count && are_numbers; i++)
        are_numbers = is_whole_number(tg_ids_name(ids, i));
    if (!are_numbers)
        return save_lines(state, name, id_of, ids, ids->count);
    *tensor = tg_owned(TG_I64, ids->count);
    for (int64_t i = 0; i < ids->count; i++)
        ((int64_t *)(*tensor)->data)[i] = strtoll(tg_ids_name(ids, i), NULL, 10);
    tg_state_dict_add(state, name, *tensor);
    return TG_OK;
}

static const char *text_of(const void *texts, int64_t i)
{
    return ((char *const *)texts)[i];
}

static tg_status save_texts(tg_state_dict *state, const char *name, char *const *texts,
                            int64_t count)
{
    return texts ? save_lines(state, name, text_of, texts, count) : TG_OK;
}

static void note_number(tg_state_dict *state, const char *key, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", number);
    tg_state_dict_note(state, key, text);
}

static void save_settings(tg_state_dict *state, const recommender *r)
{
    tg_state_dict_note(state, "format", FORMAT);
    tg_state_dict_note(state, "model", r->model->name);
    note_number(state, "biases", r->model->has_biases);
    note_number(state, "factors", (double)r->options.factors);
    char layers[LAYERS_TEXT];
    tg_state_dict_note(state, "layers", format_layers(&r->options, layers));
    note_number(state, "dropout", r->options.dropout);
    tg_state_dict_note(state, "task", task_names[r->task]);
    note_number(state, "clamp", r->clamp);
    note_number(state, "rating_mean", r->rating_mean);
    note_number(state, "rating_low", r->rating_low);
    note_number(state, "rating_high", r->rating_high);
    if (r->settings)
        tg_state_dict_note(state, "settings", r->settings);
}

tg_status recommender_save(const recommender *r, const char *path)
{
    char name[PARAMETER_NAME];
    if (recommender_find_not_finite(r, name))
        return tg_failure(TG_EFORMAT, "%s: not written, since %s is not finite; expected finite "
                          "parameters", path, name);
    tg_state_dict state = tg_module_state_dict(r->module);
    tg_tensor *users = NULL, *items = NULL;
    save_settings(&state, r);
    tg_state_dict_add(&state, "seen_start", r->seen_start);
    tg_state_dict_add(&state, "seen_item", r->seen_item);
    tg_state_dict_add(&state, "seen_rating", r->seen_rating);
    if (r->history) {
        tg_state_dict_add(&state, "history", r->history);
        tg_state_dict_note(&state, "history_columns", r->history_columns);
    }
    tg_status status = save_ids(&state, "user_ids", &r->users, &users);
    if (status == TG_OK)
        status = save_ids(&state, "item_ids", &r->items, &items);
    if (status == TG_OK)
        status = save_texts(&state, "titles", r->titles, r->items.count);
    if (status == TG_OK)
        status = save_texts(&state, "genres", r->genres, r->items.count);
    if (status == TG_OK)
        status = tg_safetensors_save(path, &state);
    tg_state_dict_release(&state);
    tg_free(users);
    tg_free(items);
    return status;
}

/* ---- loading --------------------------------------------------------------------------------- */

typedef struct source {
    const char *path;
    tg_state_dict state;
} source;

static char *copy_text(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

static tg_status no_memory(const source *s, const char *name)
{
    return tg_failure(TG_ENOMEM, "%s: no memory for %s", s->path, name);
}

/* A note; where it is not there *text stays NULL. */
static tg_status load_note(const source *s, const char *key, char **text)
{
    const char *note = tg_state_dict_get_note(&s->state, key);
    *text = note ? copy_text(note) : NULL;
    return note && !*text ? no_memory(s, key) : TG_OK;
}

static tg_status load_number(const source *s, const char *key, double low, double high,
                             double *number)
{
    const char *text = tg_state_dict_get_note(&s->state, key);
    char *end = NULL;
    *number = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end || !(*number >= low && *number <= high))
        return tg_failure(TG_EFORMAT, "%s: %s is '%s'; expected a number from %g to %g", s->path,
                          key, text ? text : "", low, high);
    return TG_OK;
}

/* Add an id that must be a new one. */
static tg_status load_id(const source *s, const char *name, tg_ids *ids, const char *id)
{
    const int64_t next = ids->count, number = tg_ids_intern(ids, id);
    if (number == next)
        return TG_OK;
    return number < 0 ? TG_ENOMEM
                      : tg_failure(TG_EFORMAT, "%s: %s[%lld] is '%.40s', as %s[%lld] is; expected "
                                   "each id once", s->path, name, (long long)next, id, name,
                                   (long long)number);
}

static tg_status load_id_numbers(const source *s, const char *name, const tg_tensor *numbers,
                                 tg_ids *ids)
{
    char id[24];
    tg_status status = TG_OK;
    for (int64_t i = 0; i < tg_numel(numbers) && status == TG_OK; i++) {
        snprintf(id, sizeof id, "%lld", (long long)((const int64_t *)numbers->data)[i]);
        status = load_id(s, name, ids, id);
    }
    return status;
}

static tg_status load_ids(const source *s, const char *name, tg_ids *ids)
{
    char *lines;
    tg_status status = load_note(s, name, &lines);
    if (lines) {
        char *rest = lines;
        for (const char *id; status == TG_OK && (id = next_line(&rest));)
            status = load_id(s, name, ids, id);
        free(lines);
        return status;
    }
    const tg_tensor *numbers = tg_state_dict_get(&s->state, name);
    if (status == TG_OK && (!numbers || numbers->dtype != TG_I64 || numbers->shape.ndim != 1 ||
                            tg_numel(numbers) == 0))
        return tg_failure(TG_EFORMAT, "%s: no list %s of I64; expected a model that ncf saved",
                          s->path, name);
    return status == TG_OK ? load_id_numbers(s, name, numbers, ids) : status;
}

/* A line an item; there need be none. */
static tg_status load_texts(const source *s, const char *name, int64_t count, char ***texts)
{
    char *lines;
    tg_status status = load_note(s, name, &lines);
    if (!lines)
        return status;
    *texts = calloc((size_t)count, sizeof **texts);
    if (!*texts)
        status = no_memory(s, name);
    char *rest = lines;
    int64_t n = 0;
    for (const char *line; status == TG_OK && (line = next_line(&rest)); n++)
        if (n < count && !((*texts)[n] = copy_text(line)))
            status = no_memory(s, name);
    if (status == TG_OK && n != count)
        status = tg_failure(TG_EFORMAT, "%s: %lld %s; expected one for each of %lld items", s->path,
                            (long long)n, name, (long long)count);
    free(lines);
    return status;
}

static tg_status load_tensor(const source *s, const char *name, tg_dtype dtype, tg_shape shape,
                             tg_tensor **tensor)
{
    char want[TG_SHAPE_TEXT];
    const tg_tensor *t = tg_state_dict_get(&s->state, name);
    if (!t || t->dtype != dtype || !tg_shape_equal(&t->shape, &shape))
        return tg_failure(TG_EFORMAT, "%s: no tensor %s %s of %s; expected a model that ncf saved",
                          s->path, name, tg_shape_format(&shape, want), tg_dtype_name(dtype));
    *tensor = tg_retain(t);
    return TG_OK;
}

/* Whether the ranges of users follow each other, and their items are there and rise. */
static bool is_sound(const recommender *r)
{
    const int64_t *start = r->seen_start->data, *item = r->seen_item->data;
    const int64_t count = tg_numel(r->seen_item);
    if (start[0] != 0 || start[r->users.count] != count)
        return false;
    for (int64_t u = 0; u < r->users.count; u++) {
        if (start[u] > start[u + 1] || start[u + 1] > count)
            return false;
        for (int64_t i = start[u]; i < start[u + 1]; i++)
            if (item[i] < 0 || item[i] >= r->items.count ||
                (i > start[u] && item[i] <= item[i - 1]))
                return false;
    }
    return true;
}

static tg_status check_ratings(const recommender *r, const source *s)
{
    const float *rating = r->seen_rating->data;
    for (int64_t i = 0; i < tg_numel(r->seen_rating); i++)
        if (!isfinite(rating[i]))
            return tg_failure(TG_EFORMAT, "%s: seen_rating[%lld] is %g; expected finite ratings",
                              s->path, (long long)i, (double)rating[i]);
    return TG_OK;
}

static tg_status load_seen(recommender *r, const source *s)
{
    const tg_tensor *items = tg_state_dict_get(&s->state, "seen_item");
    const int64_t count = items ? tg_numel(items) : 0;
    tg_status status = load_tensor(s, "seen_start", TG_I64, TG_SHAPE(r->users.count + 1),
                                   &r->seen_start);
    if (status == TG_OK)
        status = load_tensor(s, "seen_item", TG_I64, TG_SHAPE(count), &r->seen_item);
    if (status == TG_OK)
        status = load_tensor(s, "seen_rating", TG_F32, TG_SHAPE(count), &r->seen_rating);
    if (status == TG_OK && !is_sound(r))
        status = tg_failure(TG_EFORMAT, "%s: seen_start and seen_item do not fit together; "
                            "expected a model that ncf saved", s->path);
    return status == TG_OK ? check_ratings(r, s) : status;
}

static tg_status load_history(recommender *r, const source *s)
{
    const tg_tensor *history = tg_state_dict_get(&s->state, "history");
    const tg_status status = load_note(s, "history_columns", &r->history_columns);
    if (!history || status != TG_OK)
        return status;
    if (!r->history_columns)
        return tg_failure(TG_EFORMAT, "%s: no history_columns beside its history; expected a model "
                          "that ncf saved", s->path);
    int64_t columns = 1;
    for (const char *c = r->history_columns; *c; c++)
        columns += *c == ',';
    return load_tensor(s, "history", TG_F32,
                       TG_SHAPE(history->shape.ndim ? tg_size(history, 0) : 0, columns),
                       &r->history);
}

static tg_status load_options(recommender *r, const source *s)
{
    double factors = 0, biases = 0;
    const char *layers = tg_state_dict_get_note(&s->state, "layers");
    tg_status status = load_number(s, "factors", 1, 4096, &factors);
    r->options.factors = (int64_t)factors;
    if (status == TG_OK)
        status = load_number(s, "dropout", 0, 1, &r->options.dropout);
    if (status == TG_OK)
        status = load_number(s, "biases", 0, 1, &biases);
    if (status == TG_OK && biases != 0)
        r->model = rating_model_with_biases(r->model);
    if (status == TG_OK && !parse_layers(layers ? layers : "", &r->options))
        status = tg_failure(TG_EFORMAT, "%s: layers '%s'; expected widths as 64,32,16", s->path,
                            layers ? layers : "");
    return status;
}

static tg_status load_model(recommender *r, const source *s)
{
    const char *format = tg_state_dict_get_note(&s->state, "format");
    const char *model = tg_state_dict_get_note(&s->state, "model");
    const char *task = tg_state_dict_get_note(&s->state, "task");
    if (!format || strcmp(format, FORMAT) != 0)
        return tg_failure(TG_EFORMAT, "%s: format '%s'; expected '%s', a model that ncf saved",
                          s->path, format ? format : "", FORMAT);
    r->model = model ? rating_model_find(model) : NULL;
    if (!r->model)
        return tg_failure(TG_EFORMAT, "%s: model '%s' is not known", s->path, model ? model : "");
    const bool is_ranking = task && strcmp(task, task_names[TASK_RANKING]) == 0;
    r->task = is_ranking ? TASK_RANKING : TASK_RATING;
    if (!task || strcmp(task, task_names[r->task]) != 0)
        return tg_failure(TG_EFORMAT, "%s: task '%s'; expected rating or ranking", s->path,
                          task ? task : "");
    return load_options(r, s);
}

static tg_status load_ratings(recommender *r, const source *s)
{
    double clamp = 0;
    tg_status status = load_number(s, "clamp", 0, 1, &clamp);
    r->clamp = clamp != 0;
    if (status == TG_OK)
        status = load_number(s, "rating_mean", -1e30, 1e30, &r->rating_mean);
    if (status == TG_OK)
        status = load_number(s, "rating_low", -1e30, 1e30, &r->rating_low);
    if (status == TG_OK)
        status = load_number(s, "rating_high", r->rating_low, 1e30, &r->rating_high);
    return status;
}

static tg_status load_parameters(recommender *r, const source *s)
{
    recommender_build(r);
    const tg_status status = tg_module_load_state_dict(r->module, &s->state);
    if (status != TG_OK) {
        const tg_error reason = *tg_last_error();
        tg_failure(status, "%s: %.400s", s->path, reason.message);
    }
    char name[PARAMETER_NAME];
    if (status == TG_OK && recommender_find_not_finite(r, name))
        return tg_failure(TG_EFORMAT, "%s: %s is not finite; expected finite parameters", s->path,
                          name);
    return status;
}

static tg_status load_all(recommender *r, const source *s)
{
    tg_status status = load_model(r, s);
    if (status == TG_OK)
        status = load_ratings(r, s);
    if (status == TG_OK)
        status = load_ids(s, "user_ids", &r->users);
    if (status == TG_OK)
        status = load_ids(s, "item_ids", &r->items);
    if (status == TG_OK)
        status = load_texts(s, "titles", r->items.count, &r->titles);
    if (status == TG_OK)
        status = load_texts(s, "genres", r->items.count, &r->genres);
    if (status == TG_OK)
        status = load_seen(r, s);
    if (status == TG_OK)
        status = load_history(r, s);
    if (status == TG_OK)
        status = load_note(s, "settings", &r->settings);
    return status == TG_OK ? load_parameters(r, s) : status;
}

tg_status recommender_load(recommender *r, const char *path)
{
    *r = (recommender){0};
    source s = {path, {0}};
    tg_status status = tg_safetensors_load(path, &s.state);
    if (status != TG_OK)
        return status;
    status = load_all(r, &s);
    tg_state_dict_release(&s.state);
    if (status != TG_OK)
        recommender_release(r);
    return status;
}
