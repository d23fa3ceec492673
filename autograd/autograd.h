/*
 * autograd.h: steps, the tape, backward, and what an op is
 *
 *     tg_step_begin();
 *     tg_tensor *loss = tg_mse_loss(model_forward(m, x), y);    ops are recorded on the tape
 *     tg_backward(loss);                                        fills ->grad of every leaf reached
 *     tg_optimizer_step(opt);
 *     tg_step_end();                                            all results of the step are gone
 *
 * The tape is an array of nodes in the order of execution. tg_backward walks it once, backwards:
 * since a result always stands after its operands, no sort, queue or recursion is needed. A node
 * is recorded where an operand requires a gradient and recording is on.
 */
#ifndef TG_AUTOGRAD_AUTOGRAD_H
#define TG_AUTOGRAD_AUTOGRAD_H

#include <stdio.h>

#include "autograd/named_options.h"
#include "tensor/tensor.h"

/* ---- steps ----------------------------------------------------------------------------------- */

/* Begin and end a step; steps nest. What ops returned and the tape recorded since the begin is gone
 * at the end, and its memory is used again by the next step. Gradients of leaves stay as long as the
 * leaf, also where the leaf is of an outer step. */
void tg_step_begin(void);
void tg_step_end(void);

/* ---- gradients ------------------------------------------------------------------------------- */

/* Add d loss / d leaf to the grad of every leaf that the loss depends on and that required one when
 * the ops ran. The loss must have one element and depend on such a leaf. May be called again, on the
 * same loss or another one of the step: gradients accumulate, as in PyTorch. That happens in place
 * and at the end: rules that read a ->grad see it as it was, and those of an earlier graph that read
 * it report the change as misuse. */
#define tg_backward(loss) tg_backward_at(TG_HERE, loss)
void tg_backward_at(const char *at, tg_tensor *loss);

/* d output / d input[i] for chosen inputs, leaves or results: tensors of the step in grad[i], which
 * may share memory with one another and with grad_output, as in PyTorch; NULL where the output does
 * not depend on it. Nothing is added to any leaf's grad.
 *
 *     tg_tensor *dx[2];
 *     tg_grad(loss, ((tg_tensor *[]){x, y}), 2, dx, .create_graph = true);
 *
 * Products, sums, lookups and shapes have gradients of every order; elementwise ops have first and
 * second ones, and third ones where the second are constant. Beyond that, create_graph is misuse.
 */
typedef struct tg_grad_options {
    tg_tensor *grad_output; /* of the output's shape; may be left out where it has one element */
    bool create_graph;      /* record the gradients, so that they have gradients themselves */
    TG_NO_OPTION;
} tg_grad_options;
#define TG_GRAD_DEFAULTS .grad_output = NULL, .create_graph = false
#define tg_grad(...) TG_GRAD_(__VA_ARGS__, )
#define TG_GRAD_(output, input, count, grad, ...)                                                  \
    tg_grad_at(TG_HERE, output, input, count, grad,                                                \
               TG_OPTIONS_(tg_grad_options, TG_GRAD_DEFAULTS, __VA_ARGS__))
void tg_grad_at(const char *at, tg_tensor *output, tg_tensor *const *input, int count,
                tg_tensor **grad, tg_grad_options options);

/* Forget a leaf's gradient: grad becomes NULL. A large one is released: what it was is not to be used
 * any more, unless an op has read it before. */
void tg_zero_grad_tensor(tg_tensor *leaf);

/* Keep the gradient of a result as well: tg_backward adds it to x->grad, a tensor of the step.
 * Leaves keep theirs anyway. */
#define tg_retain_grad(x) tg_retain_grad_at(TG_HERE, x)
void tg_retain_grad_at(const char *at, tg_tensor *x);

/* A function that sees the gradient of x, complete and never row-sparse, whenever tg_backward or
 * tg_grad has it, and gives another one of the same dtype and shape in its place, or NULL to leave
 * it. It may call both itself; it must not change g in place, for other gradients may share its
 * memory. One a tensor; NULL takes it away. */
typedef tg_tensor *(*tg_hook)(void *context, tg_tensor *g);
#define tg_register_hook(x, hook, context) tg_register_hook_at(TG_HERE, x, hook, context)
void tg_register_hook_at(const char *at, tg_tensor *x, tg_hook hook, void *context);

/* Record nothing in the block that follows: tg_no_grad { ... }. return and break may leave it. */
#define tg_no_grad                                                                                 \
    for (tg_no_grad_guard tg_guard_ __attribute__((cleanup(tg_no_grad_end))) =                     \
             tg_no_grad_begin(); tg_guard_.once; tg_guard_.once = false)
bool tg_grad_enabled(void);

/* The same tensor as a leaf that wants no gradient; shares the data. */
#define tg_detach(x) tg_detach_at(TG_HERE, x)
tg_tensor *tg_detach_at(const char *at, tg_tensor *x);

/* The place and name of the first op on the tape whose output is not finite although its operands
 * are, as "models/mlp.c:31: log", in `text`; false where all are finite. */
bool tg_find_non_finite(char *text, size_t size);

/* The tape as a graph for Graphviz: `dot -Tsvg`. */
void tg_tape_dot(FILE *file);

/* ---- ops ------------------------------------------------------------------------------------- */

#define TG_VARIADIC (-1)

typedef struct tg_op tg_op;

/* One use of an op: a call while it runs forward, then a row of the tape. */
typedef struct tg_node {
    const tg_op *op;
    const char *at;    /* the caller's place */
    int nin;
    tg_tensor **in;    /* operands */
    tg_tensor *out;    /* result */
    const void *attr;  /* the op's own struct, or NULL */
    const bool *needs; /* of each operand, whether it required a gradient when the op ran */
    const uint64_t *version; /* of the operands' data and the result's when it ran */
    tg_tensor *grad;   /* d loss / d out while tg_backward runs */
} tg_node;

struct tg_op {
    const char *name;
    int arity; /* operands, or TG_VARIADIC */

    /* Check the operands, compute, return the result (tg_misuse's on an error). Ops that it calls
     * are not recorded. The result may share an operand's data; tg_apply gives it a header of its
     * own where it is the operand itself. */
    tg_tensor *(*forward)(const tg_node *n);

    /* From g = d loss / d out give dx[i] = d loss / d in[i], for each i with tg_needs_grad(n, i),
     * written in ops. dx[i] has the dtype of in[i] and may have the broadcast shape: the engine sums
     * it down to in[i]'s. What the rule makes, and g, end when the engine is done with dx:
     * tg_retain what is to stay. NULL only in an op that is not differentiable: its results never
     * require a gradient. */
    void (*backward)(const tg_node *n, tg_tensor *g, tg_tensor **dx);

    /* The same gradients by kernels, or NULL: tg_backward and tg_grad take it instead of the rule
     * where they record nothing. It reads no other values than the rule. */
    void (*fused)(const tg_node *n, tg_tensor *g, tg_tensor **dx);

    /* Or NULL, of an op of one operand: add d loss / d in[0] to dx, of any strides. Instead of
     * the rule where others have given that gradient before and nothing is recorded. */
    void (*add)(const tg_node *n, tg_tensor *g, tg_tensor *dx);

    /* Which values the rule reads: bit i for operand i (of the first TG_SAVES_COUNT), and
     * TG_SAVES_RESULT; a change in place between the call and tg_backward is then misuse. 0: all of
     * them; TG_SAVES_NOTHING: none. */
    unsigned saves;
    /* Or, where that depends on the gradients that are needed, a function in its place: whether the
     * rule reads operand i, or the result (i is nin). */
    bool (*reads)(const tg_node *n, int i);

    int row; /* elementwise ops: the row of tensor/elementwise.def */
};
#define TG_SAVES_COUNT 29
#define TG_SAVES_NOTHING (1u << 29)
#define TG_SAVES(i) (1u << (i))
#define TG_SAVES_RESULT (1u << 30)

/* Define `tg_op tg_op_NAME` from NAME_forward and NAME_backward above it; behind what it saves may
 * stand further fields, as in TG_DEFINE_OP(matmul, 2, 0, .reads = reads_other). A function that is
 * missing does not compile. The library's own ops have a line in autograd/ops.def; a program may
 * define others in the same way and call them through tg_apply. */
#define TG_DEFINE_OP(op, operands, ...)                                                            \
    const tg_op tg_op_##op = {.name = #op,                                                         \
                              .arity = operands,                                                   \
                              .forward = op##_forward,                                             \
                              .backward = op##_backward,                                           \
                              .saves = __VA_ARGS__}

static inline bool tg_needs_grad(const tg_node *n, int i)
{
    return n->needs[i];
}

/* Run an op and record it. attr is copied. The error tensor goes in and out untouched; an operand
 * that is NULL, or of a step that has ended, is misuse. */
tg_tensor *tg_apply(const char *at, const tg_op *op, int nin, tg_tensor *const *in,
                    const void *attr, size_t attr_size);

/* Every op of the library, for tests and documents. */
extern const tg_op *const tg_op_table[];
extern const int tg_op_count;

/* ---- private to the macros above ------------------------------------------------------------- */

typedef struct tg_no_grad_guard {
    bool before, once;
} tg_no_grad_guard;
tg_no_grad_guard tg_no_grad_begin(void);
void tg_no_grad_end(tg_no_grad_guard *guard);

#endif
