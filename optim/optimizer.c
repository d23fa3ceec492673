#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "optim/optim-internal.h"
#include "tensor/parallel.h"

#define GRAIN 1024 /* elements worth a thread */

static void *allocate(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        tg_out_of_memory(bytes);
    return p;
}

/* The parts of a slot that are saved, by name. */
static const int64_t MAX_STEPS = INT64_C(1) << 53; /* what a double counts */
static const char *const part_names[TG_SLOT_PARTS] = {"first", "second", "steps"};

static tg_slot slot_new(const char *name, tg_tensor *p, int moments, double lr,
                        double weight_decay)
{
    tg_slot slot = {
        .param = p,
        .first = moments > 0 ? tg_owned_at(TG_HERE, p->dtype, p->shape) : NULL,
        .second = moments > 1 ? tg_owned_at(TG_HERE, p->dtype, p->shape) : NULL,
        .steps = tg_owned_at(TG_HERE, TG_I64, (tg_shape){.ndim = 0}),
        .lr = lr,
        .weight_decay = weight_decay,
    };
    for (int part = 0; part < TG_SLOT_PARTS; part++) {
        const size_t size = strlen(name) + strlen(part_names[part]) + 2;
        slot.part_name[part] = allocate(size);
        snprintf(slot.part_name[part], size, "%s.%s", name, part_names[part]);
    }
    return slot;
}

void *tg_optimizer_alloc(size_t size, const char *name, const tg_module *m, int moments, double lr,
                         double weight_decay,
                         void (*update)(const tg_optimizer *opt, tg_slot *slot))
{
    tg_optimizer *opt = allocate(size);
    tg_state_dict state = tg_module_parameters(m);
    if (state.count == 0)
        tg_misuse("tg_optimizer", name, "%s has no parameters", m->kind);
    opt->update = update;
    opt->lr_factor = 1;
    opt->count = state.count;
    opt->slot = allocate((size_t)state.count * sizeof *opt->slot);
    for (int64_t i = 0; i < state.count; i++)
        opt->slot[i] = slot_new(state.entry[i].name, state.entry[i].tensor, moments, lr,
                                weight_decay);
    tg_state_dict_release(&state);
    return opt;
}

void tg_optimizer_free(tg_optimizer *opt)
{
    for (int64_t i = 0; opt && i < opt->count; i++) {
        tg_catch_up_free(opt->slot[i].late);
        tg_free(opt->slot[i].first);
        tg_free(opt->slot[i].second);
        tg_free(opt->slot[i].steps);
        free(opt->slot[i].row);
        for (int part = 0; part < TG_SLOT_PARTS; part++)
            free(opt->slot[i].part_name[part]);
    }
    if (opt)
        free(opt->slot);
    free(opt);
}

void tg_zero_grad(tg_optimizer *opt)
{
    for (int64_t i = 0; i < opt->count; i++)
        tg_zero_grad_tensor(opt->slot[i].param);
}

void tg_optimizer_step(tg_optimizer *opt)
{
    for (int64_t i = 0; i < opt->count; i++)
        if (opt->slot[i].param->grad) {
            ++*(int64_t *)opt->slot[i].steps->data;
            opt->update(opt, &opt->slot[i]);
            tg_touch(opt->slot[i].param);
        }
}

double tg_option(const char *optimizer, const char *name, double value, double bound)
{
    if (value >= 0 && value < bound)
        return value;
    tg_misuse("tg_optimizer", optimizer, "%s = %g; 0 to below %g expected", name, value, bound);
    return 0;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static tg_slot *slot_of(tg_optimizer *opt, const tg_tensor *param)
{
    for (int64_t i = 0; i < opt->count; i++)
        if (opt->slot[i].param == param)
            return &opt->slot[i];
    return NULL;
}

void tg_optimizer_group(tg_optimizer *opt, const tg_module *part, double lr, double weight_decay)
{
    lr = tg_option("group", "lr", lr, INFINITY);
    weight_decay = tg_option("group", "weight_decay", weight_decay, INFINITY);
    tg_state_dict parameters = tg_module_parameters(part);
    const char *other = NULL;
    for (int64_t i = 0; i < parameters.count && !other; i++)
        if (!slot_of(opt, parameters.entry[i].tensor))
            other = parameters.entry[i].name;
    if (other)
        tg_misuse("tg_optimizer", "group", "%s of %s is not a parameter of the optimiser", other,
                  part->kind);
    for (int64_t i = 0; i < parameters.count && !other; i++) {
        tg_slot *slot = slot_of(opt, parameters.entry[i].tensor);
        slot->lr = lr;
        slot->weight_decay = weight_decay;
    }
    tg_state_dict_release(&parameters);
}

void tg_set_lr_factor(tg_optimizer *opt, double factor)
{
    opt->lr_factor = tg_option("lr_factor", "factor", factor, INFINITY);
}

/* ---- state ----------------------------------------------------------------------------------- */

static tg_tensor *slot_part(const tg_slot *slot, int part)
{
    return part == 0 ? slot->first : part == 1 ? slot->second : slot->steps;
}

tg_state_dict tg_optimizer_state_dict(tg_optimizer *opt)
{
    tg_state_dict state = {0};
    for (int64_t i = 0; i < opt->count; i++) {
        tg_usable(TG_HERE, "state_dict", opt->slot[i].param); /* moments are up to date then */
        for (int part = 0; part < TG_SLOT_PARTS; part++)
            if (slot_part(&opt->slot[i], part))
                tg_state_dict_add(&state, opt->slot[i].part_name[part],
                                  slot_part(&opt->slot[i], part));
    }
    return state;
}

/* Whether `given` can take the place of a part; steps are the i64 among them. */
static tg_status check_part(const char *name, const tg_tensor *part, const tg_tensor *given)
{
    char shape[TG_SHAPE_TEXT];
    const bool is_steps = part->dtype == TG_I64;
    if (!given || !tg_shape_equal(&part->shape, &given->shape))
        return tg_failure(TG_EFORMAT, "%s: missing, or not of the shape %s", name,
                          tg_shape_format(&part->shape, shape));
    if ((given->dtype == TG_I64) != is_steps)
        return tg_failure(TG_EFORMAT, "%s: is %s; expected %s", name, tg_dtype_name(given->dtype),
                          is_steps ? "i64" : "f32 or f64");
    const int64_t steps = is_steps ? *(const int64_t *)given->data : 0;
    if (steps < 0 || steps > MAX_STEPS)
        return tg_failure(TG_EFORMAT, "%s: is %" PRId64 "; expected 0 to %" PRId64, name, steps,
                          MAX_STEPS);
    return TG_OK;
}

/* Whether each entry is one of the optimiser's own. */
static tg_status check_names(const tg_state_dict *own, const tg_state_dict *state)
{
    for (int64_t i = 0; i < state->count; i++)
        if (!tg_state_dict_get(own, state->entry[i].name))
            return tg_failure(TG_EFORMAT, "%s: the optimiser has no such state",
                              state->entry[i].name);
    return TG_OK;
}

tg_status tg_optimizer_load_state_dict(tg_optimizer *opt, const tg_state_dict *state)
{
    tg_state_dict own = tg_optimizer_state_dict(opt);
    tg_status status = TG_OK;
    for (int64_t i = 0; i < own.count && status == TG_OK; i++)
        status = check_part(own.entry[i].name, own.entry[i].tensor,
                            tg_state_dict_get(state, own.entry[i].name));
    if (status == TG_OK)
        status = check_names(&own, state);
    for (int64_t i = 0; i < own.count && status == TG_OK; i++) /* all or nothing */
        tg_copy_elements(own.entry[i].tensor, tg_state_dict_get(state, own.entry[i].name));
    tg_state_dict_release(&own);
    return status;
}

/* ---- runs ------------------------------------------------------------------------------------ */

typedef struct walk {
    const tg_slot *slot;
    tg_run run;
    const void *context;
} walk;

static void dense_run(void *context, int64_t begin, int64_t end)
{
    const walk *w = context;
    w->run(w->context, w->slot, begin, end - begin, tg_at(w->slot->param->grad, begin));
}

/* The rows that the sparse gradient holds, number begin .. end of them. */
static void present_rows(void *context, int64_t begin, int64_t end)
{
    const walk *w = context;
    const tg_tensor *g = w->slot->param->grad;
    const int64_t dim = g->shape.size[1], *row = g->rows->data;
    for (int64_t i = begin, asked = begin; i < end; i++) {
        for (; asked <= i + TG_ROWS_AHEAD && asked < end; asked++)
            tg_prefetch_row(w->slot, row[asked]);
        w->run(w->context, w->slot, row[i] * dim, dim, tg_at(g, i * dim));
    }
}

/* All rows begin .. end of the table, neighbours without a gradient in one run. */
static void table_rows(void *context, int64_t begin, int64_t end)
{
    const walk *w = context;
    const tg_tensor *g = w->slot->param->grad;
    const int64_t dim = g->shape.size[1];
    for (int64_t r = begin; r < end;) {
        int64_t last = r;
        while (last < end && w->slot->row[last] < 0)
            last++;
        if (last > r)
            w->run(w->context, w->slot, r * dim, (last - r) * dim, NULL);
        if (last < end)
            w->run(w->context, w->slot, last * dim, dim, tg_at(g, w->slot->row[last] * dim));
        r = last + 1;
    }
}

void tg_for_runs(tg_slot *slot, bool all_rows, tg_run run, const void *context)
{
    walk w = {slot, run, context};
    const tg_tensor *g = slot->param->grad;
    if (!g->rows) {
        tg_parallel_for(tg_numel(slot->param), GRAIN, dense_run, &w);
        return;
    }
    const int64_t rows = g->shape.size[0], dim = g->shape.size[1], *row = g->rows->data;
    const int64_t present = tg_numel(g->rows), grain = 1 + GRAIN / (dim + 1);
    if (!all_rows) {
        tg_parallel_for(present, grain, present_rows, &w);
        return;
    }
    if (!slot->row) {
        slot->row = allocate((size_t)rows * sizeof *slot->row);
        memset(slot->row, 0xFF, (size_t)rows * sizeof *slot->row);
    }
    for (int64_t i = 0; i < present; i++)
        slot->row[row[i]] = (int32_t)i;
    tg_parallel_for(rows, grain, table_rows, &w);
    for (int64_t i = 0; i < present; i++)
        slot->row[row[i]] = -1;
}
