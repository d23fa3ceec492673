#define _DEFAULT_SOURCE /* madvise */
#include <stdlib.h>
#include <sys/mman.h>

#include "tensor/tensor-internal.h"

#define HUGE ((size_t)2 << 20)

void *tg_memory(size_t bytes)
{
    const size_t align = bytes >= 2 * HUGE ? HUGE : TG_LINE;
    if (bytes > SIZE_MAX - HUGE)
        return NULL;
    const size_t size = (bytes + align - 1) / align * align;
    void *data = aligned_alloc(align, size);
#ifdef MADV_HUGEPAGE
    if (data && align == HUGE)
        madvise(data, size, MADV_HUGEPAGE); /* a wish: without it all works as well */
#endif
    return data;
}
