/*
 * module.h: parameters with names, modules with children
 *
 *     typedef struct { tg_module base; tg_linear_layer *hidden, *output; } net;
 *
 *     net *m = tg_module_new(net);
 *     m->hidden = tg_child(m, "hidden", tg_linear_new(8, 16));
 *     m->output = tg_child(m, "output", tg_linear_new(16, 1));
 *     ...
 *     tg_module_free(&m->base);
 *
 * A module is any struct whose first member is `tg_module base`. Full names join with dots as in
 * PyTorch's state_dict: "hidden.weight".
 *
 * Ownership: a module belongs to the modules that it is a child of, and goes with the last of them.
 * A parameter belongs to the tree of modules in which it is registered, once or under many names.
 *
 * So weights are tied, and layers shared, by registering them again:
 *
 *     m->tied = tg_param(m, "head", m->table->weight);
 *
 * Such a parameter is one: updated once a step, counted once, freed once. The state_dict has all of
 * its names. Two trees that are freed apart may share a module, but not a tensor alone.
 */
#ifndef TG_NN_MODULE_H
#define TG_NN_MODULE_H

#include <stdio.h>

#include "autograd/gradcheck.h"
#include "tensor/tensor.h"

typedef struct tg_module tg_module;

typedef struct tg_parameter {
    char *name; /* "weight" */
    tg_tensor *tensor;
} tg_parameter;

typedef struct tg_submodule {
    char *name; /* "linear_1" */
    tg_module *module;
} tg_submodule;

struct tg_module {
    const char *kind; /* the struct's name */
    /* For modules that take one tensor: what tg_forward calls; NULL otherwise. */
    tg_tensor *(*forward)(const char *at, tg_module *m, tg_tensor *x);
    bool training;
    int parents; /* how often it is a child */
    int nparameters, nchildren;
    tg_parameter *parameter;
    tg_submodule *child;
};

/* A zeroed struct of the type, in training mode. */
#define tg_module_new(type) ((type *)tg_module_alloc(sizeof(type), #type))
void *tg_module_alloc(size_t size, const char *kind);

/* End a module, its children and all their parameters, but not what another module shares. NULL is
 * accepted; a child, which belongs to its parents, is misuse. */
void tg_module_free(tg_module *m);

/* Register; gives the parameter (an owned tensor, which then requires a gradient) or the child
 * back. The module owns it from then on: one that is refused, as misuse, is freed. The name is
 * copied; it must not be taken, or have a dot. */
#define tg_param(m, name, tensor) tg_module_parameter(TG_HERE, &(m)->base, name, tensor)
#define tg_child(m, name, submodule) tg_module_child(TG_HERE, &(m)->base, name, submodule)
tg_tensor *tg_module_parameter(const char *at, tg_module *m, const char *name, tg_tensor *tensor);
void *tg_module_child(const char *at, tg_module *m, const char *name, void *child);

/* Training mode (dropout on) or evaluation mode, for the module and everything below it. */
#define tg_training(m) ((m)->base.training)
#define tg_train(m) tg_module_train(&(m)->base, true)
#define tg_eval(m) tg_module_train(&(m)->base, false)
void tg_module_train(tg_module *m, bool training);

/* The module's own forward function, as the layers of nn/layers.h have one. */
#define tg_forward(m, x) tg_module_forward(TG_HERE, &(m)->base, x)
tg_tensor *tg_module_forward(const char *at, tg_module *m, tg_tensor *x);

/* Call visit for every module, once: children before their parent. */
void tg_module_apply(tg_module *m, void (*visit)(tg_module *m, void *context), void *context);

/* Whether parameters, those of children too, want gradients: frozen ones do not and stay. */
void tg_module_freeze(tg_module *m, bool frozen);

/* Print the modules, their parameters with shapes, and the number of numbers. */
void tg_module_print(const tg_module *m, FILE *file);

/* ---- state_dict ------------------------------------------------------------------------------ */

/* Named tensors in order, and strings beside them ("format" -> "1"). */
typedef struct tg_state_entry {
    char *name; /* "MLP_layers.linear_1.weight" */
    tg_tensor *tensor;
} tg_state_entry;

typedef struct tg_state_note {
    char *key, *value;
} tg_state_note;

typedef struct tg_state_dict {
    int64_t count, notes;
    tg_state_entry *entry;
    tg_state_note *note;
    bool owns_tensors; /* those of a file do; a module's are the module's */
} tg_state_dict;

/* All parameters of the module and its children, depth first, in the order of registration; one
 * that is shared under each of its names. */
tg_state_dict tg_module_state_dict(const tg_module *m);

/* The same with every parameter once, under its first name (PyTorch's named_parameters). */
tg_state_dict tg_module_parameters(const tg_module *m);

void tg_state_dict_release(tg_state_dict *state);

void tg_state_dict_add(tg_state_dict *state, const char *name, tg_tensor *tensor);
void tg_state_dict_note(tg_state_dict *state, const char *key, const char *value);
tg_tensor *tg_state_dict_get(const tg_state_dict *state, const char *name);         /* or NULL */
const char *tg_state_dict_get_note(const tg_state_dict *state, const char *key);    /* or NULL */

/* Copy values from `state` into the module's parameters. Every parameter must be there with its
 * shape, a shared one under one of its names at least; TG_EFORMAT otherwise, naming it, and nothing
 * is changed. Others are ignored. */
tg_status tg_module_load_state_dict(tg_module *m, const tg_state_dict *state);

int64_t tg_module_parameter_count(const tg_module *m); /* numbers, not tensors */

/* ---- gradient check -------------------------------------------------------------------------- */

/* tg_gradcheck (order 1) or tg_gradgradcheck (order 2) with all parameters that are not frozen as
 * the inputs, in the order of tg_module_parameters; they must be f64. `function` is called with
 * them, and finds the module by its context. The message begins with the worst one's name. */
bool tg_module_gradcheck(const tg_module *m, int order, tg_gradcheck_function function,
                         void *context, double tolerance, tg_gradcheck_report *report);

#endif
