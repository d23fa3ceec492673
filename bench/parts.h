/*
 * parts.h: where the time of a training step goes
 */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

/* Print a line for each op of a step, forward and backward, the loader, the optimiser and what is
 * left; peak: GFLOP/s. */
void bench_parts(double peak);

#endif
