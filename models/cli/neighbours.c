/* The nearest rows, all pairs by matrix products: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/tsne_parts.h"

enum { QUERIES = 256, KEYS = 2048 }; /* a tile of products: 2 MiB */

typedef struct candidate {
    float far; /* |b|^2 - 2 a.b while searching, |a - b|^2 at last */
    int32_t index;
} candidate;

typedef struct search {
    const float *x;    /* (n, dim) */
    const float *norm; /* (n) squared lengths */
    int64_t n, dim, k;
    int64_t query, keys_begin, keys; /* the tile: its first row, its columns */
    const float *product;            /* (queries, keys) */
    candidate *heap;                 /* (QUERIES, k); the farthest of each row first */
    int32_t *index;
    float *square;
} search;

static bool is_farther(candidate a, candidate b)
{
    return a.far > b.far || (a.far == b.far && a.index > b.index);
}

/* Put c in place of the first of a heap of `count`, and move it to where it belongs. */
static void sift_down(candidate *heap, int64_t count, candidate c)
{
    int64_t at = 0;
    for (int64_t child = 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && is_farther(heap[child + 1], heap[child]);
        if (!is_farther(heap[child], c))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = c;
}

static void sift_up(candidate *heap, int64_t at, candidate c)
{
    for (; at > 0 && is_farther(c, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = c;
}

/* Rows begin to end of the tile: its columns go into the heaps where they are near enough. */
static void scan(void *context, int64_t begin, int64_t end)
{
    const search *s = context;
    for (int64_t row = begin; row < end; row++) {
        candidate *heap = s->heap + row * s->k;
        const float *product = s->product + row * s->keys;
        int64_t held = s->keys_begin - (s->query + row < s->keys_begin); /* all but itself */
        float limit = held < s->k ? INFINITY : heap[0].far;
        for (int64_t j = 0; j < s->keys; j++) {
            const int64_t key = s->keys_begin + j;
            const float far = s->norm[key] - 2 * product[j];
            if (far >= limit || key == s->query + row)
                continue;
            const candidate c = {far, (int32_t)key};
            if (held < s->k)
                sift_up(heap, held++, c);
            else
                sift_down(heap, s->k, c);
            limit = held < s->k ? INFINITY : heap[0].far;
        }
    }
}

static int by_distance(const void *a, const void *b)
{
    const candidate left = *(const candidate *)a, right = *(const candidate *)b;
    return is_farther(left, right) - is_farther(right, left);
}

/* Rows begin to end of the tile: the distances anew, without cancellation, and sorted. */
static void finish(void *context, int64_t begin, int64_t end)
{
    const search *s = context;
    for (int64_t row = begin; row < end; row++) {
        candidate *near = s->heap + row * s->k;
        const float *a = s->x + (s->query + row) * s->dim;
        for (int64_t i = 0; i < s->k; i++) {
            const float *b = s->x + near[i].index * s->dim;
            double sum = 0;
            for (int64_t d = 0; d < s->dim; d++)
                sum += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
            near[i].far = (float)sum;
        }
        qsort(near, (size_t)s->k, sizeof *near, by_distance);
        for (int64_t i = 0; i < s->k; i++) {
            s->index[(s->query + row) * s->k + i] = near[i].index;
            s->square[(s->query + row) * s->k + i] = near[i].far;
        }
    }
}

static void search_rows(search *s, tg_tensor *x, int64_t queries)
{
    for (s->keys_begin = 0; s->keys_begin < s->n; s->keys_begin += s->keys) {
        s->keys = s->n - s->keys_begin < KEYS ? s->n - s->keys_begin : KEYS;
        tg_step_begin();
        s->product = tg_matmul(tg_narrow(x, 0, s->query, queries),
                               tg_t(tg_narrow(x, 0, s->keys_begin, s->keys)))->data;
        tg_parallel_for(queries, 8, scan, s);
        tg_step_end();
    }
    tg_parallel_for(queries, 8, finish, s);
}

tg_status neighbours_find(const float *x, int64_t n, int64_t dim, int64_t k, int32_t *index,
                          float *square)
{
    tg_tensor *rows = tg_owned(TG_F32, n, dim), *norm = tg_owned(TG_F32, n);
    memcpy(rows->data, x, (size_t)(n * dim) * sizeof *x);
    tg_step_begin();
    tg_copy(norm, tg_sum_dim(tg_square(rows), false, 1));
    tg_step_end();
    search s = {.x = x, .norm = norm->data, .n = n, .dim = dim, .k = k, .index = index,
                .square = square, .heap = malloc(QUERIES * (size_t)k * sizeof *s.heap)};
    for (; s.heap && s.query < n; s.query += QUERIES)
        search_rows(&s, rows, n - s.query < QUERIES ? n - s.query : QUERIES);
    free(s.heap);
    tg_free(norm);
    tg_free(rows);
    return s.heap ? TG_OK : tg_failure(TG_ENOMEM, "no memory for %lld neighbours", (long long)k);
}
