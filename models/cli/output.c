#define _XOPEN_SOURCE 700 /* realpath */

#include "models/cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/cli/messages.h"

static bool is_standard(const char *path)
{
    return !path || strcmp(path, "-") == 0;
}

/* "FOLDER/" of FOLDER/FILE, "./" of FILE; NULL, and errno, on failure. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
}

/* What forbids a file to be written: an errno, or 0. It is replaced as a whole, so that its folder
 * must take a new one. */
static int obstacle(const char *path)
{
    struct stat file;
    const bool is_there = stat(path, &file) == 0;
    if (is_there && S_ISDIR(file.st_mode))
        return EISDIR;
    if (is_there && access(path, W_OK) != 0)
        return errno;
    if (is_there && !S_ISREG(file.st_mode))
        return 0;
    char *target = is_there ? realpath(path, NULL) : strdup(path);
    char *folder = target ? folder_of(target) : NULL;
    int error = !folder || access(folder, W_OK) != 0 ? errno : 0;
    if (!error && target[strlen(target) - 1] == '/')
        error = EISDIR;
    free(target);
    free(folder);
    return error;
}

int output_check(const char *path)
{
    const int error = is_standard(path) ? 0 : obstacle(path);
    if (!error)
        return EXIT_DONE;
    say("%s: %s; expected a file that can be written", path, strerror(error));
    return EXIT_FAILED;
}

int output_write(const char *path, tg_file_writer write, const void *context)
{
    if (is_standard(path))
        return write(stdout, context), EXIT_DONE;
    return tg_file_write(path, write, context) == TG_OK ? EXIT_DONE : say_last_error();
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_same_place(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool output_is_same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    const bool has_a = stat(a, &of_a) == 0, has_b = stat(b, &of_b) == 0;
    if (has_a || has_b)
        return has_a && has_b && S_ISREG(of_a.st_mode) && is_same_place(&of_a, &of_b);
    const char *name_a = strrchr(a, '/'), *name_b = strrchr(b, '/');
    if (strcmp(name_a ? name_a + 1 : a, name_b ? name_b + 1 : b) != 0)
        return false;
    char *folder_a = folder_of(a), *folder_b = folder_of(b);
    const bool is_same = folder_a && folder_b && stat(folder_a, &of_a) == 0 &&
                         stat(folder_b, &of_b) == 0 && is_same_place(&of_a, &of_b);
    free(folder_a);
    free(folder_b);
    return is_same;
}
