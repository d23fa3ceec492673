/* Learning rates over time, and gradients cut to size. */
#include <inttypes.h>
#include <math.h>

#include "optim/optim-internal.h"

/* ---- schedules ------------------------------------------------------------------------------- */

/* From `first` to `last` as x goes from 0 to 1, on half a wave. */
static double half_wave(double first, double last, double x)
{
    return last + (first - last) * (1 + cos(3.14159265358979324 * x)) / 2;
}

/* Whether update `step` is one of those that a schedule over `steps` knows; misuse if not. */
static bool is_step(const char *schedule, int64_t step, int64_t steps, int64_t last)
{
    if (steps >= 1 && step >= 0 && step <= last)
        return true;
    tg_misuse("tg_schedule", schedule, "step %" PRId64 " of %" PRId64 "; expected a step from 0 on "
              "of 1 or more%s", step, steps, last < INT64_MAX ? ", and not after the last" : "");
    return false;
}

double tg_schedule_step(int64_t step, int64_t size, double gamma)
{
    if (!is_step("step", step, size, INT64_MAX))
        return 1;
    return pow(gamma, (double)(step / size));
}

double tg_schedule_cosine(int64_t step, int64_t steps)
{
    if (!is_step("cosine", step, steps, INT64_MAX))
        return 1;
    return half_wave(1, 0, (double)step / (double)steps);
}

double tg_schedule_warmup(int64_t step, int64_t steps)
{
    if (!is_step("warmup", step, steps, INT64_MAX))
        return 1;
    return fmin(1, (double)(step + 1) / (double)steps);
}

double tg_schedule_one_cycle(int64_t step, int64_t steps)
{
    if (!is_step("one_cycle", step, steps, steps))
        return 1;
    const double top = 0.3 * (double)steps - 1, last = (double)steps - 1, at = (double)step;
    return at <= top ? half_wave(1. / 25, 1, at / top)
                     : half_wave(1, 1. / 250000, (at - top) / (last - top));
}

double tg_schedule_plateau(tg_plateau *p, double value)
{
    if (!p->started) {
        p->started = true;
        p->now = 1;
        p->best = INFINITY;
    }
    if (!(p->factor >= 0 && p->factor < 1)) {
        tg_misuse("tg_schedule", "plateau", "factor = %g; 0 to below 1 expected", p->factor);
        return p->now;
    }
    const bool better = value < p->best * (1 - 1e-4);
    p->bad = better ? 0 : p->bad + 1;
    p->best = better ? value : p->best;
    if (p->bad > p->patience) {
        p->now *= p->factor;
        p->bad = 0;
    }
    return p->now;
}

/* ---- clipping -------------------------------------------------------------------------------- */

/* The elements that a gradient holds: all of it, or its rows. */
static int64_t held(const tg_tensor *g)
{
    return g->rows ? tg_numel(g->rows) * g->shape.size[1] : tg_numel(g);
}

double tg_clip_grad_norm(const tg_module *m, double max_norm)
{
    tg_state_dict state = tg_module_parameters(m);
    double square = 0;
    for (int64_t p = 0; p < state.count; p++) {
        const tg_tensor *g = state.entry[p].tensor->grad;
        for (int64_t i = 0; g && i < held(g); i++)
            square += tg_element(g, i) * tg_element(g, i);
    }
    const double norm = sqrt(square), scale = max_norm / (norm + 1e-6);
    if (!(max_norm >= 0))
        tg_misuse("tg_clip_grad_norm", "clip", "max_norm = %g; 0 or more expected", max_norm);
    const bool scales = max_norm >= 0 && !(scale >= 1); /* by NaN too */
    for (int64_t p = 0; scales && p < state.count; p++) {
        const tg_tensor *g = state.entry[p].tensor->grad;
        for (int64_t i = 0; g && i < held(g); i++)
            tg_element_set(g, i, scale * tg_element(g, i));
    }
    tg_state_dict_release(&state);
    return norm;
}

void tg_clip_grad_value(const tg_module *m, double bound)
{
    if (!(bound >= 0)) {
        tg_misuse("tg_clip_grad_value", "clip", "bound = %g; 0 or more expected", bound);
        return;
    }
    tg_state_dict state = tg_module_parameters(m);
    for (int64_t p = 0; p < state.count; p++) {
        const tg_tensor *g = state.entry[p].tensor->grad;
        for (int64_t i = 0; g && i < held(g); i++) {
            const double x = tg_element(g, i);
            tg_element_set(g, i, x > bound ? bound : x < -bound ? -bound : x);
        }
    }
    tg_state_dict_release(&state);
}
