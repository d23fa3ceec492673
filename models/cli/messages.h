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

/* A mistake in the command line, with a pointer to the help of the command, or of the program where
 * that is NULL; gives EXIT_USAGE. */
int usage_error(const char *command, const char *format, ...) TG_PRINTF(2, 3);

/* "; did you mean 'NAME'?" with the name nearest to the word, or "" where none is near. */
enum { SUGGESTION = 64 };
const char *suggest(const char *word, const char *const *names, int count, char text[SUGGESTION]);

#endif
