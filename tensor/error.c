#include "tensor/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tensor/tensor-internal.h"

static _Thread_local struct {
    tg_error error;
    tg_misuse_mode mode;
    const char *function; /* that is made of ops and runs; the outermost one, or NULL */
} local;

const tg_error *tg_last_error(void)
{
    return &local.error;
}

void tg_clear_error(void)
{
    local.error = (tg_error){.status = TG_OK};
}

void tg_set_misuse(tg_misuse_mode mode)
{
    local.mode = mode;
}

bool tg_function_begin(const char *name)
{
    const bool is_outermost = !local.function;
    if (is_outermost)
        local.function = name;
    return is_outermost;
}

void tg_function_end(const bool *is_outermost)
{
    if (*is_outermost)
        local.function = NULL;
}

tg_tensor *tg_misuse(const char *at, const char *op, const char *format, ...)
{
    tg_error error = {.status = TG_EMISUSE};
    const char *name = local.function ? local.function : op;
    const int head = snprintf(error.message, sizeof error.message, "%s: %s: ", at, name);
    if (head >= 0 && (size_t)head < sizeof error.message) {
        va_list list;
        va_start(list, format);
        vsnprintf(error.message + head, sizeof error.message - (size_t)head, format, list);
        va_end(list);
    }
    if (local.mode == TG_MISUSE_EXIT) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    if (local.error.status != TG_EMISUSE) /* the first one is the cause of those that follow */
        local.error = error;
    return tg_error_tensor();
}

tg_status tg_failure(tg_status status, const char *format, ...)
{
    char *message = local.error.message;
    local.error.status = status;
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof local.error.message, format, list);
    va_end(list);
    for (; *message; message++) /* what a file holds may end lines, or be a terminal's command */
        if ((unsigned char)*message < ' ' || *message == 0x7F)
            *message = '?';
    return status;
}

void tg_out_of_memory(size_t bytes)
{
    fprintf(stderr, "tapegrad: no memory for %zu more bytes\n", bytes);
    exit(1);
}
