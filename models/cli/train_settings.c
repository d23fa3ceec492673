#include "models/cli/train_settings.h"

#include <stdlib.h>
#include <string.h>

#include "models/cli/checkpoint.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"

/* ---- values ---------------------------------------------------------------------------------- */

static const train_settings defaults = {
    .task = "rating",
    .model = "ncf",
    .init = "tutorial",
    .options = {.factors = 32, .dropout = 0.5},
    .seed = 10,
    .plan = {.epochs = 19,
             .batch_size = 256,
             .negatives = 4,
             .optimizer = "adam",
             .lr_schedule = "constant",
             .lr = 0.0005},
};

static const struct {
    const char *name, *words;
} presets[] = {
    {"tutorial", "--task rating --model ncf --factors 32 --init tutorial --dropout 0.5 --epochs 10 "
                 "--batch-size 256 --lr 0.0005 --lr-schedule constant --optimizer adam"},
    {"paper", "--task ranking --model ncf --factors 8 --init paper --dropout 0 --epochs 20 "
              "--negatives 4 --batch-size 256 --lr 0.001 --lr-schedule constant --optimizer adam "
              "--validation leave-one-out --refit"},
    {"best", "--task rating --model mf --factors 64 --dropout 0 --clamp --weight-decay 0.12 "
             "--epochs 10 --batch-size 256 --lr 0.002 --lr-schedule cosine --optimizer adam "
             "--validation 0.02 --patience 3 --refit"},
};

static const char *preset_words(const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].words;
    return "";
}

/* ---- what makes no sense --------------------------------------------------------------------- */

static int check_layers(train_settings *s)
{
    s->options.paper_init = strcmp(s->init, "paper") == 0;
    if (!s->layers)
        return EXIT_DONE;
    if (strcmp(s->model, "ncf") != 0 && strcmp(s->model, "mlp") != 0)
        return usage_error("train", "--layers is of ncf and mlp, not of %s", s->model);
    if (!*s->layers || !parse_layers(s->layers, &s->options))
        return usage_error("train", "--layers '%s': expected 2 to %d widths, the first one even, "
                           "as 64,32,16,8", s->layers, MAX_LAYERS + 1);
    return EXIT_DONE;
}

static bool is_standard_input(const data_options *o)
{
    const char *path[] = {o->train, o->test, o->data};
    for (int i = 0; i < 3; i++)
        if (path[i] && strcmp(path[i], "-") == 0)
            return true;
    return false;
}

static bool is_stream(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int check_settings(train_settings *s)
{
    if (is_stream(s->save) || is_stream(s->plan.log) || is_stream(s->plan.checkpoint))
        return usage_error("train", "--save, --log and --checkpoint need the name of a file");
    int status = data_options_check(&s->data);
    if (status == EXIT_DONE)
        status = check_layers(s);
    if (status != EXIT_DONE)
        return status;
    if (s->plan.patience && !s->data.validation)
        return usage_error("train",
                           "--patience needs --validation, on which it waits to get better");
    if (s->refit && !s->data.validation)
        return usage_error("train", "--refit needs --validation, which chooses how far to train");
    if (s->refit && is_standard_input(&s->data))
        return usage_error("train", "--refit reads the ratings twice; expected files, not standard "
                           "input");
    if (s->plan.decay && s->plan.weight_decay == 0)
        return usage_error("train", "--decay needs --weight-decay X, which says how much");
    if (s->clamp && strcmp(s->task, "ranking") == 0)
        return usage_error("train", "--clamp is of ratings; --task ranking predicts none");
    if (s->plan.negatives_file && strcmp(s->task, "ranking") != 0)
        return usage_error("train", "--negatives-file is of --task ranking");
    if (!s->init_gmf != !s->init_mlp)
        return usage_error("train", "--init-gmf and --init-mlp go together");
    if (s->init_gmf && (strcmp(s->model, "ncf") != 0 || s->biases || s->load))
        return usage_error("train", "--init-gmf and --init-mlp begin an ncf without --biases and "
                           "--load");
    const char *file = s->save              ? "save"
                       : s->plan.log        ? "log"
                       : s->plan.checkpoint ? "checkpoint"
                                            : NULL;
    if (file && data_options_folds(&s->data) > 1)
        return usage_error("train", "--%s is of one training; expected --fold N", file);
    return EXIT_DONE;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The words of a preset or of the checkpoint `file`, then those of the command line again, which
 * replace them. The former set no more than the deciding options: a file that names an output could
 * overwrite any other. */
static int parse_again(const usage *u, int deciding, const char *file, train_settings *s, int argc,
                       char **argv)
{
    const train_settings old = *s;
    *s = defaults;
    s->given = old.given;
    s->from = old.from;
    int status = parse_settings(u, deciding, file, s->given);
    if (status == EXIT_DONE)
        parse_options(u, 0, argc, argv, NULL, &status);
    return status;
}

static int no_memory(void)
{
    say("no memory for the settings");
    return EXIT_FAILED;
}

static int read_given(const usage *u, int deciding, train_settings *s, int argc, char **argv)
{
    const bool resumed = s->plan.resumed;
    if (resumed && !s->plan.checkpoint)
        return usage_error("train", "--resume needs --checkpoint FILE, from which to go on");
    if (resumed && checkpoint_load(s->plan.checkpoint, &s->from) != TG_OK)
        return say_last_error();
    if (!resumed && !s->preset)
        return EXIT_DONE;
    s->given = strdup(resumed ? tg_state_dict_get_note(&s->from, "settings")
                              : preset_words(s->preset));
    if (!s->given)
        return no_memory();
    const char *file = resumed ? s->plan.checkpoint : NULL;
    const int status = parse_again(u, deciding, file, s, argc, argv);
    if (resumed) /* the checkpoint has the weights */
        s->load = s->init_gmf = s->init_mlp = NULL;
    return status;
}

/* Of the options the first `deciding` ones decide what comes out. */
static int read_all(const usage *u, int deciding, train_settings *s, int argc, char **argv,
                    bool *done)
{
    int status;
    *done = !parse_options(u, 0, argc, argv, NULL, &status);
    if (*done)
        return status;
    status = read_given(u, deciding, s, argc, argv);
    if (status == EXIT_DONE)
        status = check_settings(s);
    if (status != EXIT_DONE)
        return status;
    s->plan.seed = (uint64_t)s->seed;
    if (!(s->line = format_settings(u, deciding)))
        return no_memory();
    if (!s->plan.quiet)
        print_settings(u, "ncf train");
    return EXIT_DONE;
}

int train_settings_read(train_settings *s, int argc, char **argv, bool *done)
{
    *s = defaults;
    const option table[] = {
        {"train", OPTION_INPUT, &s->data.train, "FILE", "ratings to train on, with --test", 0, 0},
        {"test", OPTION_INPUT, &s->data.test, "FILE", "ratings to test on", 0, 0},
        {"data", OPTION_INPUT, &s->data.data, "FILE", "ratings to divide by --split", 0, 0},
        {"split", OPTION_TEXT, &s->data.split, "HOW",
         "the part to test on: random:0.2, temporal:0.2 (the latest), "
         "leave-one-out (each user's latest) or kfold:5", 0, 0},
        {"fold", OPTION_INT_OR_OFF, &s->data.fold, "N",
         "of kfold; 0: all in turn, with mean and deviation", 0, 100},
        {"validation", OPTION_TEXT, &s->data.validation, "HOW",
         "the part of the training ratings that chooses the epoch: "
         "as --split, without kfold", 0, 0},
        {"patience", OPTION_INT_OR_OFF, &s->plan.patience, "N",
         "stop after N epochs without a better validation; 0: never", 0, 1e9},
        {"refit", OPTION_FLAG, &s->refit, NULL,
         "once the epoch is chosen, train so far again with the validation part", 0, 0},
        {"task", OPTION_CHOICE, &s->task, "rating|ranking",
         "ranking: every training pair is liked", 0, 0},
        {"negatives", OPTION_INT, &s->plan.negatives, "N",
         "of ranking: other items for each pair, drawn every epoch", 0, 1000},
        {"negatives-file", OPTION_INPUT, &s->plan.negatives_file, "FILE",
         "of ranking: what test pairs are ranked among; else 99 drawn items", 0, 0},
        {"model", OPTION_CHOICE, &s->model, "ncf|gmf|mlp|simplecf|mf", "", 0, 0},
        {"factors", OPTION_INT, &s->options.factors, "N", "d, the width of the last layers", 1,
         4096},
        {"layers", OPTION_TEXT, &s->layers, "N,N,...",
         "of ncf and mlp: widths of [user; item] and of each layer "
         "[8d,4d,2d,d]", 0, 0},
        {"biases", OPTION_FLAG, &s->biases, NULL,
         "add a mean and biases of user and item to the model (mf has them)", 0, 0},
        {"init", OPTION_CHOICE, &s->init, "tutorial|paper", "initial values", 0, 0},
        {"dropout", OPTION_REAL, &s->options.dropout, "P", "share of activations dropped", 0, 1},
        {"clamp", OPTION_FLAG, &s->clamp, NULL,
         "measure predictions cut to the range of the ratings, as they are shown", 0, 0},
        {"epochs", OPTION_INT, &s->plan.epochs, "N", "passes over the training ratings", 0, 1e9},
        {"batch-size", OPTION_INT, &s->plan.batch_size, "N", "samples of a step", 1, 1e9},
        {"lr", OPTION_REAL, &s->plan.lr, "X", "learning rate", 1e-30, 1e30},
        {"lr-schedule", OPTION_CHOICE, &s->plan.lr_schedule, "constant|cosine|one-cycle",
         "over all epochs", 0, 0},
        {"optimizer", OPTION_CHOICE, &s->plan.optimizer, "adam|sparse-adam|sgd",
         "sgd: momentum 0.9", 0, 0},
        {"weight-decay", OPTION_REAL_OR_OFF, &s->plan.weight_decay, "X",
         "pull of vectors to zero: X / 2 |p|^2 is added to a "
         "sample's loss for the vectors p that it reads", 0, 1e30},
        {"decay", OPTION_CHOICE, &s->plan.decay, "vectors|all",
         "what it pulls; all: the weights (not "
         "the biases) of dense layers, too [vectors]", 0, 0},
        {"seed", OPTION_INT, &s->seed, "N", "of split, initial values, order and dropout", 0, 1e15},
        {"no-shuffle", OPTION_FLAG, &s->plan.no_shuffle, NULL, "train in the order of the file", 0,
         0},
        {"titles", OPTION_INPUT, &s->titles, "FILE", "titles of the items, kept with the model", 0,
         0},
        {"load", OPTION_INPUT, &s->load, "FILE", "begin with a saved model of the same shapes", 0,
         0},
        {"init-gmf", OPTION_INPUT, &s->init_gmf, "FILE",
         "begin an ncf with a saved gmf and, by --init-mlp, mlp", 0, 0},
        {"init-mlp", OPTION_INPUT, &s->init_mlp, "FILE", "see --init-gmf", 0, 0},
        /* What follows is no part of the settings, for it does not decide what comes out. */
        {"preset", OPTION_CHOICE, &s->preset, "tutorial|paper|best",
         "many settings at once, of which others may replace some: "
         "as published for ratings, for ranking; the best found", 0, 0},
        {"threads", OPTION_INT, &s->threads, "N",
         "0: as many as are fastest, up to one a core; with more than 1, ranking draws in a "
         "further one",
         0, 1024},
        {"save", OPTION_OUTPUT, &s->save, "FILE", "write the model (safetensors)", 0, 0},
        {"checkpoint", OPTION_OUTPUT, &s->plan.checkpoint, "FILE",
         "write what --resume needs, after every epoch", 0, 0},
        {"resume", OPTION_FLAG, &s->plan.resumed, NULL,
         "go on from --checkpoint, with its settings", 0, 0},
        {"log", OPTION_OUTPUT, &s->plan.log, "FILE",
         "write a csv line an epoch (--refit: of the choice)", 0, 0},
        {"quiet", OPTION_FLAG, &s->plan.quiet, NULL, "results and complaints only", 0, 0},
    };
    enum { INCIDENTAL = 7, COUNT = sizeof table / sizeof *table };
    const usage u = {"train", "ncf [train] [OPTION...]",
                     "Learn ratings and test on held-out ones. Without --train or --data: on the "
                     "embedded data set, synthetic ratings of which the best possible error is "
                     "known.",
                     table, COUNT, NULL};
    return read_all(&u, COUNT - INCIDENTAL, s, argc, argv, done);
}

void train_settings_release(train_settings *s)
{
    tg_state_dict_release(&s->from);
    free(s->line);
    free(s->given);
    *s = (train_settings){0};
}
