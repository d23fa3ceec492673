#include "models/cli/data_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/messages.h"

/* ---- ways to divide -------------------------------------------------------------------------- */

typedef enum way { WAY_WRONG, WAY_RANDOM, WAY_TEMPORAL, WAY_LEAVE_ONE_OUT, WAY_KFOLD } way;

typedef struct division {
    way way;
    double fraction; /* of random and temporal */
    int folds;       /* of kfold */
} division;

#define FRACTIONS "a fraction as 0.2 or random:0.2, temporal:0.2, leave-one-out"

/* The number that ends `text`, between low and high, both excluded; 0 where it is not that. */
static double number_of(const char *text, double low, double high)
{
    char *end;
    const double number = strtod(text, &end);
    return end != text && *end == '\0' && number > low && number < high ? number : 0;
}

static division parse_division(const char *text)
{
    division d = {.way = WAY_RANDOM};
    if (strcmp(text, "leave-one-out") == 0)
        return (division){.way = WAY_LEAVE_ONE_OUT};
    if (strncmp(text, "kfold:", 6) == 0) {
        const double folds = number_of(text + 6, 1, 101);
        d.folds = (int)folds;
        d.way = d.folds >= 2 && d.folds == folds ? WAY_KFOLD : WAY_WRONG;
        return d;
    }
    if (strncmp(text, "temporal:", 9) == 0) {
        d.way = WAY_TEMPORAL;
        text += 9;
    } else if (strncmp(text, "random:", 7) == 0) {
        text += 7;
    }
    d.fraction = number_of(text, 0, 1);
    d.way = d.fraction > 0 ? d.way : WAY_WRONG;
    return d;
}

int64_t data_options_folds(const data_options *o)
{
    const division d = parse_division(o->split ? o->split : "");
    return d.way == WAY_KFOLD && !o->fold ? d.folds : 1;
}

/* ---- options --------------------------------------------------------------------------------- */

static int check_folds(const data_options *o)
{
    const division d = parse_division(o->split ? o->split : "");
    if (d.way != WAY_KFOLD)
        return o->fold ? usage_error("train", "--fold needs --split kfold:N") : EXIT_DONE;
    if (o->fold > d.folds)
        return usage_error("train", "--fold %lld: expected a fold from 1 to %d, as --split says",
                           (long long)o->fold, d.folds);
    if (!o->fold && o->data && strcmp(o->data, "-") == 0)
        return usage_error("train", "standard input cannot be read for each fold; expected --fold "
                           "N or a file");
    return EXIT_DONE;
}

int data_options_check(data_options *o)
{
    if (o->train && o->data)
        return usage_error("train", "--train and --data exclude each other");
    if (!o->train != !o->test)
        return usage_error("train", "%s needs %s", o->train ? "--train" : "--test",
                           o->train ? "--test" : "--train");
    if (o->train && o->split)
        return usage_error("train",
                           "--split divides --data; --train and --test are divided already");
    if (!o->train && !o->split)
        o->split = "random:0.2";
    if (o->split && parse_division(o->split).way == WAY_WRONG)
        return usage_error("train", "--split '%s': expected " FRACTIONS ", or kfold:5", o->split);
    const way cut = parse_division(o->validation ? o->validation : "0.1").way;
    if (cut == WAY_WRONG || cut == WAY_KFOLD)
        return usage_error("train", "--validation '%s': expected " FRACTIONS, o->validation);
    return check_folds(o);
}

/* ---- dividing -------------------------------------------------------------------------------- */

static tg_status divide_fold(int folds, int64_t fold, uint64_t seed, const tg_dataset *all,
                             tg_dataset *train, tg_dataset *test)
{
    uint8_t *part = malloc((size_t)all->count + 1);
    if (!part)
        return tg_failure(TG_ENOMEM, "no memory to divide %lld ratings", (long long)all->count);
    tg_draw_folds(folds, seed, all->count, part);
    const tg_status status = tg_split_part(all, part, (uint8_t)(fold - 1), train, test);
    free(part);
    return status;
}

/* The parts are ranges of `all`, whose rows move; `name` is where they are from. */
static tg_status divide(const char *name, const char *how, int64_t fold, uint64_t seed,
                        const tg_dataset *all, tg_dataset *train, tg_dataset *test)
{
    const division d = parse_division(how);
    const int timestamp = all->columns > TG_TIMESTAMP ? TG_TIMESTAMP : -1;
    if (d.way == WAY_KFOLD)
        return divide_fold(d.folds, fold, seed, all, train, test);
    if (d.way == WAY_LEAVE_ONE_OUT)
        return tg_split_leave_one_out(all, TG_USER, timestamp, train, test);
    if (d.way == WAY_RANDOM)
        return tg_split_random(all, d.fraction, seed, train, test);
    if (timestamp < 0)
        return tg_failure(TG_EFORMAT, "%s: the ratings have no timestamps; expected some, to "
                          "divide them by %s", name, how);
    return tg_split_temporal(all, d.fraction, timestamp, train, test);
}

/* ---- loading --------------------------------------------------------------------------------- */

static const char *name_of(const data_options *o)
{
    return o->train ? o->train : o->data ? o->data : "the embedded synthetic data set";
}

static tg_status say_duplicates(const char *name, const tg_dataset *ratings)
{
    const int64_t duplicates = tg_ratings_duplicates(ratings);
    if (duplicates > 0)
        say("%s: %lld of %lld ratings repeat a pair of user and item; all are kept", name,
            (long long)duplicates, (long long)ratings->count);
    return duplicates < 0 ? TG_ENOMEM : TG_OK;
}

static tg_status load_split_files(const data_options *o, tg_ids *users, tg_ids *items,
                                  data_source *source)
{
    tg_status status = tg_ratings_read(o->train, users, items, &source->all);
    if (status == TG_OK)
        status = tg_ratings_read(o->test, users, items, &source->test);
    if (status == TG_OK)
        status = say_duplicates(o->train, &source->all);
    if (status == TG_OK)
        status = say_duplicates(o->test, &source->test);
    source->train = source->all;
    source->train.owns_columns = false;
    return status;
}

static tg_status load_and_split(const data_options *o, uint64_t seed, tg_ids *users, tg_ids *items,
                                data_source *source)
{
    const tg_synthetic_options defaults = {TG_SYNTHETIC_DEFAULTS};
    tg_status status = o->data ? tg_ratings_read(o->data, users, items, &source->all)
                               : tg_synthetic_with(users, items, &source->all, defaults);
    if (status == TG_OK && o->data)
        status = say_duplicates(o->data, &source->all);
    if (status == TG_OK)
        status = divide(name_of(o), o->split, o->fold, seed, &source->all, &source->train,
                        &source->test);
    source->is_synthetic = !o->data;
    if (status == TG_OK && source->is_synthetic)
        status = tg_synthetic_best(users, items, &source->test, defaults, &source->best);
    return status;
}

/* Say how many there are of each part; an exit status. */
static int check_parts(const data_options *o, bool quiet, const data_source *source)
{
    const char *name = name_of(o);
    const long long train = source->train.count, test = source->test.count;
    const long long validation = source->validation.count;
    if (!train || !test || (o->validation && !validation)) {
        say("%s: --split %s%s%s leaves %lld ratings to train on, %lld for validation and %lld to "
            "test; expected some of each", name, o->split ? o->split : "of the files",
            o->validation ? ", --validation " : "", o->validation ? o->validation : "", train,
            validation, test);
        return EXIT_FAILED;
    }
    if (!quiet && validation)
        fprintf(stderr, "%s: %lld ratings to train on, %lld for validation, %lld to test\n", name,
                train, validation, test);
    else if (!quiet)
        fprintf(stderr, "%s: %lld ratings to train on, %lld to test\n", name, train, test);
    return EXIT_DONE;
}

int data_source_load(const data_options *o, uint64_t seed, bool quiet, tg_ids *users, tg_ids *items,
                     data_source *source)
{
    *source = (data_source){0};
    tg_status status = o->train ? load_split_files(o, users, items, source)
                                : load_and_split(o, seed, users, items, source);
    if (status == TG_OK && o->validation) {
        const tg_dataset whole = source->train;
        status = divide(name_of(o), o->validation, 0, seed + 1, &whole, &source->train,
                        &source->validation);
    }
    const int done = status == TG_OK ? check_parts(o, quiet, source) : say_last_error();
    if (done != EXIT_DONE)
        data_source_release(source);
    return done;
}

void data_source_rejoin(data_source *source)
{
    source->train.count += source->validation.count; /* its rows follow */
    source->validation = (tg_dataset){0};
}

void data_source_release(data_source *source)
{
    tg_dataset_release(&source->validation);
    tg_dataset_release(&source->train);
    tg_dataset_release(&source->test);
    tg_dataset_release(&source->all);
}
