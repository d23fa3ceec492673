/*
 * titles.h: what the items are called, and of which genres they are
 *
 * Formats, told apart by the first line:
 *
 *     u.item        1|Toy Story (1995)|01-Jan-1995||http://...|0|0|0|1|1|1|0|...
 *     movies.dat    1::Toy Story (1995)::Animation|Children's|Comedy
 *     movies.csv    movieId,title,genres                            (with this header or without)
 *     plain         1 <tab> Toy Story (1995) <tab> Animation|Children's|Comedy
 *
 * The fields are item, title and genres in this order, or as a header says that names item (as
 * ratings.h has it), title (or name, bookTitle, ...) and perhaps genres; a header without the first
 * or the second is refused. The genres may be missing, others are left out; those of u.item are the 19 flags behind five fields. A line that is not UTF-8 is Latin-1, as
 * MovieLens' are, and becomes UTF-8.
 */
#ifndef NCF_TITLES_H
#define NCF_TITLES_H

#include "tapegrad.h"

/* Read a file, "-" is standard input. titles[i] and genres[i] belong to item i of `items`, "" where
 * there are none; genres stand with | between; *genres is NULL where there are none at all. The
 * caller ends both by titles_free. Lines of other items are left out; of two lines of an item the
 * last one holds. TG_EIO, TG_EFORMAT or TG_ENOMEM on failure, with FILE:LINE and what was expected
 * in tg_last_error(), also where no line is of an item: the lists are then NULL. */
tg_status titles_read(const char *path, const tg_ids *items, char ***titles, char ***genres);

/* NULL is accepted. */
void titles_free(char **texts, int64_t count);

/* How many of `count` texts are not empty; 0 for NULL. */
int64_t titles_known(char *const *texts, int64_t count);

#endif
