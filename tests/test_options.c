/* Every option of every command, as the help lists them: mistakes are told alike. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/program.h"

TestSuite(options, .init = enter_folder, .fini = leave_folder, .timeout = 120);

static const char *const commands[] = {"train",   "evaluate", "predict", "recommend", "similar",
                                       "explain", "export",   "info",    "plot",      "report"};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* An option as its line of the help shows it. */
typedef struct shown_option {
    char name[32], operand[32], help[64]; /* "--data", "FILE" or "", the first words of its help */
} shown_option;

/* Call `check` for each of them; gives how many there are. */
static int for_each(void (*check)(const char *command, const shown_option *o))
{
    static char list[1 << 16];
    int count = 0;
    for (int c = 0; c < COMMANDS; c++) {
        cr_assert_eq(ncf("%s --help", commands[c]), 0, "%s", err);
        strcpy(list, out);
        for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
            shown_option o = {{0}, {0}, {0}};
            if (strncmp(line, "  -", 3) != 0 || strstr(line, "  --help") == line)
                continue;
            const size_t left = (size_t)(strstr(line + 2, "  ") - line);
            sscanf(line, "%31s", o.name);
            if (left > 2 + strlen(o.name))
                sscanf(line + 2 + strlen(o.name), "%31s", o.operand);
            sscanf(line + left, " %63[^;\n]", o.help);
            check(commands[c], &o);
            count++;
        }
    }
    return count;
}

/* A value that the option takes. */
static const char *value_of(const shown_option *o)
{
    static char first[64];
    if (strcmp(o->operand, "NAME") == 0) { /* "a|b|c" */
        snprintf(first, sizeof first, "%.*s", (int)strcspn(o->help, "|"), o->help);
        return first;
    }
    const size_t length = strlen(o->operand); /* "", "N", "FILE" */
    return length > 1 ? "text" : length ? "1" : "";
}

static void expect_once(const char *command, const shown_option *o)
{
    char message[128];
    const char *value = value_of(o);
    if (strcmp(o->name, "--user") == 0 && strcmp(command, "report") == 0)
        return; /* one more user each time */
    snprintf(message, sizeof message, "ncf: %s is given twice; expected it once; see ncf %s --help\n",
             o->name, command);
    expect_complaint(ncf("%s %s %s %s %s", command, o->name, value, o->name, value), 2, message);
}

Test(options, given_twice__are_refused)
{
    cr_expect_gt(for_each(expect_once), 80);
}

static void expect_suggestion(const char *command, const shown_option *o)
{
    char message[128];
    if (o->name[1] != '-')
        return; /* one letter is like any other */
    snprintf(message, sizeof message, "ncf: unknown option '%sx'; did you mean '", o->name);
    expect_complaint(ncf("%s %sx", command, o->name), 2, message);
    snprintf(message, sizeof message, "'?; see ncf %s --help\n", command);
    cr_expect_not_null(strstr(err, message), "%s", err);
}

Test(options, mistyped__get_a_suggestion)
{
    cr_expect_gt(for_each(expect_suggestion), 80);
}

static void expect_operand(const char *command, const shown_option *o)
{
    char message[128];
    if (!*o->operand)
        return;
    snprintf(message, sizeof message, "ncf: %s: expected ", o->name);
    expect_complaint(ncf("%s %s", command, o->name), 2, message);
    snprintf(message, sizeof message, "got nothing; see ncf %s --help\n", command);
    cr_expect_not_null(strstr(err, message), "%s", err);
}

Test(options, without_their_value__are_refused)
{
    cr_expect_gt(for_each(expect_operand), 80);
}

Test(options, help__is_a_command_too)
{
    static char by_option[1 << 16];
    cr_assert_eq(ncf("--help"), 0);
    strcpy(by_option, out);
    static const char *const same[] = {"help", "-h", "help help"};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(ncf("%s", same[i]), 0, "%s", err);
        cr_expect_str_eq(out, by_option, "ncf %s", same[i]);
    }
    for (int c = 0; c < COMMANDS; c++) {
        cr_assert_eq(ncf("%s --help", commands[c]), 0);
        strcpy(by_option, out);
        cr_expect_eq(ncf("help %s", commands[c]), 0, "%s", err);
        cr_expect_str_eq(out, by_option, "%s", commands[c]);
    }
    expect_complaint(ncf("help trian"), 2, "unknown command 'trian'; did you mean 'train'?; see ncf "
                                           "--help");
    expect_complaint(ncf("help train x"), 2, "unexpected word 'x' after help train");
}
