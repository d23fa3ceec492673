#define _DEFAULT_SOURCE /* madvise */
#include <stdlib.h>
#include <sys/mman.h>

#include "tensor/tensor-internal.h"

#define HUGE ((size_t)2 << 20)

void *tg_memory(size_t bytes)
{
    if (bytes > SIZE_MAX - HUGE)
        return NULL;
    const size_t huge = (bytes + HUGE / 2) / HUGE * HUGE; /* half of one, at most, is lost */
    void *data;
    if (posix_memalign(&data, huge ? HUGE : TG_LINE, bytes > huge ? bytes : huge) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (huge)
        madvise(data, huge, MADV_HUGEPAGE); /* a wish: without it all works as well */
#endif
    return data;
}
