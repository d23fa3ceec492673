/*
 * cli.h: what the files of the program share
 */
#ifndef NCF_CLI_H
#define NCF_CLI_H

#include "tapegrad.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* One line on stderr, "ncf: " in front. */
void say(const char *format, ...) TG_PRINTF(1, 2);

/* Say what the library's last error was; gives EXIT_FAILED. */
int say_last_error(void);

/* The sub-commands; argv[0] is the first word after the sub-command's name. */
int train_command(int argc, char **argv);
int predict_command(int argc, char **argv);

#endif
