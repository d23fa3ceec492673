/*
 * names.h: users and items as they are typed and printed
 */
#ifndef NCF_NAMES_H
#define NCF_NAMES_H

#include "models/cli/json_text.h"
#include "models/cli/ranking.h"
#include "models/cli/recommender.h"

const char *item_title(const recommender *r, int64_t item); /* "" where unknown */
const char *item_name(const recommender *r, int64_t item);  /* its title, else its id */

/* The user of an id; -1, and an error line, where there is none. */
int64_t find_user(const recommender *r, const char *id);

/* The item of an id; else the one whose title is the text, in any case of ASCII letters; else the
 * one whose title holds it. -1, and an error line, where there is none; where there are several
 * they are listed below it, up to 20. */
int64_t find_item(const recommender *r, const char *text);

/* The number of training ratings of every item, for the caller to free; NULL, and TG_ENOMEM,
 * without memory. Items that have few have vectors that are hardly trained: leave_out_rare takes
 * those with less than `least` off the list (ranking.h), score is (items). */
int64_t *item_counts(const recommender *r);
void leave_out_rare(const recommender *r, const int64_t *counts, int64_t least, float *score);

/* A score as it is shown: a rating lies in the range of the training ratings, also where the
 * model's errors are those of what is not cut (r->clamp). */
float shown_score(const recommender *r, float score);

/* What is recommended by score (items), which is changed: the best n items at most, without those
 * of `without` and the rare ones; gives how many. Their scores are as they are shown, in the order
 * of what they were before. */
int64_t best_items(const recommender *r, float *score, seen_items without, const int64_t *counts,
                   int64_t least, int64_t n, scored *top);

/* An item with a score: a line of item, score and title, tabs between. */
void print_item(const recommender *r, scored one);

/* Items with a score each, as a JSON list of objects. */
void json_items(json *j, const char *key, const recommender *r, const scored *top, int64_t count);

/* The members item, title and genres of an open object, the last two where known. */
void json_item(json *j, const recommender *r, int64_t item);

#endif
