/*
 * thread_tuner.h: with how many threads the steps of a program are fastest
 *
 * Another number is tried now and then, in turn with the present one, and kept where it is faster.
 * No clock: the caller says how long steps took. What trials can cost stays below 1 %: they become
 * rarer as long as none changes the number.
 */
#ifndef TG_THREAD_TUNER_H
#define TG_THREAD_TUNER_H

#include <stdbool.h>

#define TG_TUNER_WINDOWS 5 /* that a trial takes of either number */

/* Zeros but for `most`, and `base` and `now`, the numbers to begin with. */
typedef struct tg_thread_tuner {
    int most, base, trial; /* threads: that there are, the best so far, the one that is tried */
    int now;               /* what the next step should take */
    bool is_trial, goes_up;
    int windows;            /* measured in this trial: of trial and base in turn */
    double pace[2][TG_TUNER_WINDOWS]; /* seconds a unit of work: of trial, base */
    double settling;        /* seconds since the number changed, up to a limit */
    double seconds, work;   /* of this window */
    double cost, rest;      /* seconds of the trial, and until the next one */
    double patience;        /* rest in multiples of cost */
} tg_thread_tuner;

/* A step took `seconds` with `now` threads and did `work`, in any unit; the new `now`. */
int tg_thread_tuner_next(tg_thread_tuner *t, double seconds, double work);

#endif
