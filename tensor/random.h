/*
 * random.h: counter-based random numbers
 *
 * Philox4x32-10 (Salmon et al. 2011, 'Parallel random numbers: as easy as 1, 2, 3'): block number
 * `position` of `stream` under `seed` is a pure function of the three, 128 bits long. So the same
 * seed gives the same numbers for any number of threads, and a generator's whole state can be
 * saved as three integers.
 */
#ifndef TG_TENSOR_RANDOM_H
#define TG_TENSOR_RANDOM_H

#include "tensor/tensor.h"

typedef struct tg_rng {
    uint64_t seed;
    uint64_t stream;   /* independent sequences under one seed */
    uint64_t position; /* the next block */
} tg_rng;

/* The block at counter (position, stream) under key `seed`. */
void tg_philox(uint64_t seed, uint64_t stream, uint64_t position, uint32_t block[4]);

/* One draw each. Every draw takes one block; tg_rng_below rarely another one. */
double tg_rng_uniform(tg_rng *rng);                  /* in [0, 1), 53 bits */
double tg_rng_normal(tg_rng *rng);                   /* N(0, 1), Box-Muller */
uint64_t tg_rng_below(tg_rng *rng, uint64_t bound);  /* in [0, bound), without bias; bound > 0 */

/* The generator of this thread, from which initialisers and dropout draw: stream 0, seed 0 until
 * tg_manual_seed. Save and restore the struct to replay. */
tg_rng *tg_default_rng(void);
void tg_manual_seed(uint64_t seed);

/* In place, from this thread's generator: low <= element < high, as t's dtype rounds the bounds;
 * and N(mean, std^2). */
void tg_fill_uniform(tg_tensor *t, double low, double high);
void tg_fill_normal(tg_tensor *t, double mean, double std);

/* New tensors of the step: uniform in [0, 1), and N(0, 1). */
#define tg_rand(dtype, ...) tg_rand_at(TG_HERE, dtype, TG_SHAPE(__VA_ARGS__))
#define tg_randn(dtype, ...) tg_randn_at(TG_HERE, dtype, TG_SHAPE(__VA_ARGS__))
/* i64: numbers in [low, high), each as likely; and those in [0, n) in a random order, (n). */
#define tg_randint(low, high, ...) tg_randint_at(TG_HERE, low, high, TG_SHAPE(__VA_ARGS__))
#define tg_randperm(n) tg_randperm_at(TG_HERE, n)
tg_tensor *tg_rand_at(const char *at, tg_dtype dtype, tg_shape shape);
tg_tensor *tg_randn_at(const char *at, tg_dtype dtype, tg_shape shape);
tg_tensor *tg_randint_at(const char *at, int64_t low, int64_t high, tg_shape shape);
tg_tensor *tg_randperm_at(const char *at, int64_t n);

#endif
