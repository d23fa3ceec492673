#include "models/cli/data_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/messages.h"

/* ---- options --------------------------------------------------------------------------------- */

/* The fraction of "random:0.2"; 0 where it is not that. */
static double random_fraction(const char *split)
{
    char *end = NULL;
    const double fraction = strncmp(split, "random:", 7) == 0 ? strtod(split + 7, &end) : 0;
    return end && *end == '\0' && fraction > 0 && fraction < 1 ? fraction : 0;
}

int data_options_check(data_options *o)
{
    if (o->train && o->data)
        return usage_error("--train and --data exclude each other");
    if (!o->train != !o->test)
        return usage_error("%s needs %s", o->train ? "--train" : "--test",
                           o->train ? "--test" : "--train");
    if (o->train && o->split)
        return usage_error("--split divides --data; --train and --test are divided already");
    if (!o->train && !o->split)
        o->split = "random:0.2";
    if (o->split && strcmp(o->split, "leave-one-out") != 0 && random_fraction(o->split) == 0)
        return usage_error("--split '%s': expected random:FRACTION, a fraction between 0 and 1, or "
                           "leave-one-out", o->split);
    return EXIT_DONE;
}

/* ---- loading --------------------------------------------------------------------------------- */

static void say_duplicates(const char *name, const tg_dataset *ratings)
{
    const int64_t duplicates = tg_ratings_duplicates(ratings);
    if (duplicates > 0)
        say("%s: %lld of %lld ratings repeat a pair of user and item; all are kept", name,
            (long long)duplicates, (long long)ratings->count);
    if (duplicates < 0)
        say_last_error();
}

static tg_status load_split_files(const data_options *o, tg_ids *users, tg_ids *items,
                                  data_source *source)
{
    tg_status status = tg_ratings_read(o->train, users, items, &source->train);
    if (status == TG_OK)
        status = tg_ratings_read(o->test, users, items, &source->test);
    if (status == TG_OK) {
        say_duplicates(o->train, &source->train);
        say_duplicates(o->test, &source->test);
    }
    return status;
}

static tg_status divide(const char *split, uint64_t seed, data_source *source)
{
    const tg_dataset *all = &source->all;
    const double fraction = random_fraction(split);
    if (fraction > 0)
        return tg_split_random(all, fraction, seed, &source->train, &source->test);
    const int timestamp = all->columns > TG_TIMESTAMP ? TG_TIMESTAMP : -1;
    return tg_split_leave_one_out(all, TG_USER, timestamp, &source->train, &source->test);
}

static tg_status load_and_split(const data_options *o, uint64_t seed, tg_ids *users, tg_ids *items,
                                data_source *source)
{
    const tg_synthetic_options defaults = {0};
    tg_status status = o->data ? tg_ratings_read(o->data, users, items, &source->all)
                               : tg_synthetic_with(users, items, &source->all, defaults);
    if (status != TG_OK)
        return status;
    if (o->data)
        say_duplicates(o->data, &source->all);
    status = divide(o->split, seed, source);
    source->is_synthetic = !o->data;
    if (status == TG_OK && source->is_synthetic)
        status = tg_synthetic_best(users, items, &source->test, defaults, &source->best);
    return status;
}

int data_source_load(const data_options *o, uint64_t seed, bool quiet, tg_ids *users, tg_ids *items,
                     data_source *source)
{
    *source = (data_source){0};
    const tg_status status = o->train ? load_split_files(o, users, items, source)
                                      : load_and_split(o, seed, users, items, source);
    if (status != TG_OK) {
        data_source_release(source);
        return say_last_error();
    }
    const char *name = o->train ? o->train : o->data ? o->data : "the embedded synthetic data set";
    if (!source->train.count || !source->test.count) {
        say("%s: --split %s leaves %lld ratings to train on and %lld to test; expected some of "
            "each", name, o->split, (long long)source->train.count, (long long)source->test.count);
        data_source_release(source);
        return EXIT_FAILED;
    }
    if (!quiet)
        fprintf(stderr, "%s: %lld ratings to train on, %lld to test\n", name,
                (long long)source->train.count, (long long)source->test.count);
    return EXIT_DONE;
}

void data_source_release(data_source *source)
{
    tg_dataset_release(&source->train);
    tg_dataset_release(&source->test);
    tg_dataset_release(&source->all);
}
