/* The commands of ncf that use a saved model: what they print, as text and as JSON, and what they
 * say of mistakes. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/program.h"

/* "m": a model of the ratings "r" with titles of most items: "Film 1 (1971)" to "Film 29 (1999)",
 * "M\u00e9lo \"30\"" for item 30, none for item 7. */
static void make_model(void)
{
    enter_folder();
    write_ratings("r");
    FILE *file = fopen("titles", "wb");
    cr_assert_not_null(file);
    for (int i = 1; i < 30; i++)
        if (i != 7)
            fprintf(file, "%d::Film %d (%d)::Drama|War\n", i, i, 1970 + i);
    fputs("30::M\xE9lo \"30\"::Comedy\n", file);
    fclose(file);
    cr_assert_eq(ncf("train --train r --test r " SMALL_MODEL "--epochs 20 --lr 0.01 --titles titles "
                     "--save m --quiet"), 0, "%s", err);
}

TestSuite(use, .init = make_model, .fini = leave_folder);

/* ---- JSON ------------------------------------------------------------------------------------ */

/* The place behind a JSON value (RFC 8259), NULL where there is none. */
static const char *skip_value(const char *s);

static const char *skip_string(const char *s)
{
    if (!s || *s++ != '"')
        return NULL;
    for (; *s != '"'; s++) {
        if ((unsigned char)*s < ' ')
            return NULL;
        if (*s == '\\' && !strchr("\"\\/bfnrtu", *++s))
            return NULL;
    }
    return s + 1;
}

static const char *skip_members(const char *s, char end, bool has_keys)
{
    for (bool first = true; s && *s != end; first = false) {
        if (!first && *s++ != ',')
            return NULL;
        if (has_keys)
            s = skip_string(s);
        if (has_keys && (!s || *s++ != ':'))
            return NULL;
        s = skip_value(s);
    }
    return s ? s + 1 : NULL;
}

static const char *skip_value(const char *s)
{
    static const char *const words[] = {"true", "false", "null"};
    if (!s)
        return NULL;
    if (*s == '{' || *s == '[')
        return skip_members(s + 1, *s == '{' ? '}' : ']', *s == '{');
    if (*s == '"')
        return skip_string(s);
    for (int i = 0; i < 3; i++)
        if (strncmp(s, words[i], strlen(words[i])) == 0)
            return s + strlen(words[i]);
    char *end;
    strtod(s, &end);
    return end == s || !(isdigit((unsigned char)*s) || *s == '-') ? NULL : end;
}

/* The last run printed `count` JSON objects, one a line. */
static void expect_json(int count)
{
    const char *s = out;
    int objects = 0;
    for (; *s; s++, objects++) {
        const char *end = *s == '{' ? skip_value(s) : NULL;
        cr_assert(end && *end == '\n', "no JSON object: %s", s);
        s = end;
    }
    cr_expect_eq(objects, count, "%d objects: %s", objects, out);
    cr_expect(tg_is_utf8(out));
}

/* ---- evaluate -------------------------------------------------------------------------------- */

static void write_tests(const char *path)
{
    write_text(path, "100 2 5\n100 3 1\n101 4 4\n102 5 2\n");
}

Test(use, evaluate__errors_and_full_ranking_beside_baselines)
{
    write_tests("t");
    cr_assert_eq(ncf("evaluate --load m --test t --at 1,3 --threads 1"), 0, "%s", err);
    cr_expect_str_empty(err);
    EXPECT_PARTS(out, "rating prediction             MAE      RMSE   4 test ratings\nncf   ",
                 "\nuser and item biases ", "\nmean training rating ",
                 "\n\nfull ranking: the test items of 3 users, each user's among all that the user "
                 "has\nnot rated in training, 20.0 on average\n",
                 " HR   NDCG    MAP    MRR precision recall coverage    AUC\nncf           "
                 "  1 0.", "\npopularity      1 ");
    cr_expect_eq(lines(out), 5 + 3 + 4);
    char first[1 << 16];
    strcpy(first, out);
    cr_assert_eq(ncf("evaluate --load m --test t --at 1,3 --threads 3"), 0);
    cr_expect_str_eq(out, first);
    cr_assert_eq(ncf("evaluate --load m --test t --ranking none"), 0);
    cr_expect_eq(lines(out), 4);
}

Test(use, evaluate__errors_are_those_that_train_reports)
{
    double trained[2], evaluated[2];
    write_tests("t");
    cr_assert_eq(ncf("train --train r --test t " SMALL "--save n --quiet"), 0, "%s", err);
    cr_assert_eq(sscanf(strstr(out, "ncf after 2 epochs"), "ncf after 2 epochs %lf %lf",
                        &trained[0], &trained[1]), 2, "%s", out);
    cr_assert_eq(ncf("evaluate --load n --test t --ranking none"), 0);
    cr_assert_eq(sscanf(strstr(out, "\nncf "), "\nncf %lf %lf", &evaluated[0], &evaluated[1]), 2);
    cr_expect(trained[0] == evaluated[0] && trained[1] == evaluated[1], "%s", out);
}

Test(use, evaluate__sampled_ranking_by_a_file_and_drawn)
{
    write_text("n", "(100,2)\t3\t4\t5\n(101,4)\t4\t99\t6\n(7,4)\t1\n");
    cr_assert_eq(ncf("evaluate --load m --negatives-file n --at 2"), 0, "%s", err);
    cr_expect_not_null(strstr(out, "sampled ranking: 2 test items, each among the file's items, "
                                   "3.0 on average"), "%s", out); /* lists of 4 and 2 */
    cr_expect_str_eq(err, "ncf: n: 1 of 3 lines are of a user or an item that the model does not "
                          "know; they are left out\n"
                          "ncf: n: 1 of 6 items to rank among are not known to the model; they are "
                          "left out\n");
    write_tests("t");
    cr_assert_eq(ncf("evaluate --load m --test t --ranking sampled --negatives 5 --seed 1"), 0);
    cr_expect_not_null(strstr(out, "4 test items, each among random items, 6.0 on average"), "%s",
                       out);
    cr_expect_null(strstr(out, "coverage"));
    char first[1 << 16];
    strcpy(first, out);
    cr_assert_eq(ncf("evaluate --load m --test t --ranking sampled --negatives 5 --seed 1"), 0);
    cr_expect_str_eq(out, first);
}

Test(use, evaluate__relevant_and_unknown)
{
    write_text("t", "100 2 5\n100 3 1\n7 4 4\n102 99 2\n");
    cr_assert_eq(ncf("evaluate --load m --test t --relevant 4"), 0, "%s", err);
    cr_expect_not_null(strstr(out, "full ranking: the test items of 1 users"), "%s", out);
    cr_expect_not_null(strstr(err, "2 of 4 pairs have a user or an item that the model does not "
                                   "know (first: user 7); predicted for them: the mean "
                                   "training rating, 3.000000; left out of the ranking\n"), "%s",
                       err);
    expect_complaint(ncf("evaluate --load m --test r --relevant 6"), 1,
                     "r: nothing to rank; expected items, of users and items that the model knows, "
                     "rated as --relevant says");
}

Test(use, evaluate__json)
{
    write_tests("t");
    cr_assert_eq(ncf("evaluate --load m --test t --json"), 0, "%s", err);
    expect_json(1);
    EXPECT_PARTS(out,
                 "{\"model\":\"ncf\",\"errors\":{\"ratings\":4,\"unknown\":0,\"model\":{\"mae\":",
                 "\"ranking\":{\"kind\":\"full\",\"lists\":3,", "\"popularity\":{\"auc\":",
                 "{\"k\":20,\"HR\":");
}

/* ---- predict --------------------------------------------------------------------------------- */

Test(use, predict__titles_and_json)
{
    write_text("pairs", "100 1\n100 7\n100 30\n5 1\n");
    cr_assert_eq(ncf("predict --load m pairs"), 0, "%s", err);
    cr_expect_not_null(strstr(out, "\tFilm 1 (1971)\n100\t7\t"), "%s", out);
    cr_expect_not_null(strstr(out, "\tM\xC3\xA9lo \"30\"\n5\t1\t"), "%s", out);
    cr_assert_eq(ncf("predict --load m pairs --json"), 0);
    expect_json(4);
    cr_expect_not_null(strstr(out, "\"known\":true,\"title\":\"M\xC3\xA9lo \\\"30\\\"\"}\n"), "%s",
                       out);
    cr_expect_not_null(strstr(out, "{\"user\":\"5\",\"item\":\"1\",\"prediction\":"), "%s", out);
}

/* ---- recommend ------------------------------------------------------------------------------- */

/* Item and score of every line "user item score ..." of out; gives their number. */
static int read_lines(const char *user, int item[], double score[])
{
    int count = 0;
    for (const char *s = out; *s; s = strchr(s, '\n') + 1) {
        char name[32];
        cr_assert_eq(sscanf(s, "%31s %d %lf", name, &item[count], &score[count]), 3, "%s", s);
        cr_expect_str_eq(name, user);
        count++;
    }
    return count;
}

Test(use, recommend__best_first_without_what_is_seen)
{
    int item[64];
    double score[64];
    cr_assert_eq(ncf("recommend --load m --user 100 -n 5"), 0, "%s", err);
    cr_expect_str_empty(err);
    cr_assert_eq(read_lines("100", item, score), 5);
    for (int i = 0; i < 5; i++) {
        cr_expect(i == 0 || score[i] <= score[i - 1]);
        for (int k = 0; k < 10; k++) /* what write_ratings lets user 100 rate */
            cr_expect_neq(item[i], 1 + 7 * k % 30);
    }
    cr_assert_eq(ncf("recommend --load m --user 100 -n=100"), 0);
    cr_expect_eq(read_lines("100", item, score), 20);
    cr_assert_eq(ncf("recommend --load m --user 100 -n 100 --include-seen"), 0);
    cr_expect_eq(read_lines("100", item, score), 30);
    cr_expect_not_null(strstr(out, "\tFilm 1 (1971)\n"));
    cr_assert_eq(ncf("recommend --load m --user 100 --min-ratings 400"), 0);
    cr_expect_str_empty(out);
}

Test(use, recommend__scores_are_predictions)
{
    char pairs[2048] = "", *to = pairs;
    int item[64];
    double score[64];
    cr_assert_eq(ncf("recommend --load m --user 107 -n 30"), 0);
    const int count = read_lines("107", item, score);
    for (int i = 0; i < count; i++)
        to += sprintf(to, "107 %d\n", item[i]);
    write_text("pairs", pairs);
    cr_assert_eq(ncf("predict --load m pairs"), 0);
    double predicted[64];
    cr_assert_eq(read_lines("107", item, predicted), count);
    for (int i = 0; i < count; i++)
        cr_expect_float_eq(score[i], predicted[i], 1e-4);
}

/* Nobody gives 5.3 of 5 stars; the errors of a training without --clamp are of the 5.3 still. */
Test(use, recommend_and_predict__show_ratings_in_their_range)
{
    int item[64];
    double score[64], trained[2], evaluated[2];
    bool is_cut = false;
    cr_assert_eq(ncf("train --train r --test r --factors 8 --epochs 90 --batch-size 32 --lr 0.05 "
                     "--dropout 0 --save c --quiet"), 0, "%s", err);
    cr_assert_eq(sscanf(strstr(out, "ncf after 90 epochs"), "ncf after 90 epochs %lf %lf",
                        &trained[0], &trained[1]), 2, "%s", out);
    cr_assert_eq(ncf("evaluate --load c --test r --ranking none"), 0);
    cr_assert_eq(sscanf(strstr(out, "\nncf "), "\nncf %lf %lf", &evaluated[0], &evaluated[1]), 2);
    cr_expect(trained[0] == evaluated[0] && trained[1] == evaluated[1], "%s", out);
    for (int user = 100; user < 140; user++) {
        char name[16], pairs[1024] = "", *to = pairs;
        snprintf(name, sizeof name, "%d", user);
        cr_assert_eq(ncf("recommend --load c --user %s -n 30 --include-seen", name), 0);
        const int count = read_lines(name, item, score);
        for (int i = 0; i < count; i++) {
            cr_expect(score[i] >= 1 && score[i] <= 5, "%g", score[i]);
            is_cut = is_cut || score[i] == 1 || score[i] == 5;
            to += sprintf(to, "%s %d\n", name, item[i]);
        }
        write_text("pairs", pairs);
        cr_assert_eq(ncf("predict --load c pairs"), 0);
        double predicted[64];
        cr_assert_eq(read_lines(name, item, predicted), count);
        for (int i = 0; i < count; i++)
            cr_expect_float_eq(score[i], predicted[i], 1e-4);
    }
    cr_expect(is_cut, "nothing is out of the range: the test shows nothing");
}

Test(use, recommend__to_many)
{
    cr_assert_eq(ncf("recommend --load m --users all -n 2"), 0, "%s", err);
    cr_expect_eq(lines(out), 80);
    cr_assert_eq(ncf("recommend --load m --users all -n 2 --json"), 0);
    expect_json(40);
    write_text("u", "139\nann\n100\n");
    cr_assert_eq(ncf("recommend --load m --users u -n 2"), 0);
    cr_expect_eq(lines(out), 4);
    cr_expect_eq(strncmp(out, "139\t", 4), 0, "%s", out);
    cr_expect_str_eq(err, "ncf: u: 1 of 3 users are not known to the model (first: ann); nothing "
                          "is recommended to them\n");
    cr_assert_eq(ncf("recommend --load m --users - -n 2 <u"), 0);
    cr_expect_eq(lines(out), 4);
}

Test(use, recommend__to_new_users)
{
    write_text("new", "ann 1 5\nbob 2 1\nann 2 1\nann 1 2\nann 77 3\nbob 3 2\ncarl 99 1\n");
    cr_assert_eq(ncf("recommend --load m --ratings new -n 100"), 0, "%s", err);
    cr_expect_eq(lines(out), 56);
    cr_expect_not_null(strstr(err, "ncf: new: 2 of 7 ratings are of items that the model does not "
                                   "know; they are left out\nuser ann: fitted to 2 ratings in "),
                       "%s", err);
    cr_expect_null(strstr(out, "ann\t1\t"));
    cr_expect_null(strstr(out, "bob\t3\t"));
    char first[1 << 16];
    strcpy(first, out);
    cr_assert_eq(ncf("recommend --load m --ratings new -n 100"), 0);
    cr_expect_str_eq(out, first);
    write_text("none", "ann 99 1\n");
    cr_expect_eq(ncf("recommend --load m --ratings none"), 1);
    cr_expect_not_null(strstr(err, "none: no rating of an item of the model; expected some"));
    expect_complaint(ncf("recommend --load m --ratings titles"), 1, "titles:1: ");
}

/* What `ncf --help` tells a newcomer to type. */
Test(use, recommend__after_train_on_csv_files_with_titles)
{
    char ratings[1 << 14] = "userId,movieId,rating,timestamp\n", *to = ratings + strlen(ratings);
    for (int user = 1; user <= 30; user++)
        for (int k = 0; k < 6; k++)
            to += sprintf(to, "%d,%d,%d.5,%d\n", user, 100 + (user + k * 3) % 20, k % 5, user + k);
    write_text("ratings.csv", ratings);
    char movies[1 << 12] = "movieId,title,genres\n";
    to = movies + strlen(movies);
    for (int item = 100; item < 120; item++)
        to += sprintf(to, "%d,\"Film, The %d (1999)\",Drama|War\n", item, item);
    write_text("movies.csv", movies);
    cr_assert_eq(ncf("train --data ratings.csv --titles movies.csv --save model.safetensors"), 0,
                 "%s", err);
    cr_assert_eq(ncf("recommend --load model.safetensors --user 1"), 0, "%s", err);
    cr_expect_eq(lines(out), 10);
    int item, title;
    for (const char *line = out; *line; line = strchr(line, '\n') + 1) {
        cr_assert_eq(sscanf(line, "1\t%d\t%*f\tFilm, The %d (1999)", &item, &title), 2, "%s", line);
        cr_expect_eq(item, title);
    }
}

/* ---- similar, explain ------------------------------------------------------------------------ */

Test(use, similar__by_id_and_by_title)
{
    cr_assert_eq(ncf("similar --load m --item 3 -n 4"), 0, "%s", err);
    cr_expect_eq(lines(out), 4);
    cr_expect_null(strstr(out, "\tFilm 3 (1973)\n"));
    char first[1 << 16];
    strcpy(first, out);
    cr_assert_eq(ncf("similar --load m --item 'FILM 3 (' -n 4"), 0, "%s", err);
    cr_expect_str_eq(out, first);
    double score[64];
    cr_assert_eq(ncf("similar --load m --item M\xC3\xA9LO -n 100"), 0); /* case of ASCII alone */
    cr_assert_eq(lines(out), 29);
    const char *s = out;
    for (int i = 0; i < 29; i++, s = strchr(s, '\n') + 1) {
        cr_assert_eq(sscanf(s, "%*d %lf", &score[i]), 1);
        cr_expect(fabs(score[i]) <= 1 && (i == 0 || score[i] <= score[i - 1]));
    }
    cr_assert_eq(ncf("similar --load m --item 3 --min-ratings 400"), 0);
    cr_expect_str_empty(out);
    cr_assert_eq(ncf("similar --load m --item 3 --json"), 0);
    expect_json(1);
    cr_expect_not_null(strstr(out, "{\"item\":\"3\",\"title\":\"Film 3 (1973)\",\"genres\":"
                                   "\"Drama|War\",\"similar\":[{\"item\":"), "%s", out);
}

Test(use, titles__that_are_not_clear_are_listed)
{
    cr_expect_eq(ncf("similar --load m --item 'film 2'"), 1);
    cr_expect_str_empty(out);
    cr_expect_not_null(strstr(err, "ncf: item 'film 2': in 11 titles; expected one of these, or "
                                   "its id:\n"), "%s", err);
    cr_expect_not_null(strstr(err, "\n2\tFilm 2 (1972)\n"), "%s", err);
    cr_expect_not_null(strstr(err, "\n20\tFilm 20 (1990)\n"), "%s", err);
    cr_expect_eq(lines(err), 12);
    cr_expect_eq(ncf("explain --load m --user 100 --item film"), 1);
    cr_expect_eq(lines(err), 1 + 20 + 1);
    cr_expect_not_null(strstr(err, "\n...\n"));
    expect_complaint(ncf("similar --load m --item xyz"), 1,
                     "item 'xyz': neither an id nor in a title; expected one of the model's 30");
    write_text("t", "2\tAlien\n3\tAliens\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL "--titles t --save n --quiet"), 0);
    cr_expect_eq(ncf("similar --load n --item alien"), 0, "%s", err); /* the whole title of one */
    cr_assert_eq(ncf("train --train r --test r " SMALL "--save n --quiet"), 0);
    expect_complaint(ncf("similar --load n --item alien"), 1,
                     "item 'alien': neither an id, and no titles are known; expected one of");
}

Test(use, explain__parts_add_up_to_the_prediction)
{
    double prediction, sum = 0, part;
    cr_assert_eq(ncf("explain --load m --user 100 --item 'film 3 (' -n 4"), 0, "%s", err);
    cr_expect_eq(lines(out), 1 + 1 + 4 + 1 + 1, "%s", out);
    cr_assert_eq(sscanf(out, "%lf  user 100, item 3: Film 3 (1973)", &prediction), 1, "%s", out);
    cr_expect_not_null(strstr(out, "  for a typical user\n"));
    cr_expect_not_null(strstr(out, "  for 6 other ratings\n"), "%s", out);
    for (const char *s = strchr(out, '\n') + 1; *s; s = strchr(s, '\n') + 1) {
        cr_assert_eq(sscanf(s, "%lf", &part), 1, "%s", s);
        sum += part;
    }
    cr_expect_float_eq(sum, prediction, 8 * 0.00005 + 1e-9, "%s", out);
    cr_assert_eq(ncf("explain --load m --user 100 --item 3 --json"), 0);
    expect_json(1);
    cr_expect_not_null(strstr(out, "\"ratings\":[{\"item\":"), "%s", out);
    expect_complaint(ncf("explain --load m --user ann --item 3"), 1,
                     "user 'ann': not known to the model; expected one of its 40 users");
    write_text("t", "ann 1 5\n");
    cr_assert_eq(ncf("train --train r --test t " SMALL "--save n --quiet"), 0, "%s", err);
    expect_complaint(ncf("explain --load n --user ann --item 3"), 1,
                     "user 'ann': no training ratings in the model; expected some to explain by");
}

/* ---- export, info ---------------------------------------------------------------------------- */

Test(use, export__the_same_numbers_as_text_and_for_numpy)
{
    static const char *const sides[] = {"user", "item"};
    for (int side = 0; side < 2; side++) {
        tg_tensor *all;
        cr_assert_eq(ncf("export --load m --what %s", sides[side]), 0, "%s", err);
        cr_expect_eq(lines(out), side ? 30 : 40);
        char expected[256];
        snprintf(expected, sizeof expected, "columns 1 to 2: GMF_layers.%s_emb\n"
                 "columns 3 to 10: MLP_layers.%s_emb\n", sides[side], sides[side]);
        cr_expect_str_eq(err, expected);
        char text[1 << 16], *s = text;
        strcpy(text, out);
        cr_assert_eq(ncf("export --load m --what %s --format npy --out x.npy", sides[side]), 0);
        cr_expect_str_empty(out);
        cr_assert_eq(tg_npy_load("x.npy", &all), TG_OK);
        cr_assert(tg_size(all, 0) == (side ? 30 : 40) && tg_size(all, 1) == 10);
        for (int64_t row = 0; row < tg_size(all, 0); row++) {
            strtol(s, &s, 10);
            for (int64_t d = 0; d < 10; d++)
                cr_assert_eq(strtof(s, &s), (float)tg_get(all, row, d));
        }
        tg_free(all);
        cr_assert_eq(ncf("export --load m --what %s --out x.tsv", sides[side]), 0);
        read_text("x.tsv", out);
        cr_expect_str_eq(out, text);
    }
    expect_complaint(ncf("export --load m --out nowhere/x"), 1, "nowhere/x: No such file");
    expect_complaint(ncf("export --load m --format npy --out nowhere/x"), 1, "nowhere/x");
    if (access("/dev/full", W_OK) == 0)
        expect_complaint(ncf("export --load m --out /dev/full"), 1, "/dev/full: cannot be written: No ");
}

Test(use, info__says_what_the_model_is)
{
    cr_assert_eq(ncf("info m"), 0, "%s", err);
    EXPECT_PARTS(out, "model     ncf, 2 factors, dropout 0.5, ",
                 "task      rating: predicts ratings of 1 to 5, ",
                 "data      40 users, 30 items, 400 training ratings\n",
                 "titles    of 29 items, genres of 29\n", "--epochs 20",
                 "\nepoch  train_loss    test_mae", "\n   20  ");
    cr_assert_eq(ncf("info --load m --json"), 0);
    expect_json(1);
    cr_expect_not_null(strstr(out, "\"history\":{\"train_loss\":["), "%s", out);
}

/* ---- models that rank ------------------------------------------------------------------------ */

Test(use, ranking__every_command_takes_such_a_model)
{
    write_tests("t");
    cr_assert_eq(ncf("train --task ranking --train r --test t " SMALL "--save k --quiet"), 0, "%s",
                 err);
    cr_assert_eq(ncf("evaluate --load k --test t"), 0, "%s", err);
    cr_expect_eq(strncmp(out, "full ranking: ", 14), 0, "%s", out);
    cr_assert_eq(ncf("recommend --load k --user 100 --json"), 0, "%s", err);
    expect_json(1);
    int item[64];
    double score[64];
    cr_assert_eq(ncf("recommend --load k --user 100"), 0, "%s", err);
    cr_assert_gt(read_lines("100", item, score), 0);
    cr_expect_lt(score[0], 1, "cut as if it were a rating");
    cr_assert_eq(ncf("recommend --load k --ratings t"), 0, "%s", err);
    cr_expect_not_null(strstr(err, "user 100: fitted to 2 ratings in "), "%s", err);
    cr_expect_not_null(strstr(err, " steps: cross entropy "), "%s", err);
    cr_assert_eq(ncf("explain --load k --user 100 --item 3"), 0, "%s", err);
    cr_assert_eq(ncf("info --load k"), 0, "%s", err);
    cr_expect_not_null(strstr(out, "task      ranking: gives scores"), "%s", out);
    write_text("pairs", "100 3\nann 3\n");
    cr_assert_eq(ncf("predict --load k pairs"), 0);
    cr_expect_not_null(strstr(out, "ann\t3\tnan\n"), "%s", out);
    cr_expect_not_null(strstr(err, "predicted for them: no number"), "%s", err);
    cr_assert_eq(ncf("predict --load k pairs --json"), 0);
    expect_json(2);
    cr_expect_not_null(strstr(out, "\"prediction\":null,\"known\":false"), "%s", out);
}

/* ---- mistakes -------------------------------------------------------------------------------- */

Test(use, usage__mistakes_are_named)
{
    EXPECT_COMPLAINTS(2,
        {"evaluate", "evaluate needs --load FILE"},
        {"evaluate --load m", "evaluate needs --test FILE, or --negatives-file FILE"},
        {"evaluate --load m --test t --ranking all", "--ranking 'all': expected full|sampled|none"},
        {"evaluate --load m --negatives-file n --ranking full", "--negatives-file is for --ranking "
         "sampled, not for full"},
        {"evaluate --load m --test t --at 5,5", "--at '5,5': expected up to 8 rising numbers"},
        {"evaluate --load m --test t --at 0", "--at '0': expected"},
        {"evaluate --load m --test t --at 5,", "--at '5,': expected"},
        {"evaluate --load m --test t --at 1,2,3,4,5,6,7,8,9", "expected up to 8 rising"},
        {"evaluate --load m --test t --negatives 0", "--negatives '0': expected a whole number"},
        {"evaluate --load m --test t --seed -1", "--seed '-1': expected a whole number"},
        {"evaluate --load m --test t --threads x", "--threads 'x': expected a whole number"},
        {"evaluate --load m --test t --relevant much", "--relevant 'much': expected a number"},
        {"evaluate --load m --tset t", "unknown option '--tset'; did you mean '--test'?"},
        {"recommend --user 1", "recommend needs --load FILE"},
        {"recommend --load m", "recommend needs one of --user ID, --users all|FILE and --ratings"},
        {"recommend --load m --user 1 --users all", "recommend needs one of"},
        {"recommend --load m --user 1 -n 0", "-n '0': expected a whole number from 1"},
        {"recommend --load m --user 1 -n", "-n: expected N, got nothing"},
        {"recommend --load m --user 1 --n 3", "unknown option '--n'"},
        {"recommend --load m --user 1 -user 3", "unknown option '-user'; did you mean '--user'?"},
        {"recommend --load m --user 1 --min-ratings -1", "--min-ratings '-1': expected"},
        {"similar --load m", "similar needs --load FILE and --item ID|TITLE"},
        {"similar --item 3", "similar needs --load FILE"},
        {"explain --load m --item 3", "explain needs --load FILE, --user ID and --item ID|TITLE"},
        {"export", "export needs --load FILE"},
        {"export --load m --format npy", "--format npy needs --out FILE"},
        {"export --load m --format csv", "--format 'csv': expected tsv|npy"},
        {"export --load m --what items", "--what 'items': expected user|item"},
        {"info", "info needs one FILE"},
        {"info m --load m", "info needs one FILE"},
        {"info --load m --json=1", "--json takes no value"},
        {"info m m", "unexpected word 'm'"},
        {"recomend", "unknown command 'recomend'; did you mean 'recommend'?"});
}

Test(use, files__mistakes_are_named)
{
    write_tests("t");
    write_text("empty", "");
    static const char *const uses[] = {
        "evaluate --test t", "predict t", "recommend --user 100", "similar --item 3",
        "explain --user 100 --item 3", "export", "info", "plot --out x", "report --out x"};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        expect_complaint(ncf("%s --load nowhere", uses[i]), 1, "nowhere: cannot be opened: No s");
        expect_complaint(ncf("%s --load empty", uses[i]), 1, "empty: ");
        expect_complaint(ncf("%s --load t", uses[i]), 1, "t: ");
    }
    write_text("n", "100,2\t3\n");
    expect_complaint(ncf("evaluate --load m --negatives-file n"), 1,
                     "n:1: '100,2' is no pair; expected (user,item) and items to rank it among");
    EXPECT_COMPLAINTS(1,
        {"evaluate --load m --negatives-file empty", "empty: nothing to rank"},
        {"evaluate --load m --negatives-file nowhere", "nowhere: No such file"},
        {"evaluate --load m --test nowhere", "nowhere: No such file"},
        {"evaluate --load m --test empty", "empty:1: no rating in the file"},
        {"recommend --load m --ratings empty", "empty:1: no rating"},
        {"recommend --load m --users nowhere", "nowhere: No such file"},
        {"recommend --load m --user 7", "user '7': not known to the model"});
    cr_assert_eq(ncf("recommend --load m --users empty"), 0);
    cr_expect_str_empty(out);
    cr_assert_eq(ncf("predict --load m empty"), 0);
    cr_expect_str_empty(out);
}

/* A reader that has enough ends the program without a word. */
Test(use, stdout__closed_early)
{
    char command[8192];
    snprintf(command, sizeof command, "('%s' recommend --load m --users all -n 30 2>err; echo $? "
             ">status) | head -1 >out", program);
    cr_assert_eq(system(command), 0);
    read_text("err", err);
    read_text("out", out);
    cr_expect_str_empty(err);
    cr_expect_eq(lines(out), 1);
    if (access("/dev/full", W_OK) == 0) {
        snprintf(command, sizeof command, "'%s' export --load m >/dev/full 2>err", program);
        cr_expect_eq(WEXITSTATUS(system(command)), 1);
        read_text("err", err);
        cr_expect_not_null(strstr(err, "ncf: standard output: No space left on device"));
    }
}

Test(use, help__lists_every_command_option_and_default)
{
    cr_assert_eq(ncf("--help"), 0);
    EXPECT_PARTS(out, "\n  train ", "\n  evaluate ", "\n  predict ", "\n  recommend ",
                 "\n  similar ", "\n  explain ", "\n  export ", "\n  info ", "\n  plot ",
                 "\n  report ", "\n  ncf train --data ratings.csv --titles movies.csv --save m");
    cr_assert_eq(ncf("evaluate --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--test FILE", "--ranking NAME", "full|sampled|none",
                 "--negatives-file FILE", "--negatives N", "[99]", "--seed N", "[10]",
                 "--relevant X", "--at LIST", "[5,10,20]", "--threads N", "[0]", "--json");
    cr_assert_eq(ncf("predict --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--json");
    cr_assert_eq(ncf("recommend --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--user ID", "--users all|FILE", "--ratings FILE", "\n  -n N",
                 "[10]", "--min-ratings N", "[1]", "--include-seen", "--json");
    cr_assert_eq(ncf("similar --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--item ID|TITLE", "\n  -n N", "[10]", "--min-ratings N",
                 "[1]", "--json");
    cr_assert_eq(ncf("explain --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--user ID", "--item ID|TITLE", "\n  -n N", "[10]", "--json");
    cr_assert_eq(ncf("export --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--what NAME", "user|item", "[item]", "--format NAME",
                 "tsv|npy", "[tsv]", "--out FILE");
    cr_assert_eq(ncf("info --help"), 0);
    EXPECT_PARTS(out, "--load FILE", "--json");
}
