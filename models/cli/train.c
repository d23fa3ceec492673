/* ncf train: learn ratings or rankings, epoch by epoch. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/cli/checkpoint.h"
#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/pretrained.h"
#include "models/cli/titles.h"
#include "models/cli/trainer.h"

typedef struct settings {
    data_options data;
    training_plan plan;
    const char *preset, *task, *model, *layers, *init, *titles, *save, *load;
    const char *init_gmf, *init_mlp;
    int64_t seed, threads;
    model_options options;
    bool clamp, biases;
    const char *line; /* the settings that decide what comes out, as words */
    const tg_state_dict *from; /* the checkpoint to go on from, or NULL */
} settings;

typedef struct training {
    const settings *set;
    data_source data;
    recommender r;
    trainer trainer;
} training;

/* ---- the model ------------------------------------------------------------------------------- */

static const rating_model *model_of(const settings *set)
{
    const rating_model *model = rating_model_find(set->model);
    return set->biases ? rating_model_with_biases(model) : model;
}

static int load_recommender(recommender *r, const settings *set)
{
    if (recommender_load(r, set->load) != TG_OK)
        return say_last_error();
    const rating_model *model = model_of(set);
    if (r->model == model && r->options.factors == set->options.factors &&
        memcmp(r->options.layer, set->options.layer, sizeof r->options.layer) == 0)
        return EXIT_DONE;
    say("%s: a model %s of %lld factors; expected %s of %lld, as --model, --factors, --layers and "
        "--biases say", set->load, r->model->name, (long long)r->options.factors,
        model->name, (long long)set->options.factors);
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
        status = data_source_load(&set->data, (uint64_t)set->seed, set->plan.quiet, &r->users,
                                  &r->items, &t->data);
    if (status == EXIT_DONE && set->load) {
        status = check_known(set, "user", &r->users, users);
        return status == EXIT_DONE ? check_known(set, "item", &r->items, items) : status;
    }
    if (status == EXIT_DONE) {
        r->model = model_of(set);
        r->options = set->options;
        recommender_build(r);
        if (set->init_gmf)
            status = pretrained_start(r, set->init_gmf, set->init_mlp);
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

/* What training would learn first: the mean rating, or the logit of the share of liked pairs. */
static double start_of(const training *t)
{
    return t->r.task == TASK_RATING ? t->r.rating_mean
                                    : -log(fmax((double)t->set->plan.negatives, 0.01));
}

static int load_titles(training *t)
{
    recommender *r = &t->r;
    if (!t->set->titles || r->titles)
        return EXIT_DONE;
    const tg_status status = titles_read(t->set->titles, &r->items, &r->titles, &r->genres);
    return status == TG_OK ? EXIT_DONE : say_last_error();
}

static int set_up(training *t)
{
    const settings *set = t->set;
    recommender *r = &t->r;
    tg_set_num_threads((int)set->threads);
    tg_manual_seed((uint64_t)set->seed);
    int status = set_up_model(t);
    if (status == EXIT_DONE)
        status = load_titles(t);
    if (status != EXIT_DONE)
        return status;
    r->task = strcmp(set->task, "ranking") == 0 ? TASK_RANKING : TASK_RATING;
    r->clamp = set->clamp;
    free(r->settings);
    r->settings = strdup(set->line);
    recommender_set_ratings(r, &t->data.train);
    if (!set->load)
        rating_model_start(r->module, start_of(t));
    if (!set->plan.quiet) {
        say_untrained(t);
        fprintf(stderr, "%lld users, %lld items, %lld parameters\n", (long long)r->users.count,
                (long long)r->items.count, (long long)tg_module_parameter_count(r->module));
    }
    status = trainer_init(&t->trainer, &set->plan, r, &t->data);
    if (status == EXIT_DONE && set->from &&
        checkpoint_resume(&t->trainer, set->plan.checkpoint, set->from) != TG_OK)
        return say_last_error();
    return status;
}

static void tear_down(training *t)
{
    trainer_release(&t->trainer);
    data_source_release(&t->data);
    recommender_release(&t->r);
}

/* ---- output ---------------------------------------------------------------------------------- */

/* Whether --save can succeed, asked before an hour of training: an exit status. */
static int check_writable(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    const char *target = access(path, F_OK) == 0 ? path : folder;
    if (access(target, W_OK) == 0 && (!slash || slash[1]))
        return EXIT_DONE;
    say("%s: %s; expected a file that can be written", path,
        slash && !slash[1] ? "a folder" : strerror(errno));
    return EXIT_FAILED;
}

static int save(const training *t)
{
    if (!t->set->save || t->trainer.has_diverged)
        return EXIT_DONE;
    if (recommender_save(&t->r, t->set->save) != TG_OK)
        return say_last_error();
    if (!t->set->plan.quiet)
        fprintf(stderr, "saved to %s\n", t->set->save);
    return EXIT_DONE;
}

static void print_header(recommender_task task)
{
    const char *const *name = measure_names[task];
    printf("%-28s %4s%s  %8s\n", "", "test ", name[0], name[1]);
}

static void print_row(const char *name, measures m)
{
    printf("%-28s %8.4f  %8.4f\n", name, m.value[0], m.value[1]);
}

/* What predictors that know nothing of users reach, and where it is known, the best possible. */
static void print_baselines(const training *t)
{
    const bool is_ranking = t->r.task == TASK_RANKING;
    print_row(is_ranking ? "most training ratings" : "mean training rating",
              exam_of_baseline(&t->trainer.test));
    if (t->data.is_synthetic && !is_ranking)
        print_row("best that can be expected", (measures){{t->data.best.mae, t->data.best.rmse}});
}

static void print_choice(const training *t)
{
    const trainer *by = &t->trainer;
    if (by->is_validated && by->chosen)
        printf("epoch %lld of %lld was chosen, by %s on %lld validation ratings\n",
               (long long)by->chosen, (long long)by->epoch, measure_names[t->r.task][1],
               (long long)t->data.validation.count);
}

static int64_t epochs_of(const trainer *t)
{
    return t->chosen ? t->chosen : t->epoch;
}

static measures print_results(training *t)
{
    char name[64];
    const measures of = exam_of_model(&t->trainer.test);
    const int64_t epochs = epochs_of(&t->trainer);
    snprintf(name, sizeof name, "%s after %lld epoch%s", t->r.model->name, (long long)epochs,
             epochs == 1 ? "" : "s");
    print_header(t->r.task);
    print_row(name, of);
    print_baselines(t);
    print_choice(t);
    return of;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* One division of the data; *of becomes the test's measures. */
static int run_once(const settings *set, measures *of)
{
    training t = {.set = set};
    int status = set_up(&t);
    if (status == EXIT_DONE) {
        status = trainer_run(&t.trainer);
        if (status == EXIT_DONE)
            *of = print_results(&t);
        const int saved = save(&t);
        status = saved == EXIT_DONE ? status : saved;
    }
    tear_down(&t);
    return status;
}

/* All folds in turn, then their mean and (sample) standard deviation. */
static int run_folds(const settings *set, int64_t folds)
{
    settings one = *set;
    double sum[MEASURES] = {0}, squares[MEASURES] = {0};
    int status = EXIT_DONE;
    for (int64_t fold = 1; fold <= folds && status == EXIT_DONE; fold++) {
        measures of = {{0}};
        one.data.fold = fold;
        printf("fold %lld of %lld\n", (long long)fold, (long long)folds);
        status = run_once(&one, &of);
        for (int i = 0; i < MEASURES; i++) {
            sum[i] += of.value[i];
            squares[i] += of.value[i] * of.value[i];
        }
    }
    if (status != EXIT_DONE)
        return status;
    measures mean, deviation;
    const double n = (double)folds;
    for (int i = 0; i < MEASURES; i++) {
        mean.value[i] = sum[i] / n;
        deviation.value[i] = sqrt(fmax(0, squares[i] - n * mean.value[i] * mean.value[i]) / (n - 1));
    }
    print_row("mean of the folds", mean);
    print_row("standard deviation", deviation);
    return EXIT_DONE;
}

static int check_layers(settings *s)
{
    s->options.paper_init = strcmp(s->init, "paper") == 0;
    if (!s->layers)
        return EXIT_DONE;
    if (strcmp(s->model, "ncf") != 0 && strcmp(s->model, "mlp") != 0)
        return usage_error("--layers is of ncf and mlp, not of %s", s->model);
    if (!*s->layers || !parse_layers(s->layers, &s->options))
        return usage_error("--layers '%s': expected 2 to %d widths, the first one even, as "
                           "64,32,16,8", s->layers, MAX_LAYERS + 1);
    return EXIT_DONE;
}

static int check_settings(settings *s)
{
    int status = data_options_check(&s->data);
    if (status == EXIT_DONE)
        status = check_layers(s);
    if (status != EXIT_DONE)
        return status;
    if (s->plan.patience && !s->data.validation)
        return usage_error("--patience needs --validation, on which it waits to get better");
    if (s->clamp && strcmp(s->task, "ranking") == 0)
        return usage_error("--clamp is of ratings; --task ranking predicts none");
    if (s->plan.negatives_file && strcmp(s->task, "ranking") != 0)
        return usage_error("--negatives-file is of --task ranking");
    if (!s->init_gmf != !s->init_mlp)
        return usage_error("--init-gmf and --init-mlp go together");
    if (s->init_gmf && (strcmp(s->model, "ncf") != 0 || s->biases || s->load))
        return usage_error("--init-gmf and --init-mlp begin an ncf without --biases and --load");
    const char *file = s->save ? "save" : s->plan.log ? "log" : s->plan.checkpoint ? "checkpoint" : 0;
    if (file && data_options_folds(&s->data) > 1)
        return usage_error("--%s is of one training; expected --fold N", file);
    return EXIT_DONE;
}

static int train(const settings *s)
{
    const int64_t folds = data_options_folds(&s->data);
    int status = s->save ? check_writable(s->save) : EXIT_DONE;
    if (status == EXIT_DONE && s->plan.checkpoint)
        status = check_writable(s->plan.checkpoint);
    measures of;
    if (status != EXIT_DONE)
        return status;
    return folds > 1 ? run_folds(s, folds) : run_once(s, &of);
}

/* ---- options --------------------------------------------------------------------------------- */

static const settings defaults = {.task = "rating",
                                  .model = "ncf",
                                  .init = "tutorial",
                                  .options = {.factors = 32, .dropout = 0.5},
                                  .seed = 10,
                                  .plan = {.epochs = 19,
                                           .batch_size = 256,
                                           .negatives = 4,
                                           .optimizer = "adam",
                                           .lr_schedule = "constant",
                                           .lr = 0.0005}};

static const struct {
    const char *name, *words;
} presets[] = {
    {"tutorial", "--task rating --model ncf --factors 32 --init tutorial --dropout 0.5 --epochs 10 "
                 "--batch-size 256 --lr 0.0005 --lr-schedule constant --optimizer adam"},
    {"paper", "--task ranking --model ncf --factors 8 --init paper --dropout 0 --epochs 20 "
              "--negatives 4 --batch-size 256 --lr 0.001 --lr-schedule constant --optimizer adam "
              "--validation leave-one-out"},
    {"best", "--task rating"},
};

static const char *preset_words(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].words;
    return "";
}

/* The words of a preset or of a checkpoint, then those of the command line again, which replace
 * them. `words` is cut into pieces. */
static parsed parse_again(const usage *u, settings *s, char *words, int argc, char **argv)
{
    const char *operand;
    *s = defaults;
    const parsed p = parse_settings(u, words);
    return p == PARSED ? parse_options(u, argc, argv, &operand) : p;
}

/* The options, with those that a checkpoint or a preset gives; *words and *from are the caller's to
 * end. An exit status; *done where there is nothing more to do. */
static int read_settings(const usage *u, settings *s, int argc, char **argv, char **words,
                         tg_state_dict *from, bool *done)
{
    const char *operand;
    parsed p = parse_options(u, argc, argv, &operand);
    *done = p != PARSED;
    if (*done)
        return p == PARSED_HELP ? EXIT_DONE : EXIT_USAGE;
    const bool resumed = s->plan.resumed;
    if (resumed && !s->plan.checkpoint)
        return usage_error("--resume needs --checkpoint FILE, from which to go on");
    if (resumed && checkpoint_load(s->plan.checkpoint, from) != TG_OK)
        return say_last_error();
    if (!resumed && !s->preset)
        return EXIT_DONE;
    *words = strdup(resumed ? tg_state_dict_get_note(from, "settings") : preset_words(s->preset));
    p = *words ? parse_again(u, s, *words, argc, argv) : PARSED_WRONG;
    s->from = resumed ? from : NULL;
    if (resumed) /* the checkpoint has the weights */
        s->load = s->init_gmf = s->init_mlp = NULL;
    return p == PARSED ? EXIT_DONE : EXIT_USAGE;
}

static int run_command(const usage *u, int settings_count, settings *s)
{
    int status = check_settings(s);
    if (status != EXIT_DONE)
        return status;
    s->plan.seed = (uint64_t)s->seed;
    if (!s->plan.quiet)
        print_settings(u, "ncf train");
    char *line = format_settings(u, settings_count);
    s->line = line ? line : "";
    status = train(s);
    free(line);
    return status;
}

int train_command(int argc, char **argv)
{
    settings set = defaults, *s = &set;
    const option table[] = {
        {"train", OPTION_TEXT, &s->data.train, "FILE", "ratings to train on, with --test", 0, 0},
        {"test", OPTION_TEXT, &s->data.test, "FILE", "ratings to test on", 0, 0},
        {"data", OPTION_TEXT, &s->data.data, "FILE", "ratings to divide by --split", 0, 0},
        {"split", OPTION_TEXT, &s->data.split, "HOW",
         "the part to test on: random:0.2, temporal:0.2 (the latest),\n"
         "                     leave-one-out (each user's latest) or kfold:5", 0, 0},
        {"fold", OPTION_INT, &s->data.fold, "N", "of kfold; 0: all in turn, with mean and deviation",
         0, 100},
        {"validation", OPTION_TEXT, &s->data.validation, "HOW",
         "the part of the training ratings that chooses the epoch:\n"
         "                     as --split, without kfold", 0, 0},
        {"patience", OPTION_INT, &s->plan.patience, "N",
         "stop after N epochs without a better validation; 0: never", 0, 1e9},
        {"task", OPTION_CHOICE, &s->task, "rating|ranking",
         "ranking: every training pair is liked", 0, 0},
        {"negatives", OPTION_INT, &s->plan.negatives, "N",
         "of ranking: other items for each pair, drawn every epoch", 0, 1000},
        {"negatives-file", OPTION_TEXT, &s->plan.negatives_file, "FILE",
         "of ranking: what test pairs are ranked among; else 99 drawn items", 0, 0},
        {"model", OPTION_CHOICE, &s->model, "ncf|gmf|mlp|simplecf|mf", "", 0, 0},
        {"factors", OPTION_INT, &s->options.factors, "N", "d, the width of the last layers", 1,
         4096},
        {"layers", OPTION_TEXT, &s->layers, "N,N,...",
         "of ncf and mlp: widths of [user; item] and of each layer; else 8d,4d,2d,d", 0, 0},
        {"biases", OPTION_FLAG, &s->biases, NULL,
         "add a mean and biases of user and item to the model (mf has them)", 0, 0},
        {"init", OPTION_CHOICE, &s->init, "tutorial|paper", "initial values", 0, 0},
        {"dropout", OPTION_REAL, &s->options.dropout, "P", "share of activations dropped", 0, 1},
        {"clamp", OPTION_FLAG, &s->clamp, NULL, "cut predictions to the range of the ratings", 0, 0},
        {"epochs", OPTION_INT, &s->plan.epochs, "N", "passes over the training ratings", 0, 1e9},
        {"batch-size", OPTION_INT, &s->plan.batch_size, "N", "samples of a step", 1, 1e9},
        {"lr", OPTION_REAL, &s->plan.lr, "X", "learning rate", 1e-30, 1e30},
        {"lr-schedule", OPTION_CHOICE, &s->plan.lr_schedule, "constant|cosine|one-cycle",
         "over all epochs", 0, 0},
        {"optimizer", OPTION_CHOICE, &s->plan.optimizer, "adam|sparse-adam|sgd",
         "sgd: momentum 0.9", 0, 0},
        {"weight-decay", OPTION_REAL, &s->plan.weight_decay, "X",
         "X / 2 |p|^2 is added to a sample's loss for its user's and item's vectors p", 0, 1e30},
        {"seed", OPTION_INT, &s->seed, "N", "of split, initial values, order and dropout", 0, 1e15},
        {"no-shuffle", OPTION_FLAG, &s->plan.no_shuffle, NULL, "train in the order of the file", 0,
         0},
        {"titles", OPTION_TEXT, &s->titles, "FILE", "titles of the items, kept with the model", 0,
         0},
        {"load", OPTION_TEXT, &s->load, "FILE", "begin with a saved model of the same shapes", 0, 0},
        {"init-gmf", OPTION_TEXT, &s->init_gmf, "FILE",
         "begin an ncf with a saved gmf and, by --init-mlp, mlp", 0, 0},
        {"init-mlp", OPTION_TEXT, &s->init_mlp, "FILE", "see --init-gmf", 0, 0},
        /* What follows is no part of the settings, for it does not decide what comes out. */
        {"preset", OPTION_CHOICE, &s->preset, "tutorial|paper|best",
         "all settings at once, as published or as found best; others may follow", 0, 0},
        {"threads", OPTION_INT, &s->threads, "N", "0: one a processor", 0, 1024},
        {"save", OPTION_TEXT, &s->save, "FILE", "write the model (safetensors)", 0, 0},
        {"checkpoint", OPTION_TEXT, &s->plan.checkpoint, "FILE",
         "write what --resume needs, after every epoch", 0, 0},
        {"resume", OPTION_FLAG, &s->plan.resumed, NULL,
         "go on from --checkpoint, with its settings", 0, 0},
        {"log", OPTION_TEXT, &s->plan.log, "FILE", "write a csv line an epoch", 0, 0},
        {"quiet", OPTION_FLAG, &s->plan.quiet, NULL, "results and complaints only", 0, 0},
    };
    enum { INCIDENTAL = 7, COUNT = sizeof table / sizeof *table };
    const usage u = {"ncf [train] [OPTION...]",
                     "Learn ratings and test on held-out ones. Without --train or --data: on the "
                     "embedded data\nset, synthetic ratings of which the best possible error is "
                     "known.",
                     table, COUNT, NULL};
    char *words = NULL;
    tg_state_dict from = {0};
    bool done;
    int status = read_settings(&u, s, argc, argv, &words, &from, &done);
    if (status == EXIT_DONE && !done)
        status = run_command(&u, COUNT - INCIDENTAL, s);
    tg_state_dict_release(&from);
    free(words);
    return status;
}
