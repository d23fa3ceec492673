/*
 * Damaged files: whatever a file holds, its reader gives something or says in one line what is
 * wrong, and touches no memory but its own, which sanitizers watch. The damage is done by rule: the
 * file is cut at every length, its header ends at every length, and each byte of its text becomes
 * each of those that mean something to a parser.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/cli/test_lists.h"
#include "models/cli/titles.h"
#include "tests/small_recommender.h"

enum { ROOM = 1 << 14 };

typedef struct content {
    char bytes[ROOM];
    size_t size, begin, end; /* of the file; of the text in it */
} content;

typedef struct format {
    tg_status (*load)(const char *path); /* and release what came */
    size_t length_at, length_bytes;      /* the number of bytes of a header; (0, 0): all is text */
} format;

static char path[64];

static void name_file(void)
{
    snprintf(path, sizeof path, "/tmp/tapegrad-damage-%d", (int)getpid());
}

static void remove_file(void)
{
    remove(path);
}

TestSuite(damage, .init = name_file, .fini = remove_file);

/* ---- loading --------------------------------------------------------------------------------- */

/* As a new file: file systems take care that the end of an old one is on the disk. */
static void write_bytes(const char *bytes, size_t size)
{
    remove(path);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

/* Whether the content is loaded; if not, one line says why. */
static bool is_loaded(const format *f, const content *c, const char *damage, size_t at)
{
    write_bytes(c->bytes, c->size);
    const tg_status status = f->load(path);
    const char *message = tg_last_error()->message;
    if (status == TG_OK)
        return true;
    cr_expect_eq(status, TG_EFORMAT, "%s %zu: status %d: %s", damage, at, (int)status, message);
    cr_expect(strncmp(message, path, strlen(path)) == 0 && !strpbrk(message, "\n\r\x1b"),
              "%s %zu: %s", damage, at, message);
    return false;
}

/* What is in the file. */
static content read_content(const format *f)
{
    content c = {.begin = f->length_at + f->length_bytes};
    uint64_t length = 0;
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    c.size = fread(c.bytes, 1, ROOM, file);
    fclose(file);
    cr_assert_lt(c.size, ROOM);
    memcpy(&length, c.bytes + f->length_at, f->length_bytes);
    c.end = f->length_bytes ? c.begin + length : c.size;
    cr_assert(is_loaded(f, &c, "whole", c.size), "%s", tg_last_error()->message);
    return c;
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void cut_everywhere(const format *f, const content *whole)
{
    content cut = *whole;
    for (cut.size = 0; cut.size < whole->size; cut.size++)
        cr_expect(!is_loaded(f, &cut, "cut at", cut.size) || !f->length_bytes, "cut at %zu",
                  cut.size);
}

/* The header, and its length says so, and the file with it. */
static void end_header_everywhere(const format *f, const content *whole)
{
    content ended = *whole;
    for (ended.size = whole->begin; f->length_bytes && ended.size < whole->end; ended.size++) {
        const uint64_t length = ended.size - whole->begin;
        memcpy(ended.bytes + f->length_at, &length, f->length_bytes);
        is_loaded(f, &ended, "header ended at", ended.size);
    }
}

/* Each byte of the text, by every `step`-th of the special ones. */
static void replace_everywhere(const format *f, const content *whole, size_t step)
{
    static const char special[] = "\0\t\n\r\x1b \"'\\{}[]():,.+-0z9|u\x80\xFF";
    for (size_t at = whole->begin; at < whole->end; at++)
        for (size_t i = at % step; i < sizeof special - 1; i += step) {
            content changed = *whole;
            changed.bytes[at] = special[i];
            is_loaded(f, &changed, "changed at", at);
        }
}

/* All that, to the file that is there. */
static void damage_everywhere(const format *f, size_t step)
{
    const content whole = read_content(f);
    cut_everywhere(f, &whole);
    end_header_everywhere(f, &whole);
    replace_everywhere(f, &whole, step);
}

/* ---- tensors --------------------------------------------------------------------------------- */

static tg_status load_npy(const char *file)
{
    tg_tensor *t;
    const tg_status status = tg_npy_load(file, &t);
    tg_free(t);
    return status;
}

static const format npy = {load_npy, 8, 2};

Test(damage, npy__is_refused_or_harmless)
{
    tg_tensor *t = tg_owned(TG_F32, 3, 2);
    cr_assert_eq(tg_npy_save(path, t), TG_OK);
    tg_free(t);
    damage_everywhere(&npy, 1);
}

/* A header of the largest size, which ends anywhere in what it should hold. */
Test(damage, npy__largest_header_ends_anywhere)
{
    static const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }\n";
    enum { PREFIX = 10, LARGEST = 4096 };
    for (size_t end = 0; end < sizeof dict; end++)
        for (uint16_t length = LARGEST; length <= LARGEST + 1; length++) {
            content c = {.bytes = "\x93NUMPY\x01", .size = PREFIX + length};
            memcpy(c.bytes + 8, &length, 2);
            memset(c.bytes + PREFIX, ' ', length);
            memcpy(c.bytes + c.size - end, dict, end);
            const bool is_valid = length == LARGEST && end + 2 >= sizeof dict; /* '\n' or not */
            cr_expect_eq(is_loaded(&npy, &c, "ended at", end), is_valid, "%zu of %d", end, length);
        }
}

static tg_status load_safetensors(const char *file)
{
    tg_state_dict state;
    const tg_status status = tg_safetensors_load(file, &state);
    tg_state_dict_release(&state);
    return status;
}

static const format safetensors = {load_safetensors, 0, 8};

Test(damage, safetensors__is_refused_or_harmless)
{
    tg_state_dict state = {.owns_tensors = true};
    tg_state_dict_add(&state, "a\xC3\xA9", tg_owned(TG_F32, 3, 2));
    tg_state_dict_add(&state, "b", tg_owned(TG_I64, 0));
    tg_state_dict_note(&state, "k\n", "\"\x01\xF0\x9F\x8E\xAC");
    cr_assert_eq(tg_safetensors_save(path, &state), TG_OK);
    tg_state_dict_release(&state);
    damage_everywhere(&safetensors, 1);
}

/* ---- models ---------------------------------------------------------------------------------- */

static tg_status load_model(const char *file)
{
    recommender r;
    const tg_status status = recommender_load(&r, file);
    if (status == TG_OK)
        recommender_release(&r);
    return status;
}

static const format model = {load_model, 0, 8};

Test(damage, model__is_refused_or_harmless)
{
    recommender r = small_recommender("mf", TASK_RATING);
    cr_assert_eq(recommender_save(&r, path), TG_OK);
    recommender_release(&r);
    const content whole = read_content(&model);
    end_header_everywhere(&model, &whole);
    replace_everywhere(&model, &whole, 9);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static const recommender *known; /* whose users and items lists and titles are of */

static tg_status load_lists(const char *file)
{
    test_lists lists;
    left_out out;
    const tg_status status = test_lists_read(known, file, &lists, &out);
    for (int64_t i = 0; i < lists.user.count; i++)
        cr_expect_gt(test_lists_get(&lists, i).positives, 0);
    test_lists_release(&lists);
    return status;
}

static tg_status load_titles(const char *file)
{
    char **titles, **genres;
    const tg_status status = titles_read(file, &known->items, &titles, &genres);
    titles_free(titles, known->items.count);
    titles_free(genres, known->items.count);
    return status;
}

static tg_status load_csv(const char *file)
{
    tg_ids ids = {0};
    tg_dataset data;
    const tg_status status =
        tg_csv_read(file, &data, tg_csv_numbers("x,y"), tg_csv_ids("id", &ids));
    tg_dataset_release(&data);
    tg_ids_release(&ids);
    return status;
}

static tg_status load_ratings(const char *file)
{
    tg_ids users = {0}, items = {0};
    tg_dataset ratings;
    const tg_status status = tg_ratings_read(file, &users, &items, &ratings);
    tg_dataset_release(&ratings);
    tg_ids_release(&users);
    tg_ids_release(&items);
    return status;
}

Test(damage, text__is_refused_or_harmless)
{
    static const struct {
        tg_status (*load)(const char *path);
        const char *text;
    } files[] = {
        {load_lists, "(1,2)\t3\t4\n(2,3)\n(99,1)\t1\n"},
        {load_titles, "1|Alien (1979)|25-May-1979||h|0|1|0|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0\n"
                      "2|Mis\xE9rables|||h|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"},
        {load_titles, "movieId,title,genres\n1,\"Toy, \"\"Story\"\"\",Drama|War\r\n2,B\n"},
        {load_titles, "1::Toy Story (1995)::Animation|Comedy\n2::Heat::Crime\n"},
        {load_csv, "\xEF\xBB\xBFid,x, y\n\"a \"\"b\"\"\",-1.5e3,2\n\nc,0.25,1234567890123456789\n"},
        {load_ratings, "196\t242\t3\t881250949\n1\t2\t4.5\t-7\n"},
        {load_ratings, "196 242  3 881250949\n1 2 4.5 -7\n"},
        {load_ratings, "1::1193::5::978300760\n2::1::0.5::1e9\n"},
        {load_ratings, "userId,movieId,rating,timestamp\n1,\"2\",4.0,964982703\n"},
        {load_ratings, "user_id:token\titem_id:token\trating:float\n1\ta b\t-3\n"},
    };
    recommender r = small_recommender("mf", TASK_RATING);
    known = &r;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const format f = {files[i].load, 0, 0};
        write_bytes(files[i].text, strlen(files[i].text));
        damage_everywhere(&f, 1);
    }
    recommender_release(&r);
}

/* Around the room that any reader has for fields. */
Test(damage, text__may_have_any_number_of_fields)
{
    static tg_status (*const load[])(const char *path) = {load_lists, load_titles, load_csv,
                                                          load_ratings};
    static const char *const separators[] = {" ", "\t", "::", "|", ","};
    recommender r = small_recommender("mf", TASK_RATING);
    known = &r;
    for (size_t fields = 1; fields <= 1100; fields += fields == 70 ? 950 : 1)
        for (size_t i = 0; i < 4 * 5; i++) {
            const format f = {load[i / 5], 0, 0};
            content c = {.size = 0};
            for (size_t n = 0; n < 2 * fields; n++)
                c.size += (size_t)sprintf(c.bytes + c.size, "x%s",
                                          n % fields + 1 < fields ? separators[i % 5] : "\n");
            is_loaded(&f, &c, separators[i % 5], fields);
        }
    recommender_release(&r);
}
