/*
 * picture_samples.h: a made-up training run, as the report page wants it
 */
#ifndef TG_TESTS_PICTURE_SAMPLES_H
#define TG_TESTS_PICTURE_SAMPLES_H

#include "models/cli/page.h"

/* With so many points on the map, at least ODD_NAMES; it lasts until the next call. The first ones
 * have names that are hard to write: the end of a script, quotes, Latin-1, control characters. */
enum { ODD_NAMES = 5 };
extern const char *const odd_names[ODD_NAMES];
const page *picture_sample(int64_t points);

#endif
