/*
 * ratings.h: files of ratings, and the data set that training sees
 *
 *     file(s) --tg_ratings_read--> raw ratings --tg_split_*--> train, test
 *             --tg_idmap_new--> ids <-> rows --tg_dataset_new--> rows of embedding tables
 *
 * Formats, told apart by the first line:
 *
 *     u.data        196 <tab> 242 <tab> 3 <tab> 881250949      (also any white space)
 *     ratings.dat   1::1193::5::978300760
 *     ratings.csv   userId,movieId,rating,timestamp            (a header is skipped)
 *
 * The timestamp may be missing. Blank lines, Windows line ends and a byte-order mark are accepted.
 */
#ifndef TG_DATA_RATINGS_H
#define TG_DATA_RATINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/error.h"
#include "tensor/random.h"

/* ---- raw ratings ----------------------------------------------------------------------------- */

typedef struct tg_rating {
    int64_t user, item; /* ids as the file gives them, 0 or more */
    int64_t timestamp;  /* seconds since 1970 as a rule; 0 where the file has none */
    float rating;       /* finite */
} tg_rating;

typedef struct tg_ratings { /* in the order of the file */
    int64_t count;
    tg_rating *row;
    bool has_timestamp;
} tg_ratings;

/* Read a file. TG_EIO or TG_EFORMAT on failure, with FILE:LINE and what was expected in
 * tg_last_error(); *ratings is then empty. A file without a rating is a TG_EFORMAT. */
tg_status tg_ratings_read(const char *path, tg_ratings *ratings);
void tg_ratings_release(tg_ratings *ratings);

/* Read the `user item` lines of a file of pairs ("-" is standard input); further fields are
 * ignored. rating and timestamp are 0. An empty file is accepted. */
tg_status tg_pairs_read(const char *path, tg_ratings *pairs);

/* How many rows repeat a (user, item) pair of an earlier row. */
int64_t tg_ratings_duplicates(const tg_ratings *ratings);

/* The arithmetic mean of the ratings. */
double tg_ratings_mean(const tg_ratings *ratings);

/* ---- splits ---------------------------------------------------------------------------------- */

/* Draw round(fraction * count) rows into *test, the others into *train, both in the order of
 * `all`. 0 < fraction < 1. The same seed draws the same rows. */
tg_status tg_split_random(const tg_ratings *all, double fraction, uint64_t seed,
                          tg_ratings *train, tg_ratings *test);

/* Each user's latest rating (the last in the file among equal timestamps) goes into *test; users
 * with a single rating stay in *train. */
tg_status tg_split_leave_one_out(const tg_ratings *all, tg_ratings *train, tg_ratings *test);

/* ---- ids and rows ---------------------------------------------------------------------------- */

/* Raw ids in ascending order: row r of an embedding table belongs to id[r]. */
typedef struct tg_idmap {
    int64_t count;
    int64_t *id;
} tg_idmap;

/* The ids of the users (or items) of all the given ratings. */
typedef enum tg_id_column { TG_USERS, TG_ITEMS } tg_id_column;
tg_status tg_idmap_new(tg_idmap *map, tg_id_column column, const tg_ratings *const *ratings,
                       int count);
void tg_idmap_release(tg_idmap *map);

/* The row of an id, or -1 where the map does not have it. */
int64_t tg_idmap_row(const tg_idmap *map, int64_t id);

/* ---- data set -------------------------------------------------------------------------------- */

typedef struct tg_dataset { /* columns of equal length */
    int64_t count;
    int32_t *user, *item; /* rows of the embedding tables */
    float *rating;
} tg_dataset;

/* Ratings with ids replaced by rows. Every id must be in its map. */
tg_status tg_dataset_new(tg_dataset *dataset, const tg_ratings *ratings, const tg_idmap *users,
                         const tg_idmap *items);
void tg_dataset_release(tg_dataset *dataset);

#endif
