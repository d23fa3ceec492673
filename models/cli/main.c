/* ncf: train Neural Collaborative Filtering and predict ratings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"

static int print_help(void)
{
    puts("usage: ncf [train] [OPTION...]         learn ratings (ncf train --help)\n"
         "       ncf predict --load FILE [PAIRS] predict ratings (ncf predict --help)\n"
         "       ncf --help | --version\n"
         "\n"
         "Without arguments: train on the embedded data set.");
    return EXIT_DONE;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"train", train_command}, {"evaluate", evaluate_command},
              {"predict", predict_command}, {"recommend", recommend_command}};

static int run(int argc, char **argv)
{
    if (argc < 2)
        return train_command(0, NULL);
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help();
    if (strcmp(word, "--version") == 0) {
        puts("ncf (tapegrad) " TG_VERSION);
        return EXIT_DONE;
    }
    if (word[0] == '-') /* options of train */
        return train_command(argc - 1, argv + 1);
    const char *names[sizeof commands / sizeof *commands];
    const int count = (int)(sizeof commands / sizeof *commands);
    for (int i = 0; i < count; i++) {
        if (strcmp(commands[i].name, word) == 0)
            return commands[i].run(argc - 2, argv + 2);
        names[i] = commands[i].name;
    }
    return usage_error_unknown("command", word, names, count);
}

int main(int argc, char **argv)
{
    const int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say("standard output: %s", strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}
