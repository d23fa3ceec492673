#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernels/kernels.h"

typedef struct candidate {
    const tg_kernels *set;
    bool (*supported)(void);
} candidate;

static bool always(void)
{
    return true;
}

/* Best first. By feature bits, never by the model of the processor. */
#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static const candidate candidates[] = {
    {&tg_kernels_avx512, has_avx512},
    {&tg_kernels_avx2, has_avx2},
    {&tg_kernels_portable, always},
};
#elif defined(__aarch64__)
static const candidate candidates[] = {
    {&tg_kernels_neon, always},
    {&tg_kernels_portable, always},
};
#else
static const candidate candidates[] = {{&tg_kernels_portable, always}};
#endif

const tg_kernels *tg_kernels_supported(int i)
{
    for (size_t c = 0; c < sizeof candidates / sizeof *candidates; c++)
        if (candidates[c].supported() && i-- == 0)
            return candidates[c].set;
    return NULL;
}

static const tg_kernels *chosen;
static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    const char *name = getenv("TAPEGRAD_KERNELS");
    const tg_kernels *set;
    if (!name || !*name) {
        chosen = tg_kernels_supported(0);
        return;
    }
    for (int i = 0; (set = tg_kernels_supported(i)); i++)
        if (strcmp(name, set->name) == 0)
            chosen = set;
    if (chosen)
        return;
    fprintf(stderr, "tapegrad: TAPEGRAD_KERNELS=%s: expected one of", name);
    for (int i = 0; (set = tg_kernels_supported(i)); i++)
        fprintf(stderr, " %s", set->name);
    fputs(" on this machine\n", stderr);
    exit(1);
}

const tg_kernels *tg_kernels_get(void)
{
    pthread_once(&chosen_once, choose);
    return chosen;
}
