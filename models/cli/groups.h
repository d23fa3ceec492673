/*
 * groups.h: what items are labelled with, as few enough groups to be told apart by colour
 *
 * Labels are as in MovieLens: "Comedy|Drama", in any order. The labels that most items have become
 * groups, the most frequent first. An item with several of them belongs to the rarest, which says
 * most about it. Where there are more labels than groups, or items without any, the last group is
 * "other".
 */
#ifndef NCF_GROUPS_H
#define NCF_GROUPS_H

#include "models/cli/svg.h"
#include "tapegrad.h"

typedef struct item_groups {
    int count;
    char *name[GROUP_LIMIT]; /* (count) */
    uint8_t *group;          /* (items), below count */
} item_groups;

/* From label (items); NULL or "" for an item without any. TG_ENOMEM. */
tg_status item_groups_new(item_groups *g, const char *const *label, int64_t items);
void item_groups_release(item_groups *g);

#endif
