/*
 * Each op alone, as bench/ops.py asks for it: a line in, a line out.
 *
 *     set OP M N                         make the operands; -> ok
 *     check                              -> sums of |result| and of the operands' |gradients|
 *     time forward|both THREADS SECONDS  -> the least nanoseconds that it takes
 *
 * bench/torch_ops.py answers the same for PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/peak.h"
#include "bench/sections.h"
#include "tapegrad.h"

enum {
#define OP(name, ...) OP_##name,
#define RANDOM OP
#define DECISION OP
#include "bench/ops.def"
    OP_COUNT
#undef OP
};

static const struct row {
    const char *name, *operands;
    bool decision;
} rows[] = {
#define OP(name, operands, ...) {#name, operands, false},
#undef DECISION
#define DECISION(name, operands, ...) {#name, operands, true},
#include "bench/ops.def"
#undef OP
#undef DECISION
};

enum { OPERANDS = 3 };
static _Thread_local struct {
    int op;
    int64_t m, n;
    tg_tensor *operand[OPERANDS];
} local;

static tg_tensor *run(void)
{
    tg_tensor *const a = local.operand[0], *const b = local.operand[1], *const c = local.operand[2];
    const int64_t m = local.m, n = local.n;
    tg_tensor *part[2];
    switch (local.op) {
#define OP(name, operands, torch, expression)                                                      \
    case OP_##name:                                                                                \
        return expression;
#define DECISION OP
#include "bench/ops.def"
#undef OP
    }
    return NULL;
}

/* ---- operands -------------------------------------------------------------------------------- */

/* A number in [0, 1) for element i of the operand, which torch_ops.py gives it too. */
static double uniform(int operand, int64_t i)
{
    uint32_t h = (uint32_t)i * 2654435761u + (uint32_t)operand * 40503u;
    h ^= h >> 16;
    h *= 0x45d9f3bu;
    h ^= h >> 16;
    return h / 4294967296.0;
}

typedef struct values {
    tg_dtype dtype;
    double low, high;
    bool gradient;
    tg_shape shape;
} values;

static values values_of(char letter, int64_t m, int64_t n)
{
    switch (letter) {
    case 'x': return (values){TG_F32, -2, 2, true, TG_SHAPE(m, n)};
    case 'p': return (values){TG_F32, 0.5, 2, true, TG_SHAPE(m, n)};
    case 'r': return (values){TG_F32, 0.5, 2, true, TG_SHAPE(n)};
    case 'c': return (values){TG_F32, 0.5, 2, true, TG_SHAPE(m, 1)};
    case 'w': return (values){TG_F32, -2, 2, true, TG_SHAPE(n, n)};
    case 's': return (values){TG_F32, -2, 2, true, TG_SHAPE(16, m / 4, n / 4)};
    case 'v': return (values){TG_F32, -2, 2, true, TG_SHAPE(n / 4, n / 4)};
    case 'y': return (values){TG_F32, 0, 1, false, TG_SHAPE(m, n)};
    case 'q': return (values){TG_I64, 0, 2, false, TG_SHAPE(m, n)};
    case 'i': return (values){TG_I64, 0, (double)m, false, TG_SHAPE(m)};
    case 't': return (values){TG_I64, 0, (double)n, false, TG_SHAPE(m)};
    case 'j': return (values){TG_I64, 0, (double)m, false, TG_SHAPE(m, n)};
    case 'k': return (values){TG_I64, 0, (double)n, false, TG_SHAPE(m, n)};
    case 'g': return (values){TG_F32, -2, 2, true, TG_SHAPE(4, 16, m / 8, n / 8)};
    case 'l': return (values){TG_F32, -2, 2, true, TG_SHAPE(4, 18, m / 8 * (n / 8))};
    case 'd': return (values){TG_F32, -2, 2, true, TG_SHAPE(32, 16, 3, 3)};
    case 'u': return (values){TG_F32, -2, 2, true, TG_SHAPE(32, 16, 1, 1)};
    case 'o': return (values){TG_I64, 0, 0, false, TG_SHAPE(m + 1)};
    case 'e': return (values){TG_I64, 0, (double)m, false, TG_SHAPE(m, 4)};
    }
    return (values){0};
}

static void release(void)
{
    for (int k = 0; k < OPERANDS; k++) {
        tg_free(local.operand[k]);
        local.operand[k] = NULL;
    }
}

static void make_operands(void)
{
    const struct row *row = &rows[local.op];
    release();
    for (int k = 0; row->operands[k]; k++) {
        const values v = values_of(row->operands[k], local.m, local.n);
        tg_tensor *t = tg_owned_at(TG_HERE, v.dtype, v.shape);
        for (int64_t i = 0; i < tg_numel(t); i++) {
            const double u = v.low + (v.high - v.low) * uniform(k, i);
            if (row->operands[k] == 'o')
                ((int64_t *)t->data)[i] = 4 * i;
            else if (v.dtype == TG_F32)
                ((float *)t->data)[i] = (float)u;
            else
                ((int64_t *)t->data)[i] = (int64_t)u;
        }
        local.operand[k] = v.gradient && !row->decision ? tg_requires_grad(t) : t;
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static double sum_of_absolute(tg_tensor *t)
{
    double sum = 0;
    t = tg_contiguous(tg_to_dense(t));
    for (int64_t i = 0; i < tg_numel(t); i++)
        sum += fabs(t->dtype == TG_F32 ? ((float *)t->data)[i] : (double)((int64_t *)t->data)[i]);
    return sum;
}

static void check(void)
{
    double gradients = 0;
    tg_step_begin();
    tg_tensor *y = run();
    const double result = sum_of_absolute(y);
    if (!rows[local.op].decision)
        tg_backward(tg_sum(y));
    for (int k = 0; k < OPERANDS; k++)
        if (local.operand[k] && local.operand[k]->grad) {
            gradients += sum_of_absolute(local.operand[k]->grad);
            tg_zero_grad_tensor(local.operand[k]);
        }
    tg_step_end();
    printf("%.9g %.9g\n", result, gradients);
}

static void forward(void)
{
    static volatile char sink = 0; /* the result is read */
    tg_step_begin();
    sink = (char)(sink + *(const char *)run()->data);
    tg_step_end();
}

/* Of the sum of the result, if it is not a sum already. */
static void both(void)
{
    tg_step_begin();
    tg_tensor *y = run();
    tg_backward(y->shape.ndim == 0 ? y : tg_sum(y));
    tg_step_end();
    for (int k = 0; k < OPERANDS; k++)
        if (local.operand[k])
            tg_zero_grad_tensor(local.operand[k]);
}

static double least_nanoseconds(void (*step)(void), double seconds)
{
    step();
    double least = 1e18;
    int count = 1;
    for (double start = seconds_now(), end = start, until = start + seconds; end < until;) {
        start = end;
        for (int i = 0; i < count; i++)
            step();
        end = seconds_now();
        const double each = 1e9 * (end - start) / count;
        least = each < least ? each : least;
        if (end - start < 2e-4)
            count *= 2;
    }
    return least;
}

static bool set(const char *name, int64_t m, int64_t n)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0) {
            local.op = i;
            local.m = m;
            local.n = n;
            make_operands();
            return true;
        }
    return false;
}

int ops_command(void)
{
    char line[128], word[64];
    long long m, n;
    int threads;
    double seconds;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "set %63s %lld %lld", word, &m, &n) == 3 && set(word, m, n)) {
            puts("ok");
        } else if (strcmp(line, "check\n") == 0) {
            check();
        } else if (sscanf(line, "time %63s %d %lf", word, &threads, &seconds) == 3) {
            tg_set_num_threads(threads);
            if (strcmp(word, "both") == 0)
                printf("%.1f\n", least_nanoseconds(both, seconds));
            else
                tg_no_grad printf("%.1f\n", least_nanoseconds(forward, seconds));
        } else {
            return 2;
        }
        fflush(stdout);
    }
    release();
    return 0;
}
