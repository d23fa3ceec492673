#include "tensor/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tensor/kernels/kernels.h"
#include "tensor/tensor-internal.h"
#include "tensor/thread_tuner.h"

#define MAX_THREADS 256
#define SPIN 2000 /* looks for a job before a worker sleeps: some tens of microseconds */

/* Ranges are handed out by a ticket: the number of the job in the upper half, and in the lower how
 * many of its ranges have been taken from the front and from the back. Whoever raises it has the
 * range; a worker that comes late finds another job's number, or no range left, and nobody waits
 * for it. The caller takes from the front, workers from the back: two threads so find in their
 * caches what they had of the tensor before. */
#define NUMBER(ticket) ((ticket) >> 32)
#define FRONT ((uint64_t)1 << 16)
#define BACK ((uint64_t)1)
#define TAKEN(ticket, end) ((int64_t)((ticket) / (end) % FRONT))
#define CLOSED UINT32_MAX /* the job is being written */
#define IS_CLOSED(ticket) (((ticket) & UINT32_MAX) == CLOSED)

/* One pool for the process: workers are started when first needed and sleep between jobs. */
static struct {
    pthread_mutex_t owner; /* whoever runs a job holds it */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic(uint64_t) ticket;
    _Atomic(int64_t) done; /* ranges */
    /* The job. */
    void (*_Atomic body)(void *context, int64_t begin, int64_t end);
    void *_Atomic context;
    _Atomic(int64_t) count, share, ranges; /* share: the length of a range */
    atomic_int sleepers;
    int workers; /* started so far */
    int wanted;  /* threads that work on a job, the caller's included */
    /* Where the number adapts: */
    bool adapts;
    tg_thread_tuner tuner;
    atomic_int in_step;     /* threads that work on a job in a step */
    _Atomic(int64_t) work;  /* of steps since the tuner was told: in loops' grains */
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .wanted = 1};

/* Processors that are the first of their core, as Linux tells; all of them where it does not. */
static int physical_cores(void)
{
    const int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int cores = 0;
    for (int i = 0; i < processors; i++) {
        char path[96];
        int first = -1;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 i);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%d", &first) != 1)
            first = -1;
        if (file)
            fclose(file);
        cores += first < 0 || first == i;
    }
    return cores;
}

void tg_set_num_threads(int threads)
{
    pool.adapts = threads < 1;
    if (threads < 1)
        threads = physical_cores();
    pool.wanted = (int)tg_min(threads < 1 ? 1 : threads, MAX_THREADS);
    pool.tuner = (tg_thread_tuner){.most = pool.wanted, .base = pool.wanted, .now = pool.wanted};
    atomic_store(&pool.in_step, pool.wanted);
}

int tg_num_threads(void)
{
    return pool.wanted;
}

/* ---- the number adapts ----------------------------------------------------------------------- */

static _Thread_local double step_began;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void tg_parallel_step_begin(void)
{
    if (pool.adapts && pool.wanted > 1)
        step_began = seconds_now();
}

void tg_parallel_step_end(void)
{
    /* Not where the step is part of a loop itself. */
    if (!pool.adapts || pool.wanted == 1 || pthread_mutex_trylock(&pool.owner) != 0)
        return;
    const int64_t work = atomic_exchange(&pool.work, 0);
    const double seconds = seconds_now() - step_began;
    atomic_store(&pool.in_step, tg_thread_tuner_next(&pool.tuner, seconds, (double)work));
    pthread_mutex_unlock(&pool.owner);
}

/* Threads for a loop of so many grains. */
static int threads_for(int64_t grains)
{
    if (!pool.adapts || !tg_arena_in_step())
        return pool.wanted;
    atomic_fetch_add_explicit(&pool.work, grains, memory_order_relaxed);
    return atomic_load_explicit(&pool.in_step, memory_order_relaxed);
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* Take ranges of job `number` from an end, FRONT or BACK, until there are none. */
static void work(uint64_t number, uint64_t end)
{
    for (;;) {
        uint64_t ticket = atomic_load(&pool.ticket);
        if (NUMBER(ticket) == number && IS_CLOSED(ticket))
            continue;
        const int64_t share = atomic_load(&pool.share), count = atomic_load(&pool.count);
        const int64_t ranges = atomic_load(&pool.ranges);
        void *const context = atomic_load(&pool.context);
        void (*const body)(void *, int64_t, int64_t) = atomic_load(&pool.body);
        if (NUMBER(ticket) != number || TAKEN(ticket, FRONT) + TAKEN(ticket, BACK) >= ranges)
            return;
        if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, ticket + end))
            continue; /* otherwise the job was the same all the while */
        const int64_t taken = TAKEN(ticket, end);
        const int64_t begin = (end == FRONT ? taken : ranges - 1 - taken) * share;
        body(context, begin, tg_min(begin + share, count));
        atomic_fetch_add(&pool.done, 1);
    }
}

static bool is_new(uint64_t seen)
{
    const uint64_t ticket = atomic_load(&pool.ticket);
    return NUMBER(ticket) != seen && !IS_CLOSED(ticket);
}

static void *worker(void *seen_number)
{
    uint64_t seen = (uint64_t)(uintptr_t)seen_number;
    for (;;) {
        for (int i = 0; i < SPIN && !is_new(seen); i++)
            tg_pause();
        if (!is_new(seen)) {
            pthread_mutex_lock(&pool.lock);
            atomic_fetch_add(&pool.sleepers, 1);
            while (!is_new(seen))
                pthread_cond_wait(&pool.wake, &pool.lock);
            atomic_fetch_sub(&pool.sleepers, 1);
            pthread_mutex_unlock(&pool.lock);
        }
        seen = NUMBER(atomic_load(&pool.ticket));
        work(seen, BACK);
    }
    return NULL;
}

/* Kernels keep blocks of matrices on the stack; not every libc gives a thread that much. */
#define STACK_BYTES (1 << 20)

static void start_workers(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    while (pool.workers + 1 < pool.wanted) {
        pthread_t thread;
        const uintptr_t seen = (uintptr_t)NUMBER(atomic_load(&pool.ticket));
        if (pthread_create(&thread, &attributes, worker, (void *)seen) != 0) {
            pool.wanted = pool.workers + 1; /* go on with those that there are */
            break;
        }
        pthread_detach(thread);
        pool.workers++;
    }
    pthread_attr_destroy(&attributes);
}

void tg_parallel_for(int64_t count, int64_t grain,
                     void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    if (count <= 0)
        return;
    /* Whoever comes while the pool is busy works alone: a body, or another thread. */
    const int wanted = count < 2 * grain || pool.wanted == 1 ? 1 : threads_for(count / grain);
    if (wanted == 1 || pthread_mutex_trylock(&pool.owner) != 0) {
        body(context, 0, count);
        return;
    }
    start_workers();
    const int64_t threads = tg_min(wanted, pool.workers + 1);
    const int64_t most = tg_min(threads, count / grain), share = (count + most - 1) / most;
    const int64_t ranges = (count + share - 1) / share;
    const uint64_t number = (NUMBER(atomic_load(&pool.ticket)) + 1) & UINT32_MAX;
    atomic_store(&pool.ticket, number << 32 | CLOSED);
    atomic_store(&pool.body, body);
    atomic_store(&pool.context, context);
    atomic_store(&pool.count, count);
    atomic_store(&pool.share, share);
    atomic_store(&pool.ranges, ranges);
    atomic_store(&pool.done, 0);
    atomic_store(&pool.ticket, number << 32);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    work(number, FRONT);
    for (int i = 0; atomic_load(&pool.done) < ranges; i++) {
        if (i < SPIN)
            tg_pause();
        else
            sched_yield();
    }
    pthread_mutex_unlock(&pool.owner);
}
