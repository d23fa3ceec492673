#include "models/cli/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "tapegrad-ncf-checkpoint-1";

/* ---- the data, as a number ------------------------------------------------------------------- */

/* Fowler, Noll and Vo's hash (FNV-1a). */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t size)
{
    for (const unsigned char *b = bytes; size-- > 0; b++)
        h = (h ^ *b) * UINT64_C(0x100000001B3);
    return h;
}

static uint64_t hash_ids(uint64_t h, const tg_ids *ids)
{
    for (int64_t i = 0; i < ids->count; i++)
        h = hash_bytes(h, tg_ids_name(ids, i), strlen(tg_ids_name(ids, i)) + 1);
    return h;
}

static uint64_t hash_data(const trainer *t)
{
    const tg_dataset *part[] = {&t->data->train, &t->data->validation, &t->data->test};
    uint64_t h = hash_ids(UINT64_C(0xCBF29CE484222325), &t->r->users);
    h = hash_ids(h, &t->r->items);
    for (int i = 0; i < 3; i++)
        for (int c = TG_USER; c <= TG_RATING && part[i]->count; c++)
            h = hash_bytes(h, tg_dataset_rows(part[i], c),
                           (size_t)part[i]->count * tg_dtype_size(part[i]->column[c]->dtype));
    return h;
}

/* ---- saving ---------------------------------------------------------------------------------- */

static void note(tg_state_dict *state, const char *key, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    tg_state_dict_note(state, key, text);
}

/* The tensors of `from`, which stay its own, under "PREFIX.NAME". */
static void add_all(tg_state_dict *state, const char *prefix, const tg_state_dict *from)
{
    char name[512];
    for (int64_t i = 0; i < from->count; i++) {
        snprintf(name, sizeof name, "%s.%s", prefix, from->entry[i].name);
        tg_state_dict_add(state, name, from->entry[i].tensor);
    }
}

static void add_progress(tg_state_dict *state, const trainer *t)
{
    char text[64];
    const tg_rng *rng = tg_default_rng();
    tg_state_dict_note(state, "format", FORMAT);
    tg_state_dict_note(state, "settings", t->r->settings ? t->r->settings : "");
    tg_state_dict_note(state, "optimizer", t->plan->optimizer);
    note(state, "data", hash_data(t));
    note(state, "stop", (uint64_t)t->plan->stop);
    note(state, "epoch", (uint64_t)t->epoch);
    note(state, "chosen", (uint64_t)t->chosen);
    snprintf(text, sizeof text, "%.17g %.17g", t->best.value[0], t->best.value[1]);
    tg_state_dict_note(state, "best", text);
    snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %" PRIu64, rng->seed, rng->stream,
             rng->position);
    tg_state_dict_note(state, "generator", text);
    tg_state_dict_note(state, "history_columns", t->r->history_columns);
    if (t->r->history)
        tg_state_dict_add(state, "history", t->r->history);
}

tg_status checkpoint_save(trainer *t, const char *path)
{
    tg_state_dict state = {0}, optimizer = tg_optimizer_state_dict(t->optimizer);
    add_progress(&state, t);
    add_all(&state, "model", &t->parameters);
    add_all(&state, "optimizer", &optimizer);
    add_all(&state, "chosen", &t->weights);
    const tg_status status = tg_safetensors_save(path, &state);
    tg_state_dict_release(&state);
    tg_state_dict_release(&optimizer);
    return status;
}

/* ---- loading --------------------------------------------------------------------------------- */

static tg_status wrong(const char *path, const char *what)
{
    return tg_failure(TG_EFORMAT, "%s: %s; expected a checkpoint that ncf train wrote", path, what);
}

tg_status checkpoint_load(const char *path, tg_state_dict *state)
{
    tg_status status = tg_safetensors_load(path, state);
    if (status != TG_OK)
        return status;
    const char *format = tg_state_dict_get_note(state, "format");
    if (format && strcmp(format, FORMAT) == 0 && tg_state_dict_get_note(state, "settings"))
        return TG_OK;
    status = wrong(path, "not a checkpoint");
    tg_state_dict_release(state);
    return status;
}

int64_t checkpoint_stop(const tg_state_dict *state)
{
    const char *text = tg_state_dict_get_note(state, "stop");
    return text ? strtoll(text, NULL, 10) : 0;
}

static bool read_number(const tg_state_dict *state, const char *key, uint64_t *number)
{
    const char *text = tg_state_dict_get_note(state, key);
    return text && sscanf(text, "%" SCNu64, number) == 1;
}

/* The tensors "PREFIX.NAME" of `state`, borrowed, under NAME. */
static tg_state_dict part_of(const tg_state_dict *state, const char *prefix)
{
    tg_state_dict part = {0};
    const size_t length = strlen(prefix);
    for (int64_t i = 0; i < state->count; i++)
        if (strncmp(state->entry[i].name, prefix, length) == 0 &&
            state->entry[i].name[length] == '.')
            tg_state_dict_add(&part, state->entry[i].name + length + 1, state->entry[i].tensor);
    return part;
}

static tg_status check_optimizer(const trainer *t, const char *path, const tg_state_dict *state)
{
    const char *optimizer = tg_state_dict_get_note(state, "optimizer");
    if (!optimizer)
        return wrong(path, "its notes are not whole");
    if (strcmp(optimizer, t->plan->optimizer) == 0)
        return TG_OK;
    return tg_failure(TG_EFORMAT, "%s: of a training with --optimizer %s; expected that one, not "
                      "%s", path, optimizer, t->plan->optimizer);
}

static tg_status resume_progress(trainer *t, const char *path, const tg_state_dict *state)
{
    uint64_t data = 0, epoch = 0, chosen = 0;
    tg_rng rng;
    const char *best = tg_state_dict_get_note(state, "best");
    const char *generator = tg_state_dict_get_note(state, "generator");
    const tg_tensor *history = tg_state_dict_get(state, "history");
    if (!read_number(state, "data", &data) || !read_number(state, "epoch", &epoch) ||
        !read_number(state, "chosen", &chosen) || !best || !generator || chosen > epoch ||
        sscanf(best, "%lf %lf", &t->best.value[0], &t->best.value[1]) != 2 ||
        sscanf(generator, "%" SCNu64 " %" SCNu64 " %" SCNu64, &rng.seed, &rng.stream,
               &rng.position) != 3 || (epoch > 0) != (history != NULL) || epoch > INT32_MAX)
        return wrong(path, "its notes are not whole");
    if (data != hash_data(t))
        return tg_failure(TG_EFORMAT, "%s: the ratings are not those that the training began with; "
                          "expected the same files and splits", path);
    const char *columns = tg_state_dict_get_note(state, "history_columns");
    if (history && !trainer_set_history(t, history, columns ? columns : "", (int64_t)epoch))
        return wrong(path, "its history is of other measures than this training's");
    t->epoch = (int64_t)epoch;
    t->chosen = (int64_t)chosen;
    *tg_default_rng() = rng;
    return TG_OK;
}

tg_status checkpoint_resume(trainer *t, const char *path, const tg_state_dict *state)
{
    tg_status status = check_optimizer(t, path, state);
    if (status == TG_OK)
        status = resume_progress(t, path, state);
    tg_state_dict module = part_of(state, "model"), optimizer = part_of(state, "optimizer");
    tg_state_dict chosen = part_of(state, "chosen");
    if (status == TG_OK && t->chosen)
        status = tg_module_load_state_dict(t->r->module, &chosen);
    if (status == TG_OK && t->chosen)
        trainer_keep_weights(t);
    if (status == TG_OK)
        status = tg_module_load_state_dict(t->r->module, &module);
    if (status == TG_OK)
        status = tg_optimizer_load_state_dict(t->optimizer, &optimizer);
    if (status != TG_OK) {
        const tg_error reason = *tg_last_error();
        if (strncmp(reason.message, path, strlen(path)) != 0)
            tg_failure(status, "%s: %.400s", path, reason.message);
    }
    samples_set_epoch(t->samples, t->epoch);
    tg_state_dict_release(&module);
    tg_state_dict_release(&optimizer);
    tg_state_dict_release(&chosen);
    return status;
}
