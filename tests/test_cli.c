/* The program ncf as a user meets it: what it prints, how it exits, what it leaves behind. */
#define _XOPEN_SOURCE 700 /* posix_openpt */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tapegrad.h"
#include "tests/program.h"

TestSuite(cli, .init = enter_folder, .fini = leave_folder);

/* Whether two model files hold the same parameters, bit for bit. */
static bool have_same_weights(const char *a, const char *b)
{
    tg_state_dict first, second;
    cr_assert_eq(tg_safetensors_load(a, &first), TG_OK);
    cr_assert_eq(tg_safetensors_load(b, &second), TG_OK);
    int64_t compared = 0;
    bool same = true;
    for (int64_t i = 0; i < first.count; i++) {
        const tg_tensor *x = first.entry[i].tensor;
        if (x->dtype != TG_F32 || strcmp(first.entry[i].name, "history") == 0)
            continue;
        const tg_tensor *y = tg_state_dict_get(&second, first.entry[i].name);
        same = same && y && tg_shape_equal(&x->shape, &y->shape) &&
               memcmp(x->data, y->data, (size_t)tg_numel(x) * sizeof(float)) == 0;
        compared++;
    }
    cr_expect_gt(compared, 0);
    tg_state_dict_release(&first);
    tg_state_dict_release(&second);
    return same;
}

/* ---- training -------------------------------------------------------------------------------- */

Test(cli, train__on_the_embedded_data_prints_settings_progress_and_results)
{
    cr_assert_eq(ncf("--epochs 1 --factors 4 --batch-size 1024"), 0, "%s", err);
    cr_expect_not_null(strstr(err, "ncf train --split random:0.2 "));
    cr_expect_not_null(strstr(err, "--lr 0.0005 "));
    cr_expect_not_null(strstr(err, "\nepoch  train loss  test MAE    RMSE  seconds  samples/s\n"
                                   "  1/1 "));
    cr_expect_eq(lines(out), 6, "%s", out);
    cr_expect_not_null(strstr(out, "ncf after 1 epoch "));
    double mae = 0, rmse = 0;
    const char *best = strstr(out, "best that can be expected");
    cr_assert_not_null(best);
    cr_assert_eq(sscanf(best + 25, "%lf %lf", &mae, &rmse), 2);
    cr_expect_float_eq(mae, 0.644, 0.02);
    cr_expect_float_eq(rmse, 0.853, 0.02);
}

/* The row of results that begins with `name`. */
static void read_results(const char *name, double value[2])
{
    const char *row = strstr(out, name);
    cr_assert_not_null(row, "%s", out);
    cr_assert_eq(sscanf(row + 28, "%lf %lf", &value[0], &value[1]), 2, "%s", out);
}

Test(cli, train__says_whether_the_model_is_worse_than_its_baseline)
{
    static const struct { const char *options, *baseline, *measure[2]; } runs[] = {
        {"--epochs 0", "user and item biases", {"MAE", "RMSE"}},
        {"--epochs 60 --model mf --dropout 0", "user and item biases", {"MAE", "RMSE"}},
        {"--epochs 0 --task ranking", "most training ratings", {"HR@10", "NDCG@10"}},
        {"--epochs 60 --task ranking --model mf --dropout 0", "most training ratings",
         {"HR@10", "NDCG@10"}},
    };
    int worse = 0, better = 0;
    write_ratings("r");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        cr_assert_eq(ncf("train --train r --test r --lr 0.02 --factors 8 --quiet %s",
                         runs[i].options), 0, "%s", err);
        double model[2], baseline[2];
        read_results(strstr(runs[i].options, "mf") ? "mf after" : "ncf after", model);
        read_results(runs[i].baseline, baseline);
        char line[128] = "", list[64] = "";
        for (int m = 0; m < 2; m++)
            if (strstr(runs[i].options, "ranking") ? model[m] < baseline[m]
                                                   : model[m] > baseline[m])
                sprintf(list + strlen(list), "%s%s", *list ? " and " : "", runs[i].measure[m]);
        snprintf(line, sizeof line, "\nthis model is worse than %s by %s\n", runs[i].baseline, list);
        if (*list)
            cr_expect_not_null(strstr(out, line), "%s", out);
        else
            cr_expect_null(strstr(out, "worse"), "%s", out);
        worse += *list != '\0';
        better += *list == '\0';
    }
    cr_expect(worse > 0 && better > 1, "%d worse, %d better", worse, better);
}

Test(cli, train__quiet_says_results_only)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--quiet"), 0);
    cr_expect_str_empty(err);
    EXPECT_PARTS(out, "test MAE      RMSE\n", "\nncf after 2 epochs ", "\nuser and item biases ",
                 "\nmean training rating ");
}

/* Thirty epochs without dropout halve the training loss. */
static void expect_learning(const char *model, const char *optimizer)
{
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 30 --dropout 0 --lr 0.01 --log log "
                     "--model %s --optimizer %s", model, optimizer), 0, "%s", err);
    char text[1 << 16];
    double first, last;
    read_text("log", text);
    cr_assert_eq(lines(text), 31);
    cr_assert_eq(sscanf(strstr(text, "\n1,") + 3, "%lf", &first), 1);
    cr_assert_eq(sscanf(strstr(text, "\n30,") + 4, "%lf", &last), 1);
    cr_expect_lt(last, first / 2, "%s with %s: %g, then %g", model, optimizer, first, last);
}

/* But mf, which begins with what SGD finds in so few epochs: the mean. */
Test(cli, train__learns_every_model_with_every_optimizer)
{
    write_ratings("r");
    static const char *const models[] = {"ncf", "gmf", "mlp", "simplecf"};
    static const char *const optimizers[] = {"adam", "sparse-adam", "sgd"};
    for (int m = 0; m < 4; m++)
        for (int o = 0; o < 3; o++)
            expect_learning(models[m], optimizers[o]);
}

static double error_after(const char *model)
{
    double mae = NAN;
    const char *line = strstr(out, model);
    cr_assert(line && sscanf(line + strlen(model), "%lf", &mae) == 1, "%s: %s", model, out);
    return mae;
}

/* Its biases and products begin near 0; without the mean its error would be the rating. */
Test(cli, train__mf_starts_from_the_mean_and_learns)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --model mf --epochs 1 --lr 1e-9 --quiet"), 0, "%s", err);
    const double mean = error_after("mean training rating");
    cr_expect_float_eq(error_after("mf after 1 epoch "), mean, 0.02 * mean, "%s", out);
    expect_learning("mf", "adam");
}

Test(cli, train__same_seed_same_bytes)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--save a"), 0);
    cr_assert_eq(ncf("train --data r " SMALL "--save b --threads 3"), 0);
    cr_assert_eq(ncf("train --data r " SMALL "--save c --seed 11"), 0);
    cr_assert_eq(ncf("train --data r " SMALL "--save d --no-shuffle"), 0);
    cr_expect_eq(system("cmp -s a b"), 0, "the number of threads changed the result");
    cr_expect_neq(system("cmp -s a c"), 0);
    cr_expect_neq(system("cmp -s a d"), 0);
}

Test(cli, train__writes_the_log)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--log log.csv"), 0);
    char text[1 << 16];
    read_text("log.csv", text);
    const char *header = "epoch,train_loss,test_mae,test_rmse,seconds,samples_per_second\n";
    cr_expect_eq(strncmp(text, header, strlen(header)), 0, "%s", text);
    int epoch = 0;
    double loss, mae, rmse, seconds, rate;
    cr_assert_eq(sscanf(strstr(text, "\n2,") + 1, "%d,%lf,%lf,%lf,%lf,%lf", &epoch, &loss, &mae,
                        &rmse, &seconds, &rate), 6, "%s", text);
    cr_expect(mae > 0 && mae <= rmse && rate > 0);
    double shown[5]; /* the same numbers in the progress and in the results, to their last digit */
    const char *line = strstr(err, "\n  2/2 "), *result = strstr(out, "ncf after 2 epochs");
    cr_assert(line && result);
    cr_assert_eq(sscanf(line, " 2/2 %lf %lf %lf", &shown[0], &shown[1], &shown[2]), 3, "%s", err);
    cr_assert_eq(sscanf(result, "ncf after 2 epochs %lf %lf", &shown[3], &shown[4]), 2, "%s", out);
    const double logged[5] = {loss, mae, rmse, mae, rmse};
    for (int i = 0; i < 5; i++)
        cr_expect(fabs(shown[i] - logged[i]) <= 0.501e-4, "%g is %g in the log", shown[i],
                  logged[i]);
}

Test(cli, train__split_files_and_leave_one_out)
{
    write_ratings("r");
    cr_assert_eq(system("head -n 300 r >base && tail -n 100 r >test"), 0);
    cr_assert_eq(ncf("train --train base --test=test " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "base: 300 ratings to train on, 100 to test"), "%s", err);
    cr_expect_not_null(strstr(err, "100 test ratings are of a user or an item without"), "%s", err);
    cr_assert_eq(ncf("train --data r --split leave-one-out " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 360 ratings to train on, 40 to test"), "%s", err);
    cr_assert_eq(ncf("train --data - --split random:0.25 " SMALL "<r"), 0, "%s", err);
    cr_expect_not_null(strstr(err, "-: 300 ratings to train on, 100 to test"), "%s", err);
    cr_assert_eq(ncf("train --data r --split random:0.25 " SMALL), 0, "%s", err);
    cr_expect_not_null(strstr(err, "r: 300 ratings to train on, 100 to test"), "%s", err);
}

Test(cli, train__keeps_counts_and_says_duplicates)
{
    write_ratings("r");
    cr_assert_eq(system("head -n 5 r >>r"), 0);
    cr_assert_eq(ncf("train --data r " SMALL), 0);
    cr_expect_not_null(strstr(err, "ncf: r: 5 of 405 ratings repeat a pair of user and item; all "
                                   "are kept\n"), "%s", err);
    cr_expect_not_null(strstr(err, "324 ratings to train on, 81 to test"), "%s", err);
}

/* ---- model files ----------------------------------------------------------------------------- */

Test(cli, save__names_tensors_as_pytorch_and_keeps_raw_ids)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 0 --save m"), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("m", &state), TG_OK);
    static const struct {
        const char *name;
        int64_t rows, columns;
    } expected[] = {
        {"GMF_layers.user_emb.weight", 40, 2},   {"GMF_layers.item_emb.weight", 30, 2},
        {"MLP_layers.user_emb.weight", 40, 8},   {"MLP_layers.item_emb.weight", 30, 8},
        {"MLP_layers.linear_1.weight", 8, 16},   {"MLP_layers.linear_1.bias", 8, 0},
        {"MLP_layers.linear_2.weight", 4, 8},    {"MLP_layers.linear_2.bias", 4, 0},
        {"MLP_layers.linear_3.weight", 2, 4},    {"MLP_layers.linear_3.bias", 2, 0},
        {"predict_layer.weight", 1, 4},          {"predict_layer.bias", 1, 0},
        {"user_ids", 40, 0},                     {"item_ids", 30, 0},
        {"seen_start", 41, 0},                   {"seen_item", 320, 0},
        {"seen_rating", 320, 0},
    };
    const int count = sizeof expected / sizeof *expected;
    cr_expect_eq(state.count, count);
    for (int i = 0; i < count; i++) {
        const tg_tensor *t = tg_state_dict_get(&state, expected[i].name);
        cr_assert_not_null(t, "%s", expected[i].name);
        cr_expect_eq(tg_size(t, 0), expected[i].rows);
        cr_expect_eq(t->shape.ndim, expected[i].columns ? 2 : 1);
        cr_expect(!expected[i].columns || tg_size(t, 1) == expected[i].columns);
    }
    cr_expect_eq(tg_get(tg_state_dict_get(&state, "user_ids"), 39), 139);
    cr_expect_str_eq(tg_state_dict_get_note(&state, "model"), "ncf");
    tg_state_dict_release(&state);
}

Test(cli, save__keeps_ids_of_any_text)
{
    write_text("r", "ann,Heat,5\nbob,\"Alien, again\",3\nann,\"Alien, again\",4\nbob,Heat,2\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL "--save a"), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("a", &state), TG_OK);
    cr_expect_str_eq(tg_state_dict_get_note(&state, "user_ids"), "ann\nbob");
    cr_expect_str_eq(tg_state_dict_get_note(&state, "item_ids"), "Heat\nAlien, again");
    cr_expect_null(tg_state_dict_get(&state, "user_ids"));
    tg_state_dict_release(&state);
    cr_assert_eq(ncf("train --train r --test r " SMALL_MODEL "--epochs 0 --load a --save b"), 0);
    cr_expect(have_same_weights("a", "b"));
    write_text("pairs", "bob,\"Alien, again\"\ncarl,Heat\n");
    cr_assert_eq(ncf("predict --load b pairs"), 0, "%s", err);
    cr_expect_eq(strncmp(out, "bob\tAlien, again\t", 17), 0, "%s", out);
    cr_expect_not_null(strstr(out, "\ncarl\tHeat\t3.500000\n"), "%s", out);
    cr_expect_not_null(strstr(err, "1 of 2 pairs have a user or an item that the model does not "
                                   "know (first: user carl)"), "%s", err);
    write_text("r", "ann,Heat,5\ncarl,Heat,5\n");
    expect_complaint(ncf("train --train r --test r " SMALL "--load a --quiet"), 1,
                     "a: the model has no user carl; expected one made for these data");
}

Test(cli, load__refuses_ids_that_occur_twice)
{
    write_text("r", "1 1 5\n2 1 3\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL_MODEL "--epochs 0 --save m"), 0, "%s", err);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("m", &state), TG_OK);
    tg_fill(tg_state_dict_get(&state, "user_ids"), 7);
    cr_assert_eq(tg_safetensors_save("m", &state), TG_OK);
    tg_state_dict_release(&state);
    expect_complaint(ncf("predict --load m r"), 1,
                     "m: user_ids[1] is '7', as user_ids[0] is; expected each id once");
}

Test(cli, load__goes_on_from_the_same_weights)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--save a"), 0);
    const char *line = strstr(out, "ncf after");
    char before[128];
    snprintf(before, sizeof before, "%.*s", 20, strpbrk(line, "\n") - 20);
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 0 --load a --save b"), 0, "%s", err);
    cr_expect_not_null(strstr(out, before), "%s, expected %s", out, before);
    cr_expect(have_same_weights("a", "b"));
    expect_complaint(ncf("train --data r " SMALL "--load a --model gmf --quiet"), 1,
                     "a: a model ncf of 2 factors; expected gmf of 2");
    expect_complaint(ncf("train --data r --factors 3 --load a --quiet"), 1, "expected ncf of 3");
    expect_complaint(ncf("train --factors 2 --load a --quiet"), 1, "a: the model has no ");
}

Test(cli, save__leaves_the_old_file_whole_on_failure)
{
    write_ratings("r");
    EXPECT_COMPLAINTS(1,
        {"train --data r --quiet --save nowhere/m", "nowhere/m: No such file"},
        {"train --data r --quiet --save ./", "./: Is a directory; expected a file"},
        {"train --data r --quiet --log nowhere/log", "nowhere/log: No such"});
    if (access("/dev/full", W_OK) == 0) {
        const int status = ncf("train --data r --quiet " SMALL "--log /dev/full");
        expect_complaint(status, 1, "/dev/full: No space left on device");
    }
}

/* A file may have 64 blocks of 512 bytes here: enough for some hundred lines. */
Test(cli, log__that_cannot_grow_is_a_failure)
{
    write_ratings("r");
    const int status = ncf_after("trap '' XFSZ; ulimit -f 64;", "--data r --quiet --model gmf "
                                 "--factors 2 --epochs 1000 --batch-size 400 --log log");
    expect_complaint(status, 1, "log: File too large");
}

Test(cli, kernels__that_are_not_there_are_named)
{
    cr_expect_eq(ncf_after("TAPEGRAD_KERNELS=abacus", "--epochs 1 --quiet"), 1);
    EXPECT_PARTS(err, "tapegrad: TAPEGRAD_KERNELS=abacus: expected one of ", " portable",
                 " on this machine\n");
    cr_expect_eq(lines(err), 1, "%s", err);
    cr_expect_str_empty(out);
}

Test(cli, stdout__full_is_a_failure)
{
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("there is no /dev/full");
    write_ratings("r");
    char command[8192];
    snprintf(command, sizeof command, "'%s' --data r --quiet " SMALL ">/dev/full 2>err", program);
    const int status = system(command);
    read_text("err", err);
    cr_expect_eq(WEXITSTATUS(status), 1);
    cr_expect_str_eq(err, "ncf: standard output: No space left on device\n");
}

/* ---- predict --------------------------------------------------------------------------------- */

Test(cli, predict__prints_user_item_and_prediction)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 20 --lr 0.01 --save m"), 0);
    write_text("pairs", "100 1\n105\t3\textra\n\n139,2\n");
    expect_complaint(ncf("predict --load m pairs"), 1, "pairs:4: 1 field; expected user and item");
    write_text("pairs", "100 1\n105\t3\textra\n\n139 2\n");
    cr_assert_eq(ncf("predict --load m pairs"), 0, "%s", err);
    cr_expect_str_empty(err);
    long user[3], item[3];
    double rating[3];
    cr_assert_eq(sscanf(out, "%ld\t%ld\t%lf\n%ld\t%ld\t%lf\n%ld\t%ld\t%lf\n", &user[0], &item[0],
                        &rating[0], &user[1], &item[1], &rating[1], &user[2], &item[2],
                        &rating[2]), 9, "%s", out);
    cr_expect(user[1] == 105 && item[1] == 3 && user[2] == 139 && item[2] == 2);
    for (int i = 0; i < 3; i++)
        cr_expect(rating[i] > 0 && rating[i] < 6);
    char first[1 << 16];
    strcpy(first, out);
    cr_assert_eq(ncf("predict --load m <pairs"), 0);
    cr_expect_str_eq(out, first);
    cr_assert_eq(ncf("predict --load=m - <pairs"), 0);
    cr_expect_str_eq(out, first);
}

Test(cli, predict__names_the_fallback_for_unknown_ids)
{
    write_text("r", "1 1 5\n1 2 3\n2 1 4\n2 2 4\n3 1 4\n3 2 4\n");
    cr_assert_eq(ncf("train --train r --test r " SMALL "--save m"), 0);
    write_text("pairs", "1 1\n7 1\n1 99\n");
    cr_assert_eq(ncf("predict --load m pairs"), 0);
    cr_expect_str_eq(err, "ncf: 2 of 3 pairs have a user or an item that the model does not know "
                          "(first: user 7); predicted for them: the mean training rating, "
                          "4.000000\n");
    cr_expect_not_null(strstr(out, "7\t1\t4.000000\n1\t99\t4.000000\n"), "%s", out);
}

Test(cli, predict__refuses_other_files)
{
    write_text("pairs", "1 1\n");
    expect_complaint(ncf("predict pairs"), 2, "predict needs --load FILE");
    expect_complaint(ncf("predict --load nowhere pairs"), 1, "nowhere: cannot be opened: No such");
    expect_complaint(ncf("predict --load pairs pairs"), 1, "pairs: ");
    tg_state_dict state = {0};
    cr_assert_eq(tg_safetensors_save("other", &state), TG_OK);
    expect_complaint(ncf("predict --load other pairs"), 1, "other: format ''; expected 'tapegrad-");
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL_MODEL "--epochs 0 --save m"), 0);
    cr_assert_eq(system("head -c 500 m >cut"), 0);
    expect_complaint(ncf("predict --load cut pairs"), 1, "cut: ");
    expect_complaint(ncf("predict --load m nowhere"), 1, "nowhere: No such file or directory");
}

/* ---- mistakes -------------------------------------------------------------------------------- */

Test(cli, usage__mistakes_are_named)
{
    EXPECT_COMPLAINTS(2,
        {"trian", "unknown command 'trian'; did you mean 'train'?"},
        {"xyzzy", "unknown command 'xyzzy'; see"},
        {"--epoch 3", "unknown option '--epoch'; did you mean '--epochs'?"},
        {"--learning-rate 1", "unknown option '--learning-rate'; see"},
        {"-e 3", "unknown option '-e'"},
        {"--", "unknown option '--'"},
        {"-epochs=3", "unknown option '-epochs'; did you mean '--epochs'?"},
        {"train extra", "unexpected word 'extra'"},
        {"predict --load m a b", "unexpected word 'b'"},
        {"--epochs", "--epochs: expected N, got nothing"},
        {"--epochs three", "--epochs 'three': expected a whole number from 0 to"},
        {"--epochs 1.5", "--epochs '1.5': expected a whole number"},
        {"--epochs -1", "--epochs '-1': expected a whole number"},
        {"--epochs 99999999999999999999", "expected a whole number"},
        {"--factors 0", "--factors '0': expected a whole number from 1 to 4096"},
        {"--batch-size 0", "--batch-size '0': expected a whole number from 1"},
        {"--threads x", "--threads 'x': expected a whole number"},
        {"--seed -3", "--seed '-3': expected a whole number"},
        {"--dropout 1.5", "--dropout '1.5': expected a number from 0 to 1"},
        {"--dropout nan", "--dropout 'nan': expected a number"},
        {"--lr 0", "--lr '0': expected a number"},
        {"--lr fast", "--lr 'fast': expected a number"},
        {"--weight-decay -1", "--weight-decay '-1': expected a number"},
        {"--optimizer adamw", "--optimizer 'adamw': expected adam|sparse-adam|sgd"},
        {"--model NCF", "--model 'NCF': expected ncf|gmf|mlp|simplecf|mf"},
        {"--model=", "--model '': expected ncf|gmf|mlp|simplecf|mf"},
        {"--save=", "--save: expected FILE, got nothing"},
        {"--quiet=yes", "--quiet takes no value"},
        {"--no-shuffle=1", "--no-shuffle takes no value"},
        {"--train a", "--train needs --test"},
        {"--test a", "--test needs --train"},
        {"--train a --test b --data c", "--train and --data exclude each other"},
        {"--train a --test b --split leave-one-out", "--split divides --data"},
        {"--split half", "--split 'half': expected a fraction as 0.2"},
        {"--split random:1", "--split 'random:1': expected a fraction"},
        {"--split random:0.2x", "expected a fraction as 0.2 or random:0.2, temporal:0.2, "
         "leave-one-out, or kfold:5"},
        {"predict", "predict needs --load FILE"},
        {"predict --model m", "unknown option '--model'"});
}

Test(cli, data__mistakes_are_named)
{
    write_ratings("r");
    write_text("empty", "");
    write_text("letter", "1 2 3\n1 2 x\n");
    write_text("one", "1 2 3\n");
    EXPECT_COMPLAINTS(1,
        {"--data nowhere --quiet", "nowhere: No such file or directory"},
        {"--data . --quiet", ".: Is a directory"},
        {"--data empty --quiet", "empty:1: no rating in the file; expected"},
        {"--data letter --quiet", "letter:2: rating 'x' is not a number; exp"},
        {"--train r --test letter --quiet", "letter:2: rating 'x' is not"},
        {"--data one --quiet", "one: --split random:0.2 leaves 1 ratings"});
    expect_complaint(ncf("--data '%s' --quiet", program), 1, ":1: ");
}

Test(cli, train__post_mortem_of_a_loss_that_is_not_finite)
{
    write_ratings("r");
    write_text("m", "what was there before");
    const int status = ncf("--data r " SMALL "--optimizer sgd --lr 1e30 --quiet --save m");
    cr_expect_eq(status, 1);
    cr_expect_not_null(strstr(err, "the loss is "), "%s", err);
    cr_expect_not_null(strstr(err, "first not finite: "), "%s", err);
    char text[1 << 16];
    read_text("m", text);
    cr_expect_str_eq(text, "what was there before");
}

Test(cli, help__lists_every_option_and_default)
{
    cr_assert_eq(ncf("--help"), 0);
    cr_expect_not_null(strstr(out, "\n  predict    ratings of pairs"));
    cr_expect_str_empty(err);
    cr_assert_eq(ncf("train --help"), 0);
    EXPECT_PARTS(out, "--train FILE", "--test FILE", "--data FILE", "--split HOW", "--model NAME",
                 "ncf|gmf|mlp|simplecf|mf", "--factors N", "[32]", "--dropout P", "[0.5]",
                 "--epochs N", "[19]", "--batch-size N", "[256]", "--lr X", "[0.0005]",
                 "--optimizer NAME", "adam|sparse-adam|sgd", "[adam]", "--weight-decay X", "[0]",
                 "--seed N", "[10]", "--threads N", "--no-shuffle", "--load FILE", "--save FILE",
                 "--log FILE", "--quiet");
    cr_assert_eq(ncf("predict --help"), 0);
    cr_expect_not_null(strstr(out, "--load FILE"));
    cr_assert_eq(ncf("--version"), 0);
    cr_expect_str_eq(out, "ncf (tapegrad) " TG_VERSION "\n");
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

Test(cli, interrupt__saves_and_exits_with_130, .timeout = 120)
{
    write_ratings("r");
    char *arguments[] = {program, "--data", "r", "--epochs", "100000000", "--save", "m", NULL};
    const pid_t child = start(NULL, arguments);
    do {
        nap();
        if (access("err", R_OK) == 0)
            read_text("err", err);
    } while (!strstr(err, " 1/100000000 "));
    kill(child, SIGINT);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 130);
    read_text("err", err);
    cr_expect_not_null(strstr(err, "ncf: interrupted in epoch "));
    cr_expect_not_null(strstr(err, "saved to m\n"));
    write_text("pairs", "100 1\n");
    cr_expect_eq(ncf("predict --load m pairs"), 0, "%s", err);
}

/* In the first epoch nothing is complete, and the model that was there stays. */
Test(cli, interrupt__in_the_first_epoch_saves_nothing, .timeout = 120)
{
    write_text("m", "what was there");
    char *arguments[] = {program, "--epochs", "1", "--model", "ncf", "--factors", "256",
                         "--batch-size", "32", "--save", "m", NULL};
    const pid_t child = start(NULL, arguments);
    do {
        nap();
        if (access("err", R_OK) == 0)
            read_text("err", err);
    } while (!strstr(err, "\nepoch "));
    kill(child, SIGINT);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 130);
    read_text("err", err);
    EXPECT_PARTS(err, "ncf: interrupted in epoch 1 of 1; no epoch is complete: nothing is saved\n");
    char text[1 << 16];
    read_text("m", text);
    cr_expect_str_eq(text, "what was there");
}
