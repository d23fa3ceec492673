/* Nothing is lost: what a command writes is whole or as it was, is no file that it reads, is named by
 * the command line alone, and holds finite numbers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/program.h"

/* Ratings "r", titles "t", lists "n" and a model "m", of which copies are in the folder "old". */
static void make_files(void)
{
    enter_folder();
    write_ratings("r");
    write_text("t", "1\tAlien\n2\tHeat\n");
    write_text("n", "(100,2)\t3\t4\n");
    cr_assert_eq(ncf("train --data r " SMALL "--save m"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r --model gmf " SMALL "--save g"), 0, "%s", err);
    cr_assert_eq(ncf("train --data r --model mlp " SMALL "--save l"), 0, "%s", err);
    write_text("pairs", "100 1\n100 2\n101 3\n");
    cr_assert_eq(system("mkdir old other && cp r t n m g l old && ln -s ../r other/link && ln r hard"),
                 0);
}

TestSuite(outputs, .init = make_files, .fini = leave_folder, .timeout = 120);

static void expect_old_files(const char *arguments)
{
    cr_expect_eq(system("for f in r t n m g l; do cmp -s $f old/$f || exit 1; done"), 0,
                 "ncf %s changed a file", arguments);
}

/* ---- what is read is not written ------------------------------------------------------------- */

Test(outputs, an_input__is_refused)
{
    static const complaint refused[] = {
        {"train --data r --save r", "--save r: the file of --data; expected another one; see ncf "
                                    "train --help"},
        {"train --data r --save ./r", "--save ./r: the file of --data"},
        {"train --data r --save other/../r", "the file of --data"},
        {"train --data r --save other/link", "the file of --data"},
        {"train --data r --save hard", "the file of --data"},
        {"train --data other/link --log r", "--log r: the file of --data"},
        {"train --data r --checkpoint r", "--checkpoint r: the file of --data"},
        {"train --train r --test t --save t", "--save t: the file of --test"},
        {"train --train r --test t --save r", "--save r: the file of --train"},
        {"train --data r --titles t --save t", "--save t: the file of --titles"},
        {"train --data r --load m --save m", "--save m: the file of --load"},
        {"train --data r --task ranking --negatives-file n --save n", "of --negatives-file"},
        {"train --data r --init-gmf g --init-mlp l --save g", "--save g: the file of --init-gmf"},
        {"train --data r --init-gmf g --init-mlp l --save l", "--save l: the file of --init-mlp"},
        {"train --data r --save x --checkpoint x", "--checkpoint x: the file of --save"},
        {"train --data r --save x --log ./x", "--log ./x: the file of --save"},
        {"train --data r --checkpoint x --log other/../x", "the file of --checkpoint"},
        {"train --data - --save r <r", "--save r: the file of --data"},
        {"train --data - --log r <r", "--log r: the file of --data"},
        {"train --data r --titles - --save t <t", "--save t: the file of --titles"},
        {"report --load m --test - --out r <r", "--out r: the file of --test"},
        {"train --data r --save -", "need the name of a file"},
        {"train --data r --log -", "need the name of a file"},
        {"plot --load m --out m", "--out m: the file of --load; expected another one; see ncf plot"},
        {"plot --load m --out ./m --what embeddings", "--out ./m: the file of --load"},
        {"report --load m --out m", "--out m: the file of --load"},
        {"report --load m --test r --out r", "--out r: the file of --test"},
        {"export --load m --out m", "--out m: the file of --load"},
        {"export --load m --out m --format npy", "--out m: the file of --load"},
        {NULL, NULL}};
    expect_complaints(2, refused);
    expect_old_files("... of an input");
    cr_expect_neq(access("x", F_OK), 0);
}

Test(outputs, a_device_twice__is_accepted)
{
    cr_expect_eq(ncf("train --data r " SMALL "--save /dev/null --log /dev/null"), 0, "%s", err);
}

/* ---- what fails leaves the old file ---------------------------------------------------------- */

Test(outputs, after_a_failure__the_old_file_is_whole)
{
    static const char *const failing[] = {
        "plot --load n --out old/m", "plot --load m --what embeddings --min-ratings 1000 --out old/m",
        "report --load m --test t --out old/m", "report --load m --user 7 --out old/m",
        "report --load m --test nowhere --out old/m", "export --load r --out old/m",
        "train --data t --save old/m", "train --data r --titles n --save old/m"};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        cr_expect_eq(ncf("%s", failing[i]), 1, "ncf %s: %s", failing[i], err);
        expect_old_files(failing[i]);
    }
}

/* A file may have no more than 1,024 bytes here. gcov's counts, which have more, go elsewhere. */
Test(outputs, on_a_full_disk__the_old_file_is_whole)
{
    static const char *const writing[] = {
        "plot --load m --out old/m", "report --load m --out old/m --method pca",
        "export --load m --out old/m", "export --load m --format npy --what user --out old/m",
        "train --data r --factors 8 --epochs 1 --quiet --save old/m"};
    for (size_t i = 0; i < sizeof writing / sizeof *writing; i++) {
        cr_expect_eq(ncf_after("trap '' XFSZ; ulimit -f 2; GCOV_PREFIX=$PWD/counts",
                               writing[i]), 1, "ncf %s: %s",
                     writing[i], err);
        cr_expect_not_null(strstr(err, "old/m: cannot be written: File too large"), "%s", err);
        expect_old_files(writing[i]);
        cr_expect_neq(system("ls old | grep -q tmp"), 0, "ncf %s leaves a part behind", writing[i]);
    }
}

/* ---- a file names no output ------------------------------------------------------------------ */

/* The checkpoint "c" as "d", with further words in its settings. */
static void change_settings(const char *words)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("c", &state), TG_OK);
    for (int64_t i = 0; i < state.notes; i++)
        if (strcmp(state.note[i].key, "settings") == 0) {
            char *value = malloc(strlen(state.note[i].value) + strlen(words) + 1);
            strcat(strcpy(value, state.note[i].value), words);
            free(state.note[i].value);
            state.note[i].value = value;
        }
    cr_assert_eq(tg_safetensors_save("d", &state), TG_OK);
    tg_state_dict_release(&state);
}

Test(outputs, a_checkpoint__names_none)
{
    cr_assert_eq(ncf("train --data r " SMALL "--checkpoint c"), 0, "%s", err);
    static const char *const words[] = {" --save old/m", " --log old/m", " --checkpoint old/m",
                                        " --save=old/m", " --preset best", " --threads 1",
                                        " --quiet", " --resume", " old/m", " --epochs 3",
                                        " --lr x"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        change_settings(words[i]);
        const int status = ncf("train --resume --checkpoint d --epochs 3");
        expect_complaint(status, 1, "d: in its settings: ");
        expect_old_files(words[i]);
    }
    change_settings("");
    cr_expect_eq(ncf("train --resume --checkpoint d --epochs 3"), 0, "%s", err);
}

/* ---- numbers that are not finite ------------------------------------------------------------- */

/* One step, whose loss is finite, with a learning rate of 10 to each power: what is saved predicts
 * numbers, or nothing is saved. */
Test(outputs, divergence_in_the_last_step__is_an_error)
{
    int saved = 0, diverged = 0;
    for (int power = 0; power <= 30; power++)
        for (int adam = 0; adam < 2; adam++) {
            remove("x");
            const int status = ncf("train --data r --model gmf --factors 4 --epochs 1 --batch-size "
                                   "1000 --lr 1e%d --optimizer %s --quiet --save x", power,
                                   adam ? "adam" : "sgd");
            if (status == 0) {
                cr_expect_eq(ncf("predict --load x pairs"), 0, "%s", err);
                cr_expect(!strstr(out, "nan") && !strstr(out, "inf"), "1e%d: %s", power, out);
                saved++;
            } else {
                expect_complaint(status, 1, "ncf: epoch 1: ");
                cr_expect_not_null(strstr(err, " not finite; expected finite numbers: a smaller "
                                               "--lr may help\n"), "%s", err);
                cr_expect_neq(access("x", F_OK), 0, "1e%d: a model was saved", power);
                diverged++;
            }
        }
    cr_expect(saved > 5 && diverged > 5, "%d saved, %d diverged", saved, diverged);
}

static void spoil_model(const char *tensor, double value)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("m", &state), TG_OK);
    tg_set(tg_state_dict_get(&state, tensor), value, 1, 1);
    cr_assert_eq(tg_safetensors_save("x", &state), TG_OK);
    tg_state_dict_release(&state);
}

Test(outputs, a_model_that_is_not_finite__is_refused)
{
    static const char *const uses[] = {
        "evaluate --test r", "predict r", "recommend --user 100", "similar --item 3",
        "explain --user 100 --item 3", "export", "info", "plot --out y", "report --out y",
        "train --data r --epochs 0 --factors 2 --quiet --save y"};
    static const double values[] = {NAN, INFINITY, -INFINITY};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        spoil_model("MLP_layers.user_emb.weight", values[v]);
        for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
            expect_complaint(ncf("%s --load x", uses[i]), 1, "x: MLP_layers.user_emb.weight is not "
                                                             "finite; expected finite parameters");
        cr_expect_neq(access("y", F_OK), 0);
    }
}
