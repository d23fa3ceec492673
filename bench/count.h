/*
 * count.h: fixed pieces of work, whose instructions instructions.sh counts
 */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdbool.h>

/* "engine", "train", "train-sparse", "score"; false for any other name. */
bool count_work(const char *name);

#endif
