#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/ops-internal.h"
#include "tensor/parallel.h"

/* The tape of a thread: nodes in the order of execution, and where each open step began. */
static _Thread_local struct {
    tg_node *node;
    int64_t count, capacity;
    int64_t *mark;
    int64_t depth, mark_capacity;
    bool off;     /* inside tg_no_grad */
    bool walking; /* inside tg_backward or tg_grad */
} tape;

static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void tape_release(void *unused)
{
    (void)unused;
    free(tape.node);
    free(tape.mark);
    memset(&tape, 0, sizeof tape);
}

static void thread_end_create(void)
{
    pthread_key_create(&thread_end, tape_release);
}

/* `*array` of the tape with room for one more element behind `count`. */
static void grow(void **array, size_t size, int64_t count, int64_t *capacity)
{
    if (count < *capacity)
        return;
    pthread_once(&thread_end_once, thread_end_create);
    pthread_setspecific(thread_end, &tape);
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
    if (tape.depth == 0)
        tg_parallel_step_begin();
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
    if (tape.depth == 0)
        tg_parallel_step_end();
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
    char *memory = tg_step_memory(operands + versions + attr_size + (size_t)n.nin);
    tg_tensor **in = (tg_tensor **)(void *)memory;
    uint64_t *version = (uint64_t *)(void *)(memory + operands);
    bool *needs = (bool *)(memory + operands + versions + attr_size);
    for (int i = 0; i < n.nin; i++) {
        in[i] = n.in[i];
        version[i] = tg_version(in[i]);
        needs[i] = in[i]->requires_grad;
    }
    version[n.nin] = tg_version(n.out);
    n.in = in;
    n.version = version;
    n.needs = needs;
    if (attr_size > 0)
        n.attr = memcpy(memory + operands + versions, n.attr, attr_size);
    void *node = tape.node;
    grow(&node, sizeof *tape.node, tape.count, &tape.capacity);
    tape.node = node;
    n.out->requires_grad = true;
    n.out->node = tape.count;
    tape.node[tape.count++] = n;
}

/* The op's result, under a header of its own, on which the tape may write whose result it is. */
static tg_tensor *run_forward(const tg_node *n)
{
    const bool off = tape.off;
    tape.off = true;
    tg_tensor *out = n->op->forward(n);
    tape.off = off;
    bool is_another = out->node >= 0 || out->step == 0;
    for (int i = 0; i < n->nin; i++)
        is_another = is_another || out == n->in[i];
    return is_another && !tg_is_error(out) ? tg_tensor_alias(out) : out;
}

/* A tensor of this step, which no optimiser has put off: usable without further questions, as most
 * are. */
static bool is_plain(const tg_tensor *t, uint64_t step)
{
    return t && t->step == step && t->data && !t->rows &&
           !(t->base && (t->base->refresh || !t->base->data));
}

/* Of what is not of a step only gradients are temporary: x, if it is one, has to stay when it is
 * zeroed. */
static void keep_gradient(tg_tensor *x)
{
    if (x->step == 0)
        x->is_temporary = false;
}

static bool is_operand(const char *at, const tg_op *op, int i, tg_tensor *x)
{
    /* embedding brings the rows that it reads up to date itself */
    const bool by_rows = op == &tg_op_embedding && x && x->refresh;
    if (!(by_rows ? tg_valid : tg_usable)(at, op->name, x))
        return false;
    if (x->rows && op != &tg_op_to_dense) {
        tg_misuse(at, op->name, "operand %d is row-sparse: take tg_to_dense first", i);
        return false;
    }
    keep_gradient(x);
    return true;
}

tg_tensor *tg_apply(const char *at, const tg_op *op, int nin, tg_tensor *const *in,
                    const void *attr, size_t attr_size)
{
    const uint64_t step = tg_arena_step();
    bool wanted = false;
    for (int i = 0; i < nin; i++) {
        if (!is_plain(in[i], step) && !is_operand(at, op, i, in[i]))
            return tg_error_tensor();
        wanted = wanted || in[i]->requires_grad;
    }
    if (op->arity != TG_VARIADIC && op->arity != nin)
        return tg_misuse(at, op->name, "%d operands; %d expected", nin, op->arity);
    tg_node n = {.op = op, .at = at, .nin = nin, .in = (tg_tensor **)in, .attr = attr};
    n.out = run_forward(&n);
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
    if (!tg_usable(at, "detach", x))
        return tg_error_tensor();
    keep_gradient(x);
    return tg_tensor_alias(x);
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

/* ---- the memory of gradients ----------------------------------------------------------------- */

/* What a rule makes has its memory until no gradient of the walk needs it: the gradient of a node
 * until its rule has run, that of a leaf until it was added to ->grad. Then the memory serves the
 * next rules. Gradients that a program has seen, in a hook or as a result of tg_grad, are kept. */

static tg_tensor *owner_of(tg_tensor *g)
{
    return g->base ? g->base : g;
}

static void hold(tg_tensor *g)
{
    owner_of(g)->holders++;
    if (g->rows)
        hold(g->rows);
}

static void let_go(tg_tensor *g)
{
    tg_tensor *owner = owner_of(g);
    if (g->rows)
        let_go(g->rows);
    if (--owner->holders == 0 && owner->is_temporary)
        tg_arena_release(owner);
}

/* Held as long as the step lasts. */
static tg_tensor *kept(tg_tensor *g)
{
    hold(g);
    return g;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* A leaf and its gradient, until that is complete. */
typedef struct pending {
    tg_tensor *leaf, *g;
    tg_tensor **part; /* (parts): row-sparse ones, g the first of them; or NULL */
    int64_t parts;
} pending;

/* A walk over the tape, and where gradients go: to all leaves' grad, or to chosen inputs alone. */
typedef struct walk {
    const char *at; /* the caller's place */
    tg_tensor *const *input; /* NULL: all leaves */
    int inputs;
    tg_tensor **grad; /* of the inputs */
    bool *depends;    /* (nodes), whether a node's result depends on an input; NULL: all count */
    pending *leaf;    /* (leaves), in the order in which gradients reached them first */
    int64_t leaves, room;
} walk;

/* g was checked when a rule or a hook gave it. */
static tg_tensor *dense(tg_tensor *g)
{
    return g->rows ? tg_to_dense(g) : g;
}

/* Whether the gradient g, which is held, is all that its memory, made by a rule that has ended, is
 * for, and each element has a place of its own there. */
static bool is_alone(tg_tensor *g)
{
    bool is = tape.off && owner_of(g)->is_temporary && owner_of(g)->holders == 1;
    for (int d = 0; is && g->base && d < g->shape.ndim; d++)
        is = g->stride[d] != 0;
    return is;
}

/* What is held in place of x, which was or is NULL: x + y. */
static tg_tensor *held_sum(const char *at, tg_tensor *x, tg_tensor *y)
{
    if (x && is_alone(x)) {
        tg_add_in_place(x, y);
        return x;
    }
    tg_tensor *sum = x ? tg_add_at(at, x, y) : y;
    hold(sum);
    if (x)
        let_go(x);
    return sum;
}

static void node_accumulate(int64_t i, tg_tensor *g)
{
    g = held_sum(tape.node[i].at, tape.node[i].grad, dense(g));
    tape.node[i].grad = g; /* an op that is recorded moves the array */
}

/* Row-sparse gradients are kept until the leaf's is complete, and joined once. */
static void add_part(pending *p, tg_tensor *g)
{
    if ((p->parts & (p->parts - 1)) == 0) { /* 0, or as many as there is room for */
        const size_t room = p->parts ? 2 * (size_t)p->parts : 2;
        tg_tensor **part = tg_step_memory(room * sizeof *part);
        if (p->parts)
            memcpy(part, p->part, (size_t)p->parts * sizeof *part);
        else
            part[p->parts++] = p->g;
        p->part = part;
    }
    hold(g);
    p->part[p->parts++] = g;
}

static tg_tensor *joined(pending *p)
{
    if (p->parts == 0)
        return p->g;
    p->g = kept(tg_sparse_sum(p->part, p->parts));
    while (p->parts > 0)
        let_go(p->part[--p->parts]);
    return p->g;
}

static tg_tensor *made_dense(pending *p)
{
    tg_tensor *g = joined(p);
    if (g->rows) {
        p->g = kept(dense(g));
        let_go(g);
    }
    return p->g;
}

static void pending_accumulate(const char *at, pending *p, tg_tensor *g)
{
    if (p->g->rows && g->rows && tape.off)
        add_part(p, g);
    else
        p->g = held_sum(at, made_dense(p), dense(g));
}

static bool is_wanted(const walk *w, const tg_tensor *leaf)
{
    bool wanted = !w->input;
    for (int i = 0; i < w->inputs && !wanted; i++)
        wanted = w->input[i] == leaf;
    return wanted;
}

/* Whether the gradient of operand i is of use: it required one, and leads to an input. */
static bool is_on_the_way(const walk *w, const tg_node *n, int i)
{
    const tg_tensor *x = n->in[i];
    if (!n->needs[i] || !w->depends)
        return n->needs[i];
    return x->node >= 0 ? w->depends[x->node] : is_wanted(w, x);
}

static void find_dependent(walk *w, int64_t nodes)
{
    bool *depends = tg_step_memory((size_t)nodes + 1);
    w->depends = depends;
    for (int64_t k = 0; k < nodes; k++) {
        const tg_node *n = &tape.node[k];
        depends[k] = false;
        for (int i = 0; i < n->nin && !depends[k]; i++)
            depends[k] = is_on_the_way(w, n, i);
        for (int i = 0; i < w->inputs && !depends[k]; i++)
            depends[k] = w->input[i]->node == k;
    }
}

static void leaf_accumulate(walk *w, tg_tensor *leaf, tg_tensor *g)
{
    const int64_t i = leaf->pending;
    if (i < w->leaves && w->leaf[i].leaf == leaf) {
        pending_accumulate(w->at, &w->leaf[i], g);
        return;
    }
    if (w->leaves == w->room) {
        w->room = 2 * w->room + 16;
        pending *more = tg_step_memory((size_t)w->room * sizeof *more);
        w->leaf = w->leaves ? memcpy(more, w->leaf, (size_t)w->leaves * sizeof *more) : more;
    }
    leaf->pending = w->leaves;
    w->leaf[w->leaves++] = (pending){.leaf = leaf, .g = kept(g)};
}

static void accumulate(walk *w, tg_tensor *x, tg_tensor *g)
{
    if (x->node >= 0)
        node_accumulate(x->node, g);
    else
        leaf_accumulate(w, x, g);
}

/* What the hook of x makes of its gradient g. */
static tg_tensor *through_hook(const walk *w, const tg_tensor *x, tg_tensor *g)
{
    tg_tensor *other = x->hook(x->hook_context, kept(g));
    if (!other || other == g)
        return g;
    if (!tg_usable(w->at, "hook", other))
        return tg_error_tensor();
    if (other->dtype == x->dtype && tg_shape_equal(&other->shape, &x->shape))
        return dense(other);
    return tg_misuse(w->at, "hook", "it gave %s %s; a gradient as %s %s expected",
                     tg_dtype_name(other->dtype), TG_TEXT(other->shape), tg_dtype_name(x->dtype),
                     TG_TEXT(x->shape));
}

/* Whether the rule reads operand i, or the result (i is nin). */
static bool rule_reads(const tg_node *n, int i)
{
    if (n->op->reads)
        return n->op->reads(n, i);
    if (n->op->saves == 0)
        return true;
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

/* The gradient dx that a rule gave for operand i, with broadcasting undone. */
static tg_tensor *checked_gradient(const tg_node *n, int i, tg_tensor *dx)
{
    const tg_tensor *x = n->in[i];
    if (!dx)
        return tg_misuse(n->at, n->op->name, "its rule gave no gradient for operand %d", i);
    if (!is_plain(dx, tg_arena_step()) && !tg_usable(n->at, n->op->name, dx))
        return tg_error_tensor();
    const bool is_equal = tg_shape_equal(&dx->shape, &x->shape);
    if (dx->dtype != x->dtype || (!is_equal && !tg_broadcasts_to(&x->shape, &dx->shape)))
        return tg_misuse(n->at, n->op->name, "its rule gave %s %s for operand %d; a gradient as "
                         "%s %s expected", tg_dtype_name(dx->dtype), TG_TEXT(dx->shape), i,
                         tg_dtype_name(x->dtype), TG_TEXT(x->shape));
    return is_equal ? dx : tg_sum_to_at(n->at, dx, x->shape);
}

/* Run the rule of n, a copy, for the gradients that are of use. */
static void node_backward(walk *w, tg_node *n, tg_tensor *g)
{
    enum { FEW = 4 };
    tg_tensor *few[FEW] = {NULL};
    bool few_needs[FEW], is_useful = false;
    tg_tensor **dx = few;
    bool *needs = few_needs;
    if (n->nin > FEW) {
        dx = memset(tg_step_memory((size_t)n->nin * sizeof *dx), 0, (size_t)n->nin * sizeof *dx);
        needs = tg_step_memory((size_t)n->nin);
    }
    for (int i = 0; i < n->nin; i++) {
        needs[i] = is_on_the_way(w, n, i);
        is_useful = is_useful || needs[i];
    }
    n->needs = needs;
    if (!is_useful || !is_unchanged(n))
        return;
    const tg_tensor *latest = tg_arena_latest();
    const int64_t nodes = tape.count;
    tg_tensor *sum = n->op->add && n->in[0]->node >= 0 ? tape.node[n->in[0]->node].grad : NULL;
    const bool adds = sum && is_alone(sum);
    if (adds)
        n->op->add(n, g, sum);
    else
        (tape.off && n->op->fused ? n->op->fused : n->op->backward)(n, g, dx);
    for (int i = 0; i < n->nin && !adds; i++) {
        tg_tensor *d = tg_needs_grad(n, i) ? checked_gradient(n, i, dx[i]) : NULL;
        if (d && !tg_is_error(d))
            accumulate(w, n->in[i], d);
    }
    if (tape.off && tape.count == nodes) /* else the tape refers to them */
        tg_arena_release_after(latest);
}

/* The gradient of the result of node i is complete. */
static void visit_node(walk *w, int64_t i, tg_tensor *g)
{
    tg_node n = tape.node[i]; /* rules that are recorded move the array */
    if (n.out->hook)
        g = through_hook(w, n.out, g);
    if (tg_is_error(g))
        return;
    for (int k = 0; k < w->inputs; k++)
        if (w->input[k]->node == i)
            w->grad[k] = kept(g);
    if (n.out->retains_grad && !w->input) {
        hold(g); /* the rule is yet to read it */
        tg_grad_accumulate(n.out, g);
        let_go(g);
    }
    node_backward(w, &n, g);
}

static void visit_leaf(walk *w, tg_tensor *leaf, tg_tensor *g)
{
    if (leaf->hook)
        g = through_hook(w, leaf, dense(g));
    if (tg_is_error(g))
        return;
    if (!w->input)
        tg_grad_accumulate(leaf, g);
    for (int k = 0; k < w->inputs; k++)
        if (w->input[k] == leaf)
            w->grad[k] = kept(dense(g));
}

static void walk_back(walk *w, tg_tensor *output, tg_tensor *g)
{
    accumulate(w, output, g);
    for (int64_t i = output->node; i >= 0; i--) {
        g = tape.node[i].grad;
        tape.node[i].grad = NULL;
        if (g) {
            visit_node(w, i, g);
            let_go(g);
        }
    }
    for (int64_t i = 0; i < w->leaves; i++) {
        visit_leaf(w, w->leaf[i].leaf, joined(&w->leaf[i]));
        let_go(w->leaf[i].g);
    }
}

/* Gradients that wait at nodes for a walk in whose hook or rule another one begins. */
typedef struct waiting {
    int64_t node;
    tg_tensor *grad;
} waiting;

static void walk_inside_another(walk *w, tg_tensor *output, tg_tensor *g)
{
    int64_t count = 0;
    for (int64_t i = 0; i <= output->node; i++)
        count += tape.node[i].grad != NULL;
    waiting *aside = tg_step_memory((size_t)count * sizeof *aside);
    count = 0;
    for (int64_t i = 0; i <= output->node; i++)
        if (tape.node[i].grad) {
            aside[count++] = (waiting){i, tape.node[i].grad};
            tape.node[i].grad = NULL;
        }
    walk_back(w, output, g);
    while (count-- > 0)
        tape.node[aside[count].node].grad = aside[count].grad;
}

static void walk_from(walk *w, tg_tensor *output, tg_tensor *g, bool records)
{
    const bool off = tape.off, is_inside = tape.walking;
    tape.off = !records;
    tape.walking = true;
    (is_inside ? walk_inside_another : walk_back)(w, output, g);
    tape.walking = is_inside;
    tape.off = off;
}

/* The gradient to begin with: NULL, and misuse of `op`, where there is none. */
static tg_tensor *seed(const char *at, const char *op, tg_tensor *output, tg_tensor *g)
{
    char text[TG_SHAPE_TEXT];
    if (!tg_usable(at, op, output) || (g && !tg_usable(at, op, g)))
        return NULL;
    if (!output->requires_grad)
        tg_misuse(at, op, tape.off ? "the loss was not recorded: tg_no_grad is in force here"
                                   : "the loss does not depend on a tensor that requires a "
                                     "gradient");
    else if (!g && tg_numel(output) != 1)
        tg_misuse(at, op, "%s: a loss of one element expected",
                  tg_shape_format(&output->shape, text));
    else if (g && (!tg_shape_equal(&g->shape, &output->shape) || g->dtype != output->dtype))
        tg_misuse(at, op, "grad_output: shape and dtype of the output, %s, expected",
                  tg_shape_format(&output->shape, text));
    else if (!g)
        return tg_full_at(at, output->dtype, 1, output->shape);
    else {
        keep_gradient(g); /* it may become one of the results */
        return g;
    }
    return NULL;
}

void tg_backward_at(const char *at, tg_tensor *loss)
{
    tg_tensor *g = seed(at, "backward", loss, NULL);
    if (g)
        walk_from(&(walk){.at = at}, loss, g, false);
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
    walk w = {.at = at, .input = input, .inputs = count, .grad = grad};
    if (!g || count == 0)
        return;
    find_dependent(&w, output->node + 1);
    if (output->node < 0 ? is_wanted(&w, output) : w.depends[output->node])
        walk_from(&w, output, g, options.create_graph);
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
