/* Titles and genres from every format that they come in. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/cli/titles.h"
#include "tests/program.h"

static char path[] = "/tmp/tapegrad-titles-XXXXXX";
static tg_ids items;
static char **titles, **genres;

static void set_up(void)
{
    close(mkstemp(path));
    tg_ids_intern(&items, "1");
    tg_ids_intern(&items, "3");
    tg_ids_intern(&items, "2");
}

static void tear_down(void)
{
    titles_free(titles, items.count);
    titles_free(genres, items.count);
    tg_ids_release(&items);
    remove(path);
}

TestSuite(titles, .init = set_up, .fini = tear_down);

static tg_status read_titles(const char *text)
{
    write_text(path, text);
    titles_free(titles, items.count);
    titles_free(genres, items.count);
    return titles_read(path, &items, &titles, &genres);
}

/* The titles of items 1, 3, 2 with what stands in it, and their genres. */
static void expect_texts(const char *text, const char *const expected[6])
{
    cr_assert_eq(read_titles(text), TG_OK, "%s", tg_last_error()->message);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(titles[i], expected[i]);
        cr_expect_str_eq(genres ? genres[i] : "", expected[3 + i]);
    }
}

Test(titles, u_item__has_latin_1_and_flags)
{
    expect_texts("1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
                 "4|Unknown item|||h|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
                 "2|Mis\xE9rables, Les (1995)|||h|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n",
                 (const char *[]){"Toy Story (1995)", "", "Mis\xC3\xA9rables, Les (1995)",
                                  "Animation|Children's|Comedy", "", "Drama|Musical"});
    cr_expect_eq(titles_known(titles, 3), 2);
    cr_expect_eq(titles_known(NULL, 3), 0);
}

Test(titles, movies_dat__has_colons)
{
    expect_texts("1::Toy Story (1995)::Animation|Children's|Comedy\r\n"
                 "3::Star Wars: Episode IV (1977)::Action\r\n2::Caf\xC3\xA9::Drama\r\n",
                 (const char *[]){"Toy Story (1995)", "Star Wars: Episode IV (1977)",
                                  "Caf\xC3\xA9", "Animation|Children's|Comedy", "Action",
                                  "Drama"});
}

Test(titles, movies_csv__has_a_header_and_quotes)
{
    expect_texts("\xEF\xBB\xBFmovieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n\n"
                 "3,\"American President, The (1995)\",Comedy\n"
                 "2,\"\"\"Q\"\"\",(no genres listed)\n",
                 (const char *[]){"Toy Story (1995)", "American President, The (1995)", "\"Q\"",
                                  "Animation|Comedy", "Comedy", ""});
    expect_texts("1,Toy Story (1995)\n3,Heat\n",
                 (const char *[]){"Toy Story (1995)", "Heat", "", "", "", ""});
    cr_expect_null(genres);
}

Test(titles, plain_text__has_tabs)
{
    expect_texts("1\tHeat, or: 1 | 2\tCrime\n2\tAlien\n1\tHeat\n",
                 (const char *[]){"Heat", "", "Alien", "", "", ""});
}

Test(titles, mistakes__are_named_with_their_line)
{
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"1|a\n2\n", ":2: 1 field; expected lines of item, title and possibly genres"},
        {"1,\"a\n", ":1: a field in quotes has no end"},
        {"7,a\n8,b\n", ":2: no title of any of the 3 items; expected lines of item, title"},
        {"", ":0: no title of any of the 3 items"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        cr_expect_eq(read_titles(mistakes[i].text), TG_EFORMAT);
        cr_expect_not_null(strstr(tg_last_error()->message, mistakes[i].message), "%s",
                           tg_last_error()->message);
        cr_expect(titles == NULL && genres == NULL);
    }
    cr_expect_eq(titles_read("/nowhere/x", &items, &titles, &genres), TG_EIO);
    cr_expect_not_null(strstr(tg_last_error()->message, "/nowhere/x: No such file"));
}

/* ---- headers --------------------------------------------------------------------------------- */

Test(titles, header__names_the_columns_in_any_order)
{
    static const char *const same[] = {
        "movieId,title,genres\n1,Toy Story,Comedy\n2,Heat,Crime\n",
        "genres,title,movie_id\nComedy,Toy Story,1\nCrime,Heat,2\n",
        ",movieId,title,genres\n0,1,Toy Story,Comedy\n1,2,Heat,Crime\n",
        "book_id,goodreads_book_id,authors,title,category\n1,77,x,Toy Story,Comedy\n"
        "2,78,y,Heat,Crime\n",
        "id,url,product-name,asin,Genre\n7,h,Toy Story,1,Comedy\n8,h,Heat,2,Crime\n",
        "name\titemID\tgenre\nToy Story\t1\tComedy\nHeat\t2\tCrime\n",
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n"
        "1\tToy Story\t1995\tComedy\n2\tHeat\t1995\tCrime\n"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        expect_texts(same[i], (const char *[]){"Toy Story", "", "Heat", "Comedy", "", "Crime"});
    expect_texts("title,movieId\nToy Story,1\nHeat,2\n",
                 (const char *[]){"Toy Story", "", "Heat", "", "", ""});
}

Test(titles, header__that_is_not_understood_is_refused)
{
    static const struct { const char *text, *message; } refused[] = {
        {"movieId,imdbId,tmdbId\n1,114709,862\n", ":1: a header with no title; expected names as "
                                                  "movieId, title, genres, or no header"},
        {"key_of_it,title\n1,Toy Story\n", ":1: a header with no item id"},
        {"movieId,title,name\n1,Toy Story,x\n", ":1: a header with more than one title"},
        {"book,movie,title\n1,2,Toy Story\n", ":1: a header with more than one item id"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_expect_eq(read_titles(refused[i].text), TG_EFORMAT, "%s", refused[i].text);
        cr_expect_not_null(strstr(tg_last_error()->message, refused[i].message), "%s",
                           tg_last_error()->message);
        cr_expect_null(titles);
    }
}
