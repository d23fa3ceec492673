/*
 * ids.h: raw ids, any text, and the numbers that stand for them: 0, 1, ... in the order of first
 * appearance
 *
 *     tg_ids users = {0};                              empty
 *     int64_t row = tg_ids_intern(&users, "alice");    0: the row of an embedding table
 *     tg_ids_name(&users, 0)                           "alice"
 *
 * Readers add to ids that may hold some already: so a file to train on and a file to test on, or a
 * saved model and new data, have the same numbers for the same ids.
 */
#ifndef TG_DATA_IDS_H
#define TG_DATA_IDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct tg_ids {
    int64_t count;

    /* Private to the library. */
    char *text;               /* the ids one behind the other, each ended by a zero */
    size_t size, room;        /* bytes of text in use, and how many there is room for */
    size_t *start;            /* (count) where an id begins in text */
    struct tg_ids_slot *slot; /* (2^bits) a hash table of the ids */
    int bits;
} tg_ids;

void tg_ids_release(tg_ids *ids); /* empty again */

/* The number of an id: the next free one where it is new. -1, and TG_ENOMEM as the last error,
 * where there is no memory for it. */
int64_t tg_ids_intern(tg_ids *ids, const char *id);

/* The number of an id, or -1 where it has none. */
int64_t tg_ids_find(const tg_ids *ids, const char *id);

/* The id of a number from 0 to count - 1; it holds until the next tg_ids_intern. */
const char *tg_ids_name(const tg_ids *ids, int64_t number);

#endif
