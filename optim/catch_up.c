/*
 * Adam's updates of table rows, put off until the row is read.
 *
 * Until then a row needs nothing but its own moments. Behind its last gradient, in update t0, they
 * are m0 and v0, and behind update t0 + i, i >= 0, they would be b1^i m0 and b2^i v0. The row itself
 * has had the updates up to t0 + i, where i is -1 until it is read: its own last one is put off as
 * well. The next k of them move it by
 *
 *     -c m0 * sum over j = 1..k of w_j / (s + f e_j),   c = b1^i / b2^(i/2),   f = 1 / b2^(i/2)
 *
 * where s = sqrt(v0), and with r_j = lr / (1 - b1^t), R_j = 1 / sqrt(1 - b2^t), t = t0 + i + j
 *
 *     w_j = (b1 / sqrt(b2))^j r_j / R_j,   e_j = eps / (R_j b2^(j/2))
 *
 * While w_j counts, e_j hardly moves: expanded about its weighted mean e to second order, the sum is
 *
 *     W / (s + f e) * (1 + f^2 D / (s + f e)^2),   W = sum of w_j,   D = weighted variance of the e_j
 *
 * and W, e, D are the same for all elements of all rows that missed the same updates. In the first
 * hundred updates R_j does move: those are made one by one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim-internal.h"
#include "tensor/parallel.h"

enum { EARLY = 100, GRAIN = 1024 };

/* Sums over j of w_j, w_j e_j, w_j e_j^2. */
typedef struct sums {
    double w, we, wee;
} sums;

enum { NEVER = -1 }; /* had: the row's moments are zero, and leave it where it is */

/* Where a row stands, less base: the last update that it has had, and t0. */
typedef struct row_state {
    int32_t had, since;
} row_state;

/* Of b^k for -1 <= k <= a bound: fine[i] = b^(i - 1), coarse[i] = b^(FINE i). */
typedef struct powers {
    double *fine, *coarse;
} powers;

typedef struct tg_catch_up {
    tg_refresh refresh; /* first: what the table points to */
    tg_slot *slot;
    tg_adam_moments moments;
    /* Updates base + 1 .. now are remembered, `room` at most; then all rows are brought up. */
    int64_t base, now, room;
    double *w, *e;      /* of update base + 1 + i: r / R, eps / R */
    tg_adam_update early[EARLY]; /* of updates 1 .. EARLY: all that they are */
    row_state *state;   /* of each row */
    int64_t window;     /* terms beyond which w_j is nothing */
    powers decay1, decay2; /* of b1 and b2 */
    double *c_i, *f_i;  /* (window + 2): c and f of i = -1 .. window */
    sums *recent;       /* (window + 1): of lag k, up to now */
    sums *complete;     /* (room): of those that followed update base + i, once `window` have */
} catch_up;

static void *allocate(int64_t count, size_t size)
{
    void *p = calloc((size_t)count + 1, size);
    if (!p)
        tg_out_of_memory((size_t)count * size);
    return p;
}

/* ---- powers ---------------------------------------------------------------------------------- */

enum { FINE = 256 };

static powers powers_new(double base, int64_t bound)
{
    const int64_t coarse = bound / FINE + 1;
    const powers p = {allocate(FINE, sizeof(double)), allocate(coarse, sizeof(double))};
    for (int64_t k = 0; k < FINE; k++)
        p.fine[k] = pow(base, (double)(k - 1));
    for (int64_t k = 0; k <= coarse; k++)
        p.coarse[k] = pow(base, (double)(k * FINE));
    return p;
}

static double power(const powers *p, int64_t k)
{
    return p->fine[(k + 1) % FINE] * p->coarse[(k + 1) / FINE];
}

/* ---- one row --------------------------------------------------------------------------------- */

/* Make the updates behind number `from`, the last that the row has had. */
static void bring_up(const catch_up *c, int64_t row, int64_t from)
{
    const tg_slot *slot = c->slot;
    const int64_t dim = slot->param->shape.size[1], offset = row * dim;
    const tg_type_kernels *kernels = tg_kernels_of(slot->param->dtype);
    void *p = tg_at(slot->param, offset), *m = tg_at(slot->first, offset);
    void *v = tg_at(slot->second, offset);
    for (; from < EARLY && from < c->now; from++) {
        kernels->adam(dim, p, NULL, m, v, &c->early[from]);
        c->state[row].since = (int32_t)(from + 1 - c->base);
    }
    const int64_t i = from - c->base - c->state[row].since, k = c->now - from;
    if (k == 0 || i > c->window)
        return;
    const sums sum = k <= c->window ? c->recent[k] : c->complete[from - c->base];
    const double per_w = sum.w > 0 ? 1 / sum.w : 0; /* no w: learning rates of zero */
    const double e = sum.w > 0 ? sum.we * per_w : 1, f = c->f_i[i + 1];
    const tg_adam_late u = {sum.w * c->c_i[i + 1], e * f, (sum.wee * per_w - e * e) * f * f};
    kernels->adam_late(dim, p, m, v, &u);
}

/* Decay the row's moments from update `since` to now and, from a gradient, add it: the last of
 * these updates. */
static void move_moments(catch_up *c, int64_t row, const void *g)
{
    const tg_slot *slot = c->slot;
    const int64_t dim = slot->param->shape.size[1], offset = row * dim;
    const int64_t lag = c->now - c->base - c->state[row].since;
    const tg_moments_update u = {
        .keep1 = power(&c->decay1, lag),
        .keep2 = power(&c->decay2, lag),
        .add1 = 1 - c->moments.beta1,
        .add2 = 1 - c->moments.beta2,
    };
    tg_kernels_of(slot->param->dtype)
        ->moments(dim, g, tg_at(slot->first, offset), tg_at(slot->second, offset), &u);
    c->state[row].since = (int32_t)(c->now - c->base);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void settle_range(void *context, int64_t begin, int64_t end)
{
    catch_up *c = context;
    for (int64_t row = begin; row < end; row++) {
        if (c->state[row].had == NEVER)
            continue;
        bring_up(c, row, c->base + c->state[row].had);
        move_moments(c, row, NULL);
        c->state[row].had = c->state[row].since = 0;
    }
}

/* All rows; nothing need be remembered then. */
static void settle(catch_up *c)
{
    if (c->now > c->base) {
        const tg_shape *shape = &c->slot->param->shape;
        tg_parallel_for(shape->size[0], 1 + GRAIN / (shape->size[1] + 1), settle_range, c);
    }
    c->base = c->now;
}

/* Rows that are behind, each once, and the updates that they have had. */
typedef struct behind {
    const catch_up *c;
    int64_t count, *row, *from;
} behind;

static void bring_up_list(void *context, int64_t begin, int64_t end)
{
    const behind *b = context;
    for (int64_t i = begin, asked = begin; i < end; i++) {
        for (; asked <= i + TG_ROWS_AHEAD && asked < end; asked++)
            tg_prefetch_row(b->c->slot, b->row[asked]);
        bring_up(b->c, b->row[i], b->from[i]);
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
    for (int64_t i = 0; i < count; i++)
        tg_prefetch(&c->state[row[i]], sizeof *c->state);
    for (int64_t i = 0; i < count; i++) {
        int32_t *had = &c->state[row[i]].had;
        if (*had == all || *had == NEVER)
            continue;
        b.row[b.count] = row[i];
        b.from[b.count++] = c->base + *had;
        *had = all;
    }
    tg_parallel_for(b.count, 1 + GRAIN / (c->slot->param->shape.size[1] + 1), bring_up_list, &b);
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
    if (c->now <= EARLY)
        c->early[c->now - 1] = u;
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

/* Rows begin .. end of the gradient's, which are as read before the last update. */
static void update_range(void *context, int64_t begin, int64_t end)
{
    catch_up *c = context;
    const tg_slot *slot = c->slot;
    const tg_tensor *g = slot->param->grad;
    const int64_t dim = g->shape.size[1], *row = g->rows->data;
    const bool is_early = c->now <= EARLY;
    const int32_t all = (int32_t)(c->now - c->base);
    for (int64_t i = begin, asked = begin; i < end; i++) {
        for (; asked <= i + TG_ROWS_AHEAD && asked < end; asked++) {
            tg_prefetch(&c->state[row[asked]], sizeof *c->state);
            tg_prefetch_state(slot, row[asked]);
        }
        if (is_early) {
            const int64_t offset = row[i] * dim;
            tg_kernels_of(g->dtype)
                ->adam(dim, tg_at(slot->param, offset), tg_at(g, i * dim),
                       tg_at(slot->first, offset), tg_at(slot->second, offset),
                       &c->early[c->now - 1]);
            c->state[row[i]].had = c->state[row[i]].since = all;
        } else {
            move_moments(c, row[i], tg_at(g, i * dim));
            c->state[row[i]].had = all - 1;
        }
    }
}

static catch_up *catch_up_new(const tg_adam_moments *o, tg_slot *slot)
{
    const int64_t rows = slot->param->shape.size[0];
    catch_up *c = allocate(1, sizeof *c);
    *c = (catch_up){.refresh = {refresh_rows, slot->param}, .slot = slot, .moments = *o};
    c->window = 1 + (int64_t)(log(1e-9) / log(o->beta1 / pow(o->beta2, 1.5)));
    c->room = rows / 16 > 4096 ? rows / 16 : 4096; /* so that settling costs 16 rows a step */
    c->w = allocate(c->room, sizeof *c->w);
    c->e = allocate(c->room, sizeof *c->e);
    c->state = allocate(rows, sizeof *c->state);
    c->decay1 = powers_new(o->beta1, c->room);
    c->decay2 = powers_new(o->beta2, c->room);
    c->c_i = allocate(c->window + 2, sizeof *c->c_i);
    c->f_i = allocate(c->window + 2, sizeof *c->f_i);
    for (int64_t i = -1; i <= c->window; i++) {
        c->f_i[i + 1] = pow(o->beta2, -0.5 * (double)i);
        c->c_i[i + 1] = pow(o->beta1, (double)i) * c->f_i[i + 1];
    }
    c->recent = allocate(c->window, sizeof *c->recent);
    c->complete = allocate(c->room, sizeof *c->complete);
    for (int64_t row = 0; row < rows; row++)
        c->state[row].had = NEVER;
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
        memset(c->state, 0, (size_t)table->shape.size[0] * sizeof *c->state);
    }
    refresh_rows(&c->refresh, tg_numel(g->rows), row);
    remember(c, lr);
    tg_parallel_for(tg_numel(g->rows), 1 + GRAIN / (table->shape.size[1] + 1), update_range, c);
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
    free(late->w);
    free(late->e);
    free(late->state);
    free(late->decay1.fine);
    free(late->decay1.coarse);
    free(late->decay2.fine);
    free(late->decay2.coarse);
    free(late->c_i);
    free(late->f_i);
    free(late->recent);
    free(late->complete);
    free(late);
}
