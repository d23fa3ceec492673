/* Write a report page of 50,000 made-up items to standard output. */
#include <stdio.h>
#include <string.h>

#include "tests/picture_samples.h"

int main(void)
{
    const int error = page_write(stdout, picture_sample(50000));
    if (error)
        fprintf(stderr, "standard output: %s\n", strerror(error));
    return error != 0;
}
