/* ncf: Neural Collaborative Filtering as a program, a sub-command for each use. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/terminal.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"train", train_command, "learn ratings; without arguments, those of the embedded data set"},
    {"evaluate", evaluate_command, "how good a saved model predicts and ranks, beside baselines"},
    {"predict", predict_command, "ratings of pairs of user and item"},
    {"recommend", recommend_command, "the best items for users, known to the model or new"},
    {"similar", similar_command, "items that are like one"},
    {"explain", explain_command, "which of a user's ratings carried a prediction"},
    {"export", export_command, "the vectors of users or items, for other programs"},
    {"info", info_command, "what is in a model file"},
    {"plot", plot_command, "learning curves, or a map of users or items, as SVG"},
    {"report", report_command, "all that can be said of a model, as one HTML page"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_help(void)
{
    puts("usage: ncf COMMAND [OPTION...]\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    putchar('\n');
    print_wrapped("`ncf help COMMAND` or `ncf COMMAND --help` lists a command's options with their "
                  "defaults; `ncf --version` prints the version. Two commands to begin with:",
                  0, 0);
    puts("\n  ncf train --data ratings.csv --titles movies.csv --save model.safetensors\n"
         "  ncf recommend --load model.safetensors --user 1");
    return EXIT_DONE;
}

static int run_command(const char *name, int argc, char **argv)
{
    const char *names[COMMANDS];
    char suggestion[SUGGESTION];
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc, argv);
        names[i] = commands[i].name;
    }
    return usage_error(NULL, "unknown command '%s'%s", name,
                       suggest(name, names, COMMANDS, suggestion));
}

/* ncf help [COMMAND] */
static int help(int argc, char **argv)
{
    static char option[] = "--help";
    if (argc == 0 || strcmp(argv[0], "help") == 0)
        return print_help();
    if (argc > 1)
        return usage_error(NULL, "unexpected word '%s' after help %s", argv[1], argv[0]);
    return run_command(argv[0], 1, (char *[]){option});
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return train_command(0, NULL);
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help();
    if (strcmp(word, "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(word, "--version") == 0) {
        puts("ncf (tapegrad) " TG_VERSION);
        return EXIT_DONE;
    }
    if (word[0] == '-') /* options of train */
        return train_command(argc - 1, argv + 1);
    return run_command(word, argc - 2, argv + 2);
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
