/*
 * projection.h: rows of many dimensions as points of a picture
 *
 * pca() keeps the directions of largest variance: distances in the picture are at most those of
 * the rows. tsne() keeps neighbours: rows that are close together stay so, distances between far
 * groups mean nothing. Both give the same bits for the same input, for any number of threads.
 */
#ifndef NCF_PROJECTION_H
#define NCF_PROJECTION_H

#include "tapegrad.h"

/* Principal components: y (n, k) are the centred rows of x (n, dim) along the k directions of
 * largest variance, and share[i] is the part of the whole variance that component i explains. The
 * largest coordinate of every direction is positive. Components beyond the rank of x are zero.
 * TG_EFORMAT where an element of x is not finite. n, dim and k are at least 1. */
tg_status pca(const float *x, int64_t n, int64_t dim, int64_t k, float *y, double *share);

/* What is zero is as in parentheses. */
typedef struct tsne_options {
    double perplexity;  /* neighbours that count, roughly (30); at most a third of the others */
    double theta;       /* largest size of a cell over its distance, 0 to 0.7 (0.5) */
    int64_t iterations; /* (750), a third of them exaggerated */
    uint64_t seed;

    /* Called before the neighbours are sought, with done = 0, and after each iteration (NULL). */
    void (*progress)(void *context, int64_t done, int64_t iterations);
    void *context;
} tsne_options;

/* t-SNE (van der Maaten and Hinton 2008) in O(n log n) steps (van der Maaten 2014): y (n, 2) from
 * x (n, dim), of which the 50 first principal components count. It starts from the first two
 * (Kobak and Berens 2019), with a learning rate that grows with n (Belkina et al. 2019).
 * TG_EFORMAT where an element of x is not finite, TG_ENOMEM. n is at least 1, below 2^31. */
tg_status tsne(const float *x, int64_t n, int64_t dim, tsne_options options, float *y);

#endif
