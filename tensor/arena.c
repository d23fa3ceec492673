#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/tensor-internal.h"

#define BLOCK ((size_t)64 << 10) /* bytes of what is small, taken from the heap at a time */
#define CHUNK 512    /* headers asked for at a time */
#define RESERVE 4096 /* free headers beyond which no more are asked for */
#define THREAD_BIT 40

typedef struct header {
    tg_tensor tensor; /* first, so that a tensor's address is its header's */
    struct header *next;
} header;

typedef struct chunk {
    struct chunk *next;
    header headers[CHUNK];
} chunk;

typedef struct list {
    header *first, *last;
    int64_t count;
} list;

typedef struct step {
    uint64_t id; /* the thread's number, from bit THREAD_BIT on, and that of the step in it */
    tg_heap_block *at; /* where the arena stood when the step began */
    size_t used;
    tg_heap_block *blocks; /* large data of this step */
    list headers; /* handed out in this step */
    tg_tensor *adopted; /* owned tensors that end with it: sparse_buffer is the next one */
} step;

typedef struct arena {
    tg_heap_block *blocks, *at; /* of small data */
    size_t used;                /* bytes of `at` */
    chunk *chunks;
    list free;
    step *steps; /* steps[0] is the thread's own, for what is made outside any step */
    int64_t depth, capacity;
    uint64_t last_id;
} arena;

static _Thread_local arena local;
static atomic_uint_least64_t threads; /* that have had an arena */

/* ---- the end of a thread --------------------------------------------------------------------- */

static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void release_adopted(step *s)
{
    for (tg_tensor *t = s->adopted, *next; t; t = next) {
        next = t->sparse_buffer;
        t->sparse_buffer = NULL;
        tg_free(t);
    }
}

static void blocks_give(tg_heap_block *b)
{
    for (tg_heap_block *next; b; b = next) {
        next = b->next;
        tg_heap_give(b);
    }
}

static void arena_release(void *unused)
{
    (void)unused;
    while (local.depth > 0) {
        release_adopted(&local.steps[--local.depth]);
        blocks_give(local.steps[local.depth].blocks);
    }
    blocks_give(local.blocks);
    for (chunk *c = local.chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(local.steps);
    local = (arena){0};
}

static void thread_end_create(void)
{
    pthread_key_create(&thread_end, arena_release);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void step_begin(void)
{
    if (local.depth == local.capacity) {
        const int64_t capacity = local.capacity ? 2 * local.capacity : 8;
        step *steps = realloc(local.steps, (size_t)capacity * sizeof *steps);
        if (!steps)
            tg_out_of_memory((size_t)capacity * sizeof *steps);
        local.steps = steps;
        local.capacity = capacity;
    }
    local.steps[local.depth++] =
        (step){.id = ++local.last_id, .at = local.at, .used = local.used};
}

static void arena_start(void)
{
    if (local.depth > 0)
        return;
    pthread_once(&thread_end_once, thread_end_create);
    pthread_setspecific(thread_end, &local);
    local.last_id = (atomic_fetch_add(&threads, 1) + 1) << THREAD_BIT;
    step_begin();
}

void tg_arena_push(void)
{
    arena_start();
    step_begin();
}

static void list_append(list *l, const list *more)
{
    if (more->count == 0)
        return;
    if (l->count)
        l->last->next = more->first;
    else
        l->first = more->first;
    l->last = more->last;
    l->count += more->count;
}

void tg_arena_pop(void)
{
    step *s = &local.steps[--local.depth];
    release_adopted(s);
    blocks_give(s->blocks);
    list_append(&local.free, &s->headers);
    for (tg_heap_block *b = s->at ? s->at : local.blocks; b; b = b->next) {
        const size_t from = b == s->at ? s->used : 0;
        TG_POISON((char *)tg_heap_data(b) + from, BLOCK - from);
        if (b == local.at)
            break;
    }
    local.at = s->at;
    local.used = s->used;
}

bool tg_arena_in_step(void)
{
    return local.depth > 1;
}

uint64_t tg_arena_step(void)
{
    arena_start();
    return local.steps[local.depth - 1].id;
}

void tg_arena_adopt(const tg_tensor *t, tg_tensor *owned)
{
    int64_t i = local.depth - 1;
    while (local.steps[i].id != t->step)
        i--;
    owned->sparse_buffer = local.steps[i].adopted;
    local.steps[i].adopted = owned;
}

bool tg_is_foreign(const tg_tensor *t)
{
    return t->step != 0 && t->step >> THREAD_BIT != local.last_id >> THREAD_BIT;
}

bool tg_is_released(const tg_tensor *t)
{
    return !t->data || (t->base && !t->base->data);
}

bool tg_is_stale(const tg_tensor *t)
{
    if (tg_is_released(t))
        return true;
    if (t->step == 0)
        return false;
    for (int64_t i = local.depth - 1; i >= 0; i--)
        if (local.steps[i].id <= t->step)
            return local.steps[i].id != t->step;
    return true;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The first of the blocks of small data that is not in use. */
static tg_heap_block *block_next(void)
{
    tg_heap_block **next = local.at ? &local.at->next : &local.blocks;
    if (*next)
        return *next;
    tg_heap_block *b = tg_heap_take(BLOCK);
    if (b) {
        b->next = NULL;
        TG_POISON(tg_heap_data(b), BLOCK);
    }
    return *next = b;
}

/* Where a step is open: less than TG_HEAP_LEAST bytes. */
static void *take(size_t bytes)
{
    const size_t align = bytes >= TG_LINE ? TG_LINE : 16; /* powers of two */
    size_t from = (local.used + align - 1) & ~(align - 1);
    if (!local.at || from + bytes > BLOCK) {
        tg_heap_block *next = block_next();
        if (!next)
            return NULL;
        local.at = next;
        from = 0;
    }
    local.used = from + bytes;
    char *data = (char *)tg_heap_data(local.at) + from;
    TG_UNPOISON(data, bytes);
    return data;
}

/* A block of the current step. */
static tg_heap_block *step_block(size_t bytes)
{
    tg_heap_block *b = tg_heap_take(bytes), **first = &local.steps[local.depth - 1].blocks;
    if (!b)
        return NULL;
    b->previous = NULL;
    b->next = *first;
    if (b->next)
        b->next->previous = b;
    return *first = b;
}

static void step_block_remove(const tg_heap_block *b)
{
    *(b->previous ? &b->previous->next : &local.steps[local.depth - 1].blocks) = b->next;
    if (b->next)
        b->next->previous = b->previous;
}

void *tg_arena_alloc(size_t bytes)
{
    arena_start();
    if (bytes < TG_HEAP_LEAST)
        return take(bytes);
    tg_heap_block *b = step_block(bytes);
    return b ? tg_heap_data(b) : NULL;
}

void *tg_step_memory(size_t bytes)
{
    void *memory = tg_arena_alloc(bytes);
    if (!memory)
        tg_out_of_memory(bytes);
    return memory;
}

/* ---- memory of tensors ----------------------------------------------------------------------- */

bool tg_arena_data(tg_tensor *t, size_t bytes)
{
    if (bytes < TG_HEAP_LEAST)
        return (t->data = take(bytes));
    t->block = step_block(bytes);
    return t->block && (t->data = tg_heap_data(t->block));
}

static void data_release(tg_tensor *t)
{
    if (t->block) {
        step_block_remove(t->block);
        tg_heap_give(t->block);
    }
    t->data = NULL;
    t->block = NULL;
}

void tg_arena_release(tg_tensor *t)
{
    if (t->data && t->step == local.steps[local.depth - 1].id)
        data_release(t);
}

void tg_arena_release_after(const tg_tensor *latest)
{
    const header *from = (const header *)(const void *)latest;
    header *h = from ? from->next : local.steps[local.depth - 1].headers.first;
    for (; h; h = h->next) {
        tg_tensor *t = &h->tensor;
        t->is_temporary = !t->base;
        if (t->is_temporary && t->holders == 0 && t->data)
            data_release(t);
    }
}

void tg_arena_move(tg_tensor *t, tg_tensor *from)
{
    step_block_remove(from->block);
    t->data = from->data;
    t->block = from->block;
    from->data = NULL;
    from->block = NULL;
}

tg_tensor *tg_arena_latest(void)
{
    header *last = local.steps[local.depth - 1].headers.last;
    return last ? &last->tensor : NULL;
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Headers are taken from the front of the free list and given back at its end. As many as the step
 * has taken stay free, up to RESERVE, so that a released header can be recognised for a while. */
static void headers_more(void)
{
    chunk *c = calloc(1, sizeof *c);
    if (!c)
        tg_out_of_memory(sizeof *c);
    c->next = local.chunks;
    local.chunks = c;
    for (int i = 0; i + 1 < CHUNK; i++)
        c->headers[i].next = &c->headers[i + 1];
    list_append(&local.free, &(list){&c->headers[0], &c->headers[CHUNK - 1], CHUNK});
}

/* A leaf. Member by member and without what the shape does not use, for this happens twice a node,
 * and to clear all 260 bytes took a quarter of a small op's time. */
static void blank(tg_tensor *t)
{
    t->data = NULL;
    t->dtype = TG_F32;
    t->requires_grad = t->retains_grad = false;
    t->shape.ndim = 0;
    t->grad = t->rows = t->base = NULL;
    t->refresh = NULL;
    t->version = 0;
    t->hook = NULL;
    t->hook_context = NULL;
    t->node = -1;
    t->pending = 0;
    t->dense_buffer = t->sparse_buffer = NULL;
    t->capacity = 0;
    t->block = NULL;
    t->holders = 0;
    t->is_temporary = false;
}

tg_tensor *tg_arena_header(void)
{
    arena_start();
    list *used = &local.steps[local.depth - 1].headers;
    if (local.free.count <= tg_min(used->count, RESERVE))
        headers_more();
    header *h = local.free.first;
    local.free.first = h->next;
    local.free.count--;
    blank(&h->tensor);
    h->tensor.step = local.steps[local.depth - 1].id;
    h->next = NULL;
    list_append(used, &(list){h, h, 1});
    return &h->tensor;
}
