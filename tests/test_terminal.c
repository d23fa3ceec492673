/* What the program shows on terminals of several widths: a bar and a table that fit. */
#define _XOPEN_SOURCE 700 /* posix_openpt */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/program.h"

TestSuite(terminal, .init = enter_folder, .fini = leave_folder, .timeout = 120);

static int open_terminal(void)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        cr_skip_test("no pseudo-terminal");
    return master;
}

static void set_columns(int master, int columns)
{
    const struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    cr_assert_eq(ioctl(master, TIOCSWINSZ, &size), 0);
}

/* What the terminal is sent, into err, until it holds `text` or the program has ended. */
static void read_until(int master, const char *text)
{
    size_t size = 0;
    ssize_t got;
    *err = '\0';
    while (!strstr(err, text) && size + 1 < sizeof err &&
           (got = read(master, err + size, sizeof err - 1 - size)) > 0) {
        size += (size_t)got;
        err[size] = '\0';
    }
}

static void end(pid_t child, int master)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(master);
}

/* Cut the next piece off that ends where the cursor goes to the left: a drawing of the bar, or a
 * line. NULL after the last one. */
static char *next_piece(char **rest)
{
    char *piece = *rest + strspn(*rest, "\r\n");
    while (strncmp(piece, "\033[K", 3) == 0) /* the bar is taken away */
        piece += 3 + strspn(piece + 3, "\r\n");
    if (!*piece)
        return NULL;
    *rest = piece + strcspn(piece, "\r\n");
    if (**rest)
        *(*rest)++ = '\0';
    return piece;
}

/* Its width, without what erases the rest of a line at its end. */
static int width_of(const char *piece, bool *erases)
{
    const char *escape = strchr(piece, '\033');
    *erases = escape && strcmp(escape, "\033[K") == 0;
    cr_expect(!escape || *erases, "%s", piece);
    return (int)(escape ? escape - piece : (ptrdiff_t)strlen(piece));
}

/* ---- training -------------------------------------------------------------------------------- */

static const struct {
    int columns;
    const char *options[6];
    const char *bar, *head; /* the last fields that are shown of both */
} training[] = {
    {40, {NULL}, "%", " RMSE"},
    {60, {NULL}, " left", " samples/s"},
    {80, {NULL}, " samples/s", " samples/s"},
    {120, {NULL}, " samples/s", " samples/s"},
    {0, {NULL}, " samples/s", " samples/s"}, /* a terminal that does not tell */
    {60, {"--validation", "0.2"}, " left", " RMSE"},
    {80, {"--validation", "0.2"}, " samples/s", " samples/s"},
    {60, {"--validation", "0.2", "--task", "ranking"}, " left", " test HR@10"},
    {80, {"--validation", "0.2", "--task", "ranking"}, " samples/s", " seconds"},
    {120, {"--validation", "0.2", "--task", "ranking"}, " samples/s", " samples/s"},
};

/* The bar and the table in err fit, and reach as far as is expected. */
static void expect_fit(int columns, const char *bar, const char *head)
{
    char *rest = err;
    int bars = 0, epochs = 0;
    bool erases, has_head = false;
    for (char *piece; (piece = next_piece(&rest));) {
        const int width = width_of(piece, &erases);
        const char *slash = strchr(piece, '/');
        if (strncmp(piece, "epoch ", 6) == 0 && strchr(piece, '[')) {
            cr_expect(erases && width < columns, "%d: %s", columns, piece);
            const char *last = piece + width - strlen(bar);
            cr_expect_eq(strncmp(last, bar, strlen(bar)), 0, "%d: %s", columns, piece);
            bars++;
        } else if (strncmp(piece, "epoch ", 6) == 0) {
            cr_expect_leq(width, columns, "%s", piece);
            cr_expect_str_eq(piece + strlen(piece) - strlen(head), head, "%d: %s", columns, piece);
            has_head = true;
        } else if (has_head && slash && strspn(piece, " 0123456789/.") == strlen(piece)) {
            cr_expect_leq(width, columns, "%s", piece);
            epochs++;
        }
    }
    cr_expect(has_head && bars > 0 && epochs == 2, "%d bars, %d epochs, %d columns", bars, epochs,
              columns);
}

Test(terminal, training__fits)
{
    write_ratings("r");
    for (size_t i = 0; i < sizeof training / sizeof *training; i++) {
        const int master = open_terminal();
        char *arguments[32] = {program, "train",  "--data",       "r",  "--epochs",
                               "2",     "--factors", "4", "--batch-size", "32"};
        for (int n = 10, o = 0; o < 6 && training[i].options[o]; n++, o++)
            arguments[n] = strdup(training[i].options[o]);
        set_columns(master, training[i].columns);
        const pid_t child = start(ptsname(master), arguments);
        read_until(master, "no such text");
        end(child, master);
        expect_fit(training[i].columns ? training[i].columns : 80, training[i].bar,
                   training[i].head);
        for (int n = 10; arguments[n]; n++)
            free(arguments[n]);
    }
}

Test(terminal, window__may_change_its_width)
{
    write_ratings("r");
    const int master = open_terminal();
    char *arguments[] = {program, "--data", "r", "--epochs", "100000", NULL};
    set_columns(master, 120);
    const pid_t child = start(ptsname(master), arguments);
    read_until(master, " samples/s\033[K");
    cr_expect_not_null(strstr(err, " samples/s\033[K"), "%s", err);
    set_columns(master, 50);
    read_until(master, " loss "); /* drawn before the change, or while it was made */
    for (int i = 0; i < 3; i++) {
        read_until(master, "\033[K\r\033[K");
        char *bar = strrchr(err, '[') ? strstr(err, "\repoch ") : NULL;
        for (bool erases; bar && i > 0; bar = strstr(bar + 1, "\repoch ")) {
            char piece[256] = "";
            memcpy(piece, bar + 1, strcspn(bar + 1, "\r\n"));
            cr_expect_lt(width_of(piece, &erases), 50, "%s", piece);
        }
    }
    end(child, master);
}

/* ---- help ------------------------------------------------------------------------------------ */

static void expect_narrow(const char *arguments)
{
    cr_assert_eq(ncf("%s", arguments), 0, "%s", err);
    for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
        cr_expect_leq(strcspn(line, "\n"), 80, "ncf %s: %.*s", arguments,
                      (int)strcspn(line, "\n"), line);
}

Test(terminal, help__fits_80_columns)
{
    char list[1 << 16], command[32], arguments[64];
    expect_narrow("--help");
    strcpy(list, out);
    int commands = 0;
    for (char *line = strstr(list, "\n  "); line; line = strstr(line + 1, "\n  "))
        if (sscanf(line, "%31s", command) == 1 && strcmp(command, "ncf") != 0) {
            snprintf(arguments, sizeof arguments, "help %s", command);
            expect_narrow(arguments);
            commands++;
        }
    cr_expect_eq(commands, 10);
}
