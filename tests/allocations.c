#include "tests/allocations.h"

#include <errno.h>
#include <stdbool.h>

_Thread_local long allocations, refused;

#ifdef ALLOCATIONS_COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool is_refused(void)
{
    if (++allocations != refused)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **data, size_t alignment, size_t size)
{
    *data = is_refused() ? NULL : __libc_memalign(alignment, size);
    return *data ? 0 : ENOMEM;
}
#endif
