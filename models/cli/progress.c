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

void progress_draw(progress *p, int64_t epoch, int64_t done, double loss)
{
    enum { WIDTH = 24 };
    const double now = seconds_now();
    if (p->quiet || !p->is_terminal || now - p->drawn < 0.1)
        return;
    p->drawn = now;
    const double all = (double)p->samples * (double)(p->epochs - p->before);
    const double behind = (double)p->samples * (double)(epoch - 1 - p->before) + (double)done;
    const double rate = behind / fmax(now - p->start, 1e-3);
    const int64_t left = (int64_t)ceil((all - behind) / fmax(rate, 1));
    const int filled = (int)(WIDTH * done / p->samples);
    fprintf(stderr,
            "\repoch %lld/%lld [%.*s%*s] %3d %%  loss %.4f  %.0f samples/s  %lld:%02d left ",
            (long long)epoch, (long long)p->epochs, filled, "########################",
            WIDTH - filled, "", (int)(100 * done / p->samples), loss, rate,
            (long long)(left / 60), (int)(left % 60));
}

void progress_clear(const progress *p)
{
    if (!p->quiet && p->is_terminal)
        fputs("\r\033[K", stderr);
}
