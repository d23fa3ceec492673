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

#include "autograd/named_options.h"
#include "data/ratings.h"

typedef struct tg_synthetic_options {
    int64_t users;
    int64_t items;
    int64_t ratings; /* at most a quarter of users * items */
    int rank;        /* of the taste p . q */
    double noise;    /* standard deviation */
    uint64_t seed;
    TG_NO_OPTION;
} tg_synthetic_options;
#define TG_SYNTHETIC_DEFAULTS                                                                      \
    .users = 1000, .items = 1500, .ratings = 100000, .rank = 4, .noise = 0.9, .seed = 0

/* Ratings as tg_ratings_read gives them. The ids are "1", "2", ... as MovieLens' are, added in this
 * order, also that of an item that nobody rated. Timestamps rise with the rows. TG_EMISUSE or
 * TG_ENOMEM on failure; *ratings is then empty. */
#define tg_synthetic(...) TG_SYNTHETIC_(__VA_ARGS__, )
#define TG_SYNTHETIC_(users, items, ratings, ...)                                                  \
    tg_synthetic_with(users, items, ratings,                                                       \
                      TG_OPTIONS_(tg_synthetic_options, TG_SYNTHETIC_DEFAULTS, __VA_ARGS__))
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
