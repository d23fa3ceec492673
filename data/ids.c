#include "data/ids.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

enum { FIRST_BITS = 6, LAST_BITS = 31, HEAD = 8 };

/* Open addressing. Most ids fit into the head, so that finding one touches one line of memory. */
struct tg_ids_slot {
    uint64_t head;   /* the first 8 bytes of the id, zeros behind its end */
    uint32_t hash;   /* its upper bits number the slot */
    uint32_t number; /* of the id + 1; 0 in a free slot */
};

/* An id without its number. */
static struct tg_ids_slot key_of(const char *id)
{
    uint64_t head = 0;
    int i = 0;
    for (; i < HEAD && id[i]; i++)
        head |= (uint64_t)(unsigned char)id[i] << (8 * i);
    uint64_t h = head * UINT64_C(0x9E3779B97F4A7C15); /* any odd constants that spread the bits */
    for (; id[i]; i++)
        h = (h ^ (unsigned char)id[i]) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (struct tg_ids_slot){.head = head, .hash = (uint32_t)(h >> 32)};
}

/* Whether an id of more bytes than the head has goes on as the one in the slot. */
static bool has_tail(const tg_ids *ids, const struct tg_ids_slot *slot, const char *id)
{
    return slot->head >> (8 * (HEAD - 1)) == 0 ||
           strcmp(tg_ids_name(ids, slot->number - 1) + HEAD, id + HEAD) == 0;
}

/* The slot that holds the id, or the free one where it belongs. */
static struct tg_ids_slot *find_slot(const tg_ids *ids, const struct tg_ids_slot *key,
                                     const char *id)
{
    const size_t last = ((size_t)1 << ids->bits) - 1;
    for (size_t i = key->hash >> (32 - ids->bits);; i = (i + 1) & last) {
        struct tg_ids_slot *slot = &ids->slot[i];
        if (slot->number == 0 || (slot->head == key->head && slot->hash == key->hash &&
                                  has_tail(ids, slot, id)))
            return slot;
    }
}

/* Twice the slots; at most half of them are in use. */
static bool grow_slots(tg_ids *ids)
{
    const int bits = ids->bits ? ids->bits + 1 : FIRST_BITS;
    const size_t slots = (size_t)1 << bits, before = ids->bits ? slots / 2 : 0;
    struct tg_ids_slot *slot = bits <= LAST_BITS ? calloc(slots, sizeof *slot) : NULL;
    size_t *start = slot ? realloc(ids->start, slots / 2 * sizeof *start) : NULL;
    if (!start) {
        free(slot);
        return false;
    }
    for (size_t i = 0; i < before; i++) {
        const struct tg_ids_slot *old = &ids->slot[i];
        size_t to = old->hash >> (32 - bits);
        while (old->number && slot[to].number)
            to = (to + 1) & (slots - 1);
        if (old->number)
            slot[to] = *old;
    }
    free(ids->slot);
    ids->slot = slot;
    ids->start = start;
    ids->bits = bits;
    return true;
}

static bool grow_text(tg_ids *ids, size_t wanted)
{
    const size_t room = 2 * ids->room > wanted ? 2 * ids->room : wanted + 256;
    char *text = realloc(ids->text, room);
    if (!text)
        return false;
    ids->text = text;
    ids->room = room;
    return true;
}

int64_t tg_ids_intern(tg_ids *ids, const char *id)
{
    const struct tg_ids_slot key = key_of(id);
    struct tg_ids_slot *slot = ids->bits ? find_slot(ids, &key, id) : NULL;
    if (slot && slot->number)
        return (int64_t)slot->number - 1;
    const bool is_full = !ids->bits || ids->count >= (int64_t)1 << (ids->bits - 1);
    const size_t length = strlen(id) + 1, wanted = ids->size + length;
    if ((is_full && !grow_slots(ids)) || (wanted > ids->room && !grow_text(ids, wanted))) {
        tg_failure(TG_ENOMEM, "no memory for %lld ids", (long long)ids->count + 1);
        return -1;
    }
    slot = is_full ? find_slot(ids, &key, id) : slot;
    *slot = key;
    slot->number = (uint32_t)ids->count + 1;
    ids->start[ids->count] = ids->size;
    memcpy(ids->text + ids->size, id, length);
    ids->size = wanted;
    return ids->count++;
}

int64_t tg_ids_find(const tg_ids *ids, const char *id)
{
    const struct tg_ids_slot key = key_of(id);
    return ids->bits ? (int64_t)find_slot(ids, &key, id)->number - 1 : -1;
}

const char *tg_ids_name(const tg_ids *ids, int64_t number)
{
    return ids->text + ids->start[number];
}

void tg_ids_release(tg_ids *ids)
{
    free(ids->text);
    free(ids->start);
    free(ids->slot);
    *ids = (tg_ids){0};
}
