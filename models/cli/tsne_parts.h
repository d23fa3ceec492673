/*
 * tsne_parts.h: what t-SNE is made of; for tsne.c and its tests
 *
 *     neighbours_find     which rows are near which                 neighbours.c
 *     affinities_new      how near, as probabilities p_ij           tsne.c
 *     tsne_gradient       which way the points must move            tsne.c
 *     repulsion_sum       the part of it between all pairs          repulsion.c
 *
 * t-SNE moves points y_i of the plane until the probabilities q_ij = w_ij / Z that they give,
 * w_ij = 1 / (1 + |y_i - y_j|^2) and Z their sum over all pairs, are like the p_ij of the rows.
 */
#ifndef NCF_TSNE_PARTS_H
#define NCF_TSNE_PARTS_H

#include "tapegrad.h"

/* The k nearest other rows of every row of x (n, dim): index (n, k), nearest first, of equally near
 * ones the first; square (n, k) their squared distances. Every pair is looked at. 1 <= k < n. */
tg_status neighbours_find(const float *x, int64_t n, int64_t dim, int64_t k, int32_t *index,
                          float *square);

/* A symmetric matrix with few entries, row by row: those of row i are begin[i] to begin[i + 1]. */
typedef struct affinities {
    int64_t n;
    int64_t *begin;  /* (n + 1) */
    int32_t *column; /* (begin[n]), rising within a row */
    float *p;        /* (begin[n]); their sum is 1 */
} affinities;

/* From neighbours: p_j|i falls with the squared distance by a Gaussian as wide as makes the
 * perplexity (2 to the power of the entropy) what is asked; p_ij = (p_j|i + p_i|j) / 2n. */
tg_status affinities_new(affinities *a, int64_t n, int64_t k, const int32_t *index,
                         const float *square, double perplexity);
void affinities_release(affinities *a);

/* Sums over all pairs of points, by a tree of cells (Barnes and Hut 1986): a cell whose width is
 * at most theta times its distance counts as one point. */
typedef struct repulsion repulsion;
repulsion *repulsion_new(int64_t n); /* NULL: no memory */
void repulsion_free(repulsion *r);

/* force (n, 2): sum over j of w_ij^2 (y_i - y_j), of y (n, 2); gives Z. */
double repulsion_sum(repulsion *r, const float *y, double theta, float *force);

/* dy (n, 2): the gradient of sum over i, j of p_ij log(p_ij / q_ij), its p multiplied by
 * `exaggeration`: 4 sum over j of (exaggeration p_ij - q_ij) w_ij (y_i - y_j). */
void tsne_gradient(const affinities *a, repulsion *r, const float *y, double theta,
                   double exaggeration, float *dy);

#endif
