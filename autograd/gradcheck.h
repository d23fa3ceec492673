/*
 * gradcheck.h: is a gradient right, and the gradient of a gradient?
 *
 * Compares the gradients that tg_backward gives with central differences, in f64:
 *
 *     numeric = (L(x + h) - L(x - h)) / 2h,   h = 1e-6 max(1, |x|)
 *     error   = |analytic - numeric| / max(1, |analytic|, |numeric|)
 *
 * L is the sum of the function's output weighted with fixed random numbers, so that a function of
 * any output shape is checked in one go and errors do not cancel. Elements are moved one at a time;
 * an input of more than TG_GRADCHECK_ELEMENTS as a whole, along TG_GRADCHECK_DIRECTIONS fixed
 * random directions of steps +-h: there the analytic value is the sum of gradient times direction.
 *
 * Where the slopes from the two sides differ, and still do with a sixteenth of h, there is a kink,
 * as in relu at 0. A gradient between the two slopes is then right, and the kink is counted.
 *
 * The thread's random generator is set back before every evaluation, so that dropout draws the same
 * mask each time; a function that still gives two values for one input is reported as not
 * deterministic. tg_module_gradcheck of nn/module.h checks all parameters of a module.
 */
#ifndef TG_AUTOGRAD_GRADCHECK_H
#define TG_AUTOGRAD_GRADCHECK_H

#include "tensor/tensor.h"

#define TG_GRADCHECK_ELEMENTS 1000
#define TG_GRADCHECK_DIRECTIONS 20

typedef struct tg_gradcheck_report {
    bool ok;              /* error <= tolerance, and nothing else went wrong */
    double error;         /* the worst, as defined above */
    int input;            /* where it stands: number of the input ... */
    int64_t element;      /* ... and of the element in it, row-major, or of the direction */
    double analytic, numeric;
    int64_t checked;      /* elements and directions compared */
    int64_t kinks;        /* of these, those at a kink */
    char message[512];    /* all of the above in words, or why it could not be checked */
} tg_gradcheck_report;

/* A function of `count` inputs. It must return a tensor and be a function of the inputs alone. */
typedef tg_tensor *(*tg_gradcheck_function)(void *context, tg_tensor *const *input, int count);

/* Check the gradients of every input that requires one (contiguous f64 leaves). The inputs' values
 * are moved and put back; their grads are left zeroed. tolerance 0 means 1e-6. */
bool tg_gradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input, int count,
                  double tolerance, tg_gradcheck_report *report);

/* Check the second derivatives: tg_gradcheck of the gradients that tg_grad gives with create_graph,
 * weighted in the same way; of the function's square, so that linear ones have any. */
bool tg_gradgradcheck(tg_gradcheck_function function, void *context, tg_tensor *const *input,
                      int count, double tolerance, tg_gradcheck_report *report);

#endif
