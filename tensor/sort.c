/* Sorting: by digits of keys, from the lowest on (radix sort), which is stable. */
#include <string.h>

#include "tensor/compute-internal.h"
#include "tensor/parallel.h"

enum { DIGITS = 8, VALUES = 256, FEW = 48, PARALLEL = 512 };

typedef struct entry {
    uint64_t key;
    int64_t place;
} entry;

typedef struct sorting {
    const tg_tensor *x;
    bool descending;
    int64_t count, *place; /* places (rows, count) */
} sorting;

/* A number that is the larger, the later the element stands: NaN after all, zeros equal. */
static uint64_t key_of(const sorting *s, int64_t i)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t key;
    if (s->x->dtype == TG_I64) {
        key = (uint64_t)((const int64_t *)s->x->data)[i] ^ sign;
    } else {
        const double value = tg_element(s->x, i) + 0.0; /* of -0: 0 */
        memcpy(&key, &value, sizeof key);
        key = value != value ? UINT64_MAX : key & sign ? ~key : key | sign;
    }
    return s->descending ? ~key : key;
}

static void insert_each(entry *e, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        const entry next = e[i];
        int64_t at = i;
        for (; at > 0 && e[at - 1].key > next.key; at--)
            e[at] = e[at - 1];
        e[at] = next;
    }
}

/* The sorted entries are e or `other`. */
static entry *by_digits(entry *e, entry *other, int64_t count)
{
    int64_t often[DIGITS][VALUES] = {{0}};
    for (int64_t i = 0; i < count; i++)
        for (int d = 0; d < DIGITS; d++)
            often[d][e[i].key >> 8 * d & (VALUES - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        if (often[d][e[0].key >> 8 * d & (VALUES - 1)] == count)
            continue; /* all are the same */
        for (int64_t v = 0, start = 0; v < VALUES; v++) {
            const int64_t with_v = often[d][v];
            often[d][v] = start;
            start += with_v;
        }
        for (int64_t i = 0; i < count; i++)
            other[often[d][e[i].key >> 8 * d & (VALUES - 1)]++] = e[i];
        entry *sorted = other;
        other = e;
        e = sorted;
    }
    return e;
}

static void sort_rows(void *context, int64_t begin, int64_t end)
{
    const sorting *s = context;
    tg_arena_push();
    entry *memory = tg_step_memory(2 * (size_t)s->count * sizeof *memory);
    for (int64_t r = begin; r < end; r++) {
        entry *e = memory;
        for (int64_t i = 0; i < s->count; i++)
            e[i] = (entry){key_of(s, r * s->count + i), i};
        if (s->count <= FEW)
            insert_each(e, s->count);
        else
            e = by_digits(e, e + s->count, s->count);
        for (int64_t i = 0; i < s->count; i++)
            s->place[r * s->count + i] = e[i].place;
    }
    tg_arena_pop();
}

void tg_sort_rows(const tg_tensor *x, int64_t rows, int64_t count, bool descending, int64_t *place)
{
    tg_parallel_for(rows, 1 + PARALLEL / (count + 1), sort_rows,
                    &(sorting){x, descending, count, place});
}
