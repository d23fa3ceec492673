/* ncf train: learn ratings or rankings, epoch by epoch. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/checkpoint.h"
#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "models/cli/pretrained.h"
#include "models/cli/titles.h"
#include "models/cli/train_settings.h"

typedef struct training {
    const train_settings *set;
    data_source data;
    recommender r;
    trainer trainer;
} training;

/* ---- the model ------------------------------------------------------------------------------- */

static const rating_model *model_of(const train_settings *set)
{
    const rating_model *model = rating_model_find(set->model);
    return set->biases ? rating_model_with_biases(model) : model;
}

static int load_recommender(recommender *r, const train_settings *set)
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
static int check_known(const train_settings *set, const char *what, const tg_ids *ids,
                       int64_t count)
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
    const train_settings *set = t->set;
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
static int say_untrained(const training *t)
{
    char *seen[] = {[TG_USER] = calloc((size_t)t->r.users.count + 1, 1),
                    [TG_ITEM] = calloc((size_t)t->r.items.count + 1, 1)};
    const tg_dataset *train = &t->data.train, *test = &t->data.test;
    const bool has_memory = seen[TG_USER] && seen[TG_ITEM];
    int64_t tests = 0;
    if (has_memory) {
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
    if (!has_memory)
        say("no memory to count the test ratings that rest on no training rating");
    else if (tests)
        fprintf(stderr, "%lld test ratings are of a user or an item without a training rating\n",
                (long long)tests);
    return has_memory ? EXIT_DONE : EXIT_FAILED;
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
    if (titles_read(t->set->titles, &r->items, &r->titles, &r->genres) != TG_OK)
        return say_last_error();
    if (!t->set->plan.quiet)
        fprintf(stderr, "%s: titles of %lld of the %lld items\n", t->set->titles,
                (long long)titles_known(r->titles, r->items.count), (long long)r->items.count);
    return EXIT_DONE;
}

/* The second training of --refit. */
static void rejoin(training *t)
{
    if (!t->set->plan.quiet)
        fprintf(stderr, "epoch %lld was chosen: so far again, with the %lld validation ratings\n",
                (long long)t->set->plan.stop, (long long)t->data.validation.count);
    data_source_rejoin(&t->data);
}

static int set_up(training *t)
{
    const train_settings *set = t->set;
    recommender *r = &t->r;
    tg_set_num_threads((int)set->threads);
    tg_manual_seed((uint64_t)set->seed);
    int status = set_up_model(t);
    if (status == EXIT_DONE)
        status = load_titles(t);
    if (status != EXIT_DONE)
        return status;
    if (set->plan.stop)
        rejoin(t);
    r->task = strcmp(set->task, "ranking") == 0 ? TASK_RANKING : TASK_RATING;
    r->clamp = set->clamp;
    free(r->settings);
    if (!(r->settings = strdup(set->line))) {
        say("no memory for the settings");
        return EXIT_FAILED;
    }
    recommender_set_ratings(r, &t->data.train);
    if (!set->load)
        rating_model_start(r->module, start_of(t));
    if (!set->plan.quiet) {
        if (say_untrained(t) != EXIT_DONE)
            return EXIT_FAILED;
        fprintf(stderr, "%lld users, %lld items, ratings from %g to %g, %lld parameters\n",
                (long long)r->users.count, (long long)r->items.count, r->rating_low,
                r->rating_high, (long long)tg_module_parameter_count(r->module));
    }
    status = trainer_init(&t->trainer, &set->plan, r, &t->data);
    if (status == EXIT_DONE && set->plan.resumed &&
        checkpoint_resume(&t->trainer, set->plan.checkpoint, &set->from) != TG_OK)
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

static int save(const training *t)
{
    if (!t->set->save || t->trainer.has_diverged || !t->trainer.is_of_use)
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

/* By which measures the model loses to what needs none. */
static void print_losses(recommender_task task, measures model, const baseline *other)
{
    const char *const *name = measure_names[task];
    bool loses[MEASURES];
    for (int i = 0; i < MEASURES; i++)
        loses[i] = task == TASK_RATING ? model.value[i] > other->reached.value[i]
                                       : model.value[i] < other->reached.value[i];
    if (loses[0] || loses[1])
        printf("this model is worse than %s by %s%s%s\n", other->name, loses[0] ? name[0] : "",
               loses[0] && loses[1] ? " and " : "", loses[1] ? name[1] : "");
}

/* What needs no model, and where it is known the best possible. */
static void print_baselines(const training *t, const baseline *other, int count, measures model)
{
    for (int i = 0; i < count; i++)
        print_row(other[i].name, other[i].reached);
    if (t->data.is_synthetic && t->r.task == TASK_RATING)
        print_row("best that can be expected", (measures){{t->data.best.mae, t->data.best.rmse}});
    print_losses(t->r.task, model, &other[0]);
}

static void print_choice(const training *t)
{
    const trainer *by = &t->trainer;
    if (t->set->plan.stop)
        printf("the epoch was chosen by %s on validation ratings, then trained with them\n",
               measure_names[t->r.task][1]);
    else if (by->is_validated && by->chosen)
        printf("epoch %lld of %lld was chosen, by %s on %lld validation ratings\n",
               (long long)by->chosen, (long long)by->epoch, measure_names[t->r.task][1],
               (long long)t->data.validation.count);
}

static int64_t epochs_of(const trainer *t)
{
    return t->chosen ? t->chosen : t->epoch;
}

static int print_results(training *t, measures *of)
{
    char name[64];
    baseline other[BASELINES];
    const int64_t epochs = epochs_of(&t->trainer);
    if (exam_of_model(&t->trainer.test, of) != TG_OK)
        return say_last_error();
    const int others = exam_of_baselines(&t->trainer.test, other);
    if (others < 0)
        return say_last_error();
    snprintf(name, sizeof name, "%s after %lld epoch%s", t->r.model->name, (long long)epochs,
             epochs == 1 ? "" : "s");
    print_header(t->r.task);
    print_row(name, *of);
    print_baselines(t, other, others, *of);
    print_choice(t);
    return EXIT_DONE;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* One training; *of becomes the test's measures, *chosen the epoch that validation chose. What it
 * leads to is printed and saved where it is the last one. */
static int run_training(const train_settings *set, bool is_last, measures *of, int64_t *chosen)
{
    training t = {.set = set};
    int status = set_up(&t);
    if (status == EXIT_DONE) {
        status = trainer_run(&t.trainer);
        *chosen = t.trainer.chosen;
        const int saved = is_last || status == EXIT_INTERRUPTED ? save(&t) : EXIT_DONE;
        if (status == EXIT_DONE && is_last)
            status = print_results(&t, of);
        status = saved == EXIT_DONE ? status : saved;
    }
    tear_down(&t);
    return status;
}

/* One division of the data: with --refit the training that chooses an epoch, then the one up to it,
 * with the validation part; *of becomes the test's measures. */
static int run_once(const train_settings *set, measures *of)
{
    int64_t chosen = checkpoint_stop(&set->from);
    train_settings second = *set;
    if (!set->refit)
        return run_training(set, true, of, &chosen);
    if (!chosen) {
        const int status = run_training(set, false, of, &chosen);
        if (status != EXIT_DONE || !chosen)
            return status;
        second.plan.resumed = false;
        second.from = (tg_state_dict){0};
    }
    second.plan.stop = chosen;
    second.plan.log = NULL; /* it is of the choice */
    return run_training(&second, true, of, &chosen);
}

/* All folds in turn, then their mean and (sample) standard deviation. */
static int run_folds(const train_settings *set, int64_t folds)
{
    train_settings one = *set;
    double sum[MEASURES] = {0}, squares[MEASURES] = {0};
    int status = EXIT_DONE;
    for (int64_t fold = 1; fold <= folds && status == EXIT_DONE; fold++) {
        measures of = {{0}};
        one.data.fold = fold;
        printf("fold %lld of %lld\n", (long long)fold, (long long)folds);
        fflush(stdout);
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
        const double spread = squares[i] - n * mean.value[i] * mean.value[i];
        deviation.value[i] = sqrt(fmax(0, spread) / (n - 1));
    }
    print_row("mean of the folds", mean);
    print_row("standard deviation", deviation);
    return EXIT_DONE;
}

static int train(const train_settings *s)
{
    const int64_t folds = data_options_folds(&s->data);
    measures of;
    return folds > 1 ? run_folds(s, folds) : run_once(s, &of);
}

int train_command(int argc, char **argv)
{
    train_settings s;
    bool done;
    int status = train_settings_read(&s, argc, argv, &done);
    if (status == EXIT_DONE && !done)
        status = train(&s);
    train_settings_release(&s);
    return status;
}
