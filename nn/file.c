#define _XOPEN_SOURCE 700 /* realpath */

#include "nn/file-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tg_file_write_tensor(FILE *file, const tg_tensor *t)
{
    const size_t bytes = (size_t)tg_numel(t) * tg_dtype_size(t->dtype);
    if (bytes == 0)
        return 0;
    tg_tensor *copy = tg_is_contiguous(t) ? NULL : tg_retain(t);
    if (copy && tg_is_error(copy))
        return ENOMEM;
    const void *data = copy ? copy->data : t->data;
    const int error = fwrite(data, bytes, 1, file) == 1 ? 0 : errno;
    tg_free(copy);
    return error;
}

/* Write `path` itself. */
static int write_direct(const char *path, tg_file_writer write, const void *context)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return errno;
    int error = write(file, context);
    if (fclose(file) != 0 && error == 0)
        error = errno;
    return error;
}

/* A new file beside `path`, with its name in *name, which the caller frees. Not mkstemp: that would
 * give the file mode 0600, and the umask cannot be asked for without setting it. */
static FILE *open_beside(const char *path, char **name)
{
    const size_t size = strlen(path) + 48;
    *name = malloc(size);
    FILE *file = NULL;
    errno = *name ? EEXIST : ENOMEM;
    for (int i = 0; i < 100 && !file && errno == EEXIST; i++) {
        snprintf(*name, size, "%s.%ld-%d.tmp", path, (long)getpid(), i);
        file = fopen(*name, "wbx");
    }
    return file;
}

/* Put a new file in the place of `path`, or of what it links to. */
static int write_replacement(const char *path, tg_file_writer write, const void *context)
{
    char *name = NULL, *target = realpath(path, NULL);
    if (!target && errno == ENOENT)
        target = strdup(path);
    FILE *file = target ? open_beside(target, &name) : NULL;
    int error = file ? 0 : errno;
    if (file) {
        struct stat old; /* whose permissions stay */
        if (stat(target, &old) == 0)
            fchmod(fileno(file), old.st_mode & 0777);
        error = write(file, context);
        if (error == 0 && fsync(fileno(file)) != 0)
            error = errno;
        if (fclose(file) != 0 && error == 0)
            error = errno;
        if (error == 0 && rename(name, target) != 0)
            error = errno;
        if (error != 0)
            unlink(name);
    }
    free(name);
    free(target);
    return error;
}

tg_status tg_file_write(const char *path, tg_file_writer write, const void *context)
{
    /* Devices, pipes and links to nothing yet hold no old file that a failure could spoil. */
    struct stat link, file;
    const bool direct =
        lstat(path, &link) == 0 && !(stat(path, &file) == 0 && S_ISREG(file.st_mode));
    const int error = (direct ? write_direct : write_replacement)(path, write, context);
    if (error != 0)
        return tg_failure(TG_EIO, "%s: cannot be written: %s", path, strerror(error));
    return TG_OK;
}
