/* ncf plot and ncf report: what is drawn of a saved model, and what they say of mistakes. What a
 * browser does with the page is for tests/report.sh. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/program.h"
#include "tests/small_recommender.h"

/* "m": a model of the ratings "r" with titles of most items: "Film 1" to "Film 29" are dramas, some
 * of them war films, "M\u00e9lo" is item 30; item 7 has none. */
static void make_model(void)
{
    enter_folder();
    write_ratings("r");
    FILE *file = fopen("titles", "wb");
    cr_assert_not_null(file);
    for (int i = 1; i < 30; i++)
        if (i != 7)
            fprintf(file, "%d::Film %d::%s\n", i, i, i % 4 ? "Drama" : "Drama|War");
    fputs("30::M\xE9lo::Comedy\n", file);
    fclose(file);
    cr_assert_eq(ncf("train --train r --test r --validation 0.2 " SMALL_MODEL "--epochs 9 --lr 0.01 "
                     "--titles titles --clamp --save m --quiet"), 0, "%s", err);
}

TestSuite(plot, .init = make_model, .fini = leave_folder);

/* A model file without titles, history and settings, "b". */
static void write_bare_model(recommender_task task)
{
    recommender r = small_recommender("gmf", task);
    cr_assert_eq(recommender_save(&r, "b"), TG_OK);
    recommender_release(&r);
}

static char text[1 << 16]; /* a file that was written */

static int occurrences(const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* Run it, silent, and take what it has written to "x" as the text. */
static void draw(const char *arguments)
{
    cr_assert_eq(ncf("%s --out x", arguments), 0, "%s", err);
    cr_expect_str_empty(out);
    cr_expect_str_empty(err);
    read_text("x", text);
    cr_assert_lt(strlen(text), sizeof text - 1, "%s: too long for this test", arguments);
}

/* ---- learning curves ------------------------------------------------------------------------- */

Test(plot, curves__are_those_of_the_history)
{
    draw("plot --load m");
    EXPECT_PARTS(text, "<svg xmlns", ">Training loss<", ">mean squared error<", ">MAE<", ">RMSE<",
                 ">validation<", ">test<", " kept<");
    cr_expect_eq(occurrences("<circle"), 9 * 5);
    cr_assert_eq(ncf("info --load m"), 0);
    const char *line = strstr(out, "\n    1 ");
    double first;
    cr_assert_eq(sscanf(line, " 1 %lf", &first), 1, "%s", out);
    char label[64];
    snprintf(label, sizeof label, "mean squared error: from %.3f", first);
    cr_expect_not_null(strstr(text, label), "%s is missing", label);
    char drawn[1 << 16];
    strcpy(drawn, text);
    cr_assert_eq(ncf("plot --load m --what curves --out -"), 0);
    cr_expect_str_eq(out, drawn);
}

Test(plot, curves__of_a_model_that_ranks)
{
    cr_assert_eq(ncf("train --task ranking --train r --test r " SMALL "--save k --quiet"), 0, "%s",
                 err);
    draw("plot --load k");
    EXPECT_PARTS(text, ">cross entropy<", ">HR@10<", ">NDCG@10<", ">test<");
    cr_expect_null(strstr(text, " kept<"), "without validation no epoch is chosen");
    cr_expect_eq(occurrences("<circle"), 2 * 3);
}

/* ---- maps ------------------------------------------------------------------------------------ */

Test(plot, map__of_the_items_by_genre)
{
    draw("plot --load m --what embeddings");
    EXPECT_PARTS(text, ">t-SNE of the items by GMF_layers.item_emb, 2 dimensions<",
                 "<title>Film 1</title>", "<title>M\xC3\xA9lo</title>", "<title>7</title>",
                 ">Drama<", ">War<", ">Comedy<", ">other<");
    cr_expect_eq(occurrences("</title></circle>"), 30);
    char first[1 << 16];
    strcpy(first, text);
    draw("plot --load m --what embeddings --of item --method tsne --seed 10 --threads 3");
    cr_expect_str_eq(text, first);
    draw("plot --load m --what embeddings --seed 11");
    cr_expect_str_neq(text, first);
}

Test(plot, map__of_the_users_by_their_number_of_ratings)
{
    draw("plot --load m --what embeddings --of user --method pca --min-ratings 0");
    EXPECT_PARTS(text, ">PCA of the users by GMF_layers.user_emb, 2 dimensions<",
                 "<title>100</title>", "<title>139</title>", " ratings<", ">component 1, ",
                 " % of the variance<");
    cr_expect_eq(occurrences("</title></circle>"), 40);
}

/* Of two dimensions all is kept: the map is the vectors' directions, turned and scaled. */
Test(plot, map__keeps_the_distances_of_the_directions)
{
    double v[30][2], at[30][2], ratio = 0;
    draw("plot --load m --what embeddings --method pca");
    cr_assert_eq(ncf("export --load m"), 0);
    const char *s = out;
    for (int i = 0; i < 30; i++, s = strchr(s, '\n') + 1) {
        char name[32], element[64];
        double x, y;
        cr_assert_eq(sscanf(s, "%31s %lf %lf", name, &x, &y), 3);
        v[i][0] = x / hypot(x, y);
        v[i][1] = y / hypot(x, y);
        const int number = atoi(name);
        snprintf(element, sizeof element, number == 30 ? "<title>M\xC3\xA9lo<"
                                          : number == 7 ? "<title>%d<" : "<title>Film %d<", number);
        const char *title = strstr(text, element), *circle = title;
        cr_assert_not_null(title, "%s", element);
        while (*circle != '<' || circle == title)
            circle--;
        cr_assert_eq(sscanf(circle, "<circle cx=\"%lf\" cy=\"%lf\"", &at[i][0], &at[i][1]), 2);
    }
    for (int round = 0; round < 2; round++) /* the scale, by the first item's farthest; then all */
        for (int i = 0; i < 30; i++) {
            const double far = hypot(v[i][0] - v[0][0], v[i][1] - v[0][1]);
            const double drawn = hypot(at[i][0] - at[0][0], at[i][1] - at[0][1]);
            if (round == 0 && far > 1)
                ratio = drawn / far;
            else if (round == 1)
                cr_expect_float_eq(drawn, ratio * far, 0.5, "item %d", i);
        }
    cr_expect_gt(ratio, 100);
}

/* ---- the report ------------------------------------------------------------------------------ */

Test(plot, report__has_every_part)
{
    draw("report --load m --user 100 --user 139");
    EXPECT_PARTS(text, "<h1>ncf on r</h1>", "40 users, 30 items and 320 ratings to learn from",
                 " of 9 were kept, the best on validation ratings. The results are those of "
                 "training, on its test part.", ">Results<", ">MAE <small>lower is better",
                 ">Learning curves<", ">Map<", "t-SNE of the items by GMF_layers.item_emb",
                 "\"M\xC3\xA9lo\"", "<h3>User 100</h3>", "<h3>User 139</h3>", ">Settings<",
                 "<dt>batch-size</dt>\n<dd>32</dd>", "<dt>clamp</dt>\n<dd>yes</dd>");
    cr_expect_eq(occurrences("<section"), 5);
    cr_expect_eq(occurrences("<h3>"), 2);
}

Test(plot, report__users_are_a_sample)
{
    draw("report --load m --method pca --users 5");
    cr_expect_eq(occurrences("<h3>User 1"), 5);
    cr_expect_not_null(strstr(text, "PCA of the items"));
    char first[1 << 16];
    strcpy(first, text);
    draw("report --load m --method pca --users 5 --seed 10 --threads 2");
    cr_expect_str_eq(text, first);
    draw("report --load m --method pca --users 5 --seed 11");
    cr_expect_str_neq(strstr(text, "<h3>"), strstr(first, "<h3>"), "the same users");
    draw("report --load m --method pca --users 0");
    cr_expect_eq(occurrences("<section"), 4);
    write_text("few", "ann 1 5\nann 2 1\nbob 2 4\ncarl 1 3\ncarl 2 2\n");
    cr_assert_eq(ncf("train --train few --test few " SMALL "--save f --quiet"), 0, "%s", err);
    draw("report --load f --users 100 --min-ratings 2");
    EXPECT_PARTS(text, "<h3>User ann<", "<h3>User bob<", "<h3>User carl<");
    cr_expect_eq(occurrences("<h3>"), 3);
}

Test(plot, report__lists_are_what_recommend_prints_and_what_was_rated_best)
{
    draw("report --load m --user 107");
    cr_assert_eq(ncf("recommend --load m --user 107 -n 8"), 0);
    const char *at = strstr(text, "<h4>Recommended</h4>"), *list = strstr(text, "<h4>Rated");
    cr_assert(at && list);
    int listed = 0;
    for (const char *s = out; *s; s = strchr(s, '\n') + 1, listed++) {
        char item[32], element[64];
        cr_assert_eq(sscanf(s, "107 %31s", item), 1);
        snprintf(element, sizeof element, strcmp(item, "7") == 0 ? "<li><span>%s</span>"
                                                                 : "<li><span>Film %s</span>",
                 strcmp(item, "30") == 0 ? "" : item);
        if (strcmp(item, "30") == 0)
            strcpy(element, "<li><span>M\xC3\xA9lo</span>");
        at = strstr(at, element);
        cr_assert(at, "%s is missing, or not in order", element);
    }
    cr_expect_eq(listed, 8);
    const char *end = strstr(list, "</ol>");
    double rating, last = 5;
    int rated = 0; /* 107 rates 1 to 5, each twice, of which a fifth is for validation */
    for (; (list = strstr(list, "class=\"value\">")) && list < end; list++, rated++) {
        cr_assert_eq(sscanf(list, "class=\"value\">%lf", &rating), 1);
        cr_expect(rating <= last && rating >= 1, "%g after %g", rating, last);
        last = rating;
    }
    cr_expect_gt(rated, 3);
}

/* The numbers of a line of the last output that begins with `name`; gives how many, up to 8. */
static int read_numbers(const char *name, double *number)
{
    const char *line = strstr(out, name);
    cr_assert_not_null(line, "%s: not in %s", name, out);
    int n = 0, length;
    for (line += strlen(name); n < 8 && sscanf(line, "%lf%n", &number[n], &length) == 1; n++)
        line += length;
    return n;
}

/* The page has them in this order, after the name. */
static void expect_row(const char *name, const double *number, int count)
{
    char head[64], value[32];
    snprintf(head, sizeof head, "\"row\">%s</th>", name);
    const char *row = strstr(text, head), *end = row ? strstr(row, "</tr>") : NULL;
    cr_assert(end, "no row of %s", name);
    for (int i = 0; i < count; i++) {
        snprintf(value, sizeof value, ">%.4f<", number[i]);
        row = strstr(row + 1, value);
        cr_assert(row && row < end, "%s: %s is missing", name, value);
    }
}

Test(plot, report__results_are_those_of_evaluate_and_of_training)
{
    double number[8];
    char name[32];
    int epoch;
    write_text("t", "100 2 5\n100 3 1\n101 4 4\n102 5 2\n7 7 1\n");
    cr_assert_eq(ncf("report --load m --test t --method pca --out x"), 0, "%s", err);
    cr_expect_eq(strncmp(err, "ncf: 1 of 5 pairs have a user or an item that", 45), 0, "%s", err);
    read_text("x", text);
    const char *note = strstr(text, "The weights of epoch");
    cr_assert(note && sscanf(note, "The weights of epoch %d", &epoch) == 1);
    snprintf(name, sizeof name, "ncf after %d epoch%s", epoch, epoch == 1 ? "" : "s");
    EXPECT_PARTS(text, "Tested on 5 ratings of t.");
    cr_assert_eq(ncf("evaluate --load m --test t --ranking none"), 0);
    cr_assert_eq(read_numbers("\nncf ", number), 2);
    expect_row(name, number, 2);
    cr_assert_eq(read_numbers("\nuser and item biases ", number), 2);
    expect_row("user and item biases", number, 2);
    cr_assert_eq(read_numbers("\nmean training rating ", number), 2);
    expect_row("mean training rating", number, 2);
    draw("report --load m --method pca");
    cr_assert_eq(ncf("info --load m"), 0);
    char line[32];
    snprintf(line, sizeof line, "\n%5d ", epoch);
    cr_assert_geq(read_numbers(line, number), 5); /* and the next line's */
    expect_row(name, number + 3, 2);
}

Test(plot, report__of_a_model_that_ranks)
{
    double number[8];
    write_text("t", "100 2 5\n100 3 1\n101 4 4\n102 5 2\n");
    cr_assert_eq(ncf("train --task ranking --train r --test t " SMALL "--save k --quiet"), 0, "%s",
                 err);
    draw("report --load k --method pca --test t");
    EXPECT_PARTS(text, "that ranks items.", "(full ranking)", ">HR@10 <small>higher is better");
    cr_assert_eq(ncf("evaluate --load k --test t --at 10"), 0);
    cr_assert_eq(read_numbers("\nncf            10", number), 8);
    const double shown[] = {number[0], number[1], number[3], number[5], number[6], number[7]};
    expect_row("ncf after 2 epochs", shown, 6);
    cr_assert_eq(read_numbers("\npopularity     10", number), 8);
    const double popular[] = {number[0], number[1], number[3], number[5], number[6], number[7]};
    expect_row("popularity", popular, 6);
    draw("report --load k --method pca");
    EXPECT_PARTS(text, "(sampled ranking)", ">NDCG@10 <small>higher is better");
    write_text("none", "7 7 7\n");
    cr_expect_eq(ncf("report --load k --test none --out x"), 1);
    cr_expect_not_null(strstr(err, "ncf: none: nothing to rank; expected items, of users and"),
                       "%s", err);
}

Test(plot, report__of_a_model_without_titles_history_and_settings)
{
    write_bare_model(TASK_RATING);
    draw("report --load b");
    EXPECT_PARTS(text, "<h1>gmf</h1>", "<h2 id=\"map\">", "<h2 id=\"users\">");
    cr_expect_eq(occurrences("<section"), 2);
    cr_expect_eq(occurrences("<h3>User "), 6);
    draw("plot --load b --what embeddings --min-ratings 0");
    cr_expect_eq(occurrences("</title></circle>"), 30);
    cr_expect_not_null(strstr(text, " ratings<"), "items without genres are by popularity");
    write_text("t", "1 2 3\n");
    draw("report --load b --test t");
    cr_expect_not_null(strstr(text, "\"row\">gmf</th>"));
}

/* ---- mistakes -------------------------------------------------------------------------------- */

Test(plot, usage__mistakes_are_named)
{
    EXPECT_COMPLAINTS(2,
        {"plot", "plot needs --load FILE and --out FILE"},
        {"plot --load m", "plot needs --load FILE and --out FILE"},
        {"plot --load m --out x --what map", "--what 'map': expected curves|embeddings"},
        {"plot --load m --out x --of user", "--of is for --what embeddings, not for curves"},
        {"plot --load m --out x --what curves --method pca", "--method is for --what embeddings"},
        {"plot --load m --out x --what embeddings --method umap", "expected tsne|pca"},
        {"plot --load m --out x --seed -1", "--seed '-1': expected a whole number"},
        {"plot --load m --out x --threads x", "--threads 'x': expected a whole number"},
        {"report", "report needs --load FILE and --out FILE"},
        {"report --load m --out x --method umap", "--method 'umap': expected tsne|pca"},
        {"report --load m --out x $(seq -f '--user %g' 101)",
         "--user 101: given 100 times already; expected no more"},
        {"report --load m --out x --users 101", "--users '101': expected a whole number from 0"});
}

Test(plot, files__mistakes_are_named)
{
    write_bare_model(TASK_RATING);
    expect_complaint(ncf("plot --load b --out x"), 1,
                     "b: no history in the model; expected one that ncf train saved");
    cr_expect_neq(access("x", F_OK), 0, "the file was begun");
    static const char *const uses[] = {"plot --load m", "plot --load m --what embeddings",
                                       "report --load m"};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        expect_complaint(ncf("%s --out nowhere/x", uses[i]), 1, "nowhere/x: No such file");
        if (access("/dev/full", W_OK) == 0)
            expect_complaint(ncf("%s --out /dev/full", uses[i]), 1, "/dev/full: cannot be written: No ");
    }
    expect_complaint(ncf("report --load m --out x --user 100 --user 7"), 1,
                     "user '7': not known to the");
    expect_complaint(ncf("report --load m --out x --test nowhere"), 1, "nowhere: No such file");
    cr_expect_neq(access("x", F_OK), 0, "the file was begun");
}

Test(plot, help__has_every_option_and_default)
{
    cr_assert_eq(ncf("plot --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "curves|embeddings", "[curves]", "user|item", "[item]",
                 "tsne|pca", "[tsne]", "--min-ratings N", "[5]", "--seed N", "[10]", "--threads N",
                 "[0]", "--out FILE");
    cr_assert_eq(ncf("report --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--out FILE", "--test FILE", "--users N", "[6]", "--user ID",
                 "tsne|pca", "[tsne]", "--min-ratings N", "[5]", "--seed N", "[10]", "--threads N",
                 "[0]");
}
