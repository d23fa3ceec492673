#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/ops-internal.h"

/* The tape of a thread: nodes in the order of execution, and where each open step began. */
static _Thread_local struct {
    tg_node *node;
    int64_t count, capacity;
    int64_t *mark;
    int64_t depth, mark_capacity;
    bool off; /* inside tg_no_grad */
} tape;

/* `*array` with room for one more element behind `count`. */
static void grow(void **array, size_t size, int64_t count, int64_t *capacity)
{
    if (count < *capacity)
        return;
    const int64_t more = *capacity ? 2 * *capacity : 256;
    void *p = realloc(*array, (size_t)more * size);
    if (!p)
        tg_out_of_memory((size_t)more * size);
    *array = p;
    *capacity = more;
}

/* ---- steps ----------------------------------------------------------------------------------- */

void tg_step_begin(void)
{
    void *mark = tape.mark;
    grow(&mark, sizeof *tape.mark, tape.depth, &tape.mark_capacity);
    tape.mark = mark;
    tape.mark[tape.depth++] = tape.count;
    tg_arena_push();
}

void tg_step_end(void)
{
    if (tape.depth == 0) {
        tg_misuse("tg_step_end", "step", "no step is open; tg_step_begin expected before");
        return;
    }
    tape.count = tape.mark[--tape.depth];
    tg_arena_pop();
}

/* ---- recording ------------------------------------------------------------------------------- */

tg_no_grad_guard tg_no_grad_begin(void)
{
    const tg_no_grad_guard guard = {.before = tape.off, .once = true};
    tape.off = true;
    return guard;
}

void tg_no_grad_end(tg_no_grad_guard *guard)
{
    tape.off = guard->before;
}

bool tg_grad_enabled(void)
{
    return !tape.off;
}

static void record(tg_node n, size_t attr_size)
{
    const size_t operands = (size_t)n.nin * sizeof *n.in;
    const size_t versions = (size_t)(n.nin + 1) * sizeof *n.version;
    char *memory = tg_step_memory(operands + versions + attr_size);
    tg_tensor **in = (tg_tensor **)(void *)memory;
    uint64_t *version = (uint64_t *)(void *)(memory + operands);
    for (int i = 0; i < n.nin; i++) {
        in[i] = n.in[i];
        version[i] = tg_version(in[i]);
    }
    version[n.nin] = tg_version(n.out);
    n.in = in;
    n.version = version;
    if (attr_size > 0)
        n.attr = memcpy(memory + operands + versions, n.attr, attr_size);
    void *node = tape.node;
    grow(&node, sizeof *tape.node, tape.count, &tape.capacity);
    tape.node = node;
    n.out->requires_grad = true;
    n.out->node = tape.count;
    tape.node[tape.count++] = n;
}

tg_tensor *tg_apply(const char *at, const tg_op *op, int nin, tg_tensor *const *in,
                    const void *attr, size_t attr_size)
{
    bool wanted = false;
    for (int i = 0; i < nin; i++) {
        /* embedding brings the rows that it reads up to date itself */
        const bool by_rows = op == &tg_op_embedding && in[i] && in[i]->refresh;
        if (!(by_rows ? tg_valid : tg_usable)(at, op->name, in[i]))
            return tg_error_tensor();
        if (in[i]->rows && op != &tg_op_to_dense)
            return tg_misuse(at, op->name, "operand %d is row-sparse: take tg_to_dense first", i);
        wanted = wanted || in[i]->requires_grad;
    }
    if (op->arity != TG_VARIADIC && op->arity != nin)
        return tg_misuse(at, op->name, "%d operands; %d expected", nin, op->arity);
    tg_node n = {.op = op, .at = at, .nin = nin, .in = (tg_tensor **)in, .attr = attr};
    n.out = op->forward(&n);
    if (wanted && !tape.off && op->backward && !tg_is_error(n.out))
        record(n, attr_size);
    return n.out;
}

const tg_node *tg_tape_node(int64_t i)
{
    return i < tape.count ? &tape.node[i] : NULL;
}

tg_tensor *tg_detach_at(const char *at, tg_tensor *x)
{
    return tg_usable(at, "detach", x) ? tg_tensor_alias(x) : tg_error_tensor();
}

/* ---- what sees gradients --------------------------------------------------------------------- */

void tg_retain_grad_at(const char *at, tg_tensor *x)
{
    if (!tg_usable(at, "retain_grad", x))
        return;
    if (x->requires_grad)
        x->retains_grad = x->node >= 0;
    else
        tg_misuse(at, "retain_grad", "the tensor requires no gradient");
}

void tg_register_hook_at(const char *at, tg_tensor *x, tg_hook hook, void *context)
{
    if (!tg_usable(at, "register_hook", x))
        return;
    if (!x->requires_grad) {
        tg_misuse(at, "register_hook", "the tensor requires no gradient");
        return;
    }
    x->hook = hook;
    x->hook_context = context;
}

static tg_tensor *through_hook(const tg_tensor *x, tg_tensor *g)
{
    tg_tensor *other = x->hook ? x->hook(x->hook_context, g) : NULL;
    return other ? other : g;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* The gradient of a leaf with a hook, until it is complete. */
typedef struct pending {
    tg_tensor *leaf, *g;
    struct pending *next;
} pending;

/* Where gradients go: to the leaves that the loss depends on, or to chosen inputs alone. */
typedef struct request {
    tg_tensor *const *input; /* NULL: to all leaves' grad */
    int count;
    tg_tensor **grad; /* of the inputs */
    pending *hooked;
} request;

/* The first gradient that reaches a result is taken over; the second makes a sum of its own, to
 * which later ones are added in place, unless they are recorded. */
static void node_accumulate(tg_node *n, tg_tensor *g)
{
    if (!n->grad) {
        n->grad = g;
    } else if (n->grad_is_sum && tape.off) {
        tg_add_in_place(n->grad, g);
    } else {
        tg_tensor *sum = tg_add_at(n->at, n->grad, g);
        n = &tape.node[n->out->node]; /* the array may have moved */
        n->grad = sum;
        n->grad_is_sum = true;
    }
}

static void leaf_accumulate(tg_tensor *x, tg_tensor *g, const request *r)
{
    if (!r->input)
        tg_leaf_accumulate(x, g);
    for (int i = 0; i < r->count; i++)
        if (r->input[i] == x) {
            g = tg_to_dense(g);
            r->grad[i] = r->grad[i] ? tg_add(r->grad[i], g) : g;
        }
}

static void hooked_accumulate(tg_tensor *x, tg_tensor *g, request *r)
{
    pending *p = r->hooked;
    while (p && p->leaf != x)
        p = p->next;
    if (p) {
        p->g = tg_add(tg_to_dense(p->g), tg_to_dense(g));
        return;
    }
    p = tg_step_memory(sizeof *p);
    *p = (pending){x, g, r->hooked};
    r->hooked = p;
}

static void accumulate(tg_tensor *x, tg_tensor *g, request *r)
{
    if (x->node >= 0)
        node_accumulate(&tape.node[x->node], tg_to_dense(g));
    else
        (x->hook ? hooked_accumulate(x, g, r) : leaf_accumulate(x, g, r));
}

/* Whether the rule reads operand i, or the result (i is nin). */
static bool rule_reads(const tg_node *n, int i)
{
    if (n->op->saves & TG_SAVES_BY_ROW)
        return tg_row_reads(n, i);
    if (i == n->nin)
        return n->op->saves & TG_SAVES_RESULT;
    return i < TG_SAVES_COUNT && n->op->saves & TG_SAVES(i);
}

/* Misuse where what the rule reads was changed in place since the op ran. */
static bool is_unchanged(const tg_node *n)
{
    for (int i = 0; i <= n->nin; i++) {
        const tg_tensor *t = i < n->nin ? n->in[i] : n->out;
        if (tg_version(t) == n->version[i] || !rule_reads(n, i))
            continue;
        if (i < n->nin)
            tg_misuse(n->at, n->op->name, "operand %d, saved for the gradient, was changed in "
                      "place since", i);
        else
            tg_misuse(n->at, n->op->name, "its result, saved for the gradient, was changed in "
                      "place since");
        return false;
    }
    return true;
}

static void node_backward(const tg_node *n, tg_tensor *g, request *r)
{
    if (!is_unchanged(n))
        return;
    tg_tensor *few[4] = {NULL};
    tg_tensor **dx = few;
    if (n->nin > 4)
        dx = memset(tg_step_memory((size_t)n->nin * sizeof *dx), 0, (size_t)n->nin * sizeof *dx);
    n->op->backward(n, g, dx);
    for (int i = 0; i < n->nin; i++) {
        if (!tg_needs_grad(n, i))
            continue;
        if (!dx[i])
            dx[i] = tg_misuse(n->at, n->op->name, "its rule gave no gradient for operand %d", i);
        else if (!tg_shape_equal(&dx[i]->shape, &n->in[i]->shape)) /* undo broadcasting */
            dx[i] = tg_sum_to_at(n->at, dx[i], n->in[i]->shape);
        if (!tg_is_error(dx[i]))
            accumulate(n->in[i], dx[i], r);
    }
}

static void walk(tg_tensor *output, tg_tensor *g, request *r)
{
    accumulate(output, g, r);
    for (int64_t i = output->node; i >= 0; i--) {
        g = tape.node[i].grad;
        if (!g)
            continue;
        tape.node[i].grad = NULL;
        tape.node[i].grad_is_sum = false;
        const tg_node n = tape.node[i]; /* rules that are recorded move the array */
        g = through_hook(n.out, g);
        for (int k = 0; k < r->count; k++)
            if (r->input[k]->node == i)
                r->grad[k] = g;
        if (n.out->retains_grad && !r->input)
            n.out->grad = n.out->grad ? tg_add(n.out->grad, g) : g;
        node_backward(&n, g, r);
    }
    for (const pending *p = r->hooked; p; p = p->next)
        leaf_accumulate(p->leaf, through_hook(p->leaf, p->g), r);
}

/* The gradient to begin with: NULL, and misuse of `op`, where there is none. */
static tg_tensor *seed(const char *at, const char *op, tg_tensor *output, tg_tensor *g)
{
    char text[TG_SHAPE_TEXT];
    if (!tg_usable(at, op, output) || (g && !tg_usable(at, op, g)))
        return NULL;
    if (!output->requires_grad)
        tg_misuse(at, op, "the loss does not depend on a tensor that requires a gradient");
    else if (!g && tg_numel(output) != 1)
        tg_misuse(at, op, "%s: a loss of one element expected",
                  tg_shape_format(&output->shape, text));
    else if (g && (!tg_shape_equal(&g->shape, &output->shape) || g->dtype != output->dtype))
        tg_misuse(at, op, "grad_output: shape and dtype of the output, %s, expected",
                  tg_shape_format(&output->shape, text));
    else
        return g ? g : tg_full_at(at, output->dtype, 1, output->shape);
    return NULL;
}

void tg_backward_at(const char *at, tg_tensor *loss)
{
    request all_leaves = {.input = NULL};
    tg_no_grad {
        tg_tensor *g = seed(at, "backward", loss, NULL);
        if (g)
            walk(loss, g, &all_leaves);
    }
}

void tg_grad_at(const char *at, tg_tensor *output, tg_tensor *const *input, int count,
                tg_tensor **grad, tg_grad_options options)
{
    memset(grad, 0, (size_t)count * sizeof *grad);
    tg_tensor *g = seed(at, "grad", output, options.grad_output);
    for (int i = 0; g && i < count; i++) {
        if (!tg_usable(at, "grad", input[i]))
            return;
        if (!input[i]->requires_grad) {
            tg_misuse(at, "grad", "input %d does not require a gradient", i);
            return;
        }
    }
    if (!g)
        return;
    request inputs = {input, count, grad, NULL};
    const bool off = tape.off;
    tape.off = !options.create_graph;
    walk(output, g, &inputs);
    tape.off = off;
}

/* ---- the non-finite post-mortem -------------------------------------------------------------- */

static bool is_finite(const tg_tensor *t)
{
    const int64_t count = t->rows || t->dtype == TG_I64 ? 0 : tg_numel(t);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(tg_element(t, tg_element_offset(t, i))))
            return false;
    return true;
}

bool tg_find_non_finite(char *text, size_t size)
{
    for (int64_t i = 0; i < tape.count; i++) {
        const tg_node *n = &tape.node[i];
        bool guilty = !is_finite(n->out);
        for (int k = 0; guilty && k < n->nin; k++)
            guilty = is_finite(n->in[k]);
        if (guilty) {
            snprintf(text, size, "%s: %s", n->at, n->op->name);
            return true;
        }
    }
    return false;
}

/* ---- the tape as a picture ------------------------------------------------------------------- */

void tg_tape_dot(FILE *file)
{
    char shape[TG_SHAPE_TEXT];
    fputs("digraph tape {\n    node [shape=box, fontname=monospace];\n", file);
    for (int64_t i = 0; i < tape.count; i++) {
        const tg_node *n = &tape.node[i];
        fprintf(file, "    n%lld [label=\"%s\\n%s\\n%s\"];\n", (long long)i, n->op->name,
                tg_shape_format(&n->out->shape, shape), n->at);
        for (int k = 0; k < n->nin; k++) {
            const tg_tensor *x = n->in[k];
            if (x->node >= 0) {
                fprintf(file, "    n%lld -> n%lld;\n", (long long)x->node, (long long)i);
                continue;
            }
            fprintf(file, "    t%p [label=\"%s %s\", shape=ellipse%s];\n    t%p -> n%lld;\n",
                    (const void *)x, tg_dtype_name(x->dtype), tg_shape_format(&x->shape, shape),
                    x->requires_grad ? ", style=bold" : "", (const void *)x, (long long)i);
        }
    }
    fputs("}\n", file);
}
