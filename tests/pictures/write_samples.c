/* Write the sample pictures into the folder given: page.html, large.html, curves.svg, map.svg. */
#include <stdio.h>
#include <string.h>

#include "tests/picture_samples.h"

static const char *folder;

static FILE *create(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        perror(path);
    return file;
}

/* The exit status so far, with that of a picture which was written to `file`. */
static int finish(int status, FILE *file, int error)
{
    if (error)
        fprintf(stderr, "%s: %s\n", folder, strerror(error));
    return fclose(file) != 0 || error || status;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    int status = 0;
    FILE *files[] = {create("page.html"), create("curves.svg"), create("map.svg"),
                     create("large.html")};
    for (int i = 0; i < 4; i++)
        if (!files[i])
            return 1;
    const page *sample = picture_sample(3706);
    status = finish(status, files[0], page_write(files[0], sample));
    status = finish(status, files[1], svg_write_curves(files[1], &sample->curves));
    status = finish(status, files[2], svg_write_map(files[2], &sample->map));
    return finish(status, files[3], page_write(files[3], picture_sample(50000)));
}
