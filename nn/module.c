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

/* ---- what a module shares -------------------------------------------------------------------- */

/* Modules or tensors, each once; free(item) ends it. */
typedef struct distinct {
    int64_t count;
    void **item;
} distinct;

static bool holds(const distinct *d, const void *item)
{
    for (int64_t i = 0; i < d->count; i++)
        if (d->item[i] == item)
            return true;
    return false;
}

/* Whether it is new. */
static bool include(distinct *d, void *item)
{
    if (holds(d, item))
        return false;
    d->item = grow(d->item, d->count, sizeof *d->item);
    d->item[d->count++] = item;
    return true;
}

/* m and everything below it, children before their parent. */
static void include_modules(distinct *d, tg_module *m)
{
    if (holds(d, m))
        return;
    for (int i = 0; i < m->nchildren; i++)
        include_modules(d, m->child[i].module);
    include(d, m);
}

static bool is_in(const tg_module *m, const tg_module *what)
{
    bool found = m == what;
    for (int i = 0; i < m->nchildren && !found; i++)
        found = is_in(m->child[i].module, what);
    return found;
}

static bool is_parameter_of(const tg_module *m, const tg_tensor *tensor)
{
    bool found = false;
    for (int i = 0; i < m->nparameters && !found; i++)
        found = m->parameter[i].tensor == tensor;
    for (int i = 0; i < m->nchildren && !found; i++)
        found = is_parameter_of(m->child[i].module, tensor);
    return found;
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

/* m goes, and with it the children that no other module has. */
static void let_go(tg_module *m)
{
    for (int i = 0; i < m->nchildren; i++)
        if (--m->child[i].module->parents == 0)
            let_go(m->child[i].module);
}

/* Free the tensors of m that the list lacks, and list them. */
static void free_tensors(const tg_module *m, distinct *spared)
{
    for (int i = 0; i < m->nparameters; i++)
        if (include(spared, m->parameter[i].tensor))
            tg_free(m->parameter[i].tensor);
}

static void free_struct(tg_module *m)
{
    for (int i = 0; i < m->nchildren; i++)
        free(m->child[i].name);
    for (int i = 0; i < m->nparameters; i++)
        free(m->parameter[i].name);
    free(m->child);
    free(m->parameter);
    free(m);
}

void tg_module_free(tg_module *m)
{
    if (!m)
        return;
    if (m->parents > 0) {
        tg_misuse("tg_module_free", "module", "%s is a child of another module, which frees it",
                  m->kind);
        return;
    }
    distinct all = {0}, gone = {0}, spared = {0};
    include_modules(&all, m);
    let_go(m);
    for (int64_t i = 0; i < all.count; i++) {
        tg_module *part = all.item[i];
        if (part->parents == 0)
            include(&gone, part);
        for (int k = 0; part->parents > 0 && k < part->nparameters; k++)
            include(&spared, part->parameter[k].tensor);
    }
    for (int64_t i = 0; i < gone.count; i++)
        free_tensors(gone.item[i], &spared);
    for (int64_t i = 0; i < gone.count; i++)
        free_struct(gone.item[i]);
    free(all.item);
    free(gone.item);
    free(spared.item);
}

/* Why a name cannot be registered, or NULL. */
static const char *refuse_name(const tg_module *m, const char *name)
{
    if (strchr(name, '.'))
        return "the name has a dot, which joins the names of modules";
    bool taken = false;
    for (int i = 0; i < m->nparameters; i++)
        taken = taken || strcmp(m->parameter[i].name, name) == 0;
    for (int i = 0; i < m->nchildren; i++)
        taken = taken || strcmp(m->child[i].name, name) == 0;
    return taken ? "the name is taken" : NULL;
}

static const char *refuse_tensor(const tg_tensor *tensor)
{
    return !tensor                    ? "is NULL"
           : tensor->step != 0        ? "belongs to a step; expected an owned tensor"
           : tensor->dtype == TG_I64 ? "is i64; expected f32 or f64"
                                      : NULL;
}

/* What is handed over belongs to the module even where it is refused: so it is freed then, unless
 * it is registered elsewhere, as a tensor may be that wants a gradient already. */
tg_tensor *tg_module_parameter(const char *at, tg_module *m, const char *name, tg_tensor *tensor)
{
    if (tensor && tg_is_error(tensor))
        return tensor;
    const bool is_shared = is_parameter_of(m, tensor);
    const char *why = refuse_tensor(tensor);
    why = why ? why : refuse_name(m, name);
    if (why) {
        if (tensor && !is_shared && !tensor->requires_grad)
            tg_free(tensor);
        return tg_misuse(at, "tg_param", "%s, parameter \"%s\": %s", m->kind, name, why);
    }
    m->parameter = grow(m->parameter, m->nparameters, sizeof *m->parameter);
    m->parameter[m->nparameters++] = (tg_parameter){join("", name), tensor};
    return is_shared ? tensor : tg_requires_grad(tensor); /* a frozen one stays so */
}

void *tg_module_child(const char *at, tg_module *m, const char *name, void *child)
{
    const bool is_cycle = child && is_in(child, m);
    const char *why = !child     ? "is NULL"
                      : is_cycle ? "contains the module itself"
                                 : refuse_name(m, name);
    if (why) {
        if (child && !is_cycle && ((tg_module *)child)->parents == 0)
            tg_module_free(child);
        tg_misuse(at, "tg_child", "%s, child \"%s\": %s", m->kind, name, why);
        return NULL;
    }
    tg_module_train(child, m->training);
    m->child = grow(m->child, m->nchildren, sizeof *m->child);
    m->child[m->nchildren++] = (tg_submodule){join("", name), child};
    ((tg_module *)child)->parents++;
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
    distinct modules = {0};
    include_modules(&modules, m);
    for (int64_t i = 0; i < modules.count; i++)
        visit(modules.item[i], context);
    free(modules.item);
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
    tg_state_dict parameters = tg_module_parameters(m);
    int64_t count = 0;
    for (int64_t i = 0; i < parameters.count; i++)
        count += tg_numel(parameters.entry[i].tensor);
    tg_state_dict_release(&parameters);
    return count;
}

/* ---- state_dict ------------------------------------------------------------------------------ */

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

tg_state_dict tg_module_parameters(const tg_module *m)
{
    tg_state_dict state = tg_module_state_dict(m);
    distinct tensors = {0};
    int64_t kept = 0;
    for (int64_t i = 0; i < state.count; i++)
        if (include(&tensors, state.entry[i].tensor))
            state.entry[kept++] = state.entry[i];
        else
            free(state.entry[i].name);
    state.count = kept;
    free(tensors.item);
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

/* A shared parameter is given where one of its names is. */
static bool has_another_name(const tg_state_dict *own, int64_t i, const tg_state_dict *state)
{
    for (int64_t k = 0; k < own->count; k++)
        if (own->entry[k].tensor == own->entry[i].tensor &&
            tg_state_dict_get(state, own->entry[k].name))
            return true;
    return false;
}

tg_status tg_module_load_state_dict(tg_module *m, const tg_state_dict *state)
{
    tg_state_dict own = tg_module_state_dict(m);
    tg_status status = TG_OK;
    for (int64_t i = 0; i < own.count && status == TG_OK; i++) {
        const tg_tensor *given = tg_state_dict_get(state, own.entry[i].name);
        if (given || !has_another_name(&own, i, state))
            status = check_entry(&own.entry[i], given);
    }
    for (int64_t i = 0; i < own.count && status == TG_OK; i++) {
        const tg_tensor *given = tg_state_dict_get(state, own.entry[i].name);
        if (given)
            tg_copy(own.entry[i].tensor, given);
    }
    tg_state_dict_release(&own);
    return status;
}

/* ---- gradient check -------------------------------------------------------------------------- */

bool tg_module_gradcheck(const tg_module *m, int order, tg_gradcheck_function function,
                         void *context, double tolerance, tg_gradcheck_report *report)
{
    tg_state_dict state = tg_module_parameters(m);
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
