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

static void *step_memory(size_t bytes)
{
    void *p = tg_arena_alloc(bytes);
    if (!p)
        tg_out_of_memory(bytes);
    return p;
}

static void record(tg_node n, size_t attr_size)
{
    tg_tensor **in = step_memory((size_t)n.nin * sizeof *in);
    memcpy(in, n.in, (size_t)n.nin * sizeof *in);
    n.in = in;
    if (attr_size > 0)
        n.attr = memcpy(step_memory(attr_size), n.attr, attr_size);
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
        if (!tg_usable(at, op->name, in[i]))
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

tg_tensor *tg_detach_at(const char *at, tg_tensor *x)
{
    return tg_usable(at, "detach", x) ? tg_tensor_alias(x) : tg_error_tensor();
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Where gradients go: to the leaves that the loss depends on, or to chosen inputs alone. */
typedef struct request {
    tg_tensor *const *input; /* NULL: to all leaves' grad */
    int count;
    tg_tensor **grad; /* of the inputs */
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

static void accumulate(tg_tensor *x, tg_tensor *g, const request *r)
{
    if (x->node < 0 && !r->input) {
        tg_leaf_accumulate(x, g);
        return;
    }
    g = tg_to_dense(g);
    if (x->node >= 0)
        node_accumulate(&tape.node[x->node], g);
    else
        for (int i = 0; i < r->count; i++)
            if (r->input[i] == x)
                r->grad[i] = r->grad[i] ? tg_add(r->grad[i], g) : g;
}

static void node_backward(const tg_node *n, tg_tensor *g, const request *r)
{
    tg_tensor *few[4] = {NULL};
    tg_tensor **dx = few;
    if (n->nin > 4)
        dx = memset(step_memory((size_t)n->nin * sizeof *dx), 0, (size_t)n->nin * sizeof *dx);
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

static void walk(tg_tensor *output, tg_tensor *g, const request *r)
{
    accumulate(output, g, r);
    for (int64_t i = output->node; i >= 0; i--) {
        g = tape.node[i].grad;
        if (!g)
            continue;
        tape.node[i].grad = NULL;
        tape.node[i].grad_is_sum = false;
        for (int k = 0; k < r->count; k++)
            if (r->input[k]->node == i)
                r->grad[k] = g;
        const tg_node n = tape.node[i]; /* rules that are recorded move the array */
        node_backward(&n, g, r);
    }
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
    const request all_leaves = {.input = NULL};
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
    const request inputs = {input, count, grad};
    const bool off = tape.off;
    tape.off = !options.create_graph;
    walk(output, g, &inputs);
    tape.off = off;
}

/* ---- the non-finite post-mortem -------------------------------------------------------------- */

static bool is_finite(const tg_tensor *t)
{
    const int64_t count = t->rows || t->dtype == TG_I64 ? 0 : tg_numel(t);
    for (int64_t i = 0; i < count; i++) {
        const int64_t offset = tg_element_offset(t, i);
        if (!isfinite(t->dtype == TG_F32 ? (double)((const float *)t->data)[offset]
                                         : ((const double *)t->data)[offset]))
            return false;
    }
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
