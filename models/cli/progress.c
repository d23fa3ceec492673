#include "models/cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress progress_start(bool quiet, int64_t before, int64_t epochs, int64_t samples)
{
    return (progress){.quiet = quiet,
                      .is_terminal = isatty(STDERR_FILENO),
                      .epochs = epochs,
                      .before = before,
                      .samples = samples,
                      .start = seconds_now()};
}

/* Whether the bar is to be drawn now. */
static bool is_due(progress *p)
{
    const double now = seconds_now();
    if (p->quiet || !p->is_terminal || now - p->drawn < 0.1)
        return false;
    p->drawn = now;
    return true;
}

/* "[####    ]  50 %" of the epoch */
static void draw_bar(const progress *p, int64_t done)
{
    enum { WIDTH = 24 };
    const int filled = (int)(WIDTH * done / p->samples);
    fprintf(stderr, "[%.*s%*s] %3d %%", filled, "########################", WIDTH - filled, "",
            (int)(100 * done / p->samples));
}

/* Samples a second so far, of which `behind` are behind. */
static double rate_of(const progress *p, double behind)
{
    return behind / fmax(p->drawn - p->start, 1e-3);
}

static void draw_left(double samples, double rate)
{
    const int64_t left = (int64_t)ceil(samples / rate);
    fprintf(stderr, "  %lld:%02d left ", (long long)(left / 60), (int)(left % 60));
}

void progress_draw(progress *p, int64_t epoch, int64_t done, double loss)
{
    if (!is_due(p))
        return;
    const double all = (double)p->samples * (double)(p->epochs - p->before);
    const double behind = (double)p->samples * (double)(epoch - 1 - p->before) + (double)done;
    const double rate = rate_of(p, behind);
    fprintf(stderr, "\repoch %lld/%lld ", (long long)epoch, (long long)p->epochs);
    draw_bar(p, done);
    fprintf(stderr, "  loss %.4f  %.0f samples/s", loss, rate);
    draw_left(all - behind, fmax(rate, 1));
}

void progress_draw_steps(progress *p, const char *what, int64_t done)
{
    if (!is_due(p))
        return;
    fprintf(stderr, "\r%s ", what);
    draw_bar(p, done);
    if (done > 0)
        draw_left((double)(p->samples - done), rate_of(p, (double)done));
}

void progress_clear(const progress *p)
{
    if (!p->quiet && p->is_terminal)
        fputs("\r\033[K", stderr);
}
