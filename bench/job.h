/*
 * job.h: what is measured: the tutorial's NCF at the size of MovieLens 1M, ids skewed like ratings
 */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include "models/ncf.h"
#include "tapegrad.h"

typedef struct job {
    tg_dataset data; /* user, item, rating */
    ncf *model;
    tg_optimizer *optimizer;
    tg_loader *loader; /* shuffled */
} job;

/* optimizer: "adam" (with catch_up), "adam-dense" or "sparse-adam"; small: a sixteenth of the
 * users, items and ratings */
job job_new(int64_t batch_size, const char *optimizer, bool small);
void job_end(job *j);

#endif
