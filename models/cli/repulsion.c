/* Barnes and Hut's tree over points of the plane. The points are sorted along Morton's curve, on
 * which every cell is a run; so the tree is a list of cells in preorder, and a walk is one loop.
 * Points that lie together on the curve walk together, as many as fill vector registers. */
#include <math.h>
#include <stdlib.h>

#include "models/cli/tsne_parts.h"

enum {
    LEVELS = 16, /* of the tree: two bits each of the place on the curve */
    LEAF = 8,    /* points of a cell that is not divided */
    LANES = 8,   /* points that walk together */
};

typedef struct cell {
    float x, y, mass;    /* the centre of its points, and how many they are */
    float square;        /* of its width; 0: one point, or points that cannot be told apart */
    int32_t begin, end;  /* its points if it is a leaf, else none */
    int32_t next;        /* the cell after all those within */
} cell;

typedef struct place {
    uint32_t code; /* on the curve */
    int32_t index; /* of the point */
} place;

struct repulsion {
    int64_t n;
    place *place, *spare; /* (n) sorted by code; room for sorting */
    float *x, *y;         /* (n) in that order */
    double *sum_x, *sum_y; /* (n + 1) sums of all points before */
    cell *cell;           /* (2 n) */
    int32_t cells;
    float unit;           /* width of a cell of the last level */
    double *z;            /* (n) each point's part of Z */
    float theta_square;
    float *force;         /* the caller's */
};

repulsion *repulsion_new(int64_t n)
{
    repulsion *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    const size_t count = (size_t)n;
    r->n = n;
    r->place = malloc(count * sizeof *r->place);
    r->spare = malloc(count * sizeof *r->spare);
    r->x = malloc(count * sizeof *r->x);
    r->y = malloc(count * sizeof *r->y);
    r->sum_x = malloc((count + 1) * sizeof *r->sum_x);
    r->sum_y = malloc((count + 1) * sizeof *r->sum_y);
    r->cell = malloc(2 * count * sizeof *r->cell);
    r->z = malloc(count * sizeof *r->z);
    if (r->place && r->spare && r->x && r->y && r->sum_x && r->sum_y && r->cell && r->z)
        return r;
    repulsion_free(r);
    return NULL;
}

void repulsion_free(repulsion *r)
{
    if (!r)
        return;
    free(r->place);
    free(r->spare);
    free(r->x);
    free(r->y);
    free(r->sum_x);
    free(r->sum_y);
    free(r->cell);
    free(r->z);
    free(r);
}

/* ---- the curve ------------------------------------------------------------------------------- */

/* The 16 bits of v, a zero before each. */
static uint32_t spread(uint32_t v)
{
    v = (v | v << 8) & 0x00ff00ff;
    v = (v | v << 4) & 0x0f0f0f0f;
    v = (v | v << 2) & 0x33333333;
    return (v | v << 1) & 0x55555555;
}

static void place_points(repulsion *r, const float *y)
{
    float low[2] = {y[0], y[1]}, high[2] = {y[0], y[1]};
    for (int64_t i = 0; i < 2 * r->n; i++) {
        low[i % 2] = fminf(low[i % 2], y[i]);
        high[i % 2] = fmaxf(high[i % 2], y[i]);
    }
    const float width = fmaxf(high[0] - low[0], high[1] - low[1]);
    const float scale = width > 1e-30f ? ((1 << LEVELS) - 1) / width : 0;
    r->unit = width / ((1 << LEVELS) - 1);
    for (int64_t i = 0; i < r->n; i++) {
        const uint32_t column = (uint32_t)((y[2 * i] - low[0]) * scale);
        const uint32_t row = (uint32_t)((y[2 * i + 1] - low[1]) * scale);
        r->place[i] = (place){spread(column) | spread(row) << 1, (int32_t)i};
    }
}

/* By code, eight bits at a time; equal ones stay in order. */
static void sort_places(repulsion *r)
{
    for (int shift = 0; shift < 32; shift += 8) {
        int64_t start[257] = {0};
        for (int64_t i = 0; i < r->n; i++)
            start[(r->place[i].code >> shift & 255) + 1]++;
        for (int digit = 0; digit < 256; digit++)
            start[digit + 1] += start[digit];
        for (int64_t i = 0; i < r->n; i++)
            r->spare[start[r->place[i].code >> shift & 255]++] = r->place[i];
        place *sorted = r->spare;
        r->spare = r->place;
        r->place = sorted;
    }
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* The cells of points begin to end of the curve, of which there is at least one. */
static void build(repulsion *r, int64_t begin, int64_t end)
{
    const place *at = r->place;
    const uint32_t differ = at[begin].code ^ at[end - 1].code;
    const double mass = (double)(end - begin);
    cell *c = &r->cell[r->cells++];
    *c = (cell){.x = (float)((r->sum_x[end] - r->sum_x[begin]) / mass),
                .y = (float)((r->sum_y[end] - r->sum_y[begin]) / mass),
                .mass = (float)mass};
    int level = 0; /* the number of the last level where all are in one cell, counted from below */
    while (level < LEVELS && differ >> 2 * level)
        level++;
    const float width = ldexpf(r->unit, level);
    if (end - begin <= LEAF) {
        c->begin = (int32_t)begin;
        c->end = (int32_t)end;
        c->square = end - begin > 1 ? width * width : 0;
    } else if (differ) {
        c->square = width * width;
        for (int64_t from = begin, to; from < end; from = to) {
            const uint32_t quarter = at[from].code >> 2 * (level - 1);
            for (to = from; to < end && at[to].code >> 2 * (level - 1) == quarter; to++)
                ;
            build(r, from, to);
        }
    }
    c->next = r->cells;
}

static void grow(repulsion *r, const float *y)
{
    place_points(r, y);
    sort_places(r);
    r->sum_x[0] = r->sum_y[0] = 0;
    for (int64_t i = 0; i < r->n; i++) {
        r->x[i] = y[2 * r->place[i].index];
        r->y[i] = y[2 * r->place[i].index + 1];
        r->sum_x[i + 1] = r->sum_x[i] + (double)r->x[i];
        r->sum_y[i + 1] = r->sum_y[i] + (double)r->y[i];
    }
    r->cells = 0;
    build(r, 0, r->n);
}

/* ---- the walk -------------------------------------------------------------------------------- */

typedef struct group {
    float x[LANES], y[LANES];
    float fx[LANES], fy[LANES], z[LANES];
    float left, right, top, bottom; /* the box around them */
} group;

/* The group from point `first` of the curve on; lanes beyond the last point repeat it. */
static group group_at(const repulsion *r, int64_t first)
{
    group g = {.left = r->x[first], .right = r->x[first], .top = r->y[first],
               .bottom = r->y[first]};
    for (int64_t i = 0; i < LANES; i++) {
        const int64_t at = first + i < r->n ? first + i : r->n - 1;
        g.x[i] = r->x[at];
        g.y[i] = r->y[at];
        g.left = fminf(g.left, g.x[i]);
        g.right = fmaxf(g.right, g.x[i]);
        g.top = fminf(g.top, g.y[i]);
        g.bottom = fmaxf(g.bottom, g.y[i]);
    }
    return g;
}

/* The squared distance of a point from the group's box. */
static float distance_square(const group *g, float x, float y)
{
    const float dx = fmaxf(fmaxf(g->left - x, x - g->right), 0);
    const float dy = fmaxf(fmaxf(g->top - y, y - g->bottom), 0);
    return dx * dx + dy * dy;
}

/* What `mass` points at one place add. */
static inline void push(group *g, float x, float y, float mass)
{
    for (int i = 0; i < LANES; i++) {
        const float dx = g->x[i] - x, dy = g->y[i] - y;
        const float w = 1 / (1 + dx * dx + dy * dy), z = mass * w, pull = z * w;
        g->z[i] += z;
        g->fx[i] += pull * dx;
        g->fy[i] += pull * dy;
    }
}

static void walk(const repulsion *r, group *g)
{
    for (int32_t i = 0; i < r->cells;) {
        const cell *c = &r->cell[i];
        if (c->square <= r->theta_square * distance_square(g, c->x, c->y)) {
            push(g, c->x, c->y, c->mass);
            i = c->next;
        } else {
            for (int32_t p = c->begin; p < c->end; p++)
                push(g, r->x[p], r->y[p], 1);
            i++; /* of a leaf, that is the next one */
        }
    }
}

static void walk_groups(void *context, int64_t begin, int64_t end)
{
    const repulsion *r = context;
    for (int64_t first = begin * LANES; first < end * LANES; first += LANES) {
        group g = group_at(r, first);
        walk(r, &g);
        for (int64_t i = 0; i < LANES && first + i < r->n; i++) {
            const int64_t point = r->place[first + i].index;
            r->force[2 * point] = g.fx[i];
            r->force[2 * point + 1] = g.fy[i];
            r->z[point] = (double)g.z[i] - 1; /* itself, at distance 0 */
        }
    }
}

double repulsion_sum(repulsion *r, const float *y, double theta, float *force)
{
    grow(r, y);
    r->theta_square = (float)(theta * theta);
    r->force = force;
    tg_parallel_for((r->n + LANES - 1) / LANES, 1, walk_groups, r);
    double z = 0;
    for (int64_t i = 0; i < r->n; i++)
        z += r->z[i];
    return z;
}
