#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader.h"
#include "data/ratings.h"
#include "data/synthetic.h"

/* ---- the reader ------------------------------------------------------------------------------ */

static char path[64];

/* A text as two arguments: bytes and their number. */
#define TEXT(s) s, sizeof(s) - 1

static void write_file(const char *bytes, size_t size)
{
    strcpy(path, "/tmp/tapegrad-data-XXXXXX");
    const int file = mkstemp(path);
    cr_assert(file >= 0);
    cr_assert_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
}

static tg_status read_bytes(const char *bytes, size_t size, tg_ratings *ratings)
{
    write_file(bytes, size);
    const tg_status status = tg_ratings_read(path, ratings);
    unlink(path);
    return status;
}

static void expect_row(const tg_rating *row, int64_t user, int64_t item, double rating,
                       int64_t timestamp)
{
    cr_expect_eq(row->user, user);
    cr_expect_eq(row->item, item);
    cr_expect_float_eq(row->rating, rating, 1e-6);
    cr_expect_eq(row->timestamp, timestamp);
}

/* Every one of these is the same three ratings. */
static const char *const same_with_time[] = {
    "1\t10\t5\t978300760\n2\t20\t3.5\t978300761\n2\t30\t0.5\t-1\n",
    "1::10::5::978300760\n2::20::3.5::978300761\n2::30::0.5::-1\n",
    "userId,movieId,rating,timestamp\n1,10,5.0,978300760\n2,20,3.5,978300761\n2,30,0.5,-1\n",
    "1,10,5,978300760\n2,20,3.5,978300761\n2,30,0.5,-1\n",
    "1 10 5 978300760\r\n2 20 3.5 978300761\r\n2 30 .5 -1\r\n",
    "\xEF\xBB\xBF\x31\t10\t5\t978300760\n\n   \n2\t20\t3.5\t978300761\n2\t30\t5e-1\t-1",
    "  1   10\t 5  978300760  \n2 20 3.5 978300761\n2 30 0.5 -1\n",
    "1 , 10 , 5 , 978300760\n2, 20, 3.5, 978300761\n2, 30, +0.5, -1\n",
    "\xEF\xBB\xBFuser,item,rating,time\r\n\r\n1,10,5,978300760\r\n2,20,3.5,978300761\r\n2,30,.5,-1",
};

Test(data, reader__reads_every_format)
{
    for (size_t i = 0; i < sizeof same_with_time / sizeof *same_with_time; i++) {
        tg_ratings r;
        cr_assert_eq(read_bytes(same_with_time[i], strlen(same_with_time[i]), &r), TG_OK,
                     "%zu: %s", i, tg_last_error()->message);
        cr_assert_eq(r.count, 3, "%zu", i);
        cr_expect(r.has_timestamp);
        expect_row(&r.row[0], 1, 10, 5, 978300760);
        expect_row(&r.row[1], 2, 20, 3.5, 978300761);
        expect_row(&r.row[2], 2, 30, 0.5, -1);
        tg_ratings_release(&r);
    }
}

Test(data, reader__does_not_need_a_timestamp)
{
    tg_ratings r;
    cr_assert_eq(read_bytes(TEXT("7 8 4\n0 9223372036854775807 -2.25\n"), &r), TG_OK);
    cr_assert_eq(r.count, 2);
    cr_expect_not(r.has_timestamp);
    expect_row(&r.row[0], 7, 8, 4, 0);
    expect_row(&r.row[1], 0, INT64_MAX, -2.25, 0);
    tg_ratings_release(&r);
}

Test(data, reader__reads_files_larger_than_its_buffer)
{
    enum { ROWS = 20000 };
    char *text = malloc(ROWS * 32);
    size_t size = 0;
    for (int i = 0; i < ROWS; i++)
        size += (size_t)sprintf(text + size, "%d\t%d\t%d\n", i, 3 * i, i % 5 + 1);
    tg_ratings r;
    cr_assert_eq(read_bytes(text, size, &r), TG_OK);
    cr_assert_eq(r.count, ROWS);
    for (int i = 0; i < ROWS; i++)
        cr_assert(r.row[i].user == i && r.row[i].item == 3 * i && r.row[i].rating == i % 5 + 1);
    tg_ratings_release(&r);
    free(text);
}

static const struct bad_file {
    const char *bytes;
    size_t size;
    const char *message; /* what must stand behind the path */
} bad_files[] = {
    {TEXT(""), ":1: no rating in the file; expected lines of user, item, rating"},
    {TEXT("\n\r\n \n"), ":1: no rating in the file"},
    {TEXT("userId,movieId,rating\n"), ":1: no rating in the file"},
    {TEXT("1\t2\t3\n1\t2\n"), ":2: 2 fields; expected lines of user, item, rating"},
    {TEXT("1\t2\t3\t4\n1\t2\t3\t4\n1\t2\t3"), ":3: 3 fields, unlike the lines before; expected lines"},
    {TEXT("1 2 3 4 5\n"), ":1: more than 4 fields; expected lines of user"},
    {TEXT("1\n"), ":1: 1 field; expected lines of user"},
    {TEXT("1 2 3\n\n4 x5 3\n"), ":3: item id 'x5' is not a whole number; expected lines of user"},
    {TEXT("1.5 2 3\n"), ":1: user id '1.5' is not a whole number"},
    {TEXT("1 2 three\n"), ":1: rating 'three' is not a number"},
    {TEXT("1 2 3x\n"), ":1: rating '3x' is not a number"},
    {TEXT("1 2 0x10\n"), ":1: rating '0x10' is not a number"},
    {TEXT("1 2 nan\n"), ":1: rating 'nan' is not a finite number"},
    {TEXT("1 2 -inf\n"), ":1: rating '-inf' is not a finite number"},
    {TEXT("1 2 1e39\n"), ":1: rating '1e39' is not a finite number"},
    {TEXT("-1 2 3\n"), ":1: user id '-1' is negative"},
    {TEXT("1 -2 3\n"), ":1: item id '-2' is negative"},
    {TEXT("1 9223372036854775808 3\n"), ":1: item id '9223372036854775808' is too large"},
    {TEXT("1 9999999999999999999999999999999999 3\n"),
     ":1: item id '9999999999999999999999999999...' is too large"},
    {TEXT("1,,3\n"), ":1: item id is empty"},
    {TEXT("1::2::\n"), ":1: rating is empty"},
    {TEXT("1 2 3 noon\n"), ":1: timestamp 'noon' is not a whole number"},
    {TEXT("1 2 3\n\x7F" "ELF\x02\x01\x01\0\0"), ":2: a byte of value zero: this is no text; expected"},
    {TEXT("\x80\xFF 2 3\n"), ":1: user id '\?\?' is not a whole number"},
};

Test(data, reader__names_file_line_and_fault)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const struct bad_file *bad = &bad_files[i];
        tg_ratings r;
        cr_assert_eq(read_bytes(bad->bytes, bad->size, &r), TG_EFORMAT, "%zu", i);
        const char *message = tg_last_error()->message;
        cr_expect_eq(strncmp(message, path, strlen(path)), 0, "%s", message);
        cr_expect_eq(strncmp(message + strlen(path), bad->message, strlen(bad->message)), 0,
                     "%zu: %s\nexpected   %s", i, message, bad->message);
        cr_expect_null(r.row);
        cr_expect_eq(r.count, 0);
    }
}

Test(data, reader__refuses_endless_lines)
{
    static char text[200000];
    memset(text, '7', sizeof text);
    tg_ratings r;
    cr_expect_eq(read_bytes(text, sizeof text, &r), TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, ":1: a very long line"));
}

Test(data, reader__names_files_that_cannot_be_read)
{
    tg_ratings r;
    cr_expect_eq(tg_ratings_read("/nowhere/u.data", &r), TG_EIO);
    cr_expect_str_eq(tg_last_error()->message, "/nowhere/u.data: No such file or directory");
    cr_expect_eq(tg_ratings_read("/", &r), TG_EIO);
    cr_expect_str_eq(tg_last_error()->message, "/: Is a directory");
}

Test(data, pairs__take_the_first_two_fields)
{
    tg_ratings p;
    write_file(TEXT("1 2\n3 4 five six seven eight\n"));
    cr_assert_eq(tg_pairs_read(path, &p), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(p.count, 2);
    expect_row(&p.row[1], 3, 4, 0, 0);
    tg_ratings_release(&p);
    unlink(path);
    write_file("", 0);
    cr_expect_eq(tg_pairs_read(path, &p), TG_OK);
    cr_expect_eq(p.count, 0);
    tg_ratings_release(&p);
    unlink(path);
    write_file(TEXT("1 2\n3\n"));
    cr_expect_eq(tg_pairs_read(path, &p), TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, ":2: 1 field; expected user and item"));
    unlink(path);
}

/* ---- in memory ------------------------------------------------------------------------------- */

static tg_rating six[] = { /* user, item, timestamp, rating */
    {5, 1, 30, 1}, {5, 2, 40, 2}, {9, 1, 10, 3}, {5, 3, 40, 4}, {7, 1, 10, 5}, {7, 1, 5, 3}};
static const tg_ratings all_six = {.count = 6, .row = six, .has_timestamp = true};

Test(data, ratings__counts_duplicates_and_mean)
{
    cr_expect_eq(tg_ratings_duplicates(&all_six), 1);
    cr_expect_float_eq(tg_ratings_mean(&all_six), 3, 1e-12);
    tg_rating same[100];
    for (int i = 0; i < 100; i++)
        same[i] = (tg_rating){.user = i % 10, .item = i % 20};
    cr_expect_eq(tg_ratings_duplicates(&(tg_ratings){.count = 100, .row = same}), 80);
}

Test(data, split__leaves_the_latest_of_each_user_out)
{
    tg_ratings train, test;
    cr_assert_eq(tg_split_leave_one_out(&all_six, &train, &test), TG_OK);
    cr_assert_eq(train.count, 4);
    cr_assert_eq(test.count, 2);
    expect_row(&test.row[0], 5, 3, 4, 40); /* among equal timestamps the last of the file */
    expect_row(&test.row[1], 7, 1, 5, 10);
    expect_row(&train.row[2], 9, 1, 3, 10); /* a user with one rating stays */
    tg_ratings_release(&train);
    tg_ratings_release(&test);
}

Test(data, split__draws_the_same_rows_for_a_seed)
{
    tg_ratings all, train[3], test[3];
    cr_assert_eq(tg_synthetic(&all, .users = 100, .items = 100, .ratings = 2000), TG_OK);
    const uint64_t seed[] = {1, 1, 2};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tg_split_random(&all, 0.2, seed[i], &train[i], &test[i]), TG_OK);
        cr_assert_eq(test[i].count, 400);
        cr_assert_eq(train[i].count, 1600);
        int64_t a = 0, b = 0; /* both parts in the order of `all`, nothing lost */
        for (int64_t j = 0; j < all.count; j++)
            if (a < 1600 && memcmp(&train[i].row[a], &all.row[j], sizeof *all.row) == 0)
                a++;
            else if (b < 400 && memcmp(&test[i].row[b], &all.row[j], sizeof *all.row) == 0)
                b++;
        cr_expect_eq(a + b, 2000);
    }
    cr_expect_eq(memcmp(test[0].row, test[1].row, 400 * sizeof(tg_rating)), 0);
    cr_expect_neq(memcmp(test[0].row, test[2].row, 400 * sizeof(tg_rating)), 0);
    for (int i = 0; i < 3; i++) {
        tg_ratings_release(&train[i]);
        tg_ratings_release(&test[i]);
    }
    tg_ratings_release(&all);
}

Test(data, idmap__orders_ids_and_finds_rows)
{
    tg_rating more[] = {{.user = 1000000000000, .item = 0}};
    const tg_ratings second = {.count = 1, .row = more};
    const tg_ratings *const parts[] = {&all_six, &second};
    tg_idmap users, items;
    cr_assert_eq(tg_idmap_new(&users, TG_USERS, parts, 2), TG_OK);
    cr_assert_eq(tg_idmap_new(&items, TG_ITEMS, parts, 2), TG_OK);
    const int64_t expected[] = {5, 7, 9, 1000000000000};
    cr_assert_eq(users.count, 4);
    cr_assert_eq(items.count, 4);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(users.id[i], expected[i]);
        cr_expect_eq(tg_idmap_row(&users, expected[i]), i);
        cr_expect_eq(tg_idmap_row(&items, i), i);
    }
    cr_expect_eq(tg_idmap_row(&users, 6), -1);
    cr_expect_eq(tg_idmap_row(&users, 0), -1);
    cr_expect_eq(tg_idmap_row(&users, INT64_MAX), -1);
    tg_dataset d;
    cr_assert_eq(tg_dataset_new(&d, &all_six, &users, &items), TG_OK);
    cr_expect_eq(d.count, 6);
    cr_expect(d.user[2] == 2 && d.item[3] == 3 && d.rating[4] == 5);
    tg_dataset_release(&d);
    users.count = 1;
    cr_expect_eq(tg_dataset_new(&d, &all_six, &users, &items), TG_EMISUSE);
    tg_idmap_release(&users);
    tg_idmap_release(&items);
}

/* ---- the loader ------------------------------------------------------------------------------ */

enum { ROWS = 103, BATCH = 10 };

static tg_dataset numbered(int32_t column[ROWS], float rating[ROWS])
{
    for (int i = 0; i < ROWS; i++) {
        column[i] = i;
        rating[i] = (float)i / 2;
    }
    return (tg_dataset){.count = ROWS, .user = column, .item = column, .rating = rating};
}

/* The users of an epoch in order. */
static void collect(tg_loader *loader, int64_t order[ROWS])
{
    tg_batch batch;
    int64_t n = 0;
    for (int64_t i = 0; tg_loader_next(loader, &batch); i++) {
        cr_assert_eq(batch.size, i < ROWS / BATCH ? BATCH : ROWS % BATCH);
        cr_assert_eq(tg_numel(batch.rating), batch.size);
        for (int64_t j = 0; j < batch.size; j++) {
            order[n] = (int64_t)tg_get(batch.user, j);
            cr_assert_eq(tg_get(batch.item, j), (double)order[n]);
            cr_assert_eq(tg_get(batch.rating, j), (double)order[n] / 2);
            n++;
        }
    }
    cr_assert_eq(n, ROWS);
}

Test(data, loader__gives_every_row_once_in_order)
{
    int32_t column[ROWS];
    float rating[ROWS];
    const tg_dataset d = numbered(column, rating);
    for (int f64 = 0; f64 < 2; f64++) {
        tg_set_default_dtype(f64 ? TG_F64 : TG_F32);
        tg_loader *loader = tg_loader_new(&d, BATCH, 0);
        cr_expect_eq(tg_loader_batches(loader), 11);
        for (int epoch = 0; epoch < 2; epoch++) {
            int64_t order[ROWS];
            collect(loader, order);
            for (int i = 0; i < ROWS; i++)
                cr_assert_eq(order[i], i);
        }
        tg_loader_free(loader);
    }
}

Test(data, loader__shuffles_by_seed_and_epoch)
{
    int32_t column[ROWS];
    float rating[ROWS];
    const tg_dataset d = numbered(column, rating);
    int64_t order[3][2][ROWS];
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
        tg_loader_free(loader);
    }
    cr_expect_eq(memcmp(order[0], order[1], sizeof order[0]), 0);
    cr_expect_neq(memcmp(order[0][0], order[0][1], sizeof order[0][0]), 0);
    cr_expect_neq(memcmp(order[0][0], order[2][0], sizeof order[0][0]), 0);
}

/* ---- synthetic ratings ----------------------------------------------------------------------- */

Test(data, synthetic__resembles_movielens)
{
    tg_ratings r;
    cr_assert_eq(tg_synthetic_with(&r, (tg_synthetic_options){0}), TG_OK);
    cr_assert_eq(r.count, 100000);
    cr_expect_eq(tg_ratings_duplicates(&r), 0);
    const double mean = tg_ratings_mean(&r); /* MovieLens 100K: 3.53, standard deviation 1.13 */
    double square = 0;
    int64_t by_item[1501] = {0}, by_user[1001] = {0}, top = 0;
    for (int64_t i = 0; i < r.count; i++) {
        const tg_rating *row = &r.row[i];
        cr_assert(row->user >= 1 && row->user <= 1000 && row->item >= 1 && row->item <= 1500);
        cr_assert(row->rating >= 1 && row->rating <= 5 && row->rating == roundf(row->rating));
        cr_assert(i == 0 || row->timestamp > r.row[i - 1].timestamp);
        square += pow(row->rating - mean, 2);
        by_item[row->item]++;
        by_user[row->user]++;
    }
    cr_expect_float_eq(mean, 3.55, 0.1);
    cr_expect_float_eq(sqrt(square / (double)r.count), 1.12, 0.05);
    for (int i = 1; i <= 150; i++)
        top += by_item[i];
    cr_expect_gt(top, 35000, "a tenth of the items has more than a third of the ratings");
    for (int i = 1; i <= 1000; i++)
        cr_expect_geq(by_user[i], 20);
    tg_ratings_release(&r);
}

Test(data, synthetic__is_a_function_of_its_seed)
{
    tg_ratings r[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tg_synthetic(&r[i], .users = 50, .items = 80, .ratings = 900, .seed = i / 2),
                     TG_OK);
    for (int64_t i = 0; i < 900; i++)
        cr_assert(r[0].row[i].user == r[1].row[i].user && r[0].row[i].item == r[1].row[i].item &&
                  r[0].row[i].rating == r[1].row[i].rating);
    int64_t equal = 0;
    for (int64_t i = 0; i < 900; i++)
        equal += r[0].row[i].user == r[2].row[i].user && r[0].row[i].item == r[2].row[i].item;
    cr_expect_lt(equal, 90);
    for (int i = 0; i < 3; i++)
        tg_ratings_release(&r[i]);
}

/* With hardly any noise the best predictor still errs by the rounding of scores near a half, and
 * the realised error of rounding is what the formula expects of it. */
Test(data, synthetic__best_error_is_that_of_its_distribution)
{
    tg_ratings r;
    tg_synthetic_floor low, high;
    const tg_synthetic_options quiet = {.noise = 1e-6};
    cr_assert_eq(tg_synthetic_with(&r, quiet), TG_OK);
    cr_assert_eq(tg_synthetic_best(&r, quiet, &low), TG_OK);
    cr_assert_eq(tg_synthetic_best(&r, (tg_synthetic_options){.noise = 0.9}, &high), TG_OK);
    cr_expect_lt(low.mae, 1e-3);
    cr_expect_float_eq(high.mae, 0.644, 0.02);
    cr_expect_float_eq(high.rmse, 0.853, 0.02);
    tg_ratings_release(&r);
}

Test(data, synthetic__refuses_what_cannot_be_drawn)
{
    tg_ratings r;
    cr_expect_eq(tg_synthetic(&r, .users = 10, .items = 10, .ratings = 90), TG_EMISUSE);
    cr_expect_eq(tg_synthetic(&r, .users = -1), TG_EMISUSE);
}

/* ---- MovieLens itself ------------------------------------------------------------------------ */

Test(data, reader__reads_movielens)
{
    const char *folder = getenv("TAPEGRAD_DATA");
    if (!folder)
        cr_skip_test("TAPEGRAD_DATA names no folder with ml-100k in it");
    char name[512];
    snprintf(name, sizeof name, "%s/ml-100k/u.data", folder);
    tg_ratings r;
    cr_assert_eq(tg_ratings_read(name, &r), TG_OK, "%s", tg_last_error()->message);
    const tg_ratings *const parts[] = {&r};
    tg_idmap users, items;
    cr_assert_eq(tg_idmap_new(&users, TG_USERS, parts, 1), TG_OK);
    cr_assert_eq(tg_idmap_new(&items, TG_ITEMS, parts, 1), TG_OK);
    cr_expect_eq(r.count, 100000);
    cr_expect_eq(users.count, 943);
    cr_expect_eq(items.count, 1682);
    cr_expect_float_eq(tg_ratings_mean(&r), 3.52986, 1e-9);
    cr_expect_eq(tg_ratings_duplicates(&r), 0);
    tg_idmap_release(&users);
    tg_idmap_release(&items);
    tg_ratings_release(&r);
}
