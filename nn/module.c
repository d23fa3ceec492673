#include "nn/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "tensor/tensor-internal.h"

/* Room for one element more. Since every list of this file grows here, its capacity is the power of
 * two at or above its count, and need not be kept. */
static void *grow(void *list, int64_t count, size_t element)
{
    if ((count & (count - 1)) != 0)
        return list;
    const size_t bytes = (count == 0 ? 1 : 2 * (size_t)count) * element;
    list = realloc(list, bytes);
    if (!list)
        tg_out_of_memory(bytes);
    return list;
}

/* ---- modules --------------------------------------------------------------------------------- */

void *tg_module_alloc(size_t size, const char *kind)
{
    tg_module *m = calloc(1, size);
    if (!m)
        tg_out_of_memory(size);
    m->kind = kind;
    m->training = true;
    return m;
}

void tg_module_free(tg_module *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->nchildren; i++)
        tg_module_free(m->child[i].module);
    for (int i = 0; i < m->nparameters; i++)
        tg_free(m->parameter[i].tensor);
    free(m->child);
    free(m->parameter);
    free(m);
}

static bool has_name(const tg_module *m, const char *name)
{
    for (int i = 0; i < m->nparameters; i++)
        if (strcmp(m->parameter[i].name, name) == 0)
            return true;
    for (int i = 0; i < m->nchildren; i++)
        if (strcmp(m->child[i].name, name) == 0)
            return true;
    return false;
}

/* What is handed over belongs to the module even where it is refused: so it is freed then. */
static tg_tensor *refuse_parameter(const char *at, const tg_module *m, const char *name,
                                   tg_tensor *tensor, const char *why)
{
    tg_free(tensor);
    return tg_misuse(at, "tg_param", "%s, parameter \"%s\": %s", m->kind, name, why);
}

tg_tensor *tg_module_parameter(const char *at, tg_module *m, const char *name, tg_tensor *tensor)
{
    if (!tensor)
        return refuse_parameter(at, m, name, tensor, "is NULL");
    if (tg_is_error(tensor))
        return tensor;
    if (tensor->step != 0)
        return refuse_parameter(at, m, name, tensor, "belongs to a step; expected an owned tensor");
    if (tensor->dtype == TG_I64)
        return refuse_parameter(at, m, name, tensor, "is i64; expected f32 or f64");
    if (has_name(m, name))
        return refuse_parameter(at, m, name, tensor, "the name is taken");
    m->parameter = grow(m->parameter, m->nparameters, sizeof *m->parameter);
    m->parameter[m->nparameters++] = (tg_parameter){name, tensor};
    return tg_requires_grad(tensor);
}

void *tg_module_child(const char *at, tg_module *m, const char *name, void *child)
{
    if (!child || has_name(m, name)) {
        tg_module_free(child);
        tg_misuse(at, "tg_child", "%s, child \"%s\": %s", m->kind, name,
                  !child ? "is NULL" : "the name is taken");
        return NULL;
    }
    tg_module_train(child, m->training);
    m->child = grow(m->child, m->nchildren, sizeof *m->child);
    m->child[m->nchildren++] = (tg_submodule){name, child};
    return child;
}

void tg_module_train(tg_module *m, bool training)
{
    m->training = training;
    for (int i = 0; i < m->nchildren; i++)
        tg_module_train(m->child[i].module, training);
}

tg_tensor *tg_module_forward(const char *at, tg_module *m, tg_tensor *x)
{
    if (m && m->forward)
        return m->forward(at, m, x);
    return tg_misuse(at, "forward", "%s has no forward function of one tensor",
                     m ? m->kind : "NULL");
}

void tg_module_apply(tg_module *m, void (*visit)(tg_module *m, void *context), void *context)
{
    for (int i = 0; i < m->nchildren; i++)
        tg_module_apply(m->child[i].module, visit, context);
    visit(m, context);
}

void tg_module_freeze(tg_module *m, bool frozen)
{
    for (int i = 0; i < m->nparameters; i++)
        m->parameter[i].tensor->requires_grad = !frozen;
    for (int i = 0; i < m->nchildren; i++)
        tg_module_freeze(m->child[i].module, frozen);
}

static void print_part(const tg_module *m, const char *name, int depth, FILE *file)
{
    fprintf(file, "%*s%s%s%s\n", 2 * depth, "", name, *name ? ": " : "", m->kind);
    for (int i = 0; i < m->nparameters; i++) {
        char text[TG_SHAPE_TEXT];
        const tg_tensor *t = m->parameter[i].tensor;
        fprintf(file, "%*s%s %s %s%s\n", 2 * depth + 2, "", m->parameter[i].name,
                tg_dtype_name(t->dtype), tg_shape_format(&t->shape, text),
                t->requires_grad ? "" : " frozen");
    }
    for (int i = 0; i < m->nchildren; i++)
        print_part(m->child[i].module, m->child[i].name, depth + 1, file);
}

void tg_module_print(const tg_module *m, FILE *file)
{
    print_part(m, "", 0, file);
    fprintf(file, "%lld parameters\n", (long long)tg_module_parameter_count(m));
}

int64_t tg_module_parameter_count(const tg_module *m)
{
    int64_t count = 0;
    for (int i = 0; i < m->nparameters; i++)
        count += tg_numel(m->parameter[i].tensor);
    for (int i = 0; i < m->nchildren; i++)
        count += tg_module_parameter_count(m->child[i].module);
    return count;
}

/* ---- state_dict ------------------------------------------------------------------------------ */

/* "prefix.name", or "name" where there is no prefix; the caller frees it. */
static char *join(const char *prefix, const char *name)
{
    const size_t size = strlen(prefix) + strlen(name) + 2;
    char *joined = malloc(size);
    if (!joined)
        tg_out_of_memory(size);
    snprintf(joined, size, "%s%s%s", prefix, *prefix ? "." : "", name);
    return joined;
}

static void collect(tg_state_dict *state, const tg_module *m, const char *prefix)
{
    for (int i = 0; i < m->nparameters; i++) {
        char *name = join(prefix, m->parameter[i].name);
        tg_state_dict_add(state, name, m->parameter[i].tensor);
        free(name);
    }
    for (int i = 0; i < m->nchildren; i++) {
        char *name = join(prefix, m->child[i].name);
        collect(state, m->child[i].module, name);
        free(name);
    }
}

tg_state_dict tg_module_state_dict(const tg_module *m)
{
    tg_state_dict state = {0};
    collect(&state, m, "");
    return state;
}

void tg_state_dict_release(tg_state_dict *state)
{
    for (int64_t i = 0; i < state->count; i++) {
        free(state->entry[i].name);
        if (state->owns_tensors)
            tg_free(state->entry[i].tensor);
    }
    for (int64_t i = 0; i < state->notes; i++) {
        free(state->note[i].key);
        free(state->note[i].value);
    }
    free(state->entry);
    free(state->note);
    *state = (tg_state_dict){0};
}

void tg_state_dict_add(tg_state_dict *state, const char *name, tg_tensor *tensor)
{
    if (!tg_usable(TG_HERE, "tg_state_dict_add", tensor))
        return;
    if (tensor->rows) {
        tg_misuse(TG_HERE, "tg_state_dict_add", "%s is row-sparse: take tg_to_dense first", name);
        return;
    }
    state->entry = grow(state->entry, state->count, sizeof *state->entry);
    state->entry[state->count++] = (tg_state_entry){join("", name), tensor};
}

void tg_state_dict_note(tg_state_dict *state, const char *key, const char *value)
{
    state->note = grow(state->note, state->notes, sizeof *state->note);
    state->note[state->notes++] = (tg_state_note){join("", key), join("", value)};
}

tg_tensor *tg_state_dict_get(const tg_state_dict *state, const char *name)
{
    for (int64_t i = 0; i < state->count; i++)
        if (strcmp(state->entry[i].name, name) == 0)
            return state->entry[i].tensor;
    return NULL;
}

const char *tg_state_dict_get_note(const tg_state_dict *state, const char *key)
{
    for (int64_t i = 0; i < state->notes; i++)
        if (strcmp(state->note[i].key, key) == 0)
            return state->note[i].value;
    return NULL;
}

static tg_status check_entry(const tg_state_entry *own, const tg_tensor *given)
{
    char have[TG_SHAPE_TEXT], want[TG_SHAPE_TEXT];
    tg_shape_format(&own->tensor->shape, want);
    if (!given)
        return tg_failure(TG_EFORMAT, "%s: not in the file, the model has %s", own->name, want);
    if (!tg_shape_equal(&given->shape, &own->tensor->shape))
        return tg_failure(TG_EFORMAT, "%s: %s in the file, the model has %s", own->name,
                          tg_shape_format(&given->shape, have), want);
    if (given->dtype == TG_I64)
        return tg_failure(TG_EFORMAT, "%s: i64 in the file, the model has %s", own->name,
                          tg_dtype_name(own->tensor->dtype));
    return TG_OK;
}

tg_status tg_module_load_state_dict(tg_module *m, const tg_state_dict *state)
{
    tg_state_dict own = tg_module_state_dict(m);
    tg_status status = TG_OK;
    for (int64_t i = 0; i < own.count && status == TG_OK; i++)
        status = check_entry(&own.entry[i], tg_state_dict_get(state, own.entry[i].name));
    for (int64_t i = 0; i < own.count && status == TG_OK; i++)
        tg_copy(own.entry[i].tensor, tg_state_dict_get(state, own.entry[i].name));
    tg_state_dict_release(&own);
    return status;
}

/* ---- gradient check -------------------------------------------------------------------------- */

bool tg_module_gradcheck(const tg_module *m, int order, tg_gradcheck_function function,
                         void *context, double tolerance, tg_gradcheck_report *report)
{
    tg_state_dict state = tg_module_state_dict(m);
    tg_step_begin();
    tg_tensor **parameter = tg_step_memory((size_t)state.count * sizeof *parameter);
    for (int64_t i = 0; i < state.count; i++)
        parameter[i] = state.entry[i].tensor;
    const bool ok = (order == 1 ? tg_gradcheck : tg_gradgradcheck)(
        function, context, parameter, (int)state.count, tolerance, report);
    if (report->checked > 0) {
        char text[sizeof report->message];
        memcpy(text, report->message, sizeof text);
        snprintf(report->message, sizeof report->message, "%.80s: %.400s",
                 state.entry[report->input].name, text);
    }
    tg_step_end();
    tg_state_dict_release(&state);
    return ok;
}
