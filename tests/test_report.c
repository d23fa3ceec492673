/* ncf report: whom it shows. test_plot.c has its parts. */
#include <criterion/criterion.h>
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
