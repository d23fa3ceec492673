#include "models/cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "models/cli/terminal.h"

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

/* Samples a second so far, of which `behind` are behind. */
static double rate_of(const progress *p, double behind)
{
    return behind / fmax(p->drawn - p->start, 1e-3);
}

/* "[####    ]  50%" of the epoch */
static void add_bar(screen_line *line, const progress *p, int64_t done)
{
    enum { WIDTH = 16 };
    const int filled = (int)(WIDTH * done / p->samples);
    screen_line_add(line, " [%.*s%*s] %3d%%", filled, "################", WIDTH - filled, "",
                    (int)(100 * done / p->samples));
}

static void add_left(screen_line *line, double samples, double rate)
{
    const int64_t left = (int64_t)ceil(samples / rate);
    screen_line_add(line, "  %lld:%02d left", (long long)(left / 60), (int)(left % 60));
}

/* The last column stays free: a terminal that has written it may begin a new line. */
static screen_line begin(void)
{
    return screen_line_begin(terminal_columns() - 1);
}

static void draw(const screen_line *line)
{
    fprintf(stderr, "\r%s\033[K", line->text);
}

void progress_draw(progress *p, int64_t epoch, int64_t done, double loss)
{
    if (!is_due(p))
        return;
    const double all = (double)p->samples * (double)(p->epochs - p->before);
    const double behind = (double)p->samples * (double)(epoch - 1 - p->before) + (double)done;
    const double rate = rate_of(p, behind);
    screen_line line = begin();
    screen_line_add(&line, "epoch %lld/%lld", (long long)epoch, (long long)p->epochs);
    add_bar(&line, p, done);
    screen_line_add(&line, "  loss %.4f", loss);
    add_left(&line, all - behind, fmax(rate, 1));
    screen_line_add(&line, "  %.0f samples/s", rate);
    draw(&line);
}

void progress_draw_steps(progress *p, const char *what, int64_t done)
{
    if (!is_due(p))
        return;
    screen_line line = begin();
    screen_line_add(&line, "%s", what);
    add_bar(&line, p, done);
    if (done > 0)
        add_left(&line, (double)(p->samples - done), rate_of(p, (double)done));
    draw(&line);
}

void progress_clear(const progress *p)
{
    if (!p->quiet && p->is_terminal)
        fputs("\r\033[K", stderr);
}
