/*
 * pretrained.h: an ncf that begins with what a gmf and an mlp have learned (He et al. 2017, section
 * 3.4.1): their layers, and for its last one half of each of theirs
 */
#ifndef NCF_PRETRAINED_H
#define NCF_PRETRAINED_H

#include "models/cli/recommender.h"

/* Of files that ncf train saved, of the same users, items and widths, all without biases. An exit
 * status; what is wrong has been said. */
int pretrained_start(recommender *r, const char *gmf_path, const char *mlp_path);

#endif
