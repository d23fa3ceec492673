#include "models/cli/output.h"

#include <errno.h>
#include <string.h>

#include "models/cli/messages.h"

static bool is_standard(const char *path)
{
    return !path || strcmp(path, "-") == 0;
}

FILE *output_open(const char *path)
{
    FILE *file = is_standard(path) ? stdout : fopen(path, "wb");
    if (!file)
        say("%s: %s", path, strerror(errno));
    return file;
}

int output_close(FILE *file, const char *path, int error)
{
    if (is_standard(path))
        return EXIT_DONE;
    const bool has_failed = ferror(file);
    if (fclose(file) != 0 || has_failed)
        error = error ? error : errno;
    if (error)
        say("%s: %s", path, strerror(error));
    return error ? EXIT_FAILED : EXIT_DONE;
}
