/*
 * synthetic.h: ratings like MovieLens, made by a generator whose truth is known
 *
 * A rating is drawn as
 *
 *     score(u, i) = mean + b_u + b_i + p_u . q_i          b, p, q normal, fixed by the seed
 *     rating      = round(score(u, i) + noise * N(0, 1)), cut to 1..5
 *
 * for pairs without repetition; a user's number of ratings is log-normal with a floor, an item's
 * popularity falls like a power of its rank. Since the distribution of each rating is known, so is
 * the best error that any predictor can expect.
 */
#ifndef TG_DATA_SYNTHETIC_H
#define TG_DATA_SYNTHETIC_H

#include "data/ratings.h"

typedef struct tg_synthetic_options { /* zero means the default in brackets */
    int64_t users;                    /* [1000] */
    int64_t items;                    /* [1500] */
    int64_t ratings;                  /* [100000]; at most a quarter of users * items */
    int rank;                         /* of the taste p . q [4] */
    double noise;                     /* standard deviation [0.9] */
    uint64_t seed;                    /* [0 is a seed like any other] */
} tg_synthetic_options;

/* Ratings as tg_ratings_read gives them. The ids are "1", "2", ... as MovieLens' are, added in this
 * order, also that of an item that nobody rated. Timestamps rise with the rows. TG_EMISUSE or
 * TG_ENOMEM on failure; *ratings is then empty. */
#define tg_synthetic(users, items, ratings, ...)                                                   \
    tg_synthetic_with(users, items, ratings, (tg_synthetic_options){__VA_ARGS__})
tg_status tg_synthetic_with(tg_ids *users, tg_ids *items, tg_dataset *ratings,
                            tg_synthetic_options options);

/* The errors of the best possible predictors over the pairs of `ratings`, all or a part of those
 * made with the same options: for MAE the median of each rating's distribution, for RMSE its mean.
 * Expected values, in units of the rating. */
typedef struct tg_synthetic_floor {
    double mae, rmse;
} tg_synthetic_floor;
tg_status tg_synthetic_best(const tg_ids *users, const tg_ids *items, const tg_dataset *ratings,
                            tg_synthetic_options options, tg_synthetic_floor *best);

#endif
