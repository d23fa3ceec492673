/*
 * Lack of memory: every allocation of what the library and the commands do is refused once. Then
 * they say so in one line and fail, or do all that they would have done; and no file is broken.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/cli/cli.h"
#include "models/cli/messages.h"
#include "tests/allocations.h"
#include "tests/program.h"

#ifdef ALLOCATIONS_COUNTED
/* "m": a model of the ratings "r"; and other files that commands read. */
static void make_files(void)
{
    enter_folder();
    FILE *file = fopen("r", "wb");
    for (int u = 1; u <= 8; u++)
        for (int i = 0; i < 4; i++)
            fprintf(file, "%d\t%d\t%d\t%d\n", u, 1 + (2 * i + u) % 9, 1 + (u + i) % 5, i);
    fclose(file);
    write_text("titles", "1\tAlien (1979)\tHorror|War\n2\tHeat (1995)\tCrime\n4\tMelo\tDrama\n");
    write_text("pairs", "1 2\n3 4\n77 5\n");
    write_text("users", "1\n2\n77\n");
    write_text("new", "ann 1 5\nann 2 1\nbob 3 2\n");
    write_text("lists", "(1,2)\t3\t4\n(2,4)\t1\t3\n");
    write_text("points", "x,y,name\n1,2,a\n3,4,b\n");
    cr_assert_eq(ncf("train --train r --test r --model gmf " SMALL "--titles titles --save m "
                     "--quiet"), 0, "%s", err);
}

TestSuite(scarcity, .init = make_files, .fini = leave_folder, .timeout = 600);

/* ---- runs ------------------------------------------------------------------------------------ */

typedef int command(int argc, char **argv); /* gives an exit status */

/* What runs may write: of "model" and "checkpoint" a part is not enough. */
static const char *const written[] = {"model", "checkpoint", "x"};
enum { WRITTEN = 3, MODELS = 2 };

/* The child's part of a run; leaves the number of allocations in the file "made". */
static void run(command *of, const char *arguments, long n)
{
    char words[1024], *argv[64];
    int argc = 0;
    strcpy(words, arguments);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    FILE *made = fopen("made", "w");
    if (!made || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
        _exit(99);
    allocations = 0;
    refused = n;
    const int status = of(argc, argv);
    refused = 0;
    fprintf(made, "%ld", allocations);
    exit(status);
}

/* Run it in a child whose n-th allocation is refused, none where n is 0; gives its exit status. */
static int run_refused(command *of, const char *arguments, long n)
{
    for (int i = 0; i < WRITTEN; i++)
        write_text(written[i], "before");
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        run(of, arguments, n);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    read_text("out", out);
    read_text("err", err);
    cr_assert(WIFEXITED(status), "%s: allocation %ld: signal %d", arguments, n, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* As before, or a file that can be loaded. */
static bool is_whole(const char *path)
{
    char text[1 << 16];
    tg_state_dict state = {0};
    read_text(path, text);
    const bool is_it = strcmp(text, "before") == 0 || tg_safetensors_load(path, &state) == TG_OK;
    tg_state_dict_release(&state);
    return is_it;
}

typedef struct outcome {
    char out[1 << 16], err[1 << 16], file[WRITTEN][1 << 16];
} outcome;

static void take_outcome(outcome *o)
{
    memset(o, 0, sizeof *o);
    strcpy(o->out, out);
    strcpy(o->err, err);
    for (int i = 0; i < WRITTEN; i++)
        read_text(written[i], o->file[i]);
}

static void expect_failure(int status, const char *arguments, long n)
{
    const char *found = strstr(err, "memory");
    cr_expect_eq(status, 1, "%s: allocation %ld: exit status %d: %s", arguments, n, status, err);
    cr_expect(found && !strstr(found + 1, "memory") && strchr(found, '\n')[1] == '\0',
              "%s: allocation %ld: a last line that says it is expected: %s", arguments, n, err);
    for (int i = 0; i < MODELS; i++)
        cr_expect(is_whole(written[i]), "%s: allocation %ld: %s is broken", arguments, n,
                  written[i]);
}

/* Refuse one allocation after the other, from `from` on; gives how many there are. */
static long refuse_each(command *of, const char *arguments, long from)
{
    static outcome whole, now;
    char made[1 << 16];
    cr_assert_eq(run_refused(of, arguments, 0), 0, "%s: %s", arguments, err);
    take_outcome(&whole);
    read_text("made", made);
    const long count = strtol(made, NULL, 10);
    cr_expect_gt(count, from, "%s", arguments);
    for (long n = from; n <= count; n++) {
        const int status = run_refused(of, arguments, n);
        if (status != 0) {
            expect_failure(status, arguments, n);
            continue;
        }
        take_outcome(&now); /* it could do without */
        cr_expect_arr_eq(&now, &whole, sizeof now, "%s: allocation %ld: another outcome: %s%s",
                         arguments, n, out, err);
    }
    return count;
}

/* ---- the library ----------------------------------------------------------------------------- */

/* As a program that looks at every status, and of tensors at the error that is kept. */
static tg_status read_and_split(tg_dataset *all, tg_ids *users, tg_ids *items)
{
    tg_dataset train, test, points = {0};
    tg_synthetic_floor best;
    uint8_t part[60];
    tg_status status = tg_synthetic(users, items, all, .users = 20, .items = 20, .ratings = 60);
    if (status == TG_OK)
        status = tg_synthetic_best(users, items, all,
                                   TG_OPTIONS(tg_synthetic_options, TG_SYNTHETIC_DEFAULTS,
                                              .users = 20, .items = 20), &best);
    if (status == TG_OK)
        status = tg_split_random(all, 0.2, 1, &train, &test);
    if (status == TG_OK)
        status = tg_split_leave_one_out(all, TG_USER, TG_TIMESTAMP, &train, &test);
    if (status == TG_OK)
        status = tg_split_temporal(all, 0.2, TG_TIMESTAMP, &train, &test);
    tg_draw_folds(3, 1, all->count, part);
    if (status == TG_OK)
        status = tg_split_part(all, part, 1, &train, &test);
    if (status == TG_OK)
        status = tg_csv_read("points", &points, tg_csv_numbers("x,y"), tg_csv_ids("name", users));
    tg_dataset_release(&points);
    return status;
}

static tg_status train_step(tg_sequential *net, tg_optimizer *opt, tg_loader *loader)
{
    tg_tensor *user, *item, *rating;
    tg_step_begin();
    tg_loader_next(loader, &user, &item, &rating);
    tg_tensor *x = tg_forward(net, user);
    tg_tensor *stacked = tg_stack(0, x, x);
    tg_backward(tg_mse_loss(tg_mean_dim(stacked, false, 0, 2), rating));
    tg_optimizer_step(opt);
    tg_step_end();
    return tg_last_error()->status;
}

static tg_status train_and_save(const tg_dataset *all)
{
    tg_sequential *net = tg_sequential_new(tg_embedding_new(20, 3), tg_linear_new(3, 2));
    tg_optimizer *opt = tg_adam(net, .catch_up = true);
    tg_loader *loader = tg_loader_new(all, 10, .shuffle = true);
    tg_state_dict own = tg_module_state_dict(&net->base), state, read = {0};
    tg_tensor *array = NULL;
    tg_status status = tg_last_error()->status;
    for (int i = 0; i < 3 && status == TG_OK; i++)
        status = train_step(net, opt, loader);
    if (status == TG_OK)
        status = tg_safetensors_save("model", &own);
    if (status == TG_OK)
        status = tg_safetensors_load("model", &read);
    if (status == TG_OK)
        status = tg_module_load_state_dict(&net->base, &read);
    state = tg_optimizer_state_dict(opt);
    if (status == TG_OK)
        status = tg_optimizer_load_state_dict(opt, &state);
    if (status == TG_OK)
        status = tg_npy_save("x", own.entry[0].tensor);
    if (status == TG_OK)
        status = tg_npy_load("x", &array);
    tg_free(array);
    tg_state_dict_release(&state);
    tg_state_dict_release(&read);
    tg_state_dict_release(&own);
    tg_loader_free(loader);
    tg_optimizer_free(opt);
    tg_module_free(&net->base);
    return status;
}

static int use_library(int argc, char **argv)
{
    (void)argc, (void)argv;
    tg_ids users = {0}, items = {0};
    tg_dataset all = {0};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_status status = read_and_split(&all, &users, &items);
    if (status == TG_OK)
        status = train_and_save(&all);
    tg_dataset_release(&all);
    tg_ids_release(&items);
    tg_ids_release(&users);
    return status == TG_OK ? EXIT_DONE : say_last_error();
}

Test(scarcity, library__gives_its_errors)
{
    refuse_each(use_library, "", 1);
}

/* ---- commands -------------------------------------------------------------------------------- */

Test(scarcity, models__are_used_or_it_is_said)
{
    static const struct {
        command *of;
        const char *arguments;
    } runs[] = {
        {info_command, "--load m --json"},
        {export_command, "--load m --out x"},
        {export_command, "--load m --format npy --out x"},
        {predict_command, "--load m pairs"},
        {similar_command, "--load m --item Alien"},
        {explain_command, "--load m --user 1 --item 3"},
        {recommend_command, "--load m --user 1"},
        {recommend_command, "--load m --users users"},
        {recommend_command, "--load m --ratings new"},
        {evaluate_command, "--load m --test r --threads 1"},
        {evaluate_command, "--load m --test r --ranking sampled --negatives 2 --threads 1"},
        {evaluate_command, "--load m --negatives-file lists --threads 1"},
        {plot_command, "--load m --out - --threads 1"},
        {plot_command, "--load m --out - --what embeddings --min-ratings 0 --threads 1"},
        {report_command, "--load m --out - --test r --method pca --threads 1"},
    };
    enum { OF_INFO = 30 }; /* allocations of the command's own, or a few more */
    const long loading = refuse_each(info_command, "--load m", 1);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        refuse_each(runs[i].of, runs[i].arguments, loading - OF_INFO);
}

#define QUICK_MODEL "--factors 2 --batch-size 8 --threads 1 --quiet "
#define QUICK QUICK_MODEL "--epochs 1 "

Test(scarcity, train__of_ratings)
{
    refuse_each(train_command, "--data r " QUICK "--model gmf --validation 0.2 --titles titles "
                               "--save model --log log --checkpoint checkpoint", 1);
    refuse_each(train_command, "--data r --split kfold:3 --fold 1 " QUICK "--preset best "
                               "--validation 0.2 --save model", 1);
}

Test(scarcity, train__of_rankings)
{
    refuse_each(train_command, "--data r " QUICK "--model mf --task ranking --save model", 1);
    refuse_each(train_command, "--train r --test r " QUICK "--model mf --task ranking "
                               "--negatives-file lists --save model", 1);
}

Test(scarcity, train__from_what_there_is)
{
    cr_assert_eq(ncf("train --data r " QUICK "--model gmf --checkpoint c --save g"), 0);
    cr_assert_eq(ncf("train --data r " QUICK "--model mlp --save p"), 0);
    refuse_each(train_command, "--resume --checkpoint c --epochs 2 --quiet --save model", 1);
    refuse_each(train_command, "--data r --model gmf --factors 2 --load m --epochs 0 --threads 1 "
                               "--save model", 1);
    refuse_each(train_command, "--data r " QUICK_MODEL "--init-gmf g --init-mlp p --epochs 0 "
                               "--save model", 1);
}
#else
Test(scarcity, library__gives_its_errors)
{
    cr_skip_test("allocations cannot be refused with this C library or sanitizer");
}
#endif
