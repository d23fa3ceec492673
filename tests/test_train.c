/* ncf train: divisions, the choice of an epoch, ranking, checkpoints, presets. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/program.h"

TestSuite(train, .init = enter_folder, .fini = leave_folder);

static bool are_same_files(const char *a, const char *b)
{
    char command[256];
    snprintf(command, sizeof command, "cmp -s %s %s", a, b);
    return system(command) == 0;
}

/* The two numbers of the row of results that begins with `name`. */
static void read_row(const char *name, double value[2])
{
    const char *row = strstr(out, name);
    cr_assert_not_null(row, "no '%s' in %s", name, out);
    cr_assert_eq(sscanf(row + strlen(name), "%lf %lf", &value[0], &value[1]), 2, "%s", row);
}

/* Column `column`, from 0, of the log's line of an epoch. */
static double logged(const char *path, int epoch, int column)
{
    char text[1 << 16];
    read_text(path, text);
    const char *at = text;
    for (int i = 0; i < epoch; i++)
        cr_assert_not_null(at = strchr(at, '\n') + 1);
    for (int i = 0; i < column; i++)
        cr_assert_not_null(at = strchr(at, ',') + 1);
    return strtod(at, NULL);
}

/* ---- divisions ------------------------------------------------------------------------------- */

Test(train, split__by_time_and_by_folds)
{
    write_ratings("r"); /* 400 ratings; timestamps 0 to 9 of every user */
    cr_assert_eq(ncf("train --data r --split temporal:0.1 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 360 ratings to train on, 40 to test"), "%s", err);
    cr_assert_eq(ncf("train --data r --split 0.25 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 300 ratings to train on, 100 to test"), "%s", err);
    cr_assert_eq(ncf("train --data r --split kfold:4 --fold 2 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 300 ratings to train on, 100 to test"), "%s", err);
    write_text("n", "1 1 5\n1 2 3\n2 1 4\n2 2 4\n");
    expect_complaint(ncf("train --data n --split temporal:0.5 --quiet"), 1,
                     "n: the ratings have no timestamps; expected some, to divide them by t");
}

Test(train, folds__are_trained_in_turn_and_averaged)
{
    write_ratings("r");
    double alone[3][2], mean[2], deviation[2];
    for (int fold = 0; fold < 3; fold++) {
        cr_assert_eq(ncf("train --data r --split kfold:3 --fold %d --quiet " SMALL, fold + 1), 0);
        read_row("ncf after 2 epochs", alone[fold]);
    }
    cr_assert_eq(ncf("train --data r --split kfold:3 --quiet " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(out, "fold 3 of 3\n"), "%s", out);
    read_row("mean of the folds", mean);
    read_row("standard deviation", deviation);
    for (int i = 0; i < 2; i++) {
        const double m = (alone[0][i] + alone[1][i] + alone[2][i]) / 3;
        double squares = 0;
        for (int fold = 0; fold < 3; fold++)
            squares += (alone[fold][i] - m) * (alone[fold][i] - m);
        cr_expect_float_eq(mean[i], m, 1e-4);
        cr_expect_float_eq(deviation[i], sqrt(squares / 2), 2e-4);
    }
    cr_expect_neq(alone[0][0], alone[1][0]);
}

Test(train, validation__is_cut_from_the_training_part)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --split 0.25 --validation 0.1 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 270 ratings to train on, 30 for validation, 100 to test"),
                       "%s", err);
    cr_assert_eq(ncf("train --train r --test r --validation leave-one-out " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 360 ratings to train on, 40 for validation, 400 to test"),
                       "%s", err);
    cr_assert_eq(ncf("train --data r --validation temporal:0.5 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 160 ratings to train on, 160 for validation, 80 to test"),
                       "%s", err);
    expect_complaint(ncf("train --data r --validation 0.0001 --quiet"), 1,
                     "r: --split random:0.2, --validation 0.0001 leaves 320 ratings to train on, 0 "
                     "for validation and 80 to test; expected some of each");
}

/* ---- the choice of an epoch ------------------------------------------------------------------ */

#define WIDER "--factors 4 --batch-size 32 --lr 0.02 --dropout 0 --quiet "
#define LONG WIDER "--epochs 30 "

Test(train, choice__is_the_best_epoch_on_validation_and_its_weights_are_kept)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --validation 0.2 --log log --save m " LONG), 0, "%s", err);
    int chosen, last, best = 1;
    const char *choice = strstr(out, "epoch ");
    while (choice && strncmp(choice - 1, "\nepoch ", 7) != 0)
        choice = strstr(choice + 1, "epoch ");
    cr_assert_not_null(choice, "%s", out);
    cr_assert_eq(sscanf(choice, "epoch %d of %d was chosen, by RMSE on 64", &chosen, &last), 2);
    cr_expect_eq(last, 30);
    for (int epoch = 2; epoch <= 30; epoch++)
        if (logged("log", epoch, 3) < logged("log", best, 3))
            best = epoch;
    cr_expect_eq(chosen, best);
    cr_expect_lt(chosen, 30, "these ratings are not overfitted: the test shows nothing");
    char row[64];
    double value[2];
    snprintf(row, sizeof row, "ncf after %d epoch%s", chosen, chosen == 1 ? " " : "s");
    read_row(row, value);
    for (int i = 0; i < 2; i++)
        cr_expect_float_eq(value[i], logged("log", chosen, 4 + i), 0.51e-4);
    cr_assert_eq(ncf("train --data r --validation 0.2 " WIDER "--epochs 0 --load m"), 0, "%s", err);
    double again[2];
    read_row("ncf after 0 epochs", again);
    cr_expect(again[0] == value[0] && again[1] == value[1], "the file has other weights");
}

Test(train, patience__ends_training_when_validation_gets_no_better)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --validation 0.2 --patience 2 --log log " LONG), 0, "%s", err);
    int chosen, last;
    cr_assert_eq(sscanf(strstr(out, "\nepoch "), "\nepoch %d of %d", &chosen, &last), 2);
    cr_expect_eq(last, chosen + 2, "%s", out);
    cr_expect_lt(last, 30);
    char text[1 << 16];
    read_text("log", text);
    cr_expect_eq(lines(text), 1 + last);
}

Test(train, refit__trains_as_far_with_all_training_ratings)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --validation 0.2 " LONG), 0, "%s", err);
    int chosen, last;
    cr_assert_eq(sscanf(strstr(out, "\nepoch "), "\nepoch %d of %d", &chosen, &last), 2);
    cr_assert_eq(ncf("train --data r --validation 0.2 --refit --save a --log log " LONG), 0, "%s",
                 err);
    cr_expect_not_null(strstr(out, "\nthe epoch was chosen by RMSE on validation ratings, then "
                                   "trained with them\n"), "%s", out);
    char row[64], text[1 << 16];
    double refitted[2], plain[2];
    snprintf(row, sizeof row, "ncf after %d epoch%s", chosen, chosen == 1 ? " " : "s");
    read_row(row, refitted);
    read_text("log", text);
    cr_expect_eq(lines(text), 1 + 30, "the log is not that of the choice");
    /* The order of the rows alone differs from a training without validation: the same counts, and
     * close results. */
    cr_assert_eq(ncf("train --data r --epochs %d --factors 4 --batch-size 32 --lr 0.02 --dropout 0 "
                     "--quiet", chosen), 0);
    read_row(row, plain);
    cr_expect(fabs(refitted[0] - plain[0]) < 0.25, "%g and %g", refitted[0], plain[0]);
    cr_expect_neq(refitted[0], plain[0]);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("a", &state), TG_OK);
    cr_expect_eq(tg_size(tg_state_dict_get(&state, "seen_item"), 0), 320);
    cr_expect_eq(tg_size(tg_state_dict_get(&state, "history"), 0), chosen);
    tg_state_dict_release(&state);
}

Test(train, history__is_the_log_without_times)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --validation 0.2 --log log --save m " SMALL), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("m", &state), TG_OK);
    const tg_tensor *history = tg_state_dict_get(&state, "history");
    cr_assert_not_null(history);
    cr_expect_eq(tg_size(history, 0), 2);
    cr_expect_str_eq(tg_state_dict_get_note(&state, "history_columns"),
                     "train_loss,validation_mae,validation_rmse,test_mae,test_rmse");
    for (int epoch = 0; epoch < 2; epoch++)
        for (int i = 0; i < 5; i++)
            cr_expect_float_eq(tg_get(history, epoch, i), logged("log", epoch + 1, i + 1), 1e-6);
    cr_expect_not_null(strstr(tg_state_dict_get_note(&state, "settings"),
                              " --data r --split random:0.2 "));
    tg_state_dict_release(&state);
}

/* ---- options of the model and of the steps --------------------------------------------------- */

Test(train, options__each_changes_what_is_learned)
{
    write_ratings("r");
    static const char *const options[] = {
        "", "--biases", "--layers 8,6,4", "--init paper", "--weight-decay 1", "--clamp --lr 1",
        "--lr 1", "--lr-schedule cosine", "--lr-schedule one-cycle", "--no-shuffle",
        "--batch-size 16", "--dropout 0.1", "--optimizer sgd"};
    enum { COUNT = sizeof options / sizeof *options };
    static char results[COUNT][1 << 16];
    for (int i = 0; i < COUNT; i++) {
        const char *size = strstr(options[i], "--batch-size") ? "" : "--batch-size 32";
        cr_assert_eq(ncf("train --data r --factors 2 --epochs 2 --quiet %s %s", size, options[i]),
                     0, "%s", err);
        strcpy(results[i], out);
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(results[i], results[j], "'%s' and '%s'", options[i], options[j]);
    }
}

Test(train, biases_and_layers__are_in_the_file_and_come_back)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--biases --layers 8,6,4 --save a"), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("a", &state), TG_OK);
    cr_expect_not_null(tg_state_dict_get(&state, "user_bias.weight"));
    cr_expect_not_null(tg_state_dict_get(&state, "MLP_layers.linear_2.weight"));
    cr_expect_null(tg_state_dict_get(&state, "MLP_layers.linear_3.weight"));
    cr_expect_str_eq(tg_state_dict_get_note(&state, "layers"), "8,6,4");
    tg_state_dict_release(&state);
    write_text("pairs", "100 1\n101 2\n");
    cr_expect_eq(ncf("predict --load a pairs"), 0, "%s", err);
    cr_expect_eq(ncf("train --data r " SMALL "--biases --layers 8,6,4 --load a --quiet"), 0);
    expect_complaint(ncf("train --data r " SMALL "--layers 8,6,4 --load a --quiet"), 1,
                     "a: a model ncf of 2 factors; expected ncf of 2, as --model, --factors, "
                     "--layers and --biases say");
}

Test(train, clamp__cuts_to_the_range_of_the_training_ratings)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--lr 1 --clamp --save m"), 0, "%s", err);
    cr_assert_eq(ncf("predict --load m r"), 0, "%s", err);
    double least = 9, most = -9, value;
    for (const char *row = out; *row; row = strchr(row, '\n') + 1) {
        cr_assert_eq(sscanf(row, "%*s %*s %lf", &value), 1);
        least = fmin(least, value);
        most = fmax(most, value);
    }
    cr_expect(least >= 1 && most <= 5 && (least == 1 || most == 5), "%g to %g", least, most);
}

Test(train, titles__are_kept_with_the_model)
{
    write_ratings("r");
    write_text("titles", "1\tHeat\tCrime\n2\tAlien\tHorror\n");
    cr_assert_eq(ncf("train --data r " SMALL "--titles titles --save m"), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("m", &state), TG_OK);
    cr_expect_not_null(strstr(tg_state_dict_get_note(&state, "titles"), "Alien"));
    tg_state_dict_release(&state);
    expect_complaint(ncf("train --data r " SMALL "--titles nowhere --quiet"), 1, "nowhere: ");
}

Test(train, pretrained__begins_with_half_of_each)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--model gmf --save g"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r " SMALL "--model mlp --save l"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 0 --init-gmf g --init-mlp l --save n"), 0,
                 "%s", err);
    write_text("pairs", "100 1\n139 30\n");
    double of[3][2];
    static const char *const files[] = {"g", "l", "n"};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ncf("predict --load %s pairs", files[i]), 0, "%s", err);
        cr_assert_eq(sscanf(out, "%*s %*s %lf %*s %*s %lf", &of[i][0], &of[i][1]), 2, "%s", out);
    }
    for (int p = 0; p < 2; p++)
        cr_expect_float_eq(of[2][p], (of[0][p] + of[1][p]) / 2, 1e-5);
    expect_complaint(ncf("train --data r " SMALL "--init-gmf l --init-mlp l --quiet"), 1,
                     "l: a model mlp; expected gmf without biases");
    expect_complaint(ncf("train --data r --factors 3 --init-gmf g --init-mlp l --quiet"), 1,
                     "g: GMF_layers.user_emb.weight has no counterpart of its shape; expected");
    expect_complaint(ncf("train " SMALL "--init-gmf g --init-mlp l --quiet"), 1,
                     "g: of other users or items than the data; expected one made for these data");
    expect_complaint(ncf("train --data r " SMALL "--init-gmf nowhere --init-mlp l --quiet"), 1,
                     "nowhere: ");
}

/* ---- ranking --------------------------------------------------------------------------------- */

#define RANKING_MODEL "--task ranking --split leave-one-out --factors 4 --lr 0.005 --quiet "
#define RANKING RANKING_MODEL "--epochs 8 "

/* Two kinds of users, who have seen most of one half of the items each. */
static void write_tastes(const char *path)
{
    FILE *file = fopen(path, "wb");
    for (int u = 0; u < 60; u++)
        for (int i = 0; i < 12; i++)
            fprintf(file, "%d\t%d\t1\t%d\n", u, 20 * (u % 2) + (3 * u + i) % 20, i);
    fclose(file);
}

Test(train, ranking__learns_what_is_liked_with_every_model)
{
    write_tastes("r");
    static const char *const models[] = {"ncf", "gmf", "mlp", "simplecf", "mf"};
    for (int m = 0; m < 5; m++) {
        cr_assert_eq(ncf("train --data r " RANKING_MODEL "--epochs 40 --dropout 0 --model %s",
                         models[m]), 0, "%s", err);
        char row[64];
        double of[2], popular[2];
        snprintf(row, sizeof row, "%s after 40 epochs", models[m]);
        read_row(row, of);
        read_row("most training ratings", popular);
        cr_expect_gt(of[0], popular[0] + 0.1, "%s: HR@10 %g, popularity %g", models[m], of[0],
                     popular[0]);
        cr_expect_gt(of[1], popular[1], "%s: NDCG@10 %g, popularity %g", models[m], of[1],
                     popular[1]);
        cr_expect(of[1] <= of[0] && of[0] <= 1);
    }
}

Test(train, ranking__same_bytes_for_any_number_of_threads)
{
    write_tastes("r");
    cr_assert_eq(ncf("train --data r " RANKING "--save a --threads 1"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r " RANKING "--save b --threads 3"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r " RANKING "--save c --negatives 2"), 0, "%s", err);
    cr_expect(are_same_files("a", "b"));
    cr_expect(!are_same_files("a", "c"));
}

Test(train, ranking__among_the_items_of_a_file)
{
    write_text("train", "1 1 1\n1 2 1\n2 1 1\n2 3 1\n");
    write_text("test", "1 3 1\n2 2 1\n");
    write_text("lists", "(1,3)\t1\t2\n(2,2)\t1\t3\n");
    cr_assert_eq(ncf("train --train train --test test --task ranking --negatives-file lists "
                     SMALL), 0, "%s", err);
    double popular[2];
    read_row("most training ratings", popular); /* 1 before 2 and 3, which tie: places 2 and 2 */
    cr_expect_eq(popular[0], 1);
    cr_expect_float_eq(popular[1], log(2) / log(4), 1e-4);
    write_text("lists", "(1,3)\t1\t2\n(7,2)\t1\t9\n");
    cr_assert_eq(ncf("train --train train --test test --task ranking --negatives-file lists "
                     SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "ncf: lists: 1 of 2 lists and 0 of 2 items are not in the data; "
                                   "they are left out\n"), "%s", err);
    write_text("lists", "(7,3)\t1\t2\n");
    expect_complaint(ncf("train --train train --test test --task ranking --negatives-file lists "
                         "--quiet"), 1, "lists: no list is of a user and an item of the data");
    expect_complaint(ncf("train --train train --test test --task ranking --negatives-file none "
                         "--quiet"), 1, "none: ");
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* Start "ncf train ..." and interrupt it behind epoch 2; its messages go to the file err. */
static void interrupt_train(const char *arguments)
{
    char command[8192];
    snprintf(command, sizeof command, "exec '%s' train %s >out 2>err", program, arguments);
    remove("err");
    err[0] = '\0';
    const pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    do {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        if (access("err", R_OK) == 0)
            read_text("err", err);
    } while (!strstr(err, " 2/") && waitpid(child, NULL, WNOHANG) == 0);
    kill(child, SIGINT);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child, "it ended by itself: %s", err);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 130);
    read_text("err", err);
    cr_assert_not_null(strstr(err, "; --resume goes on from c, behind epoch "), "%s", err);
}

Test(train, resume__gives_the_bytes_of_a_training_never_interrupted, .timeout = 240)
{
    write_ratings("r");
    static const char *const kinds[] = {
        "--validation 0.1 --lr-schedule cosine --biases",
        "--optimizer sgd --model mf --lr 0.01 --weight-decay 0.1",
        "--optimizer sparse-adam --no-shuffle --clamp",
        "--task ranking --split leave-one-out --validation leave-one-out --patience 200",
        "--validation 0.1 --refit --model gmf",
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments, "--data r --factors 2 --epochs 300 --batch-size 64 "
                 "%s", kinds[k]);
        cr_assert_eq(ncf("train %s --save a --log la", arguments), 0, "%s", err);
        char results[1 << 16], with_checkpoint[600];
        strcpy(results, out);
        snprintf(with_checkpoint, sizeof with_checkpoint, "%s --checkpoint c --log lb", arguments);
        interrupt_train(with_checkpoint);
        cr_assert_eq(ncf("train --checkpoint c --resume --save b --log lb --threads 2"), 0, "%s",
                     err);
        cr_expect_str_eq(out, results, "%s", kinds[k]);
        cr_expect(are_same_files("a", "b"), "%s", kinds[k]);
        cr_assert_eq(system("cut -d, -f1-4 la >la4 && cut -d, -f1-4 lb >lb4"), 0);
        cr_expect(are_same_files("la4", "lb4"), "the logs differ");
    }
}

Test(train, resume__goes_further_where_options_say_so)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 5 --save a"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 3 --checkpoint c"), 0, "%s", err);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 5 --save b"), 0, "%s", err);
    cr_expect_not_null(strstr(err, "\n  4/5 "), "%s", err);
    cr_expect_null(strstr(err, "\n  3/5 "), "%s", err);
    cr_expect(are_same_files("a", "b"));
    cr_assert_eq(ncf("train --checkpoint c --resume --quiet"), 0, "%s", err); /* nothing is left */
    cr_expect_not_null(strstr(out, "ncf after 5 epochs"), "%s", out);
}

Test(train, resume__takes_settings_with_blanks_and_quotes)
{
    write_ratings("a file");
    write_ratings("it's");
    cr_assert_eq(ncf("train --data 'a file' " SMALL "--lr 0.00012345678 --checkpoint c"), 0);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 3"), 0, "%s", err);
    cr_expect_not_null(strstr(err, " --data 'a file' "), "%s", err);
    cr_expect_not_null(strstr(err, " --lr 0.00012345678 "), "%s", err);
    cr_assert_eq(ncf("train --data \"it's\" " SMALL "--checkpoint c"), 0);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 3"), 0, "%s", err);
    cr_expect_not_null(strstr(err, " --data 'it'\\''s' "), "%s", err);
}

Test(train, resume__refuses_what_does_not_fit)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--checkpoint c --save m"), 0, "%s", err);
    expect_complaint(ncf("train --resume"), 2, "--resume needs --checkpoint FILE");
    expect_complaint(ncf("train --resume --checkpoint none"), 1, "none: ");
    expect_complaint(ncf("train --resume --checkpoint m"), 1,
                     "m: not a checkpoint; expected a checkpoint that ncf train wrote");
    expect_complaint(ncf("train --resume --checkpoint c --factors 3 --quiet"), 1, "c: ");
    expect_complaint(ncf("train --resume --checkpoint c --model gmf --quiet"), 1, "c: ");
    expect_complaint(ncf("train --resume --checkpoint c --optimizer sgd --quiet"), 1,
                     "c: of a training with --optimizer adam; expected that one, not sgd");
    expect_complaint(ncf("train --resume --checkpoint c --task ranking --quiet"), 1,
                     "c: its history is of other measures than this training's; expected");
    expect_complaint(ncf("train --resume --checkpoint c --validation 0.1 --quiet"), 1,
                     "c: the ratings are not those that the training began with; expected ");
    expect_complaint(ncf("train --data r --checkpoint nowhere/c --quiet"), 1, "nowhere/c: No such");
    cr_assert_eq(system("sed -i '1s/\t1\t/\t2\t/' r"), 0);
    expect_complaint(ncf("train --resume --checkpoint c --quiet"), 1,
                     "c: the ratings are not those that the training began with; expected ");
}

Test(train, resume__survives_any_damage_to_the_file)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--checkpoint c"), 0, "%s", err);
    static const struct {
        const char *key, *value, *message;
    } damages[] = { /* without a value the key is another */
        {"epoch", "", "d: its notes are not whole; expected a checkpoint that ncf train wrote"},
        {"epoch", NULL, "d: its notes are not whole"},
        {"chosen", "", "d: its notes are not whole"},
        {"best", "", "d: its notes are not whole"},
        {"generator", "", "d: its notes are not whole"},
        {"data", "", "d: its notes are not whole"},
        {"data", "1", "d: the ratings are not those that the training began with"},
        {"optimizer", "", "d: of a training with --optimizer ; expected that one, not adam"},
        {"optimizer", NULL, "d: its notes are not whole"},
        {"settings", NULL, "d: not a checkpoint; expected a checkpoint that ncf train wrote"},
        {"settings", "", "d: "}, /* the defaults: other data */
    };
    for (size_t k = 0; k < sizeof damages / sizeof *damages; k++) {
        tg_state_dict state;
        cr_assert_eq(tg_safetensors_load("c", &state), TG_OK);
        for (int64_t i = 0; i < state.notes; i++)
            if (strcmp(state.note[i].key, damages[k].key) == 0)
                strcpy(damages[k].value ? state.note[i].value : state.note[i].key,
                       damages[k].value ? damages[k].value : "?");
        cr_assert_eq(tg_safetensors_save("d", &state), TG_OK);
        tg_state_dict_release(&state);
        const int status = ncf("train --resume --checkpoint d --quiet");
        cr_expect_eq(status, 1, "%s: %s", damages[k].key, err);
        cr_expect_not_null(strstr(err, damages[k].message), "%s: %s", damages[k].key, err);
    }
}

/* ---- presets and mistakes -------------------------------------------------------------------- */

Test(train, preset__sets_what_it_prints_and_options_replace_it)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --preset tutorial --epochs 1"), 0, "%s", err);
    EXPECT_PARTS(err, " --model ncf", " --factors 32", " --dropout 0.5", " --epochs 1",
                 " --batch-size 256", " --lr 0.0005", " --optimizer adam", " --init tutorial");
    cr_assert_eq(ncf("train --data r --split leave-one-out --epochs 1 --preset paper"), 0, "%s",
                 err);
    EXPECT_PARTS(err, " --task ranking", " --factors 8", " --dropout 0", " --epochs 1",
                 " --negatives 4", " --lr 0.001", " --init paper", " --validation leave-one-out",
                 " --refit");
    cr_assert_eq(ncf("train --data r --preset best --epochs 2 --validation 0.1"), 0, "%s", err);
    EXPECT_PARTS(err, " --model mf", " --weight-decay 0.12", " --epochs 2", " --validation 0.1",
                 " --refit", " --clamp");
}

Test(train, mistakes__are_named)
{
    EXPECT_COMPLAINTS(2,
        {"train --split kfold:1", "--split 'kfold:1': expected a fraction as 0.2"},
        {"train --split kfold:2.5", "--split 'kfold:2.5': expected"},
        {"train --split temporal:2", "--split 'temporal:2': expected"},
        {"train --validation kfold:5", "--validation 'kfold:5': expected a fraction"},
        {"train --validation 1", "--validation '1': expected a fraction"},
        {"train --fold 2", "--fold needs --split kfold:N"},
        {"train --split kfold:3 --fold 4", "--fold 4: expected a fold from 1 to 3"},
        {"train --data - --split kfold:3", "standard input cannot be read for each fold"},
        {"train --split kfold:3 --save m", "--save is of one training; expected --fold N"},
        {"train --split kfold:3 --log m", "--log is of one training; expected --fold N"},
        {"train --split kfold:3 --checkpoint m",
         "--checkpoint is of one training; expected --fold N"},
        {"train --patience 3", "--patience needs --validation"},
        {"train --refit", "--refit needs --validation, which chooses how far to train"},
        {"train --refit --validation 0.1 --data -",
         "--refit reads the ratings twice; expected files"},
        {"train --task ranking --clamp", "--clamp is of ratings; --task ranking predicts none"},
        {"train --task rank", "--task 'rank': expected rating|ranking"},
        {"train --negatives 2000", "--negatives '2000': expected a whole number"},
        {"train --negatives-file f", "--negatives-file is of --task ranking"},
        {"train --model gmf --layers 8,4", "--layers is of ncf and mlp, not of gmf"},
        {"train --layers 8", "--layers '8': expected 2 to 9 widths, the first one even, as 64,32"},
        {"train --layers 7,4", "--layers '7,4': expected"},
        {"train --layers 8,4,", "--layers '8,4,': expected"},
        {"train --layers 8,0", "--layers '8,0': expected"},
        {"train --layers 8,7,6,5,4,3,2,1,1,1", "expected 2 to 9 widths"},
        {"train --lr-schedule linear",
         "--lr-schedule 'linear': expected constant|cosine|one-cycle"},
        {"train --init zero", "--init 'zero': expected tutorial|paper"},
        {"train --preset worst", "--preset 'worst': expected tutorial|paper|best"},
        {"train --init-gmf g", "--init-gmf and --init-mlp go together"},
        {"train --init-gmf g --init-mlp m --model mlp", "--init-gmf and --init-mlp begin an ncf"});
}

Test(train, help__lists_every_option)
{
    cr_assert_eq(ncf("train --help"), 0);
    EXPECT_PARTS(out, "--fold N", "--validation HOW", "--patience N", "--refit", "--task NAME",
                 "--negatives N", "[4]", "--negatives-file FILE", "--layers N,N,...", "--biases",
                 "--init NAME", "[tutorial]", "--clamp", "--lr-schedule NAME", "[constant]",
                 "--titles FILE", "--init-gmf FILE", "--init-mlp FILE", "--preset NAME",
                 "--checkpoint FILE", "--resume", "kfold:5");
}
