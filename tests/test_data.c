/* Data sets in memory: ids, columns, splits, batches. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "data/dataset.h"
#include "data/ids.h"
#include "data/loader.h"
#include "data/ratings.h"
#include "data/split.h"

static void expect_misuse(const char *message)
{
    cr_expect_eq(tg_last_error()->status, TG_EMISUSE);
    cr_expect_not_null(strstr(tg_last_error()->message, message), "%s\nexpected   %s",
                       tg_last_error()->message, message);
    tg_clear_error();
}

/* ---- ids ------------------------------------------------------------------------------------- */

Test(ids, intern__numbers_in_order_of_first_appearance)
{
    tg_ids ids = {0};
    cr_expect_eq(tg_ids_find(&ids, "a"), -1);
    static const char *const name[] = {"alice", "", "7", "alice bob", "alic", "7", "alice"};
    static const int64_t number[] = {0, 1, 2, 3, 4, 2, 0};
    for (int i = 0; i < 7; i++)
        cr_expect_eq(tg_ids_intern(&ids, name[i]), number[i], "%s", name[i]);
    cr_expect_eq(ids.count, 5);
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(tg_ids_find(&ids, name[i]), i);
        cr_expect_str_eq(tg_ids_name(&ids, i), name[i]);
    }
    cr_expect_eq(tg_ids_find(&ids, "bob"), -1);
    cr_expect_eq(ids.count, 5, "finding adds nothing");
    tg_ids_release(&ids);
    cr_expect_eq(ids.count, 0);
    cr_expect_eq(tg_ids_find(&ids, "alice"), -1);
}

/* Ids are told apart by their first 8 bytes, and by what follows them. */
Test(ids, intern__tells_ids_with_a_common_beginning_apart)
{
    static const char *const name[] = {"1234567",   "12345678",  "123456789",
                                       "12345678x", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                                       "12345678xy"};
    tg_ids ids = {0};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 6; i++)
            cr_expect_eq(tg_ids_intern(&ids, name[i]), i, "%s", name[i]);
    cr_expect_eq(tg_ids_find(&ids, "12345678y"), -1);
    tg_ids_release(&ids);
}

Test(ids, intern__keeps_many)
{
    enum { COUNT = 300000 };
    tg_ids ids = {0};
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        sprintf(name, i % 3 ? "%d" : "a rather long name %d", i);
        cr_assert_eq(tg_ids_intern(&ids, name), i);
    }
    for (int i = 0; i < COUNT; i++) {
        sprintf(name, i % 3 ? "%d" : "a rather long name %d", i);
        cr_assert_eq(tg_ids_find(&ids, name), i);
        cr_assert_str_eq(tg_ids_name(&ids, i), name);
    }
    cr_expect_eq(tg_ids_find(&ids, "0"), -1);
    tg_ids_release(&ids);
}

/* ---- data sets ------------------------------------------------------------------------------- */

enum { ROWS = 103, BATCH = 10 };

/* Row i is i, i / 2, (i, -i, i) and i as f64, in columns of every width. */
static tg_dataset numbered(void)
{
    tg_dataset d = tg_dataset_of(tg_owned(TG_I64, ROWS), tg_owned(TG_F32, ROWS),
                                 tg_owned(TG_F32, ROWS, 3), tg_owned(TG_F64, ROWS, 1));
    for (int i = 0; i < ROWS; i++) {
        tg_set(d.column[0], i, i);
        tg_set(d.column[1], (double)i / 2, i);
        for (int j = 0; j < 3; j++)
            tg_set(d.column[2], j == 1 ? -i : i, i, j);
        tg_set(d.column[3], i, i, 0);
    }
    return d;
}

/* The number of a row, which all its columns agree on. */
static int64_t number_of(const tg_dataset *d, int64_t row)
{
    const int64_t i = ((int64_t *)tg_dataset_rows(d, 0))[row];
    cr_assert_eq(((float *)tg_dataset_rows(d, 1))[row], (float)i / 2);
    const float *three = (float *)tg_dataset_rows(d, 2) + 3 * row;
    cr_assert(three[0] == (float)i && three[1] == (float)-i && three[2] == (float)i);
    cr_assert_eq(((double *)tg_dataset_rows(d, 3))[row], (double)i);
    return i;
}

Test(dataset, of__takes_tensors_of_equally_many_rows)
{
    tg_dataset d = numbered();
    cr_expect_eq(d.count, ROWS);
    cr_expect_eq(d.columns, 4);
    cr_expect_eq(number_of(&d, 77), 77);
    tg_dataset_release(&d);
    cr_expect_eq(d.columns, 0);
    tg_dataset_release(&d);
}

Test(dataset, of__misuse_is_named_and_leaks_nothing)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_dataset d = tg_dataset_of(tg_owned(TG_I64, 3), tg_owned(TG_F32, 4, 2));
    expect_misuse("test_data.c:");
    cr_expect_eq(d.columns, 0);
    d = tg_dataset_of(tg_owned(TG_I64, 3), tg_owned(TG_F32, 4, 2));
    expect_misuse("dataset: column 1, [4, 2]: its rows are not as many as those of column 0");
    d = tg_dataset_of(tg_scalar(TG_F32, 1));
    expect_misuse("dataset: column 0, []: a scalar has no rows");
    d = tg_dataset_of(tg_transpose(tg_zeros(TG_F32, 2, 3), 0, 1));
    expect_misuse("dataset: column 0, [3, 2]: it is not contiguous");
    d = tg_dataset_of(NULL);
    expect_misuse("dataset: the tensor is NULL");
    tg_tensor *t = tg_zeros(TG_F32, 1);
    d = tg_dataset_of(t, t, t, t, t, t, t, t, t);
    expect_misuse("dataset: 9 columns; at most 8");
    cr_expect_eq(d.count, 0);
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* Both parts in ascending order, and every row in one of them. */
static void expect_division(const tg_dataset *train, const tg_dataset *test, int64_t tests)
{
    bool seen[ROWS] = {false};
    cr_assert_eq(test->count, tests);
    cr_assert_eq(train->count + test->count, ROWS);
    for (int part = 0; part < 2; part++) {
        const tg_dataset *d = part ? test : train;
        for (int64_t i = 0; i < d->count; i++) {
            const int64_t number = number_of(d, i);
            cr_assert_not(seen[number]);
            cr_assert(i == 0 || number > number_of(d, i - 1));
            seen[number] = true;
        }
    }
}

Test(split, part__moves_rows_behind_the_others_in_order)
{
    static const int64_t modulus[] = {1, 2, 3, 50, 1000};
    for (int m = 0; m < 5; m++)
        for (int inverse = 0; inverse < 2; inverse++) { /* few rows held out, or nearly all */
            tg_dataset d = numbered(), train, test;
            uint8_t part[ROWS];
            int64_t held = 0;
            for (int i = 0; i < ROWS; i++)
                held += part[i] = (i % modulus[m] == 0) != inverse;
            cr_assert_eq(tg_split_part(&d, part, 1, &train, &test), TG_OK);
            expect_division(&train, &test, held);
            for (int i = 0; i < ROWS; i++)
                cr_assert_eq(part[i], i >= train.count, "the numbers move with their rows");
            tg_dataset_release(&train); /* a part owns nothing */
            cr_expect_eq(d.count, ROWS);
            tg_dataset_release(&d);
        }
}

Test(split, random__draws_the_same_rows_for_a_seed)
{
    tg_dataset d[3], train, test[3];
    static const uint64_t seed[] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        d[i] = numbered();
        cr_assert_eq(tg_split_random(&d[i], 0.2, seed[i], &train, &test[i]), TG_OK);
        expect_division(&train, &test[i], 21);
    }
    static const int64_t expected[] = {2,  4,  6,  7,  11, 12, 19, 34, 38, 46, 56,
                                       58, 61, 63, 67, 68, 80, 81, 97, 98, 99};
    const size_t bytes = sizeof expected; /* never other rows for a seed */
    const void *first = tg_dataset_rows(&test[0], 0);
    cr_expect_eq(memcmp(first, expected, bytes), 0);
    cr_expect_eq(memcmp(first, tg_dataset_rows(&test[1], 0), bytes), 0);
    cr_expect_neq(memcmp(first, tg_dataset_rows(&test[2], 0), bytes), 0);
    for (int i = 0; i < 3; i++)
        tg_dataset_release(&d[i]);
}

Test(split, random__a_part_can_be_split_again)
{
    tg_dataset d = numbered(), train, test, validation;
    cr_assert_eq(tg_split_random(&d, 0.2, 1, &train, &test), TG_OK);
    int64_t before[21];
    memcpy(before, tg_dataset_rows(&test, 0), sizeof before);
    cr_assert_eq(tg_split_random(&train, 0.5, 1, &train, &validation), TG_OK);
    cr_expect_eq(train.count, 41);
    cr_expect_eq(validation.count, 41);
    cr_expect_eq(memcmp(before, tg_dataset_rows(&test, 0), sizeof before), 0);
    bool seen[ROWS] = {false};
    for (int64_t i = 0; i < ROWS; i++)
        seen[number_of(&d, i)] = true;
    for (int i = 0; i < ROWS; i++)
        cr_expect(seen[i], "row %d is lost", i);
    tg_dataset_release(&d);
}

static const int64_t six_users[] = {5, 5, 9, 5, 7, 7}, six_times[] = {30, 40, 10, 40, 10, 5};

/* Columns: user, row number, time. */
static tg_dataset six(void)
{
    tg_dataset d =
        tg_dataset_of(tg_owned(TG_I64, 6), tg_owned(TG_F32, 6), tg_owned(TG_I64, 6));
    for (int i = 0; i < 6; i++) {
        tg_set(d.column[0], (double)six_users[i], i);
        tg_set(d.column[1], i, i);
        tg_set(d.column[2], (double)six_times[i], i);
    }
    return d;
}

static void expect_rows(const tg_dataset *d, int64_t count, const float *expected)
{
    const float *row = tg_dataset_rows(d, 1);
    cr_assert_eq(d->count, count);
    for (int64_t i = 0; i < count; i++)
        cr_expect_eq(row[i], expected[i]);
}

Test(split, leave_one_out__takes_the_latest_of_each_user)
{
    tg_dataset d = six(), train, test;
    cr_assert_eq(tg_split_leave_one_out(&d, 0, 2, &train, &test), TG_OK);
    expect_rows(&test, 2, (float[]){3, 4}); /* among equal times the last one */
    expect_rows(&train, 4, (float[]){0, 1, 2, 5}); /* 2: a user with one rating stays */
    tg_dataset_release(&d);
    d = six();
    cr_assert_eq(tg_split_leave_one_out(&d, 0, -1, &train, &test), TG_OK);
    expect_rows(&test, 2, (float[]){3, 5});
    tg_dataset_release(&d);
}

Test(split, temporal__takes_the_latest_of_all)
{
    static const int latest[] = {3, 1, 0, 4, 2, 5}; /* among equal times the last one first */
    static const double fraction[] = {0.01, 0.17, 0.33, 0.5, 0.67, 0.83, 0.99};
    for (int tests = 0; tests < 7; tests++) {
        tg_dataset d = six(), train, test;
        cr_assert_eq(tg_split_temporal(&d, fraction[tests], 2, &train, &test), TG_OK);
        cr_assert_eq(test.count, tests);
        bool expected[6] = {false};
        for (int i = 0; i < tests; i++)
            expected[latest[i]] = true;
        for (int64_t i = 0; i < tests; i++)
            cr_expect(expected[(int)((float *)tg_dataset_rows(&test, 1))[i]], "%d", tests);
        tg_dataset_release(&d);
    }
    tg_dataset far = tg_dataset_of(tg_owned(TG_I64, 2)), train, test;
    int64_t *time = tg_dataset_rows(&far, 0);
    time[0] = INT64_MAX;
    time[1] = INT64_MIN;
    cr_assert_eq(tg_split_temporal(&far, 0.5, 0, &train, &test), TG_OK);
    cr_expect_eq(*(int64_t *)tg_dataset_rows(&test, 0), INT64_MAX);
    tg_dataset_release(&far);
}

Test(split, folds__hold_every_row_out_once)
{
    tg_dataset d = numbered(), train, test;
    uint8_t part[ROWS], again[ROWS], other[ROWS];
    tg_draw_folds(5, 10, ROWS, part);
    tg_draw_folds(5, 10, ROWS, again);
    tg_draw_folds(5, 11, ROWS, other);
    cr_expect_eq(memcmp(part, again, ROWS), 0);
    cr_expect_neq(memcmp(part, other, ROWS), 0);
    int held_out[ROWS] = {0};
    for (uint8_t fold = 0; fold < 5; fold++) {
        cr_assert_eq(tg_split_part(&d, part, fold, &train, &test), TG_OK);
        cr_expect_eq(test.count, fold < 3 ? 21 : 20);
        for (int64_t i = 0; i < test.count; i++) {
            const int64_t number = number_of(&test, i);
            held_out[number]++;
            cr_assert_eq(again[number], fold);
        }
    }
    for (int i = 0; i < ROWS; i++)
        cr_expect_eq(held_out[i], 1);
    tg_dataset_release(&d);
}

Test(split, misuse__is_named)
{
    tg_dataset d = six(), train, test;
    cr_expect_eq(tg_split_random(&d, 1, 0, &train, &test), TG_EMISUSE);
    expect_misuse("tg_split_random: a fraction of 1; expected one between 0 and 1");
    cr_expect_eq(tg_split_temporal(&d, NAN, 2, &train, &test), TG_EMISUSE);
    expect_misuse("tg_split_temporal: a fraction of nan");
    cr_expect_eq(tg_split_temporal(&d, 0.5, 1, &train, &test), TG_EMISUSE);
    expect_misuse("tg_split_temporal: column 1 is f32 [6]; expected (rows) i64");
    cr_expect_eq(tg_split_leave_one_out(&d, 3, -1, &train, &test), TG_EMISUSE);
    expect_misuse("tg_split_leave_one_out: column 3 of 3 columns");
    static const int64_t users[] = {-1, INT64_C(1) << 31, INT64_C(1) << 60, INT64_MAX};
    for (int i = 0; i < 4; i++) {
        ((int64_t *)d.column[0]->data)[4] = users[i];
        cr_expect_eq(tg_split_leave_one_out(&d, 0, 2, &train, &test), TG_EMISUSE);
        char message[128];
        snprintf(message, sizeof message, "tg_split_leave_one_out: user %lld in row 4; expected "
                 "numbers from 0 to 2147483647", (long long)users[i]);
        expect_misuse(message);
    }
    tg_dataset_release(&d);
}

/* ---- ratings in memory ----------------------------------------------------------------------- */

Test(ratings, duplicates_and_mean__are_of_all_rows)
{
    tg_dataset d = tg_dataset_of(tg_owned(TG_I64, 100), tg_owned(TG_I64, 100),
                                 tg_owned(TG_F32, 100));
    for (int i = 0; i < 100; i++) {
        tg_set(d.column[TG_USER], i % 10, i);
        tg_set(d.column[TG_ITEM], i % 20, i);
        tg_set(d.column[TG_RATING], i, i);
    }
    cr_expect_eq(tg_ratings_duplicates(&d), 80);
    cr_expect_float_eq(tg_ratings_mean(&d), 49.5, 1e-12);
    d.first = 50; /* a part counts its own rows */
    d.count = 21;
    cr_expect_eq(tg_ratings_duplicates(&d), 1);
    cr_expect_float_eq(tg_ratings_mean(&d), 60, 1e-12);
    d.count = 0;
    cr_expect_eq(tg_ratings_duplicates(&d), 0);
    tg_dataset_release(&d);
}

/* ---- the loader ------------------------------------------------------------------------------ */

/* The numbers of an epoch's rows in order. */
static void collect(tg_loader *loader, int64_t order[ROWS])
{
    tg_tensor *c[4];
    int64_t n = 0;
    for (int64_t i = 0; tg_loader_next(loader, &c[0], &c[1], &c[2], &c[3]); i++) {
        const int64_t size = i < ROWS / BATCH ? BATCH : ROWS % BATCH;
        const tg_dataset batch = {.count = size, .columns = 4, .column = {c[0], c[1], c[2], c[3]}};
        for (int j = 0; j < 4; j++)
            cr_assert_eq(tg_size(c[j], 0), size);
        cr_assert(c[0]->dtype == TG_I64 && c[1]->dtype == TG_F32 && c[3]->dtype == TG_F64);
        cr_assert_eq(tg_size(c[2], 1), 3);
        for (int64_t j = 0; j < size; j++)
            order[n++] = number_of(&batch, j);
    }
    cr_assert_eq(n, ROWS);
}

Test(loader, next__gives_every_row_once_in_order)
{
    tg_dataset d = numbered();
    tg_loader *loader = tg_loader_new(&d, BATCH, 0);
    cr_expect_eq(tg_loader_batches(loader), 11);
    for (int epoch = 0; epoch < 2; epoch++) {
        int64_t order[ROWS];
        collect(loader, order);
        for (int i = 0; i < ROWS; i++)
            cr_assert_eq(order[i], i);
    }
    tg_loader_free(loader);
    tg_dataset_release(&d);
}

Test(loader, next__takes_parts_and_fewer_columns)
{
    tg_dataset d = numbered(), train, test;
    cr_assert_eq(tg_split_random(&d, 0.3, 1, &train, &test), TG_OK);
    bool expected[ROWS] = {false};
    for (int64_t i = 0; i < test.count; i++)
        expected[number_of(&test, i)] = true;
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        tg_loader *loader = tg_loader_new(&test, 7, .shuffle = shuffle);
        tg_tensor *number, *half;
        int64_t n = 0;
        while (tg_loader_next(loader, &number, &half))
            for (int64_t i = 0; i < tg_size(number, 0); i++, n++) {
                cr_assert(expected[(int)tg_get(number, i)]);
                cr_assert_eq(tg_get(half, i), tg_get(number, i) / 2);
            }
        cr_expect_eq(n, 31);
        tg_loader_free(loader);
    }
    tg_dataset_release(&d);
}

Test(loader, shuffle__is_a_function_of_seed_and_epoch)
{
    tg_dataset d = numbered();
    int64_t order[3][2][ROWS], later[ROWS];
    for (int i = 0; i < 3; i++) {
        tg_loader *loader = tg_loader_new(&d, BATCH, .shuffle = true, .seed = i == 2);
        for (int epoch = 0; epoch < 2; epoch++) {
            collect(loader, order[i][epoch]);
            bool seen[ROWS] = {false};
            for (int j = 0; j < ROWS; j++) {
                cr_assert_not(seen[order[i][epoch][j]]);
                seen[order[i][epoch][j]] = true;
            }
        }
        tg_loader_set_epoch(loader, 1); /* as a run that goes on does */
        collect(loader, later);
        cr_expect_eq(memcmp(later, order[i][1], sizeof later), 0);
        tg_loader_free(loader);
    }
    cr_expect_eq(memcmp(order[0], order[1], sizeof order[0]), 0);
    cr_expect_neq(memcmp(order[0][0], order[0][1], sizeof order[0][0]), 0);
    cr_expect_neq(memcmp(order[0][0], order[2][0], sizeof order[0][0]), 0);
    /* Never another order for a seed: runs must be repeatable with a later version. */
    static const int64_t first[] = {46, 34, 84, 63, 51, 44, 33, 7, 42, 61, 64, 95};
    cr_expect_eq(memcmp(order[0][1], first, sizeof first), 0);
    tg_dataset_release(&d);
}

Test(loader, shuffle__of_too_many_rows_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *x;
    const tg_dataset endless = {.count = INT64_C(1) << 32}; /* of no columns: nothing to read */
    tg_loader *loader = tg_loader_new(&endless, 2, .shuffle = true);
    expect_misuse("loader: 4294967296 rows; at most 2^32 - 1 can be shuffled");
    cr_expect_not(tg_loader_next_at(TG_HERE, loader, (tg_tensor **const[]){&x}, 0));
    tg_loader_free(loader);
}

Test(loader, next__misuse_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_dataset d = tg_dataset_of(tg_owned(TG_F32, 4, 2), tg_owned(TG_I64, 4));
    tg_loader *loader = tg_loader_new(&d, 2, 0);
    tg_tensor *x, *y, *z;
    cr_expect_not(tg_loader_next(loader, &x, &y, &z));
    expect_misuse("loader_next: 3 columns asked for; the data set has 2");
    cr_assert(tg_loader_next(loader, &x));
    tg_step_begin();
    tg_tensor *w = tg_requires_grad(tg_full(TG_F32, 1, 4, 2));
    tg_tensor *loss = tg_sum(tg_mul(tg_narrow(w, 0, 0, 2), x));
    cr_assert(tg_loader_next(loader, &x));
    tg_backward(loss); /* of a batch that is gone */
    expect_misuse("mul");
    tg_step_end();
    tg_loader_free(loader);
    tg_dataset_release(&d);
}
