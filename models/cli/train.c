/* ncf train: learn ratings, epoch by epoch. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/cli/cli.h"
#include "models/cli/data_source.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/progress.h"
#include "models/cli/recommender.h"

typedef struct settings {
    data_options data;
    const char *model, *optimizer, *save, *load, *log;
    int64_t output_dim, epochs, batch_size, seed, threads;
    double dropout, lr, weight_decay;
    bool no_shuffle, quiet;
} settings;

typedef struct training {
    const settings *set;
    recommender r;
    data_source data;
    tg_optimizer *optimizer;
    tg_loader *loader;
    FILE *log;
    int64_t epoch;     /* the last one that is complete */
    bool has_diverged; /* the parameters are of no use */
} training;

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

/* ---- errors of predictions ------------------------------------------------------------------- */

typedef struct errors {
    double mae, rmse; /* means over samples */
} errors;

/* Of predicting prediction[i], or `constant` where that is NULL. */
static errors errors_of(const tg_dataset *test, const float *prediction, double constant)
{
    const float *rating = tg_dataset_rows(test, TG_RATING);
    double absolute = 0, square = 0;
    for (int64_t i = 0; i < test->count; i++) {
        const double d = (prediction ? (double)prediction[i] : constant) - (double)rating[i];
        absolute += fabs(d);
        square += d * d;
    }
    return (errors){absolute / (double)test->count, sqrt(square / (double)test->count)};
}

static errors evaluate(const training *t, float *prediction)
{
    recommender_predict(&t->r, &t->data.test, prediction);
    return errors_of(&t->data.test, prediction, 0);
}

/* ---- training -------------------------------------------------------------------------------- */

/* One step; gives the mean loss of the batch. Where that is not finite nothing is learned, and the
 * first op to blame is said. */
static double train_batch(training *t, tg_tensor *user, tg_tensor *item, tg_tensor *rating)
{
    tg_step_begin();
    tg_zero_grad(t->optimizer);
    tg_tensor *loss = tg_mse_loss(t->r.model->forward(t->r.module, user, item), rating);
    const double value = tg_item(loss);
    if (isfinite(value)) {
        tg_backward(loss);
        tg_optimizer_step(t->optimizer);
    } else {
        char culprit[256];
        const bool found = tg_find_non_finite(culprit, sizeof culprit);
        say("epoch %lld: the loss is %g; %s%s; expected a finite loss: a smaller --lr may help",
            (long long)t->epoch + 1, value,
            found ? "first not finite: " : "the parameters are not finite", found ? culprit : "");
    }
    tg_step_end();
    return value;
}

/* One pass over the training ratings; *loss becomes their mean. An exit status. */
static int train_epoch(training *t, progress *bar, double *loss)
{
    tg_tensor *user, *item, *rating;
    double sum = 0;
    int64_t done = 0;
    tg_module_train(t->r.module, true);
    while (tg_loader_next(t->loader, &user, &item, &rating)) {
        const int64_t size = tg_size(user, 0);
        const double value = train_batch(t, user, item, rating);
        t->has_diverged = !isfinite(value);
        if (t->has_diverged)
            return EXIT_FAILED;
        sum += value * (double)size;
        done += size;
        *loss = sum / (double)done;
        progress_draw(bar, t->epoch + 1, done, *loss);
        if (interrupted)
            return EXIT_INTERRUPTED;
    }
    return EXIT_DONE;
}

static int log_line(const training *t, double loss, errors test, double seconds)
{
    if (!t->log)
        return EXIT_DONE;
    fprintf(t->log, "%lld,%.6f,%.6f,%.6f,%.3f,%.0f\n", (long long)t->epoch, loss, test.mae,
            test.rmse, seconds, (double)t->data.train.count / seconds);
    if (fflush(t->log) == 0)
        return EXIT_DONE;
    say("%s: %s", t->set->log, strerror(errno));
    return EXIT_FAILED;
}

static int train_epochs(training *t, float *prediction)
{
    progress bar = progress_start(t->set->quiet, t->set->epochs, t->data.train.count);
    int status = EXIT_DONE;
    catch_interrupt();
    while (status == EXIT_DONE && t->epoch < t->set->epochs) {
        double loss = 0;
        const double start = seconds_now();
        status = train_epoch(t, &bar, &loss);
        const double seconds = seconds_now() - start;
        progress_clear(&bar);
        if (status != EXIT_DONE)
            break;
        t->epoch++;
        const errors test = evaluate(t, prediction);
        if (!t->set->quiet)
            fprintf(stderr,
                    "epoch %2lld/%lld  train loss %.4f  test MAE %.4f  RMSE %.4f  %.2f s  "
                    "%.0f samples/s\n",
                    (long long)t->epoch, (long long)t->set->epochs, loss, test.mae, test.rmse,
                    seconds, (double)t->data.train.count / seconds);
        status = log_line(t, loss, test, seconds);
    }
    return status;
}

static void print_results(const training *t, float *prediction)
{
    char name[64];
    const errors model = evaluate(t, prediction);
    const errors mean = errors_of(&t->data.test, NULL, t->r.rating_mean);
    snprintf(name, sizeof name, "%s after %lld epoch%s", t->r.model->name, (long long)t->epoch,
             t->epoch == 1 ? "" : "s");
    printf("%-28s %8s  %8s\n", "", "test MAE", "RMSE");
    printf("%-28s %8.4f  %8.4f\n", name, model.mae, model.rmse);
    printf("%-28s %8.4f  %8.4f\n", "mean training rating", mean.mae, mean.rmse);
    if (t->data.is_synthetic)
        printf("%-28s %8.4f  %8.4f\n", "best that can be expected", t->data.best.mae,
               t->data.best.rmse);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static tg_optimizer *new_optimizer(const settings *set, const tg_module *m)
{
    const tg_adam_options adam = {.lr = set->lr, .weight_decay = set->weight_decay};
    if (strcmp(set->optimizer, "sgd") == 0)
        return tg_sgd_new(m, (tg_sgd_options){.lr = set->lr,
                                              .momentum = 0.9,
                                              .weight_decay = set->weight_decay});
    return strcmp(set->optimizer, "adam") == 0 ? tg_adam_new(m, adam) : tg_sparse_adam_new(m, adam);
}

static int load_recommender(recommender *r, const settings *set)
{
    if (recommender_load(r, set->load) != TG_OK)
        return say_last_error();
    if (strcmp(r->model->name, set->model) == 0 && r->options.factors == set->output_dim)
        return EXIT_DONE;
    say("%s: a model %s of output dimension %lld; expected %s of %lld, as --model and --output-dim "
        "say", set->load, r->model->name, (long long)r->options.factors, set->model,
        (long long)set->output_dim);
    return EXIT_FAILED;
}

/* Ids of the data that the model of --load has no row for: those from `count` on. */
static int check_known(const settings *set, const char *what, const tg_ids *ids, int64_t count)
{
    if (ids->count == count)
        return EXIT_DONE;
    say("%s: the model has no %s %s; expected one made for these data", set->load, what,
        tg_ids_name(ids, count));
    return EXIT_FAILED;
}

/* The model of --load, then the data, whose ids it must know; or the data, then a model of them. */
static int set_up_model(training *t)
{
    const settings *set = t->set;
    recommender *r = &t->r;
    int status = set->load ? load_recommender(r, set) : EXIT_DONE;
    const int64_t users = r->users.count, items = r->items.count;
    if (status == EXIT_DONE)
        status = data_source_load(&set->data, (uint64_t)set->seed, set->quiet, &r->users, &r->items,
                                  &t->data);
    if (status == EXIT_DONE && set->load) {
        status = check_known(set, "user", &r->users, users);
        return status == EXIT_DONE ? check_known(set, "item", &r->items, items) : status;
    }
    if (status == EXIT_DONE) {
        r->model = rating_model_find(set->model);
        r->options.factors = set->output_dim;
        r->options.dropout = set->dropout;
        recommender_build(r);
    }
    return status;
}

/* Rows of the tables that get no training rating, and how many tests rest on them. */
static void say_untrained(const training *t)
{
    char *seen[] = {[TG_USER] = calloc((size_t)t->r.users.count + 1, 1),
                    [TG_ITEM] = calloc((size_t)t->r.items.count + 1, 1)};
    const tg_dataset *train = &t->data.train, *test = &t->data.test;
    int64_t tests = 0;
    if (seen[TG_USER] && seen[TG_ITEM]) {
        for (int c = TG_USER; c <= TG_ITEM; c++) {
            const int64_t *number = tg_dataset_rows(train, c);
            for (int64_t i = 0; i < train->count; i++)
                seen[c][number[i]] = 1;
        }
        const int64_t *user = tg_dataset_rows(test, TG_USER);
        const int64_t *item = tg_dataset_rows(test, TG_ITEM);
        for (int64_t i = 0; i < test->count; i++)
            tests += !seen[TG_USER][user[i]] || !seen[TG_ITEM][item[i]];
    }
    free(seen[TG_USER]);
    free(seen[TG_ITEM]);
    if (tests)
        fprintf(stderr, "%lld test ratings are of a user or an item without a training rating\n",
                (long long)tests);
}

static int set_up(training *t)
{
    const settings *set = t->set;
    tg_set_num_threads((int)set->threads);
    tg_manual_seed((uint64_t)set->seed);
    const int status = set_up_model(t);
    if (status != EXIT_DONE)
        return status;
    t->r.options.dropout = set->dropout;
    recommender_set_ratings(&t->r, &t->data.train);
    if (!set->load)
        rating_model_start(t->r.module, t->r.rating_mean);
    t->optimizer = new_optimizer(set, t->r.module);
    t->loader = tg_loader_new(&t->data.train, set->batch_size, .shuffle = !set->no_shuffle,
                              .seed = (uint64_t)set->seed);
    if (!set->quiet) {
        say_untrained(t);
        fprintf(stderr, "%lld users, %lld items, %lld parameters\n", (long long)t->r.users.count,
                (long long)t->r.items.count, (long long)tg_module_parameter_count(t->r.module));
    }
    return EXIT_DONE;
}

static void tear_down(training *t)
{
    tg_loader_free(t->loader);
    tg_optimizer_free(t->optimizer);
    data_source_release(&t->data);
    recommender_release(&t->r);
}

/* ---- output files ---------------------------------------------------------------------------- */

/* Whether --save can succeed, asked before an hour of training: an exit status. */
static int check_writable(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    const char *asked = access(path, F_OK) == 0 ? path : folder;
    if (access(asked, W_OK) == 0 && (!slash || slash[1]))
        return EXIT_DONE;
    say("%s: %s; expected a file that can be written", path,
        slash && !slash[1] ? "a folder" : strerror(errno));
    return EXIT_FAILED;
}

static int open_log(training *t)
{
    if (!t->set->log)
        return EXIT_DONE;
    t->log = fopen(t->set->log, "w");
    if (t->log && fputs("epoch,train_loss,test_mae,test_rmse,seconds,samples_per_second\n",
                        t->log) >= 0 && fflush(t->log) == 0)
        return EXIT_DONE;
    say("%s: %s", t->set->log, strerror(errno));
    return EXIT_FAILED;
}

static int save(const training *t)
{
    if (!t->set->save || t->has_diverged)
        return EXIT_DONE;
    if (recommender_save(&t->r, t->set->save) != TG_OK)
        return say_last_error();
    if (!t->set->quiet)
        fprintf(stderr, "saved to %s\n", t->set->save);
    return EXIT_DONE;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(const settings *set)
{
    training t = {.set = set};
    int status = set->save ? check_writable(set->save) : EXIT_DONE;
    if (status == EXIT_DONE)
        status = set_up(&t);
    if (status == EXIT_DONE)
        status = open_log(&t);
    float *prediction = malloc(((size_t)t.data.test.count + 1) * sizeof *prediction);
    if (status == EXIT_DONE && !prediction) {
        say("no memory for %lld predictions", (long long)t.data.test.count);
        status = EXIT_FAILED;
    }
    if (status == EXIT_DONE) {
        status = train_epochs(&t, prediction);
        if (status == EXIT_INTERRUPTED)
            say("interrupted in epoch %lld of %lld", (long long)t.epoch + 1,
                (long long)set->epochs);
        if (status == EXIT_DONE)
            print_results(&t, prediction);
        const int saved = save(&t);
        status = saved == EXIT_DONE ? status : saved;
    }
    free(prediction);
    if (t.log)
        fclose(t.log);
    tear_down(&t);
    return status;
}

int train_command(int argc, char **argv)
{
    settings s = {.model = "ncf",
                  .optimizer = "adam",
                  .output_dim = 32,
                  .dropout = 0.5,
                  .epochs = 19,
                  .batch_size = 256,
                  .lr = 0.0005,
                  .seed = 10,
                  .threads = 1};
    const option table[] = {
        {"train", OPTION_TEXT, &s.data.train, "FILE", "ratings to train on, with --test", 0, 0},
        {"test", OPTION_TEXT, &s.data.test, "FILE", "ratings to test on", 0, 0},
        {"data", OPTION_TEXT, &s.data.data, "FILE", "ratings to divide by --split", 0, 0},
        {"split", OPTION_TEXT, &s.data.split, "HOW",
         "random:0.2 (the part to test on) or leave-one-out", 0, 0},
        {"model", OPTION_CHOICE, &s.model, "ncf|gmf|mlp|simplecf|mf", "", 0, 0},
        {"output-dim", OPTION_INT, &s.output_dim, "N", "width of the last layers", 1, 4096},
        {"dropout", OPTION_REAL, &s.dropout, "P", "share of activations dropped", 0, 1},
        {"epochs", OPTION_INT, &s.epochs, "N", "passes over the training ratings", 0, 1e9},
        {"batch-size", OPTION_INT, &s.batch_size, "N", "ratings of a step", 1, 1e9},
        {"lr", OPTION_REAL, &s.lr, "X", "learning rate", 1e-30, 1e30},
        {"optimizer", OPTION_CHOICE, &s.optimizer, "adam|sparse-adam|sgd", "sgd: momentum 0.9", 0,
         0},
        {"weight-decay", OPTION_REAL, &s.weight_decay, "X",
         "of all parameters; sparse-adam: not of embeddings", 0, 1e30},
        {"seed", OPTION_INT, &s.seed, "N", "of split, initial values, order and dropout", 0, 1e15},
        {"threads", OPTION_INT, &s.threads, "N", "0: one a processor", 0, 1024},
        {"no-shuffle", OPTION_FLAG, &s.no_shuffle, NULL, "train in the order of the file", 0, 0},
        {"load", OPTION_TEXT, &s.load, "FILE", "begin with a saved model of the same shapes", 0, 0},
        {"save", OPTION_TEXT, &s.save, "FILE", "write the model (safetensors)", 0, 0},
        {"log", OPTION_TEXT, &s.log, "FILE", "write a csv line an epoch", 0, 0},
        {"quiet", OPTION_FLAG, &s.quiet, NULL, "results and complaints only", 0, 0},
    };
    const usage u = {"ncf [train] [OPTION...]",
                     "Learn ratings and test on held-out ones. Without --train or --data: on the "
                     "embedded data\nset, synthetic ratings of which the best possible error is "
                     "known.",
                     table, sizeof table / sizeof *table, NULL};
    const char *operand;
    const parsed p = parse_options(&u, argc, argv, &operand);
    if (p != PARSED)
        return p == PARSED_HELP ? EXIT_DONE : EXIT_USAGE;
    const int status = data_options_check(&s.data);
    if (status != EXIT_DONE)
        return status;
    if (!s.quiet)
        print_settings(&u, "ncf train");
    return run(&s);
}
