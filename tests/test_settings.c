/* The settings of a training as words: what is printed, kept with the model and read again. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/program.h"

TestSuite(settings, .init = enter_folder, .fini = leave_folder);

/* The settings that the model in `path` keeps, in text. */
static void read_settings(const char *path, char *text, size_t size)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load(path, &state), TG_OK, "%s", tg_last_error()->message);
    const char *note = tg_state_dict_get_note(&state, "settings");
    cr_assert_not_null(note);
    snprintf(text, size, "%s", note);
    tg_state_dict_release(&state);
}

Test(settings, off__is_no_setting)
{
    static const char *const off[] = {"--fold", "--patience", "--weight-decay", "--decay",
                                      "--refit", "--validation", "--layers", "--clamp"};
    char kept[4096];
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--save m --weight-decay 0 --fold 0"), 0, "%s", err);
    read_settings("m", kept, sizeof kept);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        cr_expect_null(strstr(err, off[i]), "%s in %s", off[i], err);
        cr_expect_null(strstr(kept, off[i]), "%s in %s", off[i], kept);
    }
}

Test(settings, on__is_printed_and_kept)
{
    static const char *const on[] = {
        " --split kfold:4 --fold 2 --validation 0.1 --patience 3 ", " --epochs 2 ",
        " --weight-decay 0.125 --decay all "};
    char kept[4096];
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --split kfold:4 --fold 2 --validation 0.1 --patience 3 " SMALL
                     "--weight-decay 0.125 --decay all --save m"), 0, "%s", err);
    read_settings("m", kept, sizeof kept);
    for (size_t i = 0; i < sizeof on / sizeof *on; i++)
        cr_expect_not_null(strstr(kept, on[i]), "%s in %s", on[i], kept);
    cr_expect_not_null(strstr(err, " --fold 2 "), "%s", err);
    cr_expect_not_null(strstr(err, " --weight-decay 0.125"), "%s", err);
}

/* A number whose default is another one is a setting at 0 too, else --resume would go on with the
 * default. */
Test(settings, zero__that_is_no_default_comes_back)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r " SMALL "--dropout 0 --negatives 0 --seed 0 --checkpoint c"),
                 0, "%s", err);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 3"), 0, "%s", err);
    cr_expect_not_null(strstr(err, " --dropout 0 "), "%s", err);
    cr_expect_not_null(strstr(err, " --negatives 0 "), "%s", err);
    cr_expect_not_null(strstr(err, " --seed 0"), "%s", err);
}

/* Words come back from a checkpoint as they were, and a shell takes what is printed for the same. */
Test(settings, any_file_name__is_one_word)
{
    static const char *const names[] = {"it's", "a b", "it's `touch hacked` $HOME \\ \"q\".csv", "'",
                                        "''", "a'b'c", "\\"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char kept[4096], command[9000], quoted[512] = "'";
        for (const char *c = names[i]; *c; c++)
            sprintf(quoted + strlen(quoted), *c == '\'' ? "'\\%c'" : "%c", *c);
        strcat(quoted, "'");
        write_ratings(names[i]);
        cr_assert_eq(ncf("train --data %s " SMALL "--checkpoint c --save m", quoted), 0, "%s", err);
        cr_assert_eq(ncf("train --checkpoint c --resume --epochs 3"), 0, "%s: %s", names[i], err);
        read_settings("m", kept, sizeof kept);
        snprintf(command, sizeof command, "'%s' train %s --quiet >out 2>err", program, kept);
        cr_expect_eq(system(command), 0, "%s", command);
        cr_expect_neq(system("test -e hacked"), 0);
    }
}

/* What a preset turns on may be turned off again, also for what goes on from its checkpoint. */
Test(settings, preset__patience_can_be_turned_off)
{
    write_ratings("r");
    cr_assert_eq(ncf("train --data r --preset best --validation 0.1 --patience 0 --weight-decay 0 "
                     "--factors 2 --epochs 2 --checkpoint c"), 0, "%s", err);
    cr_expect_null(strstr(err, "--patience"), "%s", err);
    cr_expect_null(strstr(err, "--weight-decay"), "%s", err);
    cr_assert_eq(ncf("train --checkpoint c --resume --epochs 3"), 0, "%s", err);
    cr_expect_null(strstr(err, "--patience"), "%s", err);
    cr_expect_null(strstr(err, "--weight-decay"), "%s", err);
}
