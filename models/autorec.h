/*
 * autorec.h: an autoencoder that recommends (Sedhain et al. 2015, U-AutoRec)
 *
 * A user's ratings of all items go in, are squeezed through a few hidden units, and come out with
 * the gaps filled. Shows a mask: tg_where keeps what is not there out of the values and out of the
 * gradients, whatever number stands in its place.
 */
#ifndef MODELS_AUTOREC_H
#define MODELS_AUTOREC_H

#include "tapegrad.h"

typedef struct autorec {
    tg_module base;
    tg_linear_layer *encoder; /* items -> hidden */
    tg_linear_layer *decoder; /* hidden -> items */
} autorec;

autorec *autorec_new(int64_t items, int64_t hidden);
/* A row is a user. Ratings (batch, items), less their mean, since a gap goes in as 0; and where
 * they are, 1 or 0: (batch, items) i64 -> (batch, items): a rating for every item. */
tg_tensor *autorec_forward(autorec *m, tg_tensor *rating, tg_tensor *observed);
/* The same -> (): the mean squared error of the ratings that are there. */
tg_tensor *autorec_loss(autorec *m, tg_tensor *rating, tg_tensor *observed);

#endif
