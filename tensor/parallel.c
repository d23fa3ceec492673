#include "tensor/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tensor/tensor-internal.h"

#define MAX_THREADS 256
#define SPIN 2000 /* looks at the job number before a worker sleeps: a few microseconds */

typedef struct job {
    void (*body)(void *context, int64_t begin, int64_t end);
    void *context;
    int64_t count, share; /* share: the length of a range */
    atomic_llong next;    /* the next range */
    atomic_int left;      /* workers that have not finished */
} job;

/* One pool for the process: workers are started when first needed and sleep between jobs. */
static struct {
    pthread_mutex_t owner; /* whoever runs a job holds it */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    job job;
    atomic_ulong number; /* of the current job */
    int workers;         /* started so far */
    int wanted;          /* threads that work on a job, the caller's included */
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .wanted = 1};

void tg_set_num_threads(int threads)
{
    if (threads < 1)
        threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pool.wanted = (int)tg_min(threads < 1 ? 1 : threads, MAX_THREADS);
}

int tg_num_threads(void)
{
    return pool.wanted;
}

static void job_run(job *j)
{
    for (;;) {
        const int64_t begin = (int64_t)atomic_fetch_add(&j->next, 1) * j->share;
        if (begin >= j->count)
            break;
        j->body(j->context, begin, tg_min(begin + j->share, j->count));
    }
}

static void *worker(void *seen_number)
{
    unsigned long seen = (unsigned long)(uintptr_t)seen_number;
    for (;;) {
        for (int i = 0; i < SPIN && atomic_load(&pool.number) == seen; i++)
            ;
        if (atomic_load(&pool.number) == seen) {
            pthread_mutex_lock(&pool.lock);
            while (atomic_load(&pool.number) == seen)
                pthread_cond_wait(&pool.wake, &pool.lock);
            pthread_mutex_unlock(&pool.lock);
        }
        seen = atomic_load(&pool.number);
        job_run(&pool.job);
        atomic_fetch_sub(&pool.job.left, 1);
    }
    return NULL;
}

static void start_workers(void)
{
    while (pool.workers + 1 < pool.wanted) {
        pthread_t thread;
        const uintptr_t seen = atomic_load(&pool.number);
        if (pthread_create(&thread, NULL, worker, (void *)seen) != 0) {
            pool.wanted = pool.workers + 1; /* go on with those that there are */
            return;
        }
        pthread_detach(thread);
        pool.workers++;
    }
}

void tg_parallel_for(int64_t count, int64_t grain,
                     void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    if (count <= 0)
        return;
    const int64_t grains = (count + grain - 1) / grain;
    /* Whoever comes while the pool is busy works alone: a body, or another thread. */
    if (grains == 1 || pool.wanted == 1 || pthread_mutex_trylock(&pool.owner) != 0) {
        body(context, 0, count);
        return;
    }
    start_workers();
    const int64_t threads = tg_min(pool.wanted, pool.workers + 1);
    job *j = &pool.job;
    j->body = body;
    j->context = context;
    j->count = count;
    j->share = (grains + threads - 1) / threads * grain;
    atomic_store(&j->next, 0);
    atomic_store(&j->left, pool.workers);
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.number, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    job_run(j);
    while (atomic_load(&j->left) > 0)
        sched_yield();
    pthread_mutex_unlock(&pool.owner);
}
