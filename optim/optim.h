/*
 * optim.h: optimisers with PyTorch's formulas
 *
 *     tg_optimizer *opt = tg_adam(m, .lr = 5e-4);
 *     ...
 *     tg_zero_grad(opt);  tg_backward(loss);  tg_optimizer_step(opt);
 *
 * Options: autograd/named_options.h. A parameter without a gradient (grad == NULL) is left alone.
 * g stands for the gradient plus weight_decay * p, unless said otherwise.
 *
 * Misuse, where PyTorch raises ValueError: a number that is negative, NaN or infinite, a decay of 1
 * or more, and a module without parameters.
 */
#ifndef TG_OPTIM_OPTIM_H
#define TG_OPTIM_OPTIM_H

#include "autograd/named_options.h"
#include "nn/module.h"

typedef struct tg_optimizer tg_optimizer;

#define TG_OPTIMIZER_(function, type, defaults, m, ...)                                            \
    function(&(m)->base, TG_OPTIONS_(type, defaults, __VA_ARGS__))

typedef struct tg_sgd_options {
    double lr; /* learning rate */
    double momentum;
    double weight_decay;
    bool nesterov; /* needs a momentum */
    TG_NO_OPTION;
} tg_sgd_options;
#define TG_SGD_DEFAULTS .lr = 1e-3, .momentum = 0, .weight_decay = 0, .nesterov = false

/* v = momentum v + g;  p -= lr v, with nesterov p -= lr (g + momentum v)
 * (torch.optim.SGD, dampening 0; v starts as the first g) */
#define tg_sgd(...) TG_OPTIMIZER_(tg_sgd_new, tg_sgd_options, TG_SGD_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_sgd_new(const tg_module *m, tg_sgd_options options);

typedef struct tg_adam_options {
    double lr;
    double beta1, beta2; /* decay of the moments */
    double eps;
    double weight_decay;
    bool catch_up; /* tg_adam only, without weight decay: see there */
    TG_NO_OPTION;
} tg_adam_options;
#define TG_ADAM_DEFAULTS                                                                           \
    .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0, .catch_up = false
#define TG_ADAMW_DEFAULTS                                                                          \
    .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01, .catch_up = false

/* m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 * p -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)        (torch.optim.Adam)
 * Dense: of a row-sparse gradient the absent rows count as zero, so their m and v decay and the
 * rows still move.
 *
 * With catch_up rows move when they are next read, by the sum of what they missed: the same results
 * within rounding (a millionth of lr), and the cost of a step does not grow with the table. Read
 * such a table through ops and the functions of the library, not through ->data, until the
 * optimiser is freed. Only the moments of one optimiser can be late on a table. With beta1 = 0 no
 * absent row moves, and catch_up changes nothing. */
#define tg_adam(...) TG_OPTIMIZER_(tg_adam_new, tg_adam_options, TG_ADAM_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_adam_new(const tg_module *m, tg_adam_options options);

/* The same with the plain gradient, after p -= lr weight_decay p        (torch.optim.AdamW) */
#define tg_adamw(...) TG_OPTIMIZER_(tg_adamw_new, tg_adam_options, TG_ADAMW_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_adamw_new(const tg_module *m, tg_adam_options options);

/* torch.optim.SparseAdam for row-sparse gradients: only the rows present are touched, and
 * p -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps). Dense gradients are treated as by
 * tg_adam. weight_decay applies to dense gradients alone. */
#define tg_sparse_adam(...)                                                                        \
    TG_OPTIMIZER_(tg_sparse_adam_new, tg_adam_options, TG_ADAM_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_sparse_adam_new(const tg_module *m, tg_adam_options options);

typedef struct tg_adagrad_options {
    double lr;
    double eps;
    double weight_decay;
    TG_NO_OPTION;
} tg_adagrad_options;
#define TG_ADAGRAD_DEFAULTS .lr = 1e-2, .eps = 1e-10, .weight_decay = 0

/* v = v + g^2;  p -= lr g / (sqrt(v) + eps)        (torch.optim.Adagrad) */
#define tg_adagrad(...)                                                                            \
    TG_OPTIMIZER_(tg_adagrad_new, tg_adagrad_options, TG_ADAGRAD_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_adagrad_new(const tg_module *m, tg_adagrad_options options);

typedef struct tg_rmsprop_options {
    double lr;
    double alpha; /* decay of v */
    double eps;
    double weight_decay;
    TG_NO_OPTION;
} tg_rmsprop_options;
#define TG_RMSPROP_DEFAULTS .lr = 1e-2, .alpha = 0.99, .eps = 1e-8, .weight_decay = 0

/* v = alpha v + (1 - alpha) g^2;  p -= lr g / (sqrt(v) + eps)        (torch.optim.RMSprop) */
#define tg_rmsprop(...)                                                                            \
    TG_OPTIMIZER_(tg_rmsprop_new, tg_rmsprop_options, TG_RMSPROP_DEFAULTS, __VA_ARGS__, )
tg_optimizer *tg_rmsprop_new(const tg_module *m, tg_rmsprop_options options);

void tg_optimizer_free(tg_optimizer *opt);

/* Forget the gradients of all parameters (they become NULL). */
void tg_zero_grad(tg_optimizer *opt);

/* One update of all parameters from their gradients. */
void tg_optimizer_step(tg_optimizer *opt);

/* ---- groups and schedules -------------------------------------------------------------------- */

/* Another learning rate and weight decay for the parameters of a module inside the optimiser's. The
 * last call for a parameter counts. One that is not the optimiser's is misuse; nothing is changed
 * then. */
void tg_optimizer_group(tg_optimizer *opt, const tg_module *part, double lr, double weight_decay);

/* From now on every learning rate is what it was set to, times `factor`: the rest of this section
 * gives factors for update (or epoch) number `step`, from 0. A schedule has a step at least.
 *
 *     tg_set_lr_factor(opt, tg_schedule_cosine(epoch, epochs));
 */
void tg_set_lr_factor(tg_optimizer *opt, double factor);

double tg_schedule_step(int64_t step, int64_t size, double gamma); /* gamma^(step / size) */
double tg_schedule_cosine(int64_t step, int64_t steps);            /* from 1 to 0 at `steps` */
double tg_schedule_warmup(int64_t step, int64_t steps);            /* linear, 1 from `steps` - 1 */
/* From 1 / 25 to 1 in the first 0.3 of `steps`, to 1 / 250000 at the last; cosine both times
 * (torch.optim.lr_scheduler.OneCycleLR of max_lr = lr, without its momentum). */
double tg_schedule_one_cycle(int64_t step, int64_t steps);

/* Falls by `factor`, below 1, whenever none of `patience` + 1 values in a row was below the best so
 * far times 0.9999; a NaN is not (torch.optim.lr_scheduler.ReduceLROnPlateau).
 *
 *     tg_plateau plateau = tg_plateau_of(.patience = 2);
 *     tg_set_lr_factor(opt, tg_schedule_plateau(&plateau, loss));
 */
typedef struct tg_plateau {
    double factor;
    int patience;
    TG_NO_OPTION;
    bool started; /* state, as are the next three */
    double best;
    int bad;
    double now;
} tg_plateau;
#define TG_PLATEAU_DEFAULTS .factor = 0.1, .patience = 10
#define tg_plateau_of(...) TG_OPTIONS(tg_plateau, TG_PLATEAU_DEFAULTS, __VA_ARGS__)
double tg_schedule_plateau(tg_plateau *p, double value);

/* ---- gradients before the step --------------------------------------------------------------- */

/* Scale all gradients so that the norm of them together is at most max_norm, which is 0 or more;
 * gives the norm that they had. If that is NaN, so are all gradients then; if it is infinite, they
 * are 0 where they were finite (torch.nn.utils.clip_grad_norm_). */
double tg_clip_grad_norm(const tg_module *m, double max_norm);
/* Cut every element to -bound .. bound, where bound is 0 or more; NaN stays. */
void tg_clip_grad_value(const tg_module *m, double bound);

/* ---- state ----------------------------------------------------------------------------------- */

/* Moments and numbers of steps: "NAME.first", "NAME.second", "NAME.steps" for parameter NAME. The
 * first two belong to the optimiser; end it with tg_state_dict_release. */
tg_state_dict tg_optimizer_state_dict(tg_optimizer *opt);

/* Copy them back into an optimiser of the same kind and module; TG_EFORMAT, naming what is missing,
 * of another shape or dtype, no number of steps, or not the optimiser's, otherwise. */
tg_status tg_optimizer_load_state_dict(tg_optimizer *opt, const tg_state_dict *state);

#endif
