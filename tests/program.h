/*
 * program.h: runs of the program ncf in a folder of the test's own, for the tests of its commands
 *
 *     TestSuite(cli, .init = enter_folder, .fini = leave_folder);
 */
#ifndef TESTS_PROGRAM_H
#define TESTS_PROGRAM_H

#include <sys/types.h>

#include "tapegrad.h"

extern char program[4096]; /* its path */

void enter_folder(void);
void leave_folder(void);

void write_text(const char *path, const char *text);
void read_text(const char *path, char *text); /* into (1 << 16) bytes */

/* Run "ncf ARGUMENTS"; gives the exit status. */
int ncf(const char *format, ...) TG_PRINTF(1, 2);
/* The same behind other words for the shell: "NAME=VALUE", "ulimit -f 1;". */
int ncf_after(const char *words, const char *arguments);
/* Start the program in the background; its stderr goes to `terminal`, or to the file "err". */
pid_t start(const char *terminal, char *const *arguments);
extern char out[1 << 16], err[1 << 16]; /* what the last run printed */

int lines(const char *text);

/* The last run: one line on stderr that holds `message`, nothing on stdout, and `expected` as its
 * status. */
void expect_complaint(int status, int expected, const char *message);

/* A command line, and a part of the one line that is said of it. */
typedef struct complaint {
    const char *arguments, *message;
} complaint;

/* Each of the command lines {"ARGUMENTS", "MESSAGE"}, ... ends with this status and its message. */
#define EXPECT_COMPLAINTS(expected, ...)                                                           \
    expect_complaints(expected, (const complaint[]){__VA_ARGS__, {NULL, NULL}})
void expect_complaints(int expected, const complaint *list);

/* The text holds each of the parts "PART", ... */
#define EXPECT_PARTS(text, ...) expect_parts(text, (const char *const[]){__VA_ARGS__, NULL})
void expect_parts(const char *text, const char *const *part);

/* A file of ratings: 40 users, 100 to 139, who rate 10 of the items 1 to 30 each. */
void write_ratings(const char *path);

/* Options of train for a model that is made at once. */
#define SMALL_MODEL "--factors 2 --batch-size 32 "
#define SMALL SMALL_MODEL "--epochs 2 "

#endif
