/*
 * error.h: what can go wrong, and how a program hears of it
 *
 * Two kinds of error.
 *
 * Misuse of the library (shapes that do not fit, a wrong dtype, an index out of range, a tensor
 * of a step that has ended). The message names the caller's line, the op and the shapes:
 *
 *     models/ncf.c:21: matmul: [256, 64] x [128, 32]: inner sizes 64 and 128 differ
 *
 * By default it is printed to stderr and the program exits with status 1. After
 * tg_set_misuse(TG_MISUSE_RETURN) the op returns an error tensor instead, every later op passes it
 * through untouched, and the first message is kept until tg_clear_error().
 *
 * The outside world (files, data, memory): the function returns a negative tg_status, and
 * tg_last_error() gives the message, which starts with FILE:LINE where there is one.
 */
#ifndef TG_TENSOR_ERROR_H
#define TG_TENSOR_ERROR_H

#include <stdbool.h>

typedef enum tg_status {
    TG_OK = 0,
    TG_EMISUSE = -1, /* the library was called wrongly */
    TG_EIO = -2,     /* a file cannot be opened, read or written */
    TG_EFORMAT = -3, /* a file's content is not what it should be */
    TG_ENOMEM = -4,  /* no memory */
} tg_status;

typedef enum tg_misuse_mode { TG_MISUSE_EXIT, TG_MISUSE_RETURN } tg_misuse_mode;

typedef struct tg_error {
    tg_status status;
    char message[512];
} tg_error;

/* The error that is kept for this thread: the first misuse since tg_clear_error(), or the latest
 * failure of the outside world. status is TG_OK while there is none. Never NULL. */
const tg_error *tg_last_error(void);

void tg_clear_error(void);

/* What misuse does in this thread: print and exit(1) (the default), or return an error tensor. */
void tg_set_misuse(tg_misuse_mode mode);

/* The caller's place, passed by the macros in front of every op: "models/ncf.c:21". */
#define TG_STRING_(x) #x
#define TG_STRING(x) TG_STRING_(x)
#define TG_HERE __FILE__ ":" TG_STRING(__LINE__)

#if defined(__GNUC__)
#define TG_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define TG_PRINTF(text, first)
#endif

/* For authors of ops: report misuse of `op` at `at`; gives the error tensor to return. */
struct tg_tensor *tg_misuse(const char *at, const char *op, const char *format, ...)
    TG_PRINTF(3, 4);

/* For authors of readers and writers: keep the message, give back `status`. */
tg_status tg_failure(tg_status status, const char *format, ...) TG_PRINTF(2, 3);

#endif
