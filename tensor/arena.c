#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/tensor-internal.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define FIRST_BLOCK ((size_t)2 << 20)
#define ADDRESSABLE (UINT64_C(1) << 47) /* bytes, by any program on today's processors */
#define CHUNK 512    /* headers asked for at a time */
#define RESERVE 4096 /* free headers beyond which no more are asked for */
#define THREAD_BIT 40
#define LARGE ((size_t)1 << 20) /* bytes from which on a tensor has memory of its own */
#define REUSED 4096             /* bytes from which on what is released is used again */
#define BINS 64

typedef struct block {
    struct block *next;
    size_t size;
    unsigned char *data;
} block;

/* Memory of a large tensor. It outlives the step, for the next tensor of about that size, and can
 * change hands with memory of the caller's. */
typedef struct tg_large large;
struct tg_large {
    large *next;
    void *data;
    size_t size;
    int64_t depth;    /* of the step that uses it; 0: free */
    uint64_t release; /* the latest one is the warmest in the caches */
};

/* Released memory of a block, until its step ends; it stands in that memory. */
typedef struct hole {
    struct hole *next;
    size_t size;
} hole;

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
    block *at;   /* where the arena stood when the step began */
    size_t used;
    list headers; /* handed out in this step */
    tg_tensor *adopted; /* owned tensors that end with it: sparse_buffer is the next one */
} step;

typedef struct arena {
    block *blocks, *at;
    size_t used; /* bytes of `at` */
    chunk *chunks;
    large *larges;
    size_t large_bytes, large_used;
    uint64_t releases;
    hole *holes[BINS];   /* by size */
    int64_t holes_depth; /* of the step whose they are; 0: none */
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

/* Give free memory of large tensors back. */
static void larges_free(void)
{
    for (large **link = &local.larges; *link;) {
        large *l = *link;
        if (l->depth > 0) {
            link = &l->next;
            continue;
        }
        *link = l->next;
        local.large_bytes -= l->size;
        UNPOISON(l->data, l->size);
        free(l->data);
        free(l);
    }
}

static void arena_release(void *unused)
{
    (void)unused;
    while (local.depth > 0)
        release_adopted(&local.steps[--local.depth]);
    for (block *b = local.blocks, *next; b; b = next) {
        next = b->next;
        UNPOISON(b->data, b->size);
        free(b->data);
        free(b);
    }
    for (large *l = local.larges; l; l = l->next)
        l->depth = 0;
    larges_free();
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

static void large_release(large *l)
{
    l->depth = 0;
    l->release = ++local.releases;
    local.large_used -= l->size;
    POISON(l->data, l->size);
}

/* Forget the holes in memory of the step that ends. */
static void holes_clear(void)
{
    memset(local.holes, 0, sizeof local.holes);
    local.holes_depth = 0;
}

void tg_arena_pop(void)
{
    const int64_t depth = local.depth;
    step *s = &local.steps[--local.depth];
    release_adopted(s);
    for (large *l = local.larges; l; l = l->next)
        if (l->depth == depth)
            large_release(l);
    if (local.holes_depth == depth)
        holes_clear();
    list_append(&local.free, &s->headers);
    for (block *b = s->at ? s->at : local.blocks; b; b = b->next) {
        const size_t from = b == s->at ? s->used : 0;
        POISON(b->data + from, b->size - from);
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

/* A block of at least `bytes` after `before` (first of all where that is NULL). */
static block *block_insert(block *before, size_t bytes)
{
    size_t size = before ? 2 * before->size : FIRST_BLOCK;
    while (size < bytes && size <= SIZE_MAX / 2)
        size *= 2;
    if (size < bytes)
        return NULL;
    block *b = malloc(sizeof *b);
    unsigned char *data = tg_memory(size);
    if (data == NULL && size > bytes) /* rather less than nothing */
        data = tg_memory(size = bytes);
    if (!b || !data) {
        free(b);
        free(data);
        return NULL;
    }
    POISON(data, size);
    block **link = before ? &before->next : &local.blocks;
    *b = (block){*link, size, data};
    *link = b;
    return b;
}

/* Where a step is open: tg_arena_alloc of an addressable number of bytes. */
static void *take(size_t bytes)
{
    const size_t align = bytes >= TG_LINE ? TG_LINE : 16; /* powers of two */
    size_t from = (local.used + align - 1) & ~(align - 1);
    if (!local.at || from + bytes > local.at->size) {
        block *next = local.at ? local.at->next : local.blocks;
        if (!next || next->size < bytes)
            next = block_insert(local.at, bytes);
        if (!next)
            return NULL;
        local.at = next;
        from = 0;
    }
    local.used = from + bytes;
    UNPOISON(local.at->data + from, bytes);
    return local.at->data + from;
}

void *tg_arena_alloc(size_t bytes)
{
    arena_start();
    return bytes < ADDRESSABLE ? take(bytes) : NULL;
}

void *tg_step_memory(size_t bytes)
{
    void *memory = tg_arena_alloc(bytes);
    if (!memory)
        tg_out_of_memory(bytes);
    return memory;
}

/* ---- memory of tensors ----------------------------------------------------------------------- */

static large *large_new(size_t bytes)
{
    if (local.large_bytes - local.large_used > local.large_used + bytes)
        larges_free(); /* sizes have changed */
    large *l = malloc(sizeof *l);
    void *data = tg_memory(bytes);
    if (!data) {
        larges_free();
        data = tg_memory(bytes);
    }
    if (!l || !data) {
        free(l);
        free(data);
        return NULL;
    }
    *l = (large){.next = local.larges, .data = data, .size = bytes};
    local.large_bytes += bytes;
    return local.larges = l;
}

static large *large_find(size_t bytes)
{
    large *found = NULL;
    for (large *l = local.larges; l; l = l->next)
        if (l->depth == 0 && l->size >= bytes && l->size - bytes <= bytes / 8 &&
            (!found || l->release > found->release))
            found = l;
    return found ? found : large_new(bytes);
}

static size_t in_lines(size_t bytes)
{
    return (bytes + TG_LINE - 1) & ~(TG_LINE - 1);
}

static hole **bin_of(size_t size)
{
    return &local.holes[size / TG_LINE % BINS];
}

/* A hole of the current step of just that size. */
static void *hole_take(size_t size)
{
    if (local.holes_depth != local.depth)
        return NULL;
    for (hole **link = bin_of(size); *link; link = &(*link)->next)
        if ((*link)->size == size) {
            void *data = *link;
            *link = (*link)->next;
            UNPOISON(data, size);
            return data;
        }
    return NULL;
}

static void hole_add(void *data, size_t size)
{
    if (local.holes_depth != local.depth)
        holes_clear();
    local.holes_depth = local.depth;
    hole **bin = bin_of(size);
    *(hole *)data = (hole){*bin, size};
    *bin = data;
    POISON((char *)data + sizeof(hole), size - sizeof(hole));
}

static bool large_data(tg_tensor *t, size_t bytes)
{
    t->large = bytes < ADDRESSABLE ? large_find(bytes) : NULL;
    if (!t->large)
        return false;
    t->large->depth = local.depth;
    local.large_used += t->large->size;
    UNPOISON(t->large->data, t->large->size);
    t->data = t->large->data;
    return true;
}

bool tg_arena_data(tg_tensor *t, size_t bytes)
{
    if (bytes < REUSED)
        return (t->data = take(bytes));
    if (bytes >= LARGE)
        return large_data(t, bytes);
    t->data = hole_take(in_lines(bytes));
    return t->data || (t->data = take(in_lines(bytes)));
}

static void data_release(tg_tensor *t)
{
    const size_t bytes = (size_t)t->capacity * tg_dtype_size(t->dtype);
    if (t->large)
        large_release(t->large);
    else if (bytes >= REUSED)
        hole_add(t->data, in_lines(bytes));
    t->data = NULL;
    t->large = NULL;
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

bool tg_arena_exchange(tg_tensor *t, tg_tensor *from)
{
    large *l = from->large;
    if (!l || t->step != 0)
        return false;
    const size_t more = l->size - (size_t)t->capacity * tg_dtype_size(t->dtype);
    l->size -= more;
    local.large_bytes -= more;
    local.large_used -= more;
    l->data = t->data;
    t->data = from->data;
    from->data = l->data;
    return true;
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
    t->large = NULL;
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
