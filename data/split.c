#include "data/split.h"

#include <math.h>
#include <stdlib.h>

#include "data/dataset-internal.h"
#include "tensor/random.h"
#include "tensor/tensor-internal.h"

/* Streams of random numbers, so that a split and a shuffle of one seed have nothing in common. */
enum { SPLIT_STREAM = 0x5911, FOLD_STREAM };

static tg_status no_memory(int64_t count)
{
    return tg_failure(TG_ENOMEM, "no memory to split %lld rows", (long long)count);
}

/* ---- moving rows ----------------------------------------------------------------------------- */

typedef struct division {
    const uint8_t *part; /* (count) */
    uint8_t which;       /* the rows of this part go behind the others */
    int64_t count, held; /* rows, and how many of them go behind */
    char *scratch;       /* room for the fewer of the two, of the widest column */
} division;

/* The fewer rows go aside, the others move down; then both to where they belong. (`row` may be
 * `part`: a number is read before anything is written to its place.) */
static void move_rows(const division *d, char *row, size_t width)
{
    const bool held_aside = d->held <= d->count - d->held;
    char *down = row, *aside = d->scratch;
    for (int64_t i = 0; i < d->count; i++) {
        char **to = (d->part[i] == d->which) == held_aside ? &aside : &down;
        tg_copy_row(*to, row + (size_t)i * width, width);
        *to += width;
    }
    const size_t moved = (size_t)(down - row), put_aside = (size_t)(aside - d->scratch);
    if (!held_aside)
        memmove(row + put_aside, row, moved);
    memcpy(held_aside ? down : row, d->scratch, put_aside);
}

tg_status tg_split_part(const tg_dataset *all, uint8_t *part, uint8_t which, tg_dataset *train,
                        tg_dataset *test)
{
    const tg_dataset whole = *all; /* which *train or *test may be */
    division d = {.part = part, .which = which, .count = whole.count};
    for (int64_t i = 0; i < d.count; i++)
        d.held += part[i] == which;
    size_t widest = 1;
    for (int i = 0; i < whole.columns; i++) {
        const size_t width = tg_column_width(whole.column[i]);
        widest = width > widest ? width : widest;
    }
    d.scratch = malloc((size_t)tg_min(d.held, d.count - d.held) * widest + 1);
    if (!d.scratch)
        return no_memory(d.count);
    for (int i = 0; i < whole.columns; i++)
        move_rows(&d, tg_dataset_rows(&whole, i), tg_column_width(whole.column[i]));
    move_rows(&d, (char *)part, 1);
    free(d.scratch);
    *train = *test = whole;
    train->owns_columns = test->owns_columns = false;
    train->count = d.count - d.held;
    test->first += train->count;
    test->count = d.held;
    return TG_OK;
}

/* ---- which rows are held out ----------------------------------------------------------------- */

/* Zeros, one for each row; NULL where there is no memory. */
static uint8_t *new_parts(const tg_dataset *all)
{
    uint8_t *part = calloc((size_t)all->count + 1, sizeof *part);
    if (!part)
        no_memory(all->count);
    return part;
}

/* Hold out the rows marked with 1, and free the marks. */
static tg_status split_marked(const tg_dataset *all, uint8_t *part, tg_dataset *train,
                              tg_dataset *test)
{
    const tg_status status = tg_split_part(all, part, 1, train, test);
    free(part);
    return status;
}

static tg_status check_fraction(const char *function, double fraction)
{
    if (fraction > 0 && fraction < 1)
        return TG_OK;
    return tg_failure(TG_EMISUSE, "%s: a fraction of %g; expected one between 0 and 1", function,
                      fraction);
}

static tg_status check_column(const char *function, const tg_dataset *all, int column)
{
    if (column < 0 || column >= all->columns)
        return tg_failure(TG_EMISUSE, "%s: column %d of %d columns", function, column,
                          all->columns);
    const tg_tensor *c = all->column[column];
    if (c->dtype == TG_I64 && c->shape.ndim == 1)
        return TG_OK;
    char text[TG_SHAPE_TEXT];
    return tg_failure(TG_EMISUSE, "%s: column %d is %s %s; expected (rows) i64", function, column,
                      tg_dtype_name(c->dtype), tg_shape_format(&c->shape, text));
}

tg_status tg_split_random(const tg_dataset *all, double fraction, uint64_t seed, tg_dataset *train,
                          tg_dataset *test)
{
    const tg_status status = check_fraction("tg_split_random", fraction);
    uint8_t *part = status == TG_OK ? new_parts(all) : NULL;
    if (!part)
        return status == TG_OK ? TG_ENOMEM : status;
    /* Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): each row with the probability that
     * leaves every subset of the size equally likely. */
    tg_rng rng = {.seed = seed, .stream = SPLIT_STREAM};
    int64_t wanted = llround(fraction * (double)all->count);
    for (int64_t i = 0; i < all->count && wanted > 0; i++) {
        part[i] = tg_rng_below(&rng, (uint64_t)(all->count - i)) < (uint64_t)wanted;
        wanted -= part[i];
    }
    return split_marked(all, part, train, test);
}

typedef struct latest {
    int64_t row;      /* of the latest row so far; -1: none */
    bool has_earlier; /* there is another one */
} latest;

/* Mark each user's latest row, where there is another one. */
static void mark_latest(const int64_t *user, const int64_t *time, int64_t count, latest *of,
                        uint8_t *part)
{
    for (int64_t i = 0; i < count; i++) {
        latest *l = &of[user[i]];
        l->has_earlier = l->row >= 0;
        if (l->row < 0 || !time || time[i] >= time[l->row])
            l->row = i;
    }
    for (int64_t i = 0; i < count; i++)
        part[i] = of[user[i]].row == i && of[user[i]].has_earlier;
}

tg_status tg_split_leave_one_out(const tg_dataset *all, int user, int timestamp, tg_dataset *train,
                                 tg_dataset *test)
{
    tg_status status = check_column("tg_split_leave_one_out", all, user);
    if (status == TG_OK && timestamp >= 0)
        status = check_column("tg_split_leave_one_out", all, timestamp);
    if (status != TG_OK)
        return status;
    const int64_t *number = tg_dataset_rows(all, user);
    int64_t users = 0;
    for (int64_t i = 0; i < all->count; i++) {
        if (number[i] < 0 || number[i] > INT32_MAX)
            return tg_failure(TG_EMISUSE, "tg_split_leave_one_out: user %lld in row %lld; expected "
                              "numbers from 0 to %d", (long long)number[i], (long long)i,
                              INT32_MAX);
        users = number[i] >= users ? number[i] + 1 : users;
    }
    uint8_t *part = new_parts(all);
    latest *of = malloc(((size_t)users + 1) * sizeof *of);
    if (!part || !of) {
        free(part);
        free(of);
        return no_memory(all->count);
    }
    for (int64_t u = 0; u < users; u++)
        of[u] = (latest){.row = -1};
    mark_latest(number, timestamp < 0 ? NULL : tg_dataset_rows(all, timestamp), all->count, of,
                part);
    free(of);
    return split_marked(all, part, train, test);
}

/* How many of the timestamps are `time` or later. */
static int64_t count_from(const int64_t *timestamp, int64_t count, int64_t time)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        n += timestamp[i] >= time;
    return n;
}

/* The latest time from which on there are `wanted` rows or more, by bisection: a few dozen passes,
 * and no copy to sort. */
static int64_t time_of(const int64_t *timestamp, int64_t count, int64_t wanted)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t i = 0; i < count; i++) {
        low = timestamp[i] < low ? timestamp[i] : low;
        high = timestamp[i] > high ? timestamp[i] : high;
    }
    while (low < high) { /* low has enough; the middle rounds up, and may not overflow */
        const uint64_t span = (uint64_t)high - (uint64_t)low;
        const int64_t middle = (int64_t)((uint64_t)low + (span - span / 2));
        if (count_from(timestamp, count, middle) >= wanted)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

tg_status tg_split_temporal(const tg_dataset *all, double fraction, int timestamp,
                            tg_dataset *train, tg_dataset *test)
{
    tg_status status = check_fraction("tg_split_temporal", fraction);
    if (status == TG_OK)
        status = check_column("tg_split_temporal", all, timestamp);
    uint8_t *part = status == TG_OK ? new_parts(all) : NULL;
    if (!part)
        return status == TG_OK ? TG_ENOMEM : status;
    const int64_t *time = tg_dataset_rows(all, timestamp);
    int64_t wanted = llround(fraction * (double)all->count);
    const int64_t from = time_of(time, all->count, wanted);
    for (int64_t i = 0; i < all->count; i++)
        wanted -= part[i] = time[i] > from;
    for (int64_t i = all->count - 1; i >= 0 && wanted > 0; i--)
        if (time[i] == from)
            wanted -= part[i] = 1;
    return split_marked(all, part, train, test);
}

void tg_draw_folds(int folds, uint64_t seed, int64_t count, uint8_t *part)
{
    tg_rng rng = {.seed = seed, .stream = FOLD_STREAM};
    for (int64_t i = 0; i < count; i++)
        part[i] = (uint8_t)(i % folds);
    for (int64_t i = count - 1; i > 0; i--) { /* Fisher and Yates */
        const uint64_t j = tg_rng_below(&rng, (uint64_t)i + 1);
        const uint8_t other = part[j];
        part[j] = part[i];
        part[i] = other;
    }
}
