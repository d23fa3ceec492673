/* Headers of files of ratings: any order of the columns, the names that data sets use; and what is
 * refused, because reading it by position could take one column for another. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tapegrad.h"

static char path[64];

static void write_file(const char *text)
{
    strcpy(path, "/tmp/tapegrad-header-XXXXXX");
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

typedef struct file {
    tg_ids users, items;
    tg_dataset rows;
    tg_status status;
} file;

static file read_text(const char *text, bool pairs)
{
    file f = {.status = TG_OK};
    write_file(text);
    f.status = pairs ? tg_pairs_read(path, &f.users, &f.items, &f.rows)
                     : tg_ratings_read(path, &f.users, &f.items, &f.rows);
    unlink(path);
    return f;
}

static void forget(file *f)
{
    tg_dataset_release(&f->rows);
    tg_ids_release(&f->users);
    tg_ids_release(&f->items);
}

/* ---- what is understood ---------------------------------------------------------------------- */

static const char *const users_called[] = {"user",       "userId",     "USER_ID",    "User-ID",
                                           "uid",        "customer",   "CustomerID", "reviewerID",
                                           "user index", "member.no",  "listener",   "user_key",
                                           "user_id:token"};
static const char *const items_called[] = {"item",   "itemId",     "movieId", "MOVIE", "book_id",
                                           "ISBN",   "product_id", "asin",    "iid",   "Artist-ID",
                                           "songId", "parent_asin", "item_id:token"};
static const char *const ratings_called[] = {"rating", "Rating", "score", "stars", "Book-Rating",
                                             "overall", "rate", "weight", "rating:float"};
static const char *const times_called[] = {"timestamp", "time", "TS", "unixReviewTime",
                                           "timestamp:float"};
enum { STYLES = 6 };
static const struct { const char *separator, *quote; } style[STYLES] = {
    {",", ""}, {",", "\""}, {";", ""}, {";", "\""}, {"\t", ""}, {"::", ""}};

/* A header and a line of user u1, item i7, rating 2.5, time 9 and a field x, in a drawn order. */
static void make_file(tg_rng *rng, char *text)
{
    enum { FIELDS = 5 };
#define ANY(list) list[tg_rng_below(rng, sizeof list / sizeof *list)]
    const char *name[FIELDS] = {ANY(users_called), ANY(items_called), ANY(ratings_called),
                                ANY(times_called), "genres"};
    const char *value[FIELDS] = {"u1", "i7", "2.5", "9", "x"};
    int order[FIELDS] = {0, 1, 2, 3, 4}, s = (int)tg_rng_below(rng, STYLES);
    for (int i = FIELDS - 1; i > 0; i--) {
        const int j = (int)tg_rng_below(rng, (uint64_t)i + 1), old = order[i];
        order[i] = order[j];
        order[j] = old;
    }
    bool has_colon = false;
    for (int i = 0; i < FIELDS; i++)
        has_colon = has_colon || strchr(name[i], ':');
    if (has_colon && s == STYLES - 1)
        s = 0;
    *text = '\0';
    for (int line = 0; line < 2; line++)
        for (int i = 0; i < FIELDS; i++)
            sprintf(text + strlen(text), "%s%s%s%s", i ? style[s].separator : line ? "\n" : "",
                    style[s].quote, (line ? value : name)[order[i]], style[s].quote);
}

Test(header, any_order_and_usual_names__are_understood)
{
    tg_rng rng = {.seed = 15};
    char text[512];
    for (int i = 0; i < 2000; i++) {
        make_file(&rng, text);
        for (int pairs = 0; pairs < 2; pairs++) {
            file f = read_text(text, pairs);
            cr_assert_eq(f.status, TG_OK, "%s\n%s", tg_last_error()->message, text);
            cr_assert_eq(f.rows.count, 1, "%s", text);
            cr_assert_str_eq(tg_ids_name(&f.users, 0), "u1", "%s", text);
            cr_assert_str_eq(tg_ids_name(&f.items, 0), "i7", "%s", text);
            if (!pairs) {
                cr_assert_eq(*(float *)tg_dataset_rows(&f.rows, TG_RATING), 2.5f, "%s", text);
                cr_assert_eq(*(int64_t *)tg_dataset_rows(&f.rows, TG_TIMESTAMP), 9, "%s", text);
            }
            forget(&f);
        }
    }
}

Test(header, an_id__counts_before_a_name)
{
    file f = read_text("movie,movieId,userId,user,rating\nHeat,7,u1,Ann,4\n", false);
    cr_assert_eq(f.status, TG_OK, "%s", tg_last_error()->message);
    cr_expect_str_eq(tg_ids_name(&f.users, 0), "u1");
    cr_expect_str_eq(tg_ids_name(&f.items, 0), "7");
    forget(&f);
}

Test(header, a_first_column_without_name__is_left_out)
{
    file f = read_text(",user_id,rating,book_id\n0,u1,5,b1\n1,u2,4,b2\n", false);
    cr_assert_eq(f.status, TG_OK, "%s", tg_last_error()->message);
    cr_expect_eq(f.rows.count, 2);
    cr_expect_str_eq(tg_ids_name(&f.items, 1), "b2");
    forget(&f);
}

/* ---- separators ------------------------------------------------------------------------------ */

/* Between tabs, commas and semicolons an id may hold blanks, and a field may be empty. */
Test(header, ids_with_blanks__are_whole_between_other_separators)
{
    static const char *const texts[] = {"1\tItem 102\t4\n2\tItem 103\t5\n",
                                        " 1 \t Item 102 \t 4\n2\tItem 103\t5\n",
                                        "1,Item 102,4\n2,Item 103,5\n",
                                        "1;Item 102;4\n2;Item 103;5\n",
                                        "1;\"Item 102\";\"4\"\n2;Item 103;5\n",
                                        "1::Item 102::4\n2::Item 103::5\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        file f = read_text(texts[i], false);
        cr_assert_eq(f.status, TG_OK, "%s", tg_last_error()->message);
        cr_expect_str_eq(tg_ids_name(&f.items, 0), "Item 102", "%s", texts[i]);
        cr_expect_eq(*(float *)tg_dataset_rows(&f.rows, TG_RATING), 4);
        forget(&f);
    }
    file f = read_text("1\tItem 102\n2\tItem 103\n", true);
    cr_expect_str_eq(tg_ids_name(&f.items, 1), "Item 103");
    forget(&f);
    f = read_text("1\t\t4\t979098440\n", false);
    cr_expect_eq(f.status, TG_EFORMAT);
    cr_expect_not_null(strstr(tg_last_error()->message, ":1: item id is empty"));
    forget(&f);
}

/* ---- what is refused ------------------------------------------------------------------------- */

typedef struct refusal {
    const char *text, *message; /* behind the path */
} refusal;

static void expect_refusals(const refusal *list, size_t count, bool pairs)
{
    for (size_t i = 0; i < count; i++) {
        file f = read_text(list[i].text, pairs);
        cr_expect_eq(f.status, TG_EFORMAT, "%s", list[i].text);
        cr_expect_eq(f.rows.count, 0);
        cr_expect_not_null(strstr(tg_last_error()->message, list[i].message), "%s\nexpected %s",
                           tg_last_error()->message, list[i].message);
        forget(&f);
    }
}

Test(header, what_is_not_understood__is_refused)
{
    static const refusal refused[] = {
        {"user_id,item_id,timestamp\n1,2,880000000\n",
         ":1: a header with no rating; by position user id 'user_id', item id 'item_id', rating "
         "'timestamp'; expected names as userId, itemId, rating, or no header"},
        {"a,b,c\n1,2,3\n", ":1: a header with no user id; by position user id 'a', item id 'b', "
                           "rating 'c'"},
        {"id,user_id,novel,rating\n1,2,3,4\n", ":1: a header with no item id; by position"},
        {"user item rated\n1 2 3\n", ":1: a header with no rating"},
        {"user item\n1 2\n", ":1: a header with no rating; by position user id 'user', item id "
                               "'item';"},
        {"one\n1\n", ":1: a header with no user id; by position user id 'one';"},
        {"user,item,book,rating\n1,2,3,4\n", ":1: a header with 'item' and 'book' for the item id"},
        {"user_id,customer_id,item,rating\n1,2,3,4\n",
         ":1: a header with 'user_id' and 'customer_id' for the user id"},
        {"user,item,rating,score\n1,2,3,4\n", ":1: a header with 'rating' and 'score' for the "
                                              "rating"},
        {"\x1b[31muser,\xff,c\n1,2,3\n", "user id '?[31muser', item id '?', rating 'c'"},
    };
    expect_refusals(refused, sizeof refused / sizeof *refused, false);
}

/* A pair is any two texts, so that a header can only be told by its names. */
Test(header, of_pairs__is_refused_where_its_names_say_something_else)
{
    static const refusal refused[] = {
        {"book,reader_name\n1,2\n", ":1: a header with no user id; by position user id 'book', "
                                    "item id 'reader_name'; expected names as userId, itemId, or"},
        {"user_id,novel\n1,2\n", ":1: a header with no item id"},
        {"novel,user\n1,2\n", ":1: a header with no item id"},
        {"user_id,book_id,movie_id\n1,2,3\n", "'book_id' and 'movie_id' for the item id"},
    };
    expect_refusals(refused, sizeof refused / sizeof *refused, true);
    file f = read_text("alice book\nbob song\n", true);
    cr_expect_eq(f.status, TG_OK, "%s", tg_last_error()->message);
    cr_expect_eq(f.rows.count, 2);
    forget(&f);
}

/* As many fields as there is room for, and one and two more. */
Test(header, of_many_fields__is_refused)
{
    for (int fields = 62; fields <= 67; fields++)
        for (int pairs = 0; pairs < 2; pairs++)
            for (int named = 0; named < 3; named++) {
                static const char *const first[] = {"u", "i", "r"};
                char text[4096] = "";
                for (int i = 0; i < fields; i++)
                    sprintf(text + strlen(text), "%s%s", i ? "," : "",
                            named < 2 || i > 2 ? (named ? "n" : "1") : first[i]);
                strcat(text, "\n1");
                for (int i = 1; i < fields; i++)
                    strcat(text, ",1");
                file f = read_text(text, pairs);
                const bool fits = pairs || (named == 2 && fields <= 64);
                cr_expect_eq(f.status, fits ? TG_OK : TG_EFORMAT, "%d fields, %d, %d: %s", fields,
                             pairs, named, tg_last_error()->message);
                if (fields > 64 && !pairs)
                    cr_expect_not_null(strstr(tg_last_error()->message, "more than 64 fields"));
                forget(&f);
            }
}
