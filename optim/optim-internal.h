/*
 * optim-internal.h: what every optimiser shares; not for programs
 *
 * An optimiser is a struct whose first member is tg_optimizer, and a function that updates one
 * parameter. The parameter is walked in runs of elements: all of it with a dense gradient; with a
 * row-sparse one each row present with its gradient, and the rows between with none.
 */
#ifndef TG_OPTIM_INTERNAL_H
#define TG_OPTIM_INTERNAL_H

#include "optim/optim.h"
#include "tensor/compute-internal.h"

enum { TG_SLOT_PARTS = 3 }; /* first, second, steps */

typedef struct tg_slot {
    char *part_name[TG_SLOT_PARTS]; /* "MLP_layers.linear_1.weight.first" */
    tg_tensor *param;
    tg_tensor *first, *second; /* moments of the parameter's shape; NULL where not kept */
    tg_tensor *steps;          /* () i64: updates so far */
    double lr, weight_decay;
    int32_t *row;              /* scratch: which row of a sparse gradient is row r's, or -1 */
    struct tg_catch_up *late;  /* updates of rows that are put off, or NULL */
} tg_slot;

struct tg_optimizer {
    int64_t count;
    tg_slot *slot;
    double lr_factor;
    void (*update)(const tg_optimizer *opt, tg_slot *slot); /* slot->param->grad is not NULL */
};

/* An optimiser of `size` bytes over all parameters of m, with `moments` (0, 1 or 2) a parameter. */
void *tg_optimizer_alloc(size_t size, const char *name, const tg_module *m, int moments, double lr,
                         double weight_decay,
                         void (*update)(const tg_optimizer *opt, tg_slot *slot));

/* The learning rate of a parameter now, and the number of the update that is made. */
static inline double tg_lr(const tg_optimizer *opt, const tg_slot *slot)
{
    return slot->lr * opt->lr_factor;
}

static inline double tg_steps(const tg_slot *slot)
{
    return (double)*(const int64_t *)slot->steps->data;
}

/* Elements offset .. offset + n of a parameter; g their gradient, or NULL for zeros. */
typedef void (*tg_run)(const void *context, const tg_slot *slot, int64_t offset, int64_t n,
                       const void *g);

/* Walk the parameter on all threads; rows without gradient too where all_rows. */
void tg_for_runs(tg_slot *slot, bool all_rows, tg_run run, const void *context);

/* The address of element number `offset`; NULL for NULL. */
static inline void *tg_at(const tg_tensor *t, int64_t offset)
{
    return t ? (char *)t->data + offset * (int64_t)tg_dtype_size(t->dtype) : NULL;
}

/* Ask the memory for a row of the optimiser's state, and for one of the parameter as well. */
TG_ALWAYS_INLINE void tg_prefetch_state(const tg_slot *slot, int64_t row)
{
    const int64_t dim = slot->param->shape.size[1];
    const size_t bytes = (size_t)dim * tg_dtype_size(slot->param->dtype);
    if (slot->first)
        tg_prefetch(tg_at(slot->first, row * dim), bytes);
    if (slot->second)
        tg_prefetch(tg_at(slot->second, row * dim), bytes);
}

TG_ALWAYS_INLINE void tg_prefetch_row(const tg_slot *slot, int64_t row)
{
    const int64_t dim = slot->param->shape.size[1];
    tg_prefetch(tg_at(slot->param, row * dim), (size_t)dim * tg_dtype_size(slot->param->dtype));
    tg_prefetch_state(slot, row);
}

/* ---- Adam's updates of table rows, put off: catch_up.c --------------------------------------- */

typedef struct tg_adam_moments {
    double beta1, beta2, eps;
} tg_adam_moments;

/* What an update does, the one of number `step`, at the learning rate lr. */
tg_adam_update tg_adam_at(const tg_adam_moments *o, double lr, double step);

/* Update from slot->param->grad, if its rows may be put off; whether it did. */
bool tg_catch_up(const tg_adam_moments *o, double lr, tg_slot *slot);

/* Make all updates that were put off, and put off none. NULL is accepted. */
void tg_catch_up_free(struct tg_catch_up *late);

/* `value`; 0, and misuse, where it is negative, NaN, or `bound` and more. */
double tg_option(const char *optimizer, const char *name, double value, double bound);

#endif
