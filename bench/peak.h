/*
 * peak.h: how fast this core can multiply and add
 */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

/* GFLOP/s of independent f32 multiply-adds on one core with the vectors of the kernel set named. */
double peak_gflops(const char *kernels);

/* Seconds since some moment. */
double seconds_now(void);

/* The value that a share of them, from 0 to below 1, lie below; 0.5: the median of an odd number. They
 * are put in order. */
double quantile_of(double *value, int count, double share);

#endif
