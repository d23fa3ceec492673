/*
 * op_samples.h: calls of every op, of which the tests check values and gradients
 *
 * Those of the elementwise ops are generated from tensor/elementwise.def, the others stand in
 * tests/op_samples.def.
 */
#ifndef TESTS_OP_SAMPLES_H
#define TESTS_OP_SAMPLES_H

#include "tensor/tensor.h"

#define OP_SAMPLE_OPERANDS 5

typedef struct op_sample {
    const char *op;   /* its name in the table of ops, or that of a function made of ops */
    const char *call; /* "tg_matmul(x[0], tg_t(x[1]))" */
    tg_tensor *(*apply)(tg_tensor *const *x);
    double low, high; /* where operands are drawn from */
    int count;
    tg_shape operand[OP_SAMPLE_OPERANDS];
} op_sample;

extern const op_sample op_samples[];
extern const int op_sample_count; /* those of ops that have a gradient; they come first */
extern const int op_call_count;   /* all */

/* How the indices that samples hand in are wrong, for tests of misuse. */
typedef enum index_fault {
    INDEX_FITS,
    INDEX_NEGATIVE,
    INDEX_TOO_LARGE,
    INDEX_FLOATING,
    INDEX_ABSENT,
    INDEX_ENDED,
    INDEX_FAULTS
} index_fault;
extern index_fault op_index_fault;
extern int op_indices_made; /* by samples so far */

#endif
