/*
 * optim.h: optimisers with PyTorch's formulas
 *
 *     tg_optimizer *opt = tg_adam(m, .lr = 5e-4);
 *     ...
 *     tg_zero_grad(opt);  tg_backward(loss);  tg_optimizer_step(opt);
 *
 * Options are named; one that is left out or zero has the default in brackets. Parameters without a
 * gradient (grad == NULL) are left alone.
 */
#ifndef TG_OPTIM_OPTIM_H
#define TG_OPTIM_OPTIM_H

#include "nn/module.h"

typedef struct tg_optimizer tg_optimizer;

typedef struct tg_sgd_options {
    double lr;           /* learning rate [1e-3] */
    double momentum;     /* [0] */
    double weight_decay; /* adds weight_decay * p to the gradient [0] */
} tg_sgd_options;

/* v = momentum v + g;  p -= lr v   (torch.optim.SGD, dampening 0; v starts as the first g) */
#define tg_sgd(m, ...) tg_sgd_new(&(m)->base, (tg_sgd_options){__VA_ARGS__})
tg_optimizer *tg_sgd_new(const tg_module *m, tg_sgd_options options);

typedef struct tg_adam_options {
    double lr;           /* learning rate [1e-3] */
    double beta1, beta2; /* decay of the moments [0.9, 0.999] */
    double eps;          /* [1e-8] */
    double weight_decay; /* adds weight_decay * p to the gradient (L2, not AdamW) [0] */
} tg_adam_options;

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 * p -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)        (torch.optim.Adam)
 * Dense: of a row-sparse gradient the absent rows count as zero, so their m and v decay and the
 * rows still move. */
#define tg_adam(m, ...) tg_adam_new(&(m)->base, (tg_adam_options){__VA_ARGS__})
tg_optimizer *tg_adam_new(const tg_module *m, tg_adam_options options);

/* torch.optim.SparseAdam for row-sparse gradients: only the rows present are touched, and
 * p -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps). Dense gradients are treated as by
 * tg_adam. weight_decay applies to dense gradients alone. */
#define tg_sparse_adam(m, ...) tg_sparse_adam_new(&(m)->base, (tg_adam_options){__VA_ARGS__})
tg_optimizer *tg_sparse_adam_new(const tg_module *m, tg_adam_options options);

void tg_optimizer_free(tg_optimizer *opt);

/* Forget the gradients of all parameters (they become NULL). */
void tg_zero_grad(tg_optimizer *opt);

/* One update of all parameters from their gradients. */
void tg_optimizer_step(tg_optimizer *opt);

#endif
