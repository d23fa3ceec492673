#include "models/cli/trainer.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/checkpoint.h"
#include "models/cli/history.h"
#include "models/cli/messages.h"
#include "models/cli/progress.h"
#include "models/cli/terminal.h"

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first Ctrl-C ends training after the batch, a second one the program. */
static void catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Add the gradient of decay / 2 |p|^2: decay * p. */
static void decay_numbers(float *g, const float *p, int64_t n, float decay)
{
    for (int64_t i = 0; i < n; i++)
        g[i] += decay * p[i];
}

/* Of the rows of a table that the batch has read, and no others: so a row is pulled to zero as
 * often as it is rated. */
static void decay_rows(const tg_tensor *table, float decay)
{
    const tg_tensor *g = table->grad;
    const int64_t rows = tg_numel(g->rows), dim = g->shape.size[1], *row = g->rows->data;
    for (int64_t k = 0; k < rows; k++)
        decay_numbers((float *)g->data + k * dim, (const float *)table->data + row[k] * dim, dim,
                      decay);
}

/* Biases, of one dimension or tables of one column, are left alone. The loss is the mean of `size`
 * samples': each reads a row of a table, and all the weights of a layer. */
static void decay_parameters(const trainer *t, int64_t size)
{
    const double decay = t->plan->weight_decay;
    const bool is_of_all = t->plan->decay && strcmp(t->plan->decay, "all") == 0;
    for (int64_t i = 0; i < t->parameters.count && decay > 0; i++) {
        const tg_tensor *p = t->parameters.entry[i].tensor, *g = p->grad;
        if (!g || p->shape.ndim < 2)
            continue;
        if (g->rows && tg_size(p, 1) > 1)
            decay_rows(p, (float)(decay / (double)size));
        else if (!g->rows && is_of_all)
            decay_numbers(g->data, p->data, tg_numel(p), (float)decay);
    }
}

static double lr_factor(const trainer *t, int64_t batch)
{
    const int64_t batches = samples_batches(t->samples), all = batches * t->plan->epochs;
    const int64_t step = batches * t->epoch + batch;
    if (strcmp(t->plan->lr_schedule, "cosine") == 0)
        return tg_schedule_cosine(step, all);
    return strcmp(t->plan->lr_schedule, "one-cycle") == 0 ? tg_schedule_one_cycle(step, all) : 1;
}

static void say_not_finite(const trainer *t, double loss)
{
    char culprit[256];
    const bool found = tg_find_non_finite(culprit, sizeof culprit);
    say("epoch %lld: the loss is %g; %s%s; expected a finite loss: a smaller --lr may help",
        (long long)t->epoch + 1, loss,
        found ? "first not finite: " : "the parameters are not finite", found ? culprit : "");
}

/* One step, inside the caller's; gives the mean loss of the batch. Where that is not finite nothing
 * is learned, and the first op to blame is said. */
static double train_batch(trainer *t, tg_tensor *user, tg_tensor *item, tg_tensor *target,
                          const progress *bar)
{
    tg_zero_grad(t->optimizer);
    tg_tensor *y = t->r->model->forward(t->r->module, user, item);
    tg_tensor *loss = t->r->task == TASK_RANKING ? tg_bce_with_logits_loss(y, target)
                                                 : tg_mse_loss(y, target);
    const double value = tg_item(loss);
    if (isfinite(value)) {
        tg_backward(loss);
        decay_parameters(t, tg_size(user, 0));
        tg_optimizer_step(t->optimizer);
    } else {
        progress_clear(bar);
        say_not_finite(t, value);
    }
    return value;
}

/* One pass over the samples; *loss becomes their mean. An exit status. */
static int train_epoch(trainer *t, progress *bar, double *loss)
{
    tg_tensor *user, *item, *target;
    double sum = 0;
    int64_t done = 0;
    tg_module_train(t->r->module, true);
    tg_step_begin();
    for (int64_t batch = 0; samples_next(t->samples, &user, &item, &target); batch++) {
        const int64_t size = tg_size(user, 0);
        tg_set_lr_factor(t->optimizer, lr_factor(t, batch));
        const double value = train_batch(t, user, item, target, bar);
        tg_step_end();
        t->has_diverged = !isfinite(value);
        if (t->has_diverged)
            return EXIT_FAILED;
        sum += value * (double)size;
        done += size;
        *loss = sum / (double)done;
        progress_draw(bar, t->epoch + 1, done, *loss);
        if (interrupted)
            return EXIT_INTERRUPTED;
        tg_step_begin();
    }
    tg_step_end();
    return EXIT_DONE;
}

/* ---- what is kept of an epoch ---------------------------------------------------------------- */

typedef struct results {
    double loss, seconds;
    measures validation, test;
} results;

/* The numbers of an epoch in the order of the history's columns: gives how many. */
enum { COLUMNS = 1 + 2 * MEASURES };
static int history_row(const trainer *t, const results *of, double row[COLUMNS])
{
    int n = 0;
    row[n++] = of->loss;
    for (int i = 0; i < MEASURES && t->is_validated; i++)
        row[n++] = of->validation.value[i];
    for (int i = 0; i < MEASURES; i++)
        row[n++] = of->test.value[i];
    return n;
}

static int name_columns(trainer *t)
{
    enum { ROOM = 128 };
    const char *const *name = measure_names[t->r->task];
    char *text = malloc(ROOM);
    if (!text)
        return EXIT_FAILED;
    int n = snprintf(text, ROOM, "train_loss");
    if (t->is_validated)
        n += snprintf(text + n, (size_t)(ROOM - n), ",validation_%s,validation_%s", name[0],
                      name[1]);
    n += snprintf(text + n, (size_t)(ROOM - n), ",test_%s,test_%s", name[0], name[1]);
    for (int i = 0; i < n; i++)
        text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 'a' - 'A' : text[i]);
    free(t->r->history_columns);
    t->r->history_columns = text;
    return EXIT_DONE;
}

/* Rows are added at the end; there is room for more than there are. */
static void add_to_history(trainer *t, const results *of)
{
    double row[COLUMNS];
    const int columns = history_row(t, of, row);
    recommender *r = t->r;
    if (!r->history || t->epoch > t->history_room) {
        t->history_room = 2 * t->epoch;
        tg_tensor *wider = tg_owned(TG_F32, t->history_room, columns);
        if (r->history)
            memcpy(wider->data, r->history->data, (size_t)tg_numel(r->history) * sizeof(float));
        tg_free(r->history);
        r->history = wider;
    }
    r->history->shape.size[0] = t->epoch;
    for (int i = 0; i < columns; i++)
        ((float *)r->history->data)[(t->epoch - 1) * columns + i] = (float)row[i];
}

bool trainer_set_history(trainer *t, const tg_tensor *history, const char *names, int64_t epochs)
{
    const int64_t columns = t->is_validated ? COLUMNS : COLUMNS - MEASURES;
    if (strcmp(names, t->r->history_columns) != 0 || history->dtype != TG_F32 ||
        history->shape.ndim != 2 || tg_size(history, 0) != epochs ||
        tg_size(history, 1) != columns)
        return false;
    tg_free(t->r->history);
    t->r->history = tg_retain(history);
    t->history_room = epochs;
    return true;
}

static int log_header(trainer *t)
{
    if (!t->plan->log)
        return EXIT_DONE;
    t->log_file = fopen(t->plan->log, t->plan->resumed ? "a" : "w");
    if (t->log_file && !t->plan->resumed)
        fprintf(t->log_file, "epoch,%s,seconds,samples_per_second\n", t->r->history_columns);
    if (t->log_file && fflush(t->log_file) == 0)
        return EXIT_DONE;
    say("%s: %s", t->plan->log, strerror(errno));
    return EXIT_FAILED;
}

static int log_line(const trainer *t, const results *of)
{
    double row[COLUMNS];
    const int columns = history_row(t, of, row);
    if (!t->log_file)
        return EXIT_DONE;
    fprintf(t->log_file, "%lld", (long long)t->epoch);
    for (int i = 0; i < columns; i++)
        fprintf(t->log_file, ",%.6f", row[i]);
    fprintf(t->log_file, ",%.3f,%.0f\n", of->seconds,
            (double)samples_count(t->samples) / of->seconds);
    if (fflush(t->log_file) == 0)
        return EXIT_DONE;
    say("%s: %s", t->plan->log, strerror(errno));
    return EXIT_FAILED;
}

/* A column of the table of epochs: the value, or where that is NULL its name. */
static void add_column(screen_line *line, const char *name, int decimals, const double *value)
{
    const int length = (int)strlen(name), width = length < 6 ? 6 : length;
    if (value)
        screen_line_add(line, "  %*.*f", width, decimals, *value);
    else
        screen_line_add(line, "  %*s", width, name);
}

static void add_measures(screen_line *line, const trainer *t, const char *part, const measures *of)
{
    const char *const *name = measure_names[t->r->task];
    char first[HISTORY_NAME];
    snprintf(first, sizeof first, "%s %s", part, name[0]);
    add_column(line, first, 4, of ? &of->value[0] : NULL);
    add_column(line, name[1], 4, of ? &of->value[1] : NULL);
}

/* The table's line of an epoch, or where that is NULL its head; as much as there is room for. */
static void print_epoch(const trainer *t, const results *of)
{
    screen_line line = screen_line_begin(terminal_columns());
    char last[24];
    const int digits = snprintf(last, sizeof last, "%lld", (long long)t->plan->epochs);
    const double rate = of ? (double)samples_count(t->samples) / of->seconds : 0;
    if (of)
        screen_line_add(&line, "%*lld/%s", digits < 2 ? 3 : digits, (long long)t->epoch, last);
    else
        screen_line_add(&line, "%*s", digits < 2 ? 5 : 2 * digits + 1, "epoch");
    add_column(&line, "train loss", 4, of ? &of->loss : NULL);
    if (t->is_validated)
        add_measures(&line, t, "validation", of ? &of->validation : NULL);
    add_measures(&line, t, "test", of ? &of->test : NULL);
    add_column(&line, "seconds", 2, of ? &of->seconds : NULL);
    add_column(&line, "samples/s", 0, of ? &rate : NULL);
    fprintf(stderr, "%s\n", line.text);
}

void trainer_keep_weights(trainer *t)
{
    const tg_state_dict *now = &t->parameters;
    for (int64_t i = 0; i < now->count; i++)
        if (t->weights.count < now->count)
            tg_state_dict_add(&t->weights, now->entry[i].name, tg_retain(now->entry[i].tensor));
        else
            tg_copy(t->weights.entry[i].tensor, now->entry[i].tensor);
    t->weights.owns_tensors = true;
}

/* Keep the weights where they are the best so far on the validation part. */
static void choose(trainer *t, measures validation)
{
    if (t->chosen && !is_better(t->r->task, validation, t->best))
        return;
    t->chosen = t->epoch;
    t->best = validation;
    trainer_keep_weights(t);
}

/* ---- epochs ---------------------------------------------------------------------------------- */

static bool is_over(const trainer *t)
{
    return t->epoch >= (t->plan->stop ? t->plan->stop : t->plan->epochs) ||
           (t->plan->patience && t->chosen && t->epoch - t->chosen >= t->plan->patience);
}

static int write_checkpoint(trainer *t)
{
    if (!t->plan->checkpoint || checkpoint_save(t, t->plan->checkpoint) == TG_OK)
        return EXIT_DONE;
    return say_last_error();
}

/* The updates of rows that were put off are made now, so that a run that goes on from here rounds
 * as one that never stopped. */
static void settle(const trainer *t)
{
    tg_state_dict state = tg_optimizer_state_dict(t->optimizer);
    tg_state_dict_release(&state);
}

/* What an epoch's last step did shows in no loss: look at the parameters and the predictions. */
static bool is_finite(const trainer *t, const results *of)
{
    char name[PARAMETER_NAME];
    const bool found = recommender_find_not_finite(t->r, name);
    if (!found && isfinite(of->validation.value[1]) && isfinite(of->test.value[1]))
        return true;
    say("epoch %lld: %s %s not finite; expected finite numbers: a smaller --lr may help",
        (long long)t->epoch, found ? name : "predictions", found ? "is" : "are");
    return false;
}

static int finish_epoch(trainer *t, results *of)
{
    t->epoch++;
    settle(t);
    if ((t->is_validated && exam_of_model(&t->validation, &of->validation) != TG_OK) ||
        exam_of_model(&t->test, &of->test) != TG_OK)
        return say_last_error();
    t->has_diverged = !is_finite(t, of);
    if (t->has_diverged)
        return EXIT_FAILED;
    if (t->is_validated)
        choose(t, of->validation);
    add_to_history(t, of);
    if (!t->plan->quiet)
        print_epoch(t, of);
    const int status = log_line(t, of);
    return status == EXIT_DONE ? write_checkpoint(t) : status;
}

static void say_interrupted(const trainer *t)
{
    if (!t->is_of_use && !t->plan->checkpoint)
        say("interrupted in epoch 1 of %lld; no epoch is complete: nothing is saved",
            (long long)t->plan->epochs);
    else if (t->plan->checkpoint)
        say("interrupted in epoch %lld of %lld; --resume goes on from %s, behind epoch %lld",
            (long long)t->epoch + 1, (long long)t->plan->epochs, t->plan->checkpoint,
            (long long)t->epoch);
    else
        say("interrupted in epoch %lld of %lld", (long long)t->epoch + 1,
            (long long)t->plan->epochs);
}

int trainer_run(trainer *t)
{
    const int64_t last = t->plan->stop ? t->plan->stop : t->plan->epochs;
    progress bar = progress_start(t->plan->quiet, t->epoch, last, samples_count(t->samples));
    int status = t->epoch == 0 ? write_checkpoint(t) : EXIT_DONE;
    if (status == EXIT_DONE && !t->plan->quiet && !is_over(t))
        print_epoch(t, NULL);
    catch_interrupt();
    while (status == EXIT_DONE && !is_over(t)) {
        results of = {0};
        const double start = seconds_now();
        status = train_epoch(t, &bar, &of.loss);
        of.seconds = seconds_now() - start;
        progress_clear(&bar);
        if (status == EXIT_DONE)
            status = finish_epoch(t, &of);
    }
    tg_optimizer_free(t->optimizer); /* it may owe updates to tables */
    t->optimizer = NULL;
    t->is_of_use = t->epoch > 0 || status == EXIT_DONE;
    if (status == EXIT_INTERRUPTED)
        say_interrupted(t);
    if (t->chosen && !t->has_diverged)
        tg_module_load_state_dict(t->r->module, &t->weights);
    return status;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static tg_optimizer *new_optimizer(const training_plan *plan, const tg_module *m)
{
    if (strcmp(plan->optimizer, "sgd") == 0)
        return tg_sgd_new(m, TG_OPTIONS(tg_sgd_options, TG_SGD_DEFAULTS, .lr = plan->lr,
                                        .momentum = 0.9));
    if (strcmp(plan->optimizer, "adam") == 0)
        return tg_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = plan->lr,
                                         .catch_up = true));
    return tg_sparse_adam_new(m, TG_OPTIONS(tg_adam_options, TG_ADAM_DEFAULTS, .lr = plan->lr));
}

int trainer_init(trainer *t, const training_plan *plan, recommender *r, const data_source *data)
{
    *t = (trainer){.plan = plan, .r = r, .data = data, .is_validated = data->validation.count > 0};
    tg_status status = exam_init(&t->test, r, &data->test, &data->validation,
                                 plan->negatives_file, plan->seed);
    /* What is chosen is to know nothing of the test part, not even what its users' items are. */
    const tg_dataset none = {0};
    if (status == TG_OK && t->is_validated)
        status = exam_init(&t->validation, r, &data->validation, &none, NULL, plan->seed);
    if (status != TG_OK)
        return say_last_error();
    t->samples = samples_new(r, &data->train,
                             (samples_options){.batch_size = plan->batch_size,
                                               .negatives = plan->negatives,
                                               .shuffle = !plan->no_shuffle,
                                               .seed = plan->seed});
    if (!t->samples || name_columns(t) != EXIT_DONE) {
        say("no memory to train on %lld ratings", (long long)data->train.count);
        return EXIT_FAILED;
    }
    t->parameters = tg_module_state_dict(r->module);
    t->optimizer = new_optimizer(plan, r->module);
    tg_free(r->history); /* of the training before, where it was loaded */
    r->history = NULL;
    return log_header(t);
}

void trainer_release(trainer *t)
{
    samples_free(t->samples);
    tg_optimizer_free(t->optimizer);
    exam_release(&t->validation);
    exam_release(&t->test);
    tg_state_dict_release(&t->parameters);
    tg_state_dict_release(&t->weights);
    if (t->log_file)
        fclose(t->log_file);
    *t = (trainer){0};
}
