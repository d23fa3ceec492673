/* Readers of text files: ratings in every format, and what is wrong with a file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/csv.h"
#include "data/ratings.h"

static char path[64];
static tg_ids users, items; /* of the last file */

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

static void expect_message(const char *expected)
{
    const char *message = tg_last_error()->message;
    cr_expect_eq(strncmp(message, path, strlen(path)), 0, "%s", message);
    cr_expect_eq(strncmp(message + strlen(path), expected, strlen(expected)), 0,
                 "%s\nexpected   %s", message, expected);
}

static tg_status read_bytes(const char *bytes, size_t size, tg_dataset *ratings)
{
    write_file(bytes, size);
    tg_ids_release(&users);
    tg_ids_release(&items);
    const tg_status status = tg_ratings_read(path, &users, &items, ratings);
    unlink(path);
    return status;
}

static void forget(tg_dataset *data)
{
    tg_dataset_release(data);
    tg_ids_release(&users);
    tg_ids_release(&items);
}

static void expect_pair(const tg_dataset *data, int64_t row, const char *user, const char *item)
{
    cr_expect_str_eq(tg_ids_name(&users, ((int64_t *)tg_dataset_rows(data, TG_USER))[row]), user);
    cr_expect_str_eq(tg_ids_name(&items, ((int64_t *)tg_dataset_rows(data, TG_ITEM))[row]), item);
}

static void expect_row(const tg_dataset *data, int64_t row, const char *user, const char *item,
                       double rating, int64_t timestamp)
{
    expect_pair(data, row, user, item);
    cr_expect_eq(((float *)tg_dataset_rows(data, TG_RATING))[row], (float)rating);
    if (data->columns > TG_TIMESTAMP)
        cr_expect_eq(((int64_t *)tg_dataset_rows(data, TG_TIMESTAMP))[row], timestamp);
}

/* ---- ratings --------------------------------------------------------------------------------- */

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
    /* names in any order, and others between them */
    "Rating,\"x,y\",Item_ID,timestamp,USER\n5,,10,978300760,1\n3.5,0,20,978300761,2\n.5,,30,-1,2\n",
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t5\t978300760.0\n"
    "2\t20\t3.5\t978300761.9\n2\t30\t0.5\t-0.5\n",
    "item_id:token\tuser_id:token\ttag:token\ttimestamp:float\trating:float\n"
    "10\t1\t\t9783007.60e2\t5\n20\t2\ta b\t978300761\t3.5\n30\t2\t\t-1\t0.5\n",
    "user item rating timestamp\n1 10 5 978300760\n2 20 3.5 978300761\n2 30 0.5 -1\n",
    "\"1\",\"10\",\"5\",978300760\n\"2\" ,\"20\",3.5,978300761\n2,30,0.5,-1\n",
};

Test(ratings, read__knows_every_format)
{
    for (size_t i = 0; i < sizeof same_with_time / sizeof *same_with_time; i++) {
        tg_dataset r;
        cr_assert_eq(read_bytes(same_with_time[i], strlen(same_with_time[i]), &r), TG_OK,
                     "%zu: %s", i, tg_last_error()->message);
        cr_assert_eq(r.count, 3, "%zu", i);
        cr_assert_eq(r.columns, 4);
        expect_row(&r, 0, "1", "10", 5, 978300760);
        expect_row(&r, 1, "2", "20", 3.5, 978300761);
        expect_row(&r, 2, "2", "30", 0.5, -1);
        cr_expect(users.count == 2 && items.count == 3);
        forget(&r);
    }
}

Test(ratings, read__does_not_need_a_timestamp)
{
    tg_dataset r;
    cr_assert_eq(read_bytes(TEXT("7 8 4\n0 9223372036854775807 -2.25\n"), &r), TG_OK);
    cr_assert_eq(r.count, 2);
    cr_assert_eq(r.columns, 3);
    expect_row(&r, 0, "7", "8", 4, 0);
    expect_row(&r, 1, "0", "9223372036854775807", -2.25, 0);
    forget(&r);
}

Test(ratings, read__takes_any_text_for_an_id)
{
    tg_dataset r;
    cr_assert_eq(read_bytes(TEXT("\"Smith, J.\",\"the \"\"best\"\"\",4\nZo\xC3\xAB,x:y,3\n"
                                 "-1,1e5,2\n"), &r), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(r.count, 3);
    expect_row(&r, 0, "Smith, J.", "the \"best\"", 4, 0);
    expect_row(&r, 1, "Zo\xC3\xAB", "x:y", 3, 0);
    expect_row(&r, 2, "-1", "1e5", 2, 0);
    forget(&r);
    cr_assert_eq(read_bytes(TEXT("user_id:token\titem_id:token\trating:float\na b\tc, d\t1\n"), &r),
                 TG_OK);
    expect_row(&r, 0, "a b", "c, d", 1, 0);
    forget(&r);
}

Test(ratings, read__numbers_as_they_are_written)
{
    static const char *const text[] = {"0.1",      "3.7", "-4.25",  "123456.789",
                                       "0.000001", "+7.", "1e-3",   "123456789012345678",
                                       "16777217", "-0",  "2.5E+2", "00012.50"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        char line[64];
        tg_dataset r;
        cr_assert_eq(read_bytes(line, (size_t)sprintf(line, "1 1 %s\n", text[i]), &r), TG_OK);
        expect_row(&r, 0, "1", "1", strtod(text[i], NULL), 0);
        forget(&r);
    }
}

Test(ratings, read__adds_to_ids_that_are_there)
{
    tg_dataset train, test;
    cr_assert_eq(read_bytes(TEXT("b 2 1\na 1 1\n"), &train), TG_OK);
    write_file(TEXT("a 3 1\nc 2 1\n"));
    cr_assert_eq(tg_ratings_read(path, &users, &items, &test), TG_OK);
    unlink(path);
    cr_expect(users.count == 3 && items.count == 3);
    cr_expect_eq(tg_ids_find(&users, "a"), 1);
    expect_row(&test, 0, "a", "3", 1, 0);
    expect_row(&test, 1, "c", "2", 1, 0);
    expect_row(&train, 0, "b", "2", 1, 0);
    tg_dataset_release(&test);
    forget(&train);
}

Test(ratings, read__files_larger_than_its_buffer)
{
    enum { COUNT = 20000 };
    char *text = malloc(COUNT * 32);
    size_t size = 0;
    for (int i = 0; i < COUNT; i++)
        size += (size_t)sprintf(text + size, "%d\t%d\t%d\n", i, 3 * i, i % 5 + 1);
    tg_dataset r;
    cr_assert_eq(read_bytes(text, size, &r), TG_OK);
    cr_assert_eq(r.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(atoi(tg_ids_name(&items, i)), 3 * i);
        cr_assert_eq(((int64_t *)tg_dataset_rows(&r, TG_USER))[i], i);
        cr_assert_eq(((int64_t *)tg_dataset_rows(&r, TG_ITEM))[i], i);
        cr_assert_eq(((float *)tg_dataset_rows(&r, TG_RATING))[i], (float)(i % 5 + 1));
    }
    cr_expect_eq(tg_numel(r.column[TG_RATING]), COUNT);
    forget(&r);
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
    {TEXT("1\t2\t3\t4\n1\t2\t3\t4\n1\t2\t3"), ":3: 3 fields, unlike the lines before; expected"},
    {TEXT("1 2 3 4 5\n"), ":1: more than 4 fields; expected lines of user"},
    {TEXT("user,item,rating,x,y\n1,2,3,,\n1,2,3,\n"), ":3: 4 fields, unlike the lines before"},
    {TEXT("1\n"), ":1: 1 field; expected lines of user"},
    {TEXT("1 2 three\n"), ":1: rating 'three' is not a number"},
    {TEXT("1 2 3x\n"), ":1: rating '3x' is not a number"},
    {TEXT("1 2 0x10\n"), ":1: rating '0x10' is not a number"},
    {TEXT("1 2 .\n"), ":1: rating '.' is not a number"},
    {TEXT("1 2 1.2.3\n"), ":1: rating '1.2.3' is not a number"},
    {TEXT("1 2 nan\n"), ":1: rating 'nan' is not a finite number"},
    {TEXT("1 2 -inf\n"), ":1: rating '-inf' is not a finite number"},
    {TEXT("1 2 1e39\n"), ":1: rating '1e39' is not a finite number"},
    {TEXT("1 2 9999999999999999999999999999999999x\n"),
     ":1: rating '9999999999999999999999999999...' is not a number"},
    {TEXT("1,,3\n"), ":1: item id is empty"},
    {TEXT("1,2,3\n\n\"\",2,3\n"), ":3: user id is empty"},
    {TEXT("1::2::\n"), ":1: rating is empty"},
    {TEXT("user_id:token\titem_id:token\trating:float\n1\t\t3\n"), ":2: item id is empty"},
    {TEXT("user_id:token\titem_id:token\n1\t2\n"), ":1: a header with no rating; by position"},
    {TEXT("1,\"2,3\n"), ":1: a field in quotes has no end, or something behind it; expected"},
    {TEXT("1,\"2\"x,3\n"), ":1: a field in quotes has no end, or something behind it; expected"},
    {TEXT("1 2 3 noon\n"), ":1: timestamp 'noon' is not a number"},
    {TEXT("1 2 3 -\n"), ":1: timestamp '-' is not a number"},
    {TEXT("1 2 3 1e19\n"), ":1: timestamp '1e19' is too large"},
    {TEXT("1 2 3 nan\n"), ":1: timestamp 'nan' is too large"},
    {TEXT("1 2 3\n\x7F" "ELF\x02\x01\x01\0\0"), ":2: a byte of value zero: this is no text; exp"},
    {TEXT("1 2 3\n\x80\xFF 2 3\n"), ":2: user id '\?\?' is not UTF-8"},
};

Test(ratings, read__names_file_line_and_fault)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const struct bad_file *bad = &bad_files[i];
        tg_dataset r;
        cr_assert_eq(read_bytes(bad->bytes, bad->size, &r), TG_EFORMAT, "%zu", i);
        expect_message(bad->message);
        cr_expect_eq(r.columns, 0);
        cr_expect_eq(r.count, 0);
        forget(&r);
    }
}

Test(ratings, read__refuses_endless_lines)
{
    static char text[200000];
    memset(text, '7', sizeof text);
    tg_dataset r;
    cr_expect_eq(read_bytes(text, sizeof text, &r), TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, ":1: a very long line"));
}

Test(ratings, read__names_files_that_cannot_be_read)
{
    tg_dataset r;
    cr_expect_eq(tg_ratings_read("/nowhere/u.data", &users, &items, &r), TG_EIO);
    cr_expect_str_eq(tg_last_error()->message, "/nowhere/u.data: No such file or directory");
    cr_expect_eq(tg_ratings_read("/", &users, &items, &r), TG_EIO);
    cr_expect_str_eq(tg_last_error()->message, "/: Is a directory");
}

/* Write a text with up to four bytes changed, or only its first half. */
static void write_damaged(const char *whole, int round)
{
    static const char damage[] = "\0\n\r\t ,:\".-x9\xFF";
    static uint64_t random = 1;
    char text[512];
    const size_t size = strlen(whole);
    memcpy(text, whole, size);
    for (int n = 0; n < 1 + round % 4; n++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        text[(random >> 33) % size] = damage[(random >> 20) % (sizeof damage - 1)];
    }
    write_file(text, (random >> 50) % 8 ? size : size / 2);
}

/* Files that are nearly right: whatever the reader says of them, it says it and goes on. */
Test(ratings, read__survives_damaged_files)
{
    int wrong = 0;
    for (int i = 0; i < 4000; i++) {
        const size_t files = sizeof same_with_time / sizeof *same_with_time;
        write_damaged(same_with_time[(size_t)i % files], i);
        tg_dataset r;
        const tg_status status = tg_ratings_read(path, &users, &items, &r);
        unlink(path);
        cr_assert(status == TG_OK || status == TG_EFORMAT, "%d", status);
        if (status == TG_EFORMAT) {
            wrong++;
            cr_assert_not_null(strstr(tg_last_error()->message, "; expected "), "%s",
                               tg_last_error()->message);
        } else {
            for (int64_t j = 0; j < r.count; j++)
                cr_assert(((int64_t *)tg_dataset_rows(&r, TG_USER))[j] < users.count &&
                          ((int64_t *)tg_dataset_rows(&r, TG_ITEM))[j] < items.count);
        }
        forget(&r);
    }
    cr_expect(wrong > 400 && wrong < 3600, "%d of 4000 were refused", wrong);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

Test(pairs, read__takes_the_first_two_fields)
{
    tg_dataset p;
    write_file(TEXT("1 2\n3 4 five six seven eight\n"));
    cr_assert_eq(tg_pairs_read(path, &users, &items, &p), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(p.count, 2);
    cr_assert_eq(p.columns, 2);
    expect_pair(&p, 1, "3", "4");
    forget(&p);
    unlink(path);
    write_file("", 0);
    cr_expect_eq(tg_pairs_read(path, &users, &items, &p), TG_OK);
    cr_expect_eq(p.count, 0);
    cr_expect_eq(p.columns, 2);
    forget(&p);
    unlink(path);
    write_file(TEXT("1 2\n3\n"));
    cr_expect_eq(tg_pairs_read(path, &users, &items, &p), TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, ":2: 1 field; expected user and item"));
    forget(&p);
    unlink(path);
}

Test(pairs, read__finds_columns_by_name_and_takes_no_pair_for_a_header)
{
    tg_dataset p;
    write_file(TEXT("rating,movieId,userId\n5,Heat,ann\n4,Alien,bob\n"));
    cr_assert_eq(tg_pairs_read(path, &users, &items, &p), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(p.count, 2);
    expect_pair(&p, 0, "ann", "Heat");
    forget(&p);
    unlink(path);
    write_file(TEXT("ann,Heat\nbob,Alien\n"));
    cr_assert_eq(tg_pairs_read(path, &users, &items, &p), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(p.count, 2);
    expect_pair(&p, 0, "ann", "Heat");
    forget(&p);
    unlink(path);
}

/* ---- csv ------------------------------------------------------------------------------------- */

static const char *const flowers = "\xEF\xBB\xBFlength (cm), width,species,\"note, if any\"\r\n"
                                   "5.1,3.5,setosa,\r\n\r\n"
                                   "6,-2.25,\"virginica \"\"x\"\"\",\"1,2\"\n"
                                   " 7e-1 ,.5,setosa,z";

Test(csv, read__takes_columns_by_name)
{
    tg_ids species = {0};
    tg_dataset d;
    write_file(flowers, strlen(flowers));
    cr_assert_eq(tg_csv_read(path, &d, tg_csv_numbers("width,length (cm)"),
                             tg_csv_ids("species", &species), tg_csv_numbers("width"),
                             tg_csv_ids("\"note, if any\"", &items)),
                 TG_OK, "%s", tg_last_error()->message);
    unlink(path);
    cr_assert_eq(d.count, 3);
    cr_assert_eq(d.columns, 4);
    static const float numbers[3][2] = {{3.5f, 5.1f}, {-2.25f, 6}, {0.5f, 0.7f}};
    static const int64_t kinds[3] = {0, 1, 0};
    cr_expect_eq(d.column[0]->shape.ndim, 2);
    cr_expect_eq(tg_size(d.column[0], 1), 2);
    cr_expect_eq(memcmp(tg_dataset_rows(&d, 0), numbers, sizeof numbers), 0);
    cr_expect_eq(d.column[1]->dtype, TG_I64);
    cr_expect_eq(memcmp(tg_dataset_rows(&d, 1), kinds, sizeof kinds), 0);
    cr_expect_eq(d.column[2]->shape.ndim, 1);
    cr_expect_eq(((float *)tg_dataset_rows(&d, 2))[1], -2.25f);
    cr_expect_eq(species.count, 2);
    cr_expect_str_eq(tg_ids_name(&species, 1), "virginica \"x\"");
    cr_expect_str_eq(tg_ids_name(&items, 0), "");
    cr_expect_str_eq(tg_ids_name(&items, 1), "1,2");
    tg_ids_release(&species);
    forget(&d);
}

static const struct bad_file bad_csv[] = {
    {TEXT(""), ":1: an empty file; expected a header with names"},
    {TEXT("a,\"b\n1,2\n"), ":1: a field in quotes has no end, or something behind it; exp"},
    {TEXT("A,b\n1,2\n"), ":1: no column 'a'; expected one of A, b"},
    {TEXT("a,b\n"), ":1: no row behind the header; expected 2 fields: a, b"},
    {TEXT("a,b\n1,2\n\n3\n"), ":4: 1 field; expected 2 fields: a, b"},
    {TEXT("a,b\n1,2,3\n"), ":2: 3 fields; expected 2 fields: a, b"},
    {TEXT("a,b\n1,\"2\n"), ":2: a field in quotes has no end, or something behind it; exp"},
    {TEXT("a,b\n1,two\n"), ":2: b 'two' is not a number; expected finite numbers in a,b"},
    {TEXT("a,b\n1,\n"), ":2: b is empty; expected finite numbers in a,b"},
    {TEXT("a,b\ninf,1\n"), ":2: a 'inf' is not a finite number; expected finite numbers in a,b"},
    {TEXT("a,b\n1,\0\n"), ":2: a byte of value zero: this is no text"},
};

Test(csv, read__names_file_line_and_fault)
{
    tg_dataset d;
    for (size_t i = 0; i < sizeof bad_csv / sizeof *bad_csv; i++) {
        write_file(bad_csv[i].bytes, bad_csv[i].size);
        cr_expect_eq(tg_csv_read(path, &d, tg_csv_numbers("a,b")), TG_EFORMAT, "%zu", i);
        expect_message(bad_csv[i].message);
        cr_expect(d.columns == 0 && d.count == 0);
        unlink(path);
    }
    cr_expect_eq(tg_csv_read("/nowhere", &d, tg_csv_numbers("a")), TG_EIO);
    cr_expect_str_eq(tg_last_error()->message, "/nowhere: No such file or directory");
}

Test(csv, read__survives_damaged_files)
{
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        write_damaged(flowers, i);
        tg_dataset d;
        const tg_status status = tg_csv_read(path, &d, tg_csv_numbers("width"),
                                             tg_csv_ids("species", &items));
        unlink(path);
        cr_assert(status == TG_OK || status == TG_EFORMAT, "%d", status);
        wrong += status == TG_EFORMAT;
        forget(&d);
    }
    cr_expect(wrong > 200 && wrong < 1800, "%d of 2000 were refused", wrong);
}

Test(csv, read__refuses_what_it_cannot_give)
{
    tg_dataset d;
    write_file(flowers, strlen(flowers));
    cr_expect_eq(tg_csv_read(path, &d, tg_csv_ids("species,width", &items)), TG_EMISUSE);
    cr_expect_str_eq(tg_last_error()->message, "tg_csv_read: tg_csv_ids of 2 names; expected one");
    cr_expect_eq(tg_csv_read(path, &d, tg_csv_numbers("\"width")), TG_EMISUSE);
    const tg_csv_column n = tg_csv_numbers("width");
    cr_expect_eq(tg_csv_read(path, &d, n, n, n, n, n, n, n, n, n), TG_EMISUSE);
    unlink(path);
    char wide[40000] = "a";
    for (int i = 1; i < 1025; i++)
        strcat(wide, ",a");
    strcat(wide, "\n1\n");
    write_file(wide, strlen(wide));
    cr_expect_eq(tg_csv_read(path, &d, n), TG_EFORMAT);
    expect_message(":1: more than 1024 fields");
    unlink(path);
}

/* ---- MovieLens itself ------------------------------------------------------------------------ */

Test(ratings, read__movielens)
{
    const char *folder = getenv("TAPEGRAD_DATA");
    if (!folder)
        cr_skip_test("TAPEGRAD_DATA names no folder with ml-100k in it");
    char name[512];
    snprintf(name, sizeof name, "%s/ml-100k/u.data", folder);
    tg_dataset r;
    cr_assert_eq(tg_ratings_read(name, &users, &items, &r), TG_OK, "%s", tg_last_error()->message);
    cr_expect_eq(r.count, 100000);
    cr_expect_eq(users.count, 943);
    cr_expect_eq(items.count, 1682);
    cr_expect_float_eq(tg_ratings_mean(&r), 3.52986, 1e-6);
    cr_expect_eq(tg_ratings_duplicates(&r), 0);
    forget(&r);
}
