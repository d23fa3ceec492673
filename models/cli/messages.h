/*
 * messages.h: what the program says on stderr, one line each, and how it exits
 */
#ifndef NCF_MESSAGES_H
#define NCF_MESSAGES_H

#include "tapegrad.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

void say(const char *format, ...) TG_PRINTF(1, 2);

/* Say what the library's last error was; gives EXIT_FAILED. */
int say_last_error(void);

/* A mistake in the command line; gives EXIT_USAGE. */
int usage_error(const char *format, ...) TG_PRINTF(1, 2);

/* "unknown WHAT 'WORD'; did you mean 'NAME'?" with the nearest of the names; gives EXIT_USAGE. */
int usage_error_unknown(const char *what, const char *word, const char *const *names, int count);

#endif
