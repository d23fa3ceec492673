#include "data/ids.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

enum { FIRST_BITS = 6, LAST_BITS = 31 };

/* Fowler, Noll and Vo's hash (FNV-1a), its bits spread to the top, from where slots are counted. */
static uint32_t hash_of(const char *id, size_t *length)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    const char *s = id;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001B3);
    *length = (size_t)(s - id);
    return (uint32_t)(h * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

/* The slot that holds the id, or the free one where it belongs. */
static uint64_t *find_slot(const tg_ids *ids, const char *id, size_t length, uint32_t hash)
{
    const size_t last = ((size_t)1 << ids->bits) - 1;
    for (size_t i = hash >> (32 - ids->bits);; i = (i + 1) & last) {
        const uint64_t slot = ids->slot[i];
        if (slot == 0 || (slot >> 32 == hash &&
                          memcmp(tg_ids_name(ids, (int64_t)(slot & UINT32_MAX) - 1), id,
                                 length + 1) == 0))
            return &ids->slot[i];
    }
}

/* Twice the slots; at most half of them are in use. */
static bool grow_slots(tg_ids *ids)
{
    const int bits = ids->bits ? ids->bits + 1 : FIRST_BITS;
    uint64_t *slot = bits <= LAST_BITS ? calloc((size_t)1 << bits, sizeof *slot) : NULL;
    size_t *start = realloc(ids->start, ((size_t)1 << (bits - 1)) * sizeof *start);
    ids->start = start ? start : ids->start;
    if (!slot || !start) {
        free(slot);
        return false;
    }
    const size_t last = ((size_t)1 << bits) - 1;
    for (size_t i = 0; ids->bits && i < (size_t)1 << ids->bits; i++) {
        size_t to = (size_t)(ids->slot[i] >> (64 - bits));
        while (ids->slot[i] && slot[to])
            to = (to + 1) & last;
        if (ids->slot[i])
            slot[to] = ids->slot[i];
    }
    free(ids->slot);
    ids->slot = slot;
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
    size_t length;
    const uint32_t hash = hash_of(id, &length);
    uint64_t *slot = ids->bits ? find_slot(ids, id, length, hash) : NULL;
    if (slot && *slot)
        return (int64_t)(*slot & UINT32_MAX) - 1;
    const bool is_full = !ids->bits || ids->count >= (int64_t)1 << (ids->bits - 1);
    const size_t wanted = ids->size + length + 1;
    if ((is_full && !grow_slots(ids)) || (wanted > ids->room && !grow_text(ids, wanted))) {
        tg_failure(TG_ENOMEM, "no memory for %lld ids", (long long)ids->count + 1);
        return -1;
    }
    slot = is_full ? find_slot(ids, id, length, hash) : slot;
    *slot = (uint64_t)hash << 32 | (uint64_t)(ids->count + 1);
    ids->start[ids->count] = ids->size;
    memcpy(ids->text + ids->size, id, length + 1);
    ids->size = wanted;
    return ids->count++;
}

int64_t tg_ids_find(const tg_ids *ids, const char *id)
{
    size_t length;
    const uint32_t hash = hash_of(id, &length);
    return ids->bits ? (int64_t)(*find_slot(ids, id, length, hash) & UINT32_MAX) - 1 : -1;
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
