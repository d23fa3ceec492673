/*
 * allocations.h: the calls of malloc and its like are counted, and one of them can be refused, where
 * glibc lets a program put its own in front
 */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define ALLOCATIONS_COUNTED
#endif

extern _Thread_local long allocations; /* of this thread so far */
extern _Thread_local long refused;     /* what `allocations` becomes with the one that gives NULL */

#endif
