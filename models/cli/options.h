/*
 * options.h: options from a table, which also makes the help and the list of settings: --name, and
 * -n where the name is one letter
 */
#ifndef NCF_OPTIONS_H
#define NCF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum option_kind {
    OPTION_FLAG,        /* bool */
    OPTION_INT,         /* int64_t in [low, high] */
    OPTION_INT_OR_OFF,  /* the same; 0, its default, is off */
    OPTION_REAL,        /* double in [low, high] */
    OPTION_REAL_OR_OFF, /* the same; 0, its default, is off */
    OPTION_TEXT,        /* const char *, NULL while not given */
    OPTION_INPUT,       /* the same: a file that is read */
    OPTION_OUTPUT,      /* the same: a file that is written */
    OPTION_TEXTS,       /* texts: one each time that it is given; no setting */
    OPTION_CHOICE,      /* const char *, one of the choices, "a|b|c" */
} option_kind;

enum { TEXTS_LIMIT = 100 };
typedef struct texts {
    int count;
    const char *text[TEXTS_LIMIT];
} texts;

typedef struct option {
    const char *name; /* without the dashes */
    option_kind kind;
    void *value;         /* set before parsing to the default */
    const char *operand; /* "FILE"; for a choice the choices */
    const char *help; /* words, which are wrapped */
    double low, high; /* of a number, both included */
} option;

typedef struct usage {
    const char *command;            /* "train" */
    const char *synopsis, *summary; /* "ncf [train] [OPTION...]"; words, which are wrapped */
    const option *option;
    int count;
    const char *operand; /* what the one word that is no option may be, or NULL */
} usage;

/* Set the options' values from `--name value`, `--name=value`, `--name`, `-n value`, each once but
 * for OPTION_TEXTS; *operand becomes the word that is no option, or NULL. The first `needed`
 * options are texts that must be given. An output must be none of the inputs nor another output,
 * and a file that can be written. False where nothing else is to be done, with the exit status:
 * --help printed the help on stdout, or a mistake was said on stderr in one line. */
bool parse_options(const usage *u, int needed, int argc, char **argv, const char **operand,
                   int *status);

/* The words that would set the first `count` options as they are, as one types them in a shell, but
 * for those that are off; the caller frees them. NULL where there is no memory. */
char *format_settings(const usage *u, int count);

/* Set the first `count` options' values from such words, which are cut in pieces and must outlive
 * the values; `file` is where they are from. An exit status; a mistake has been said. */
int parse_settings(const usage *u, int count, const char *file, char *words);

/* Cut the next one of such words off, without quotes; NULL after the last one. */
char *settings_next(char **rest);

/* Print all options' settings, but for those that are off, on stderr. */
void print_settings(const usage *u, const char *command);

#endif
