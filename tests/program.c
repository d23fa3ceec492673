#define _XOPEN_SOURCE 700 /* realpath */

#include "tests/program.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char program[4096];
static char folder[64];

void enter_folder(void)
{
    const char *name = getenv("NCF");
    cr_assert_not_null(realpath(name ? name : "build/ncf", program), "the program is not built");
    strcpy(folder, "/tmp/tapegrad-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

void leave_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
}

char out[1 << 16], err[1 << 16];

void read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s is not there", path);
    text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
    fclose(file);
}

int ncf(const char *format, ...)
{
    char arguments[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    return ncf_after("", arguments);
}

int ncf_after(const char *words, const char *arguments)
{
    char command[8192];
    snprintf(command, sizeof command, "%s '%s' %s >out 2>err", words, program, arguments);
    const int status = system(command);
    read_text("out", out);
    read_text("err", err);
    cr_assert(WIFEXITED(status), "ncf %s ended by a signal: %s", arguments, err);
    return WEXITSTATUS(status);
}

void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

pid_t start(const char *terminal, char *const *arguments)
{
    const pid_t child = fork();
    if (child == 0) {
        const int o = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int e = terminal ? open(terminal, O_WRONLY | O_NOCTTY)
                               : open("err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(o, STDOUT_FILENO);
        dup2(e, STDERR_FILENO);
        execv(program, arguments);
        _exit(127);
    }
    return child;
}

int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

void expect_complaint(int status, int expected, const char *message)
{
    cr_expect_eq(status, expected, "exit status %d, %s", status, err);
    cr_expect_eq(strncmp(err, "ncf: ", 5), 0, "%s", err);
    cr_expect_eq(lines(err), 1, "%s", err);
    cr_expect_not_null(strstr(err, message), "%sexpected %s", err, message);
    cr_expect_str_empty(out);
}

void expect_complaints(int expected, const complaint *list)
{
    for (; list->arguments; list++)
        expect_complaint(ncf("%s", list->arguments), expected, list->message);
}

void expect_parts(const char *text, const char *const *part)
{
    for (; *part; part++)
        cr_expect_not_null(strstr(text, *part), "%s is missing in %.4000s", *part, text);
}

void write_ratings(const char *path)
{
    FILE *file = fopen(path, "wb");
    for (int u = 0; u < 40; u++)
        for (int i = 0; i < 10; i++)
            fprintf(file, "%d\t%d\t%d\t%d\n", 100 + u, 1 + (7 * i + u) % 30, 1 + (u + i) % 5, i);
    fclose(file);
}
