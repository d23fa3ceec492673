/*
 * bpr.h: ranking from what users took, without ratings (Rendle et al. 2009)
 *
 * An item that a user took should score above one that the user did not: a pair is one example.
 * Shows parameters used twice in one step: both scores come from the same tables, and the two
 * gradients of a user's row add up by themselves.
 */
#ifndef MODELS_BPR_H
#define MODELS_BPR_H

#include "tapegrad.h"

typedef struct bpr {
    tg_module base;
    tg_embedding_table *user_emb, *item_emb; /* (users, dim), (items, dim), N(0, 0.1^2) */
    tg_embedding_table *item_bias;           /* (items, 1), 0: how popular it is */
} bpr;

bpr *bpr_new(int64_t users, int64_t items, int64_t dim);
/* (batch), (batch) -> (batch): scores, whose order within a user is what counts */
tg_tensor *bpr_forward(bpr *m, tg_tensor *user, tg_tensor *item);
/* Users, an item that each took, and one that each did not: (batch) i64 each -> () */
tg_tensor *bpr_loss(bpr *m, tg_tensor *user, tg_tensor *taken, tg_tensor *other);

#endif
