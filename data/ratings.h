/*
 * ratings.h: files of ratings as data sets
 *
 *     tg_ids users = {0}, items = {0};
 *     tg_dataset ratings;
 *     if (tg_ratings_read("u.data", &users, &items, &ratings) != TG_OK)
 *         ...                                  columns user, item, rating, timestamp
 *
 * Formats, told apart by the first line:
 *
 *     u.data        196 <tab> 242 <tab> 3 <tab> 881250949      (or any white space without tabs)
 *     ratings.dat   1::1193::5::978300760
 *     ratings.csv   userId,movieId,rating,timestamp            (or semicolons; with a header or
 *                                                               without)
 *     ml.inter      user_id:token <tab> item_id:token <tab> rating:float <tab> timestamp:float
 *
 * A header says which fields are user, item, rating and perhaps timestamp, in any order, by the
 * names that data sets use: user, customer, reviewer, ...; item, movie, book, product, ...; each
 * also with "id" behind it; rating, score, stars, ...; timestamp, time, ...; in any case, with any
 * of _-. and blanks. Other fields are left out. A first line without any number whose names are not
 * understood is a TG_EFORMAT that tells how it would be read by position; without a header the
 * fields are in the order above. The timestamp may be missing. Ids are any UTF-8 text without the
 * format's separator. Blank lines, Windows line ends and a byte-order mark are accepted. "-" is
 * standard input.
 */
#ifndef TG_DATA_RATINGS_H
#define TG_DATA_RATINGS_H

#include "data/dataset.h"
#include "data/ids.h"

/* The columns of ratings, (rows) each. */
enum {
    TG_USER,      /* i64, the number of an id */
    TG_ITEM,      /* i64, the same */
    TG_RATING,    /* f32, finite */
    TG_TIMESTAMP, /* i64, seconds since 1970 as a rule, rounded down; only where the file has it */
};

/* Read a file, in its order; new ids are added to those that *users and *items hold. TG_EIO,
 * TG_EFORMAT or TG_ENOMEM on failure, with FILE:LINE and what was expected in tg_last_error();
 * *ratings is then empty. A file without a rating is a TG_EFORMAT. */
tg_status tg_ratings_read(const char *path, tg_ids *users, tg_ids *items, tg_dataset *ratings);

/* Read lines of user and item: two columns; further fields are left out. A file without a line is
 * accepted. A pair whose id was not there before has a number that was not there before. */
tg_status tg_pairs_read(const char *path, tg_ids *users, tg_ids *items, tg_dataset *pairs);

/* How many rows repeat a (user, item) pair of an earlier row. -1, and TG_ENOMEM as the last error,
 * where there is no memory to count them. */
int64_t tg_ratings_duplicates(const tg_dataset *ratings);

/* The arithmetic mean of the ratings. */
double tg_ratings_mean(const tg_dataset *ratings);

#endif
