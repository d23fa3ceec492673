/*
 * progress.h: how what takes long is going, on stderr: a bar where that is a terminal
 */
#ifndef NCF_PROGRESS_H
#define NCF_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, is_terminal;
    int64_t epochs, samples; /* samples of an epoch */
    int64_t before;          /* epochs that an earlier run has done */
    double start, drawn;     /* seconds: of the run's begin, of the last drawing of the bar */
} progress;

double seconds_now(void); /* monotonic clock */

progress progress_start(bool quiet, int64_t before, int64_t epochs, int64_t samples);

/* Draw the bar, ten times a second at most, and no more of it than the terminal is wide: in `epoch`
 * (from 1), `done` samples are behind, their mean loss is given. */
void progress_draw(progress *p, int64_t epoch, int64_t done, double loss);

/* The same for work of one epoch, whose samples are steps: `what` is done. */
void progress_draw_steps(progress *p, const char *what, int64_t done);

/* Take the bar away, for a line that is to stay. */
void progress_clear(const progress *p);

#endif
