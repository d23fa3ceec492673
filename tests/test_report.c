/* ncf report: whom it shows; and what a map leaves out. test_plot.c has the other parts. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/program.h"

TestSuite(report, .init = enter_folder, .fini = leave_folder);

static char page[1 << 16];

static void report(const char *arguments)
{
    cr_assert_eq(ncf("report --load m --out page --method pca %s", arguments), 0, "%s", err);
    read_text("page", page);
}

Test(report, user__is_given_once_for_each_and_may_hold_commas)
{
    write_text("r", "\"Doe, Jane\",1,5\n\"Doe, Jane\",2,3\nDoe,1,4\nDoe,2,2\nann,1,1\nann,2,5\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL "--save m --quiet"), 0, "%s", err);
    report("--user ann --user 'Doe, Jane'");
    const char *ann = strstr(page, "<h3>User ann</h3>");
    const char *jane = strstr(page, "<h3>User Doe, Jane</h3>");
    cr_assert(ann && jane, "%s", strstr(page, "<h3>"));
    cr_expect_lt(ann, jane, "not in the order in which they are given");
    cr_expect_null(strstr(page, "<h3>User Doe</h3>"));
    report("--user=Doe");
    cr_expect_not_null(strstr(page, "<h3>User Doe</h3>"));
    cr_expect_null(strstr(page, "<h3>User ann</h3>"));
    cr_assert_eq(remove("page"), 0);
    expect_complaint(ncf("report --load m --out page --user ann,Doe"), 1,
                     "user 'ann,Doe': not known to the model; expected one of its 3 users");
    expect_complaint(ncf("report --load m --out page --user ann --user="), 2,
                     "--user: expected ID, got nothing");
    cr_expect_neq(access("page", F_OK), 0, "the file was begun");
}

Test(report, user__a_hundred_times_at_most)
{
    char arguments[2048] = "", *to = arguments;
    write_text("r", "ann,1,5\nann,2,3\nbob,1,4\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL "--save m --quiet"), 0, "%s", err);
    for (int i = 0; i < 100; i++)
        to += sprintf(to, "--user ann ");
    report(arguments);
    cr_expect_not_null(strstr(page, "<h3>User ann</h3>"));
    expect_complaint(ncf("report --load m --out page %s --user bob", arguments), 2,
                     "--user bob: given 100 times already; expected no more");
}

/* ---- items of few ratings -------------------------------------------------------------------- */

/* "m": item "i<n>" has n training ratings, for n from 1 to 8, all by users 1 to 8. */
static void make_uneven_model(void)
{
    char ratings[2048] = "", titles[512] = "", *to = ratings, *title = titles;
    for (int item = 1; item <= 8; item++) {
        for (int user = 1; user <= item; user++)
            to += sprintf(to, "%d\ti%d\t%d\n", user, item, 1 + (user + item) % 5);
        title += sprintf(title, "i%d::Film %d::%s\n", item, item, item < 3 ? "War" : "Drama");
    }
    write_text("r", ratings);
    write_text("titles", titles);
    cr_assert_eq(ncf("train --train r --test r " SMALL "--titles titles --save m --quiet"), 0, "%s",
                 err);
}

/* The page, or picture, that the last run wrote shows the items from i<first> on, and no others. */
static void expect_items_from(int first, const char *before, const char *behind)
{
    char name[64];
    for (int item = 1; item <= 8; item++) {
        snprintf(name, sizeof name, "%sFilm %d%s", before, item, behind);
        cr_expect_eq(strstr(page, name) != NULL, item >= first, "%s, from %d on", name, first);
    }
}

static void plot(const char *arguments)
{
    cr_assert_eq(ncf("plot --load m --what embeddings --out page --method pca %s", arguments), 0,
                 "%s", err);
    read_text("page", page);
}

Test(report, min_ratings__leaves_items_off_the_map)
{
    make_uneven_model();
    report("--users 0");
    expect_items_from(5, "\"", "\"");
    cr_expect_not_null(strstr(page, "PCA of the items with 5 ratings or more by GMF_layers"));
    report("--users 0 --min-ratings 7");
    expect_items_from(7, "\"", "\"");
    report("--users 0 --min-ratings 0");
    expect_items_from(1, "\"", "\"");
    cr_expect_not_null(strstr(page, "PCA of the items by GMF_layers.item_emb"));
    cr_assert_eq(ncf("report --load m --out page --min-ratings 9"), 0, "%s", err);
    cr_expect_str_eq(err, "ncf: m: no item has 9 training ratings: the page has no map; a smaller "
                          "--min-ratings gives one\n");
    read_text("page", page);
    cr_expect_null(strstr(page, ">Map<"));
    cr_expect_not_null(strstr(page, ">Settings<"));
}

Test(report, min_ratings__in_plots_too)
{
    make_uneven_model();
    plot("");
    expect_items_from(5, "<title>", "<");
    cr_expect_not_null(strstr(page, ">PCA of the items with 5 ratings or more by GMF_layers"));
    cr_expect_null(strstr(page, ">War<"), "a group without points");
    plot("--min-ratings 2");
    expect_items_from(2, "<title>", "<");
    cr_expect_not_null(strstr(page, ">War<"));
    plot("--of user --min-ratings 6"); /* user n has 9 - n ratings */
    cr_expect_not_null(strstr(page, ">PCA of the users with 6 ratings or more by GMF_layers"));
    cr_expect_not_null(strstr(page, "<title>3<"));
    cr_expect_null(strstr(page, "<title>4<"));
    expect_complaint(ncf("plot --load m --what embeddings --out page --min-ratings 9"), 1,
                     "m: no item has 9 training ratings; expected a smaller --min-ratings");
    expect_complaint(ncf("plot --load m --what embeddings --out page --min-ratings -1"), 2,
                     "--min-ratings '-1': expected a whole number from 0");
}

/* Of two dimensions PCA keeps all: the points are the directions of their own items' vectors. */
Test(report, min_ratings__points_have_the_vectors_of_their_items)
{
    double x[9], y[9], v[9][2], ratio = 0;
    make_uneven_model();
    plot("--min-ratings 4");
    cr_assert_eq(ncf("export --load m"), 0, "%s", err);
    for (int item = 4; item <= 8; item++) {
        char name[32];
        snprintf(name, sizeof name, "<title>Film %d<", item);
        const char *circle = strstr(page, name), *row;
        cr_assert_not_null(circle, "%s", name);
        while (strncmp(circle, "<circle", 7) != 0)
            circle--;
        cr_assert_eq(sscanf(circle, "<circle cx=\"%lf\" cy=\"%lf\"", &x[item], &y[item]), 2);
        snprintf(name, sizeof name, "i%d\t", item);
        cr_assert_not_null(row = strstr(out, name));
        cr_assert_eq(sscanf(row, "%*s %lf %lf", &v[item][0], &v[item][1]), 2, "%s", row);
        const double length = hypot(v[item][0], v[item][1]);
        v[item][0] /= length;
        v[item][1] /= length;
    }
    for (int a = 4; a <= 8; a++)
        for (int b = 4; b < a; b++) {
            const double far = hypot(v[a][0] - v[b][0], v[a][1] - v[b][1]);
            const double drawn = hypot(x[a] - x[b], y[a] - y[b]);
            ratio = ratio > 0 ? ratio : drawn / far;
            cr_expect(fabs(drawn - ratio * far) < 1, "items %d and %d: %g, not %g", a, b, drawn,
                      ratio * far);
        }
    cr_expect_gt(ratio, 50);
}
