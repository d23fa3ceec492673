/* The model file: all members come back, and no damage to it passes or crashes. */
#include <criterion/criterion.h>
#include <math.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/small_recommender.h"

static char path[64]; /* tests run beside each other */

static void name_file(void)
{
    snprintf(path, sizeof path, "/tmp/tapegrad-recommender-%d", (int)getpid());
}

static void remove_file(void)
{
    remove(path);
}

TestSuite(recommender, .init = name_file, .fini = remove_file);

static char *copy(const char *text)
{
    return strcpy(malloc(strlen(text) + 1), text);
}

/* A recommender with every member set. */
static recommender full_recommender(void)
{
    recommender r = small_recommender("mlp", TASK_RANKING);
    tg_module_free(r.module);
    r.model = rating_model_with_biases(r.model);
    r.options = (model_options){.factors = 3, .dropout = 0.25, .layer = {6, 5, 4}};
    r.clamp = true;
    recommender_build(&r);
    r.titles = calloc((size_t)r.items.count, sizeof *r.titles);
    r.genres = calloc((size_t)r.items.count, sizeof *r.genres);
    for (int64_t i = 0; i < r.items.count; i++) {
        r.titles[i] = copy(i % 3 ? "Alien (1979)" : "");
        r.genres[i] = copy(i % 2 ? "" : "Horror|Sci-Fi");
    }
    r.history = tg_owned(TG_F32, 2, 3);
    tg_set(r.history, 0.5, 1, 2);
    r.history_columns = copy("train_loss,test_hr@10,test_ndcg@10");
    r.settings = copy(" --data 'a b'");
    return r;
}

static void expect_equal_tensors(const tg_tensor *a, const tg_tensor *b)
{
    cr_assert(tg_shape_equal(&a->shape, &b->shape));
    cr_expect_eq(memcmp(a->data, b->data, (size_t)tg_numel(a) * tg_dtype_size(a->dtype)), 0);
}

Test(recommender, file__gives_every_member_back)
{
    recommender a = full_recommender(), b;
    cr_assert_eq(recommender_save(&a, path), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(recommender_load(&b, path), TG_OK, "%s", tg_last_error()->message);
    cr_expect(a.model == b.model && a.task == b.task && a.clamp == b.clamp);
    cr_expect(a.options.factors == b.options.factors && a.options.dropout == b.options.dropout);
    cr_expect_eq(memcmp(a.options.layer, b.options.layer, sizeof a.options.layer), 0);
    cr_expect_eq(a.rating_mean, b.rating_mean);
    cr_expect(a.rating_low == b.rating_low && a.rating_high == b.rating_high);
    cr_expect(a.users.count == b.users.count && a.items.count == b.items.count);
    for (int64_t i = 0; i < a.items.count; i++) {
        cr_expect_str_eq(tg_ids_name(&a.items, i), tg_ids_name(&b.items, i));
        cr_expect_str_eq(a.titles[i], b.titles[i]);
        cr_expect_str_eq(a.genres[i], b.genres[i]);
    }
    expect_equal_tensors(a.seen_start, b.seen_start);
    expect_equal_tensors(a.seen_item, b.seen_item);
    expect_equal_tensors(a.seen_rating, b.seen_rating);
    expect_equal_tensors(a.history, b.history);
    cr_expect_str_eq(a.history_columns, b.history_columns);
    cr_expect_str_eq(a.settings, b.settings);
    tg_state_dict x = tg_module_state_dict(a.module), y = tg_module_state_dict(b.module);
    cr_assert_eq(x.count, y.count);
    for (int64_t i = 0; i < x.count; i++)
        expect_equal_tensors(x.entry[i].tensor, y.entry[i].tensor);
    tg_state_dict_release(&x);
    tg_state_dict_release(&y);
    recommender_release(&a);
    recommender_release(&b);
}

/* The file with another text in a note or, where value is NULL, the note under another name. */
static void change_note(const char *key, const char *value)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load(path, &state), TG_OK);
    for (int64_t i = 0; i < state.notes; i++)
        if (strcmp(state.note[i].key, key) == 0) {
            char **changed = value ? &state.note[i].value : &state.note[i].key;
            free(*changed);
            *changed = copy(value ? value : "?");
        }
    cr_assert_eq(tg_safetensors_save(path, &state), TG_OK);
    tg_state_dict_release(&state);
}

/* One element of a tensor changed; or, where index is negative, the tensor under another name. */
static void change_tensor(const char *name, int64_t index, double value)
{
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load(path, &state), TG_OK);
    if (index >= 0)
        tg_set(tg_state_dict_get(&state, name), value, index);
    for (int64_t i = 0; i < state.count && index < 0; i++)
        if (strcmp(state.entry[i].name, name) == 0)
            state.entry[i].name[0] = '?';
    cr_assert_eq(tg_safetensors_save(path, &state), TG_OK);
    tg_state_dict_release(&state);
}

static void expect_refused(const char *message)
{
    recommender r;
    cr_expect_neq(recommender_load(&r, path), TG_OK, "expected %s", message);
    cr_expect_not_null(strstr(tg_last_error()->message, message), "%s; expected %s",
                       tg_last_error()->message, message);
    cr_expect_eq(strncmp(tg_last_error()->message, path, strlen(path)), 0);
    cr_expect_null(r.module);
}

Test(recommender, file__says_which_note_is_wrong)
{
    static const struct {
        const char *key, *value, *message;
    } notes[] = {
        {"format", "tapegrad-ncf-1", "format 'tapegrad-ncf-1'; expected 'tapegrad-ncf-2'"},
        {"model", "svd", "model 'svd' is not known"},
        {"task", "sorting", "task 'sorting'; expected rating or ranking"},
        {"factors", "0", "factors is '0'; expected a number from 1 to 4096"},
        {"dropout", "2", "dropout is '2'; expected a number from 0 to 1"},
        {"biases", "", "biases is ''; expected a number from 0 to 1"},
        {"layers", "6,5,x", "layers '6,5,x'; expected widths as 64,32,16"},
        {"layers", "8,5,4", "MLP_layers.user_emb.weight: "},
        {"clamp", "yes", "clamp is 'yes'; expected a number from 0 to 1"},
        {"rating_mean", "nan", "rating_mean is 'nan'"},
        {"rating_high", "-9", "rating_high is '-9'; expected a number from 1 to"},
        {"titles", "one\ntwo", "2 titles; expected one for each of 30 items"},
        {"genres", "", "1 genres; expected one for each of 30 items"},
        {"history_columns", "a,b", "no tensor history [2, 2] of f32"},
        {"history_columns", NULL, "no history_columns beside its history; expected a model that"},
    };
    recommender r = full_recommender();
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        cr_assert_eq(recommender_save(&r, path), TG_OK);
        change_note(notes[i].key, notes[i].value);
        expect_refused(notes[i].message);
    }
    recommender_release(&r);
}

Test(recommender, file__says_which_tensor_is_wrong)
{
    static const struct {
        const char *name;
        int64_t index;
        double value;
        const char *message;
    } tensors[] = {
        {"seen_start", -1, 0, "no tensor seen_start [41] of i64; expected a model that ncf saved"},
        {"seen_item", -1, 0, "no tensor seen_item [0] of i64"},
        {"seen_rating", -1, 0, "no tensor seen_rating "},
        {"seen_start", 1, 1e6, "seen_start and seen_item do not fit together"},
        {"seen_start", 40, 1, "seen_start and seen_item do not fit together"},
        {"seen_start", 0, -1, "seen_start and seen_item do not fit together"},
        {"seen_item", 0, 30, "seen_start and seen_item do not fit together"},
        {"seen_item", 0, -1, "seen_start and seen_item do not fit together"},
        {"seen_item", 1, 0, "seen_start and seen_item do not fit together"},
        {"seen_rating", 2, NAN, "seen_rating[2] is nan; expected finite ratings"},
        {"seen_rating", 0, INFINITY, "seen_rating[0] is inf; expected finite ratings"},
        {"user_ids", -1, 0, "no list user_ids of I64"},
        {"item_ids", 1, 1, "item_ids[1] is '1', as item_ids[0] is; expected each id once"},
        {"mean", -1, 0, "mean: not in the file"},
    };
    recommender r = full_recommender();
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        cr_assert_eq(recommender_save(&r, path), TG_OK);
        change_tensor(tensors[i].name, tensors[i].index, tensors[i].value);
        expect_refused(tensors[i].message);
    }
    recommender_release(&r);
}

Test(recommender, clamp__cuts_predictions)
{
    recommender r = small_recommender("mf", TASK_RATING);
    float plain[2], cut[2];
    tg_dataset pairs = tg_dataset_of(tg_owned(TG_I64, 2), tg_owned(TG_I64, 2));
    recommender_predict(&r, &pairs, plain);
    r.rating_low = r.rating_high = 2.5;
    r.clamp = true;
    recommender_predict(&r, &pairs, cut);
    cr_expect(cut[0] == 2.5f && cut[1] == 2.5f && plain[0] != 2.5f);
    tg_dataset_release(&pairs);
    recommender_release(&r);
}

Test(recommender, save__refuses_what_is_not_finite)
{
    static const double values[] = {NAN, INFINITY, -INFINITY};
    recommender r = small_recommender("mf", TASK_RATING);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        tg_state_dict state = tg_module_state_dict(r.module);
        remove(path);
        tg_fill(state.entry[0].tensor, values[i]);
        cr_expect_eq(recommender_save(&r, path), TG_EFORMAT);
        cr_expect_not_null(strstr(tg_last_error()->message, " is not finite; expected finite"));
        cr_expect_neq(access(path, F_OK), 0);
        tg_state_dict_release(&state);
    }
    recommender_release(&r);
}
