#include "tensor/thread_tuner.h"

#define WINDOW 4e-3   /* seconds, or one step that takes longer */
#define SETTLE 0.5e-3 /* until caches and workers have followed a change */
#define GAIN 1.02     /* a number must be so much faster to replace another one */
#define HOPELESS 1.5  /* and so much slower for its trial to end at once */
#define PATIENCE_MIN 8
#define PATIENCE_MAX 64

enum { TRIAL, BASE };

static int neighbour(const tg_thread_tuner *t)
{
    if (!t->goes_up)
        return (t->base + 1) / 2;
    return 2 * t->base < t->most ? 2 * t->base : t->most;
}

static void begin_trial(tg_thread_tuner *t)
{
    if (neighbour(t) == t->base)
        t->goes_up = !t->goes_up;
    t->trial = neighbour(t);
    t->is_trial = true;
    t->windows = 0;
    t->cost = t->settling = t->seconds = t->work = 0;
    t->now = t->trial;
}

static void end_trial(tg_thread_tuner *t, bool is_faster)
{
    if (is_faster)
        t->base = t->trial;
    t->patience = is_faster ? t->patience / 4 : 2 * t->patience;
    t->patience = t->patience < PATIENCE_MIN ? PATIENCE_MIN : t->patience;
    t->patience = t->patience > PATIENCE_MAX ? PATIENCE_MAX : t->patience;
    t->rest = is_faster && neighbour(t) != t->base ? 0 : t->patience * t->cost; /* go on, or wait */
    t->goes_up = is_faster ? t->goes_up : !t->goes_up;
    t->is_trial = false;
    t->now = t->base;
}

/* Seconds a unit of work, without the slowest window: the system may have been busy. */
static double pace_of(const double *pace, int count)
{
    double sum = 0, most = 0;
    for (int i = 0; i < count; i++) {
        sum += pace[i];
        most = pace[i] > most ? pace[i] : most;
    }
    return count > 1 ? (sum - most) / (count - 1) : sum;
}

static void end_window(tg_thread_tuner *t)
{
    const int side = t->windows % 2;
    t->pace[side][t->windows++ / 2] = t->seconds / t->work;
    t->now = side == TRIAL ? t->base : t->trial;
    t->settling = t->seconds = t->work = 0;
    if (t->windows % 2 != 0)
        return;
    const int count = t->windows / 2;
    const double trial = pace_of(t->pace[TRIAL], count), base = pace_of(t->pace[BASE], count);
    if (count == TG_TUNER_WINDOWS || trial > HOPELESS * base)
        end_trial(t, trial * GAIN < base);
}

int tg_thread_tuner_next(tg_thread_tuner *t, double seconds, double work)
{
    if (t->most == 1 || work <= 0)
        return t->now;
    if (!t->is_trial) {
        t->rest -= seconds;
        if (t->rest <= 0)
            begin_trial(t);
        return t->now;
    }
    t->cost += seconds;
    if (t->settling < SETTLE && seconds < WINDOW) {
        t->settling += seconds;
        return t->now;
    }
    t->seconds += seconds;
    t->work += work;
    if (t->seconds >= WINDOW)
        end_window(t);
    return t->now;
}
