#define _DEFAULT_SOURCE /* madvise */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tensor/tensor-internal.h"

#define HUGE ((size_t)2 << 20)
#define CHUNK ((size_t)64 << 20) /* asked for at a time; pages not written to take no memory */
#define REST ((size_t)1 << 10)   /* bytes that are worth a block of their own */
#define BINS 48                  /* one for each power of two */

void *tg_memory(size_t bytes)
{
    if (bytes > SIZE_MAX - HUGE)
        return NULL;
    const size_t huge = (bytes + HUGE / 2) / HUGE * HUGE; /* half of one, at most, is lost */
    void *data;
    if (posix_memalign(&data, huge ? HUGE : TG_LINE, bytes > huge ? bytes : huge) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(data, huge, MADV_HUGEPAGE); /* a wish: without it all works as well */
#endif
    return data;
}

/* ---- the heap -------------------------------------------------------------------------------- */

/* Best fit: chunks are divided into blocks, and neighbours that are free become one. */
static struct {
    pthread_mutex_t lock;
    size_t bytes;             /* of all chunks */
    tg_heap_block *bin[BINS]; /* free blocks, by size; the latest first, which is the warmest */
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static tg_heap_block **bin_of(size_t size)
{
    return &heap.bin[63 - __builtin_clzll(size)];
}

static void bin_add(tg_heap_block *b)
{
    tg_heap_block **bin = bin_of(b->size);
    b->is_free = true;
    b->previous = NULL;
    b->next = *bin;
    if (b->next)
        b->next->previous = b;
    *bin = b;
    TG_POISON(tg_heap_data(b), b->size);
}

static void bin_remove(tg_heap_block *b)
{
    *(b->previous ? &b->previous->next : bin_of(b->size)) = b->next;
    if (b->next)
        b->next->previous = b->previous;
    b->is_free = false;
}

/* b takes in its upper neighbour. */
static void join(tg_heap_block *b)
{
    const tg_heap_block *above = b->above;
    b->size += TG_LINE + above->size;
    b->above = above->above;
    if (b->above)
        b->above->below = b;
}

/* b gives up what it has beyond `size` bytes. */
static void split(tg_heap_block *b, size_t size)
{
    if (b->size - size < TG_LINE + REST)
        return;
    tg_heap_block *rest = (tg_heap_block *)(void *)((char *)tg_heap_data(b) + size);
    TG_UNPOISON(rest, TG_LINE);
    *rest = (tg_heap_block){.below = b, .above = b->above, .size = b->size - size - TG_LINE};
    b->size = size;
    b->above = rest;
    if (rest->above)
        rest->above->below = rest;
    bin_add(rest);
}

/* Give chunks that are free as a whole back. */
static void chunks_free(void)
{
    for (int i = 0; i < BINS; i++)
        for (tg_heap_block *b = heap.bin[i], *next; b; b = next) {
            next = b->next;
            if (b->below || b->above)
                continue;
            bin_remove(b);
            heap.bytes -= TG_LINE + b->size;
            TG_UNPOISON(tg_heap_data(b), b->size);
            free(b);
        }
}

/* A free block of at least `size` bytes in a new chunk, as large as all others together. */
static tg_heap_block *chunk_new(size_t size)
{
    chunks_free(); /* sizes have changed */
    size_t bytes = heap.bytes > CHUNK ? heap.bytes : CHUNK;
    bytes = bytes > TG_LINE + size ? bytes : TG_LINE + size;
    tg_heap_block *b = tg_memory(bytes);
    if (!b && bytes > TG_LINE + size) /* rather less than nothing */
        b = tg_memory(bytes = TG_LINE + size);
    if (!b)
        return NULL;
    heap.bytes += bytes;
    *b = (tg_heap_block){.size = bytes - TG_LINE};
    bin_add(b);
    return b;
}

/* The smallest free block of at least `size` bytes; one at a chunk's end, whose pages may never have
 * been written to, where there is no other. */
static tg_heap_block *find(size_t size)
{
    tg_heap_block *best = NULL, *last = NULL;
    for (tg_heap_block **bin = bin_of(size); bin < heap.bin + BINS && !best; bin++)
        for (tg_heap_block *b = *bin; b && !(best && best->size == size); b = b->next) {
            tg_heap_block **which = b->above ? &best : &last;
            if (b->size >= size && (!*which || b->size < (*which)->size))
                *which = b;
        }
    return best ? best : last ? last : chunk_new(size);
}

tg_heap_block *tg_heap_take(size_t bytes)
{
    if (bytes >= (size_t)1 << (BINS - 1)) /* more than processors address */
        return NULL;
    const size_t size = bytes ? (bytes + TG_LINE - 1) & ~(TG_LINE - 1) : TG_LINE;
    pthread_mutex_lock(&heap.lock);
    tg_heap_block *b = find(size);
    if (b) {
        bin_remove(b);
        split(b, size);
        TG_UNPOISON(tg_heap_data(b), b->size);
    }
    pthread_mutex_unlock(&heap.lock);
    return b;
}

void tg_heap_give(tg_heap_block *b)
{
    pthread_mutex_lock(&heap.lock);
    if (b->above && b->above->is_free) {
        bin_remove(b->above);
        join(b);
    }
    if (b->below && b->below->is_free) {
        b = b->below;
        bin_remove(b);
        join(b);
    }
    bin_add(b);
    pthread_mutex_unlock(&heap.lock);
}
