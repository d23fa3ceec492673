/*
 * parallel.h: a pool of POSIX threads for loops inside the library
 *
 * Work is cut into ranges of independent outputs, and a sum only where one thread cuts it too, so
 * that results are the same bits for any number of threads.
 */
#ifndef TG_TENSOR_PARALLEL_H
#define TG_TENSOR_PARALLEL_H

#include <stdint.h>

/* How many threads work on a loop, the caller's included: 1 until set. Values below 1 mean at most
 * one a physical core: loops outside of steps take them all, those in steps as many as steps are
 * fastest with, by trial now and then (thread_tuner.h). Call it while no loop runs. */
void tg_set_num_threads(int threads);

/* The most that may work on a loop. */
int tg_num_threads(void);

/* A step, not inside another one, begins and ends: for the trials. */
void tg_parallel_step_begin(void);
void tg_parallel_step_end(void);

/* Call body(context, begin, end) for ranges that cover [0, count): one a thread, of equal length, but
 * no more than leave each `grain` indices. Returns when all are done. Called from inside a body it
 * runs in the caller. */
void tg_parallel_for(int64_t count, int64_t grain,
                     void (*body)(void *context, int64_t begin, int64_t end), void *context);

#endif
