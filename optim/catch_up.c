/*
 * Adam's updates of table rows without a gradient, put off until the row is read.
 *
 * Such an update needs nothing but the row's own moments. After k of them, behind update t0,
 *
 *     m = b1^k m0,   v = b2^k v0,
 *     p = p0 - sum over j = 1..k of r_j b1^j m0 / (R_j b2^(j/2) s + eps)
 *
 * where s = sqrt(v0), r_j = lr / (1 - b1^t), R_j = 1 / sqrt(1 - b2^t), t = t0 + j. With
 * w_j = (b1 / sqrt(b2))^j r_j / R_j and e_j = eps / (R_j b2^(j/2)) a term is m0 w_j / (s + e_j).
 * While w_j counts, e_j hardly moves: expanded about its weighted mean e to second order, it is
 *
 *     m0 W / (s + e) * (1 + D / (s + e)^2),   W = sum of w_j,   D = weighted variance of the e_j
 *
 * and W, e, D are the same for all elements of all rows that missed the same updates. In the first
 * hundred updates R_j does move: those are made one by one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim-internal.h"
#include "tensor/parallel.h"

enum { EARLY = 100, GRAIN = 16384 };

/* Sums over j of w_j, w_j e_j, w_j e_j^2. */
typedef struct sums {
    double w, we, wee;
} sums;

enum { NEVER = -1 }; /* done: the row's moments are zero, and leave it where it is */

typedef struct tg_catch_up {
    tg_refresh refresh; /* first: what the table points to */
    tg_slot *slot;
    tg_adam_moments moments;
    /* Updates base + 1 .. now are remembered, `room` at most; then all rows are brought up. */
    int64_t base, now, room;
    double *lr, *w, *e; /* of update base + 1 + i: the learning rate, r / R, eps / R */
    int32_t *done;      /* (rows): updates that the row has had, less base */
    int64_t window;     /* lags beyond which w_j is nothing */
    double *decay1, *decay2; /* (window + 1): b1^k, b2^k */
    sums *recent;       /* (window + 1): of lag k, up to now */
    sums *complete;     /* (room): of those that followed update base + i, once `window` have */
} catch_up;

/* ---- one row --------------------------------------------------------------------------------- */

static void skip_row(const catch_up *c, int64_t row, int64_t from)
{
    const tg_slot *slot = c->slot;
    const int64_t dim = slot->param->shape.size[1], offset = row * dim;
    const tg_type_kernels *kernels = tg_kernels_of(slot->param->dtype);
    void *p = tg_at(slot->param, offset), *m = tg_at(slot->first, offset);
    void *v = tg_at(slot->second, offset);
    for (; from < EARLY && from < c->now; from++) {
        const tg_adam_update u = tg_adam_at(&c->moments, c->lr[from - c->base], (double)from + 1);
        kernels->adam(dim, p, NULL, m, v, &u);
    }
    const int64_t lag = c->now - from;
    if (lag == 0)
        return;
    const sums sum = lag <= c->window ? c->recent[lag] : c->complete[from - c->base];
    const double e = sum.w > 0 ? sum.we / sum.w : 1; /* no w: learning rates of zero */
    const tg_adam_skip u = {
        .sum = sum.w,
        .eps = e,
        .variance = sum.w > 0 ? sum.wee / sum.w - e * e : 0,
        .decay1 = lag <= c->window ? c->decay1[lag] : pow(c->moments.beta1, (double)lag),
        .decay2 = lag <= c->window ? c->decay2[lag] : pow(c->moments.beta2, (double)lag),
    };
    kernels->adam_skip(dim, p, m, v, &u);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void skip_range(void *context, int64_t begin, int64_t end)
{
    catch_up *c = context;
    for (int64_t row = begin; row < end; row++) {
        if (c->done[row] == NEVER)
            continue;
        skip_row(c, row, c->base + c->done[row]);
        c->done[row] = 0;
    }
}

/* All rows; nothing need be remembered then. */
static void settle(catch_up *c)
{
    if (c->now > c->base) {
        const tg_shape *shape = &c->slot->param->shape;
        tg_parallel_for(shape->size[0], 1 + GRAIN / (shape->size[1] + 1), skip_range, c);
    }
    c->base = c->now;
}

/* Rows that are behind, each once, and the updates that they have had. */
typedef struct behind {
    const catch_up *c;
    int64_t count, *row, *from;
} behind;

static void skip_list(void *context, int64_t begin, int64_t end)
{
    const behind *b = context;
    for (int64_t i = begin; i < end; i++) {
        if (i + TG_ROWS_AHEAD < end)
            tg_prefetch_row(b->c->slot, b->row[i + TG_ROWS_AHEAD]);
        skip_row(b->c, b->row[i], b->from[i]);
    }
}

static void refresh_rows(tg_refresh *self, int64_t count, const int64_t *row)
{
    catch_up *c = (catch_up *)self;
    if (!row)
        settle(c);
    if (count == 0)
        return;
    tg_arena_push();
    behind b = {.c = c, .row = tg_step_memory(2 * (size_t)count * sizeof *b.row)};
    b.from = b.row + count;
    const int32_t all = (int32_t)(c->now - c->base);
    for (int64_t i = 0; i < count; i++) {
        int32_t *done = &c->done[row[i]];
        if (*done == all || *done == NEVER)
            continue;
        b.row[b.count] = row[i];
        b.from[b.count++] = c->base + *done;
        *done = all;
    }
    tg_parallel_for(b.count, 1 + GRAIN / (c->slot->param->shape.size[1] + 1) / 4, skip_list, &b);
    tg_arena_pop();
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Note update number now + 1, and the sums of every lag up to it. */
static void remember(catch_up *c, double lr)
{
    if (c->now - c->base == c->room)
        settle(c);
    const int64_t last = c->now++ - c->base;
    const tg_adam_update u = tg_adam_at(&c->moments, lr, (double)c->now);
    c->lr[last] = lr;
    c->w[last] = u.rate / u.root_scale;
    c->e[last] = c->moments.eps / u.root_scale;
    const double root = sqrt(c->moments.beta2), ratio = c->moments.beta1 / root;
    const int64_t lags = tg_min(last + 1, c->window);
    sums sum = {0};
    for (int64_t k = 1; k <= lags; k++) { /* one update further back, all others a place later */
        const double w = c->w[last + 1 - k], e = c->e[last + 1 - k];
        sum.w = ratio * (sum.w + w);
        sum.we = ratio / root * (sum.we + w * e);
        sum.wee = ratio / (root * root) * (sum.wee + w * e * e);
        c->recent[k] = sum;
    }
    if (lags == c->window)
        c->complete[last + 1 - lags] = sum;
}

static void *allocate(int64_t count, size_t size)
{
    void *p = calloc((size_t)count + 1, size);
    if (!p)
        tg_out_of_memory((size_t)count * size);
    return p;
}

static catch_up *catch_up_new(const tg_adam_moments *o, tg_slot *slot)
{
    const int64_t rows = slot->param->shape.size[0];
    catch_up *c = allocate(1, sizeof *c);
    *c = (catch_up){.refresh = {refresh_rows, slot->param}, .slot = slot, .moments = *o};
    c->window = 1 + (int64_t)(log(1e-9) / log(o->beta1 / pow(o->beta2, 1.5)));
    c->room = rows / 16 > 4096 ? rows / 16 : 4096; /* so that settling costs 16 rows a step */
    c->lr = allocate(c->room, sizeof *c->lr);
    c->w = allocate(c->room, sizeof *c->w);
    c->e = allocate(c->room, sizeof *c->e);
    c->done = allocate(rows, sizeof *c->done);
    c->decay1 = allocate(c->window, sizeof *c->decay1);
    c->decay2 = allocate(c->window, sizeof *c->decay2);
    for (int64_t k = 0; k <= c->window; k++) {
        c->decay1[k] = pow(o->beta1, (double)k);
        c->decay2[k] = pow(o->beta2, (double)k);
    }
    c->recent = allocate(c->window, sizeof *c->recent);
    c->complete = allocate(c->room, sizeof *c->complete);
    memset(c->done, NEVER, (size_t)rows * sizeof *c->done);
    slot->param->refresh = &c->refresh;
    return c;
}

bool tg_catch_up(const tg_adam_moments *o, double lr, tg_slot *slot)
{
    tg_tensor *table = slot->param;
    const tg_tensor *g = table->grad;
    catch_up *c = slot->late;
    if (!g->rows || slot->weight_decay != 0 || (!c && table->refresh)) {
        if (c)
            settle(c);
        return false;
    }
    if (!c)
        c = slot->late = catch_up_new(o, slot);
    const int64_t steps = *(const int64_t *)slot->steps->data, *row = g->rows->data;
    if (c->now != steps - 1) { /* a dense update or a loaded state came between: all rows have it */
        c->base = c->now = steps - 1;
        memset(c->done, 0, (size_t)slot->param->shape.size[0] * sizeof *c->done);
    }
    refresh_rows(&c->refresh, tg_numel(g->rows), row);
    remember(c, lr);
    for (int64_t i = 0; i < tg_numel(g->rows); i++)
        c->done[row[i]] = (int32_t)(c->now - c->base);
    return true;
}

void tg_catch_up_free(struct tg_catch_up *late)
{
    if (!late)
        return;
    if (late->refresh.table) {
        settle(late);
        late->refresh.table->refresh = NULL;
    }
    free(late->lr);
    free(late->w);
    free(late->e);
    free(late->done);
    free(late->decay1);
    free(late->decay2);
    free(late->recent);
    free(late->complete);
    free(late);
}
