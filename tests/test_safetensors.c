#define _XOPEN_SOURCE 700 /* mknod */

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "nn/safetensors.h"

/* ---- files of a test ------------------------------------------------------------------------- */

static char folder[64];

static void folder_make(void)
{
    strcpy(folder, "/tmp/tapegrad-safetensors-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

/* How many files the folder has; removes them. */
static int folder_empty(void)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.') {
            cr_expect_eq(unlink(entry->d_name), 0);
            count++;
        }
    closedir(d);
    return count;
}

static void folder_remove(void)
{
    folder_empty();
    cr_expect_eq(rmdir(folder), 0);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

static size_t read_file(const char *path, char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s is not there", path);
    const size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

/* A file of this header and `data` bytes of zeros. */
static void write_parts(const char *path, const char *header, size_t header_size, size_t data)
{
    char bytes[2048] = {0};
    const uint64_t length = header_size;
    cr_assert_leq(8 + header_size + data, sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, header_size);
    write_file(path, bytes, 8 + header_size + data);
}

/* Loading must fail with a message that begins with the path and has `fragment` in it. */
static void load_fails(const char *path, tg_status expected, const char *fragment)
{
    tg_state_dict state = {.count = 99};
    const tg_status status = tg_safetensors_load(path, &state);
    const char *message = tg_last_error()->message;
    cr_expect_eq(status, expected, "%s: status %d", fragment, (int)status);
    cr_expect_eq(strncmp(message, path, strlen(path)), 0, "\"%s\" lacks the path", message);
    cr_expect(strstr(message, fragment), "\"%s\" lacks \"%s\"", message, fragment);
    cr_expect(state.count == 0 && state.notes == 0 && !state.entry && !state.note);
}

/* ---- a state with everything ----------------------------------------------------------------- */

static const char text[] =
    "say \"hi\"\\\n\t\x01/ r\xC3\xA9sum\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xAC";

static tg_state_dict state_new(void)
{
    tg_state_dict state = {.owns_tensors = true};
    tg_state_dict_add(&state, "f32", tg_owned(TG_F32, 2, 3));
    tg_state_dict_add(&state, "f64", tg_owned(TG_F64, 2));
    tg_state_dict_add(&state, "i64", tg_owned(TG_I64, 1, 1, 3));
    tg_state_dict_add(&state, "scalar", tg_owned_at(TG_HERE, TG_F32, (tg_shape){.ndim = 0}));
    tg_state_dict_add(&state, "empty \"\xC3\xA9\"", tg_owned(TG_F32, 4, 0));
    memcpy(state.entry[0].tensor->data, (float[]){1, -2.5f, 3e-40f, 4, 5e30f, -0.0f}, 24);
    memcpy(state.entry[1].tensor->data, (double[]){0.1, -1e300}, 16);
    memcpy(state.entry[2].tensor->data, (int64_t[]){INT64_MIN, 7, INT64_MAX}, 24);
    memcpy(state.entry[3].tensor->data, (float[]){42}, 4);
    tg_state_dict_note(&state, "format", "1");
    tg_state_dict_note(&state, text, text);
    return state;
}

static void states_are_equal(const tg_state_dict *a, const tg_state_dict *b)
{
    cr_assert_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        const tg_tensor *x = a->entry[i].tensor, *y = b->entry[i].tensor;
        cr_expect_str_eq(a->entry[i].name, b->entry[i].name);
        cr_assert_eq(x->dtype, y->dtype);
        cr_assert(tg_shape_equal(&x->shape, &y->shape));
        cr_expect_eq(memcmp(x->data, y->data, (size_t)tg_numel(x) * tg_dtype_size(x->dtype)), 0);
    }
    cr_assert_eq(a->notes, b->notes);
    for (int64_t i = 0; i < a->notes; i++) {
        cr_expect_str_eq(a->note[i].key, b->note[i].key);
        cr_expect_str_eq(a->note[i].value, b->note[i].value);
    }
}

TestSuite(safetensors, .init = folder_make, .fini = folder_remove);

/* ---- what is written can be read ------------------------------------------------------------- */

Test(safetensors, round_trip__keeps_every_bit)
{
    tg_state_dict state = state_new(), back;
    cr_assert_eq(tg_safetensors_save("a.safetensors", &state), TG_OK);
    cr_assert_eq(tg_safetensors_load("a.safetensors", &back), TG_OK, "%s",
                 tg_last_error()->message);
    cr_expect(back.owns_tensors);
    states_are_equal(&state, &back);
    tg_state_dict_release(&state);
    tg_state_dict_release(&back);
}

Test(safetensors, round_trip__of_nothing)
{
    tg_state_dict state = {0}, back;
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    cr_assert_eq(tg_safetensors_load("a", &back), TG_OK);
    cr_expect_eq(back.count, 0);
    tg_state_dict_release(&back);
}

Test(safetensors, loaded_state__can_be_added_to)
{
    tg_state_dict state = state_new(), back;
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    cr_assert_eq(tg_safetensors_load("a", &back), TG_OK);
    for (int i = 0; i < 20; i++) {
        tg_state_dict_add(&back, "more", tg_owned(TG_F32, 1));
        tg_state_dict_note(&back, "more", "still");
    }
    cr_expect_eq(back.count, 25);
    cr_expect_str_eq(back.note[21].value, "still");
    tg_state_dict_release(&state);
    tg_state_dict_release(&back);
}

Test(safetensors, save__writes_these_bytes)
{
    tg_state_dict state = {.owns_tensors = true};
    tg_state_dict_add(&state, "a", tg_owned(TG_F32, 2));
    tg_state_dict_add(&state, "b", tg_owned_at(TG_HERE, TG_I64, (tg_shape){.ndim = 0}));
    memcpy(state.entry[0].tensor->data, (float[]){1, -2}, 8);
    memcpy(state.entry[1].tensor->data, (int64_t[]){258}, 8);
    tg_state_dict_note(&state, "k", "\"\n");
    static const char expected[] =
        "\x90\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"k\":\"\\\"\\u000a\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[8,16]}}     "
        "\0\0\x80\x3F\0\0\0\xC0" /* 1, -2 */
        "\x02\x01\0\0\0\0\0\0";  /* 258 */
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    char bytes[512];
    const size_t size = read_file("a", bytes, sizeof bytes);
    cr_assert_eq(size, sizeof expected - 1, "%zu bytes", size);
    cr_expect_arr_eq(bytes, expected, size);
    tg_state_dict_release(&state);
}

Test(safetensors, save__writes_views_row_major)
{
    tg_step_begin();
    tg_tensor *x = tg_from(TG_F32, ((float[]){1, 2, 3, 4, 5, 6}), 2, 3);
    tg_state_dict state = {0}, back;
    tg_state_dict_add(&state, "x", tg_t(x));
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    cr_assert_eq(tg_safetensors_load("a", &back), TG_OK);
    cr_expect_eq(tg_size(back.entry[0].tensor, 0), 3);
    cr_expect_eq(tg_get(back.entry[0].tensor, 0, 1), 4);
    cr_expect_eq(tg_get(back.entry[0].tensor, 2, 0), 3);
    tg_state_dict_release(&state);
    tg_state_dict_release(&back);
    tg_step_end();
}

/* Another writer's file: spaces, another order of members, of data and of the notes, escapes. */
Test(safetensors, load__accepts_other_writers)
{
    static const char header[] =
        "{\n\t\"w\\u00e9\\uD83C\\uDFAC\\/\\b\" : { \"data_offsets\" : [ 8 , 16 ] , \"shape\":[2,1]"
        ",\"dtype\":\"F32\" },\r\n\"v\":{\"shape\":[1],\"dtype\":\"I64\",\"data_offsets\":[0,8]},"
        "\"__metadata__\" : { } }  ";
    char bytes[512] = {0};
    const uint64_t length = sizeof header - 1;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 8 + length, (int64_t[]){-5}, 8);
    memcpy(bytes + 16 + length, (float[]){1.5f, 2.5f}, 8);
    write_file("a", bytes, 24 + length);
    tg_state_dict state;
    cr_assert_eq(tg_safetensors_load("a", &state), TG_OK, "%s", tg_last_error()->message);
    cr_expect_str_eq(state.entry[0].name, "w\xC3\xA9\xF0\x9F\x8E\xAC/\b");
    cr_expect_eq(tg_get(state.entry[0].tensor, 1, 0), 2.5);
    cr_expect_str_eq(state.entry[1].name, "v");
    cr_expect_eq(tg_item(state.entry[1].tensor), -5);
    cr_expect_eq(state.notes, 0);
    tg_state_dict_release(&state);
}

/* ---- what cannot be read --------------------------------------------------------------------- */

Test(safetensors, load__says_what_is_wrong)
{
#define W "{\"w\":{\"dtype\":\"F32\","
    static const struct {
        const char *header;
        size_t data;
        const char *fragment;
    } broken[] = {
        {"", 0, "header byte 0: expected '{'"},
        {"[]", 0, "header byte 0: expected '{'"},
        {"{", 0, "header byte 1: expected '\"'"},
        {" {}", 0, "header byte 0: expected '{'"},
        {"\n{}", 0, "header byte 0: expected '{'"},
        {"{}x", 0, "header byte 2: expected nothing but spaces"},
        {"{} \n", 0, "header byte 3: expected nothing but spaces"},
        {"{\"w\"}", 0, "header byte 4: expected ':'"},
        {"{\"w\":1}", 0, "header byte 5: expected '{'"},
#define MISSING "w: expected dtype, a shape of at most 8 dimensions, and 2 data_offsets"
        {"{\"w\":{}}", 0, MISSING},
        {W "\"shape\":[1]}}", 4, MISSING},
        {W "\"data_offsets\":[0,4]}}", 4, MISSING},
        {"{\"w\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, MISSING},
        {W "\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, MISSING},
        {W "\"shape\":[1],\"data_offsets\":[0]}}", 4, MISSING},
        {W "\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, MISSING},
        {W "\"shape\":[1],\"data_offsets\":[0,4],}}", 4, "expected '\"'"},
        {W "\"shape\":[1],\"data_offsets\":[0,4]},}", 4, "expected '\"'"},
        {W "\"shape\":[1],\"data_offsets\":[0,4]}", 4, "expected '}'"},
        {W "\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4,
         "header byte 57: expected dtype, shape or data_offsets"},
        {"{\"w\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2,
         "w: dtype BF16; expected F32, F64 or I64"},
        {"{\"w\":{\"dtype\":7}}", 0, "expected '\"'"},
        {W "\"shape\":1}}", 4, "expected '['"},
        {W "\"shape\":[-1]}}", 4, "expected a whole number"},
        {W "\"shape\":[1.5]}}", 4, "expected ']'"},
        {W "\"shape\":[1,]}}", 4, "expected a whole number"},
#define MISPLACED(what, room) "w: f32 " what "; expected its size, inside of " #room " bytes"
        {W "\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}", 4,
         MISPLACED("[9223372036854775807] at data_offsets [0, 4]", 4)},
        {W "\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         MISPLACED("[4294967296, 4294967296] at data_offsets [0, 0]", 0)},
        {W "\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}}", 0,
         MISPLACED("[0, 9223372036854775807] at data_offsets [0, 0]", 0)},
        {W "\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
         MISPLACED("[2] at data_offsets [0, 4]", 4)},
        {W "\"shape\":[1],\"data_offsets\":[4,0]}}", 4,
         MISPLACED("[1] at data_offsets [4, 0]", 4)},
        {W "\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
         MISPLACED("[1] at data_offsets [0, 4]", 3)},
        {W "\"shape\":[1],\"data_offsets\":[9223372036854775807,3]}}", 4,
         MISPLACED("[1] at data_offsets [9223372036854775807, 3]", 4)},
        {W "\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "8 bytes after the header; expected 4"},
        {W "\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "5 bytes after the header; expected 4"},
        {W "\"shape\":[1],\"data_offsets\":[0,4]},\"v\":{\"dtype\":\"F32\",\"shape\":[1],"
           "\"data_offsets\":[0,4]}}", 4, "v: f32 [1] at data_offsets [0, 4]"}, /* twice too much */
        {W "\"shape\":[0],\"data_offsets\":[0,0]},\"w\":{\"dtype\":\"F32\",\"shape\":[0],"
           "\"data_offsets\":[0,0]}}", 0, "the name \"w\" occurs twice"},
        {W "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "w: the name \"dtype\" occurs twice"},
        {W "\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "w: the name \"shape\" occurs twice"},
        {W "\"shape\":[1],\"data_offsets\":[],\"data_offsets\":[0,4]}}", 4,
         "w: the name \"data_offsets\" occurs twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0,
         "the name \"__metadata__\" occurs twice"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "expected '\"'"},
        {"{\"__metadata__\":{\"a\":\"\",\"b\":\"\",\"a\":\"\"}}", 0, "the name \"a\" occurs twice"},
        {"{\"abc", 0, "header byte 5: expected '\"'"},
        {"{\"abc\\\"", 0, "header byte 7: expected '\"'"},
        {"{\"abc\\", 0, "header byte 5: expected an escape"},
        {"{\"a\\x\":", 0, "header byte 3: expected an escape"},
        {"{\"\\u12G4\":", 0, "header byte 2: expected an escape"},
        {"{\"\\u12\":", 0, "header byte 2: expected an escape"},
        {"{\"\\u0000\":", 0, "header byte 2: expected an escape"},
        {"{\"\\uD83C\":", 0, "header byte 2: expected an escape"},
        {"{\"\\uD83C\\u0041\":", 0, "header byte 2: expected an escape"},
        {"{\"\\uD83C\\uDF\":", 0, "header byte 2: expected an escape"},
        {"{\"\\uDFAC\":", 0, "header byte 2: expected an escape"},
        {"{\"\xE9\":", 0, "header byte 3: expected UTF-8 before it"},
        {"{\"\xC0\xAF\":", 0, "expected UTF-8"},         /* too long for '/' */
        {"{\"\xE0\x9F\xBF\":", 0, "expected UTF-8"},     /* too long */
        {"{\"\xED\xA0\x80\":", 0, "expected UTF-8"},     /* half of a pair */
        {"{\"\xF4\x90\x80\x80\":", 0, "expected UTF-8"}, /* above U+10FFFF */
    };
#undef MISPLACED
#undef MISSING
#undef W
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        write_parts("broken.safetensors", broken[i].header, strlen(broken[i].header),
                    broken[i].data);
        load_fails("broken.safetensors", TG_EFORMAT, broken[i].fragment);
    }
}

Test(safetensors, load__refuses_nul_in_a_name)
{
    write_parts("a", "{\"w\0\":{}}", 9, 0);
    load_fails("a", TG_EFORMAT, "header byte 3: expected '\"'");
}

Test(safetensors, load__refuses_files_that_are_no_safetensors)
{
    load_fails("none", TG_EIO, "none: cannot be opened: No such file");
    load_fails(folder, TG_EIO, "not a regular file");
    static const char message[] = "not a safetensors file; expected the length of a header";
    write_file("a", "1234567", 7);
    load_fails("a", TG_EFORMAT, message);
    write_file("a", "PK\3\4 a PyTorch checkpoint", 25);
    load_fails("a", TG_EFORMAT, message);
    write_file("a", "user,item,rating\n", 17);
    load_fails("a", TG_EFORMAT, message);
    write_file("a", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10);
    load_fails("a", TG_EFORMAT, "a header of 18446744073709551615 bytes in a file of 10; expected");
}

/* ---- where data lie -------------------------------------------------------------------------- */

enum { PARTS = 3 };

/* Three tensors of 0 to 2 floats, each at one of three places. */
typedef struct layout {
    size_t begin[PARTS], size[PARTS], total; /* in floats */
} layout;

static layout layout_of(int number)
{
    layout l;
    for (int i = 0; i < PARTS; i++, number /= 9)
        l.begin[i] = (size_t)(number % 3), l.size[i] = (size_t)(number / 3 % 3);
    l.total = (size_t)(number % 4);
    return l;
}

/* Each float belongs to one tensor, and no empty tensor lies inside of another. */
static bool is_whole(const layout *l)
{
    int owners[8] = {0};
    for (int i = 0; i < PARTS; i++) {
        for (size_t k = 0; k < l->size[i]; k++)
            owners[l->begin[i] + k]++;
        for (int j = 0; j < PARTS; j++)
            if (l->size[j] == 0 && l->begin[i] < l->begin[j] &&
                l->begin[j] < l->begin[i] + l->size[i])
                return false;
        if (l->begin[i] > l->total)
            return false;
    }
    for (size_t k = 0; k < 8; k++)
        if (owners[k] != (k < l->total))
            return false;
    return true;
}

static void write_layout(const char *path, const layout *l)
{
    char bytes[512] = {0}, *header = bytes + 8;
    size_t n = 0;
    for (int i = 0; i < PARTS; i++)
        n += (size_t)sprintf(header + n, "%s\"%c\":{\"dtype\":\"F32\",\"shape\":[%zu],"
                             "\"data_offsets\":[%zu,%zu]}", i ? "," : "{", 'a' + i, l->size[i],
                             4 * l->begin[i], 4 * (l->begin[i] + l->size[i]));
    header[n++] = '}';
    for (size_t k = 0; k < l->total; k++)
        memcpy(header + n + 4 * k, &(float){(float)k}, 4);
    memcpy(bytes, &(uint64_t){n}, 8);
    write_file(path, bytes, 8 + n + 4 * l->total);
}

/* Every order, overlap and hole. */
Test(safetensors, load__wants_every_byte_in_one_tensor)
{
    int accepted = 0;
    for (int number = 0; number < 9 * 9 * 9 * 4; number++) {
        const layout l = layout_of(number);
        write_layout("a", &l);
        tg_state_dict state;
        const tg_status status = tg_safetensors_load("a", &state);
        cr_assert_eq(status, is_whole(&l) ? TG_OK : TG_EFORMAT, "layout %d: %s", number,
                     tg_last_error()->message);
        for (int64_t i = 0; i < state.count; i++)
            for (size_t k = 0; k < l.size[i]; k++)
                cr_expect_eq(((const float *)state.entry[i].tensor->data)[k],
                             (float)(l.begin[i] + k));
        accepted += status == TG_OK;
        tg_state_dict_release(&state);
    }
    cr_expect_gt(accepted, 20);
    write_layout("a", &(layout){{0, 1, 1}, {2, 1, 0}, 3});
    load_fails("a", TG_EFORMAT, "c: data_offsets [4, 4]; expected to begin at 8, where the data");
}

/* One byte less, or one more, is noticed wherever it is. */
Test(safetensors, load__notices_every_truncation)
{
    tg_state_dict state = state_new();
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    tg_state_dict_release(&state);
    char bytes[2048] = {0};
    const size_t size = read_file("a", bytes, sizeof bytes - 1);
    for (size_t cut = 0; cut < size; cut++) {
        write_file("a", bytes, cut);
        load_fails("a", TG_EFORMAT, "expected");
    }
    write_file("a", bytes, size + 1);
    load_fails("a", TG_EFORMAT, "expected");
}

/* Whatever a file holds, loading ends with a whole state or an error. */
Test(safetensors, load__survives_mutated_files)
{
    tg_state_dict state = state_new();
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    tg_state_dict_release(&state);
    char bytes[2048], mutated[2048];
    const size_t size = read_file("a", bytes, sizeof bytes);
    tg_rng rng = {.seed = 1};
    static const char likely[] = "\"\\{}[]:,0129u\x80\xFF";
    int accepted = 0, refused = 0;
    for (int round = 0; round < 4000; round++) {
        memcpy(mutated, bytes, size);
        for (uint64_t n = 1 + tg_rng_below(&rng, 3); n > 0; n--) {
            const uint64_t at = tg_rng_below(&rng, size);
            mutated[at] = tg_rng_below(&rng, 2) ? likely[tg_rng_below(&rng, sizeof likely - 1)]
                                                : (char)tg_rng_below(&rng, 256);
        }
        write_file("a", mutated, size);
        const tg_status status = tg_safetensors_load("a", &state);
        cr_assert(status == TG_OK || status == TG_EFORMAT, "status %d", (int)status);
        cr_assert(status == TG_OK || (state.count == 0 && state.notes == 0 && !state.entry));
        accepted += status == TG_OK;
        refused += status != TG_OK;
        tg_state_dict_release(&state);
    }
    cr_expect(accepted > 100 && refused > 1000, "%d accepted, %d refused", accepted, refused);
}

/* ---- what cannot be written ------------------------------------------------------------------ */

static void save_fails(const char *path, const tg_state_dict *state, tg_status expected,
                       const char *fragment)
{
    const tg_status status = tg_safetensors_save(path, state);
    const char *message = tg_last_error()->message;
    cr_expect_eq(status, expected, "%s: status %d", fragment, (int)status);
    cr_expect_eq(strncmp(message, path, strlen(path)), 0, "\"%s\" lacks the path", message);
    cr_expect(strstr(message, fragment), "\"%s\" lacks \"%s\"", message, fragment);
}

Test(safetensors, save__says_why_it_failed)
{
    tg_state_dict state = state_new();
    save_fails("none/a", &state, TG_EIO, "none/a: cannot be written: No such file");
    save_fails(folder, &state, TG_EIO, "Is a directory");
    cr_expect_eq(folder_empty(), 0);
    tg_state_dict_release(&state);
}

/* A device on which nothing can be written. Where this user may change /dev, a copy of it in the
 * folder: a fault in what is tested here would put an ordinary file in the place of the device.
 * NULL where neither is possible. */
static const char *full_device(void)
{
    if (access("/dev", W_OK) != 0)
        return access("/dev/full", W_OK) == 0 ? "/dev/full" : NULL;
    if (mknod("full", S_IFCHR | 0600, makedev(1, 7)) != 0)
        return NULL;
    const int device = open("full", O_WRONLY);
    close(device);
    return device >= 0 ? "full" : NULL;
}

Test(safetensors, save__notices_a_full_disk)
{
    const char *path = full_device();
    if (!path)
        cr_skip_test("no device that is always full");
    tg_state_dict state = state_new();
    struct stat about;
    save_fails(path, &state, TG_EIO, "full: cannot be written: No space left");
    cr_expect(stat(path, &about) == 0 && S_ISCHR(about.st_mode));
    tg_state_dict_release(&state);
}

Test(safetensors, save__refuses_what_a_reader_would)
{
    tg_state_dict state = state_new();
    tg_state_dict_note(&state, "title", "caf\xE9");
    save_fails("a", &state, TG_EFORMAT, "the note \"title\" is not UTF-8");
    state.note[2].value[0] = '\0';
    tg_state_dict_note(&state, "title", "");
    save_fails("a", &state, TG_EFORMAT, "the name \"title\" is taken");
    state.note[2].key[0] = 'T';
    tg_state_dict_add(&state, "f32", tg_owned(TG_F32, 1));
    save_fails("a", &state, TG_EFORMAT, "the name \"f32\" is taken");
    state.entry[5].name[0] = '\xE9';
    save_fails("a", &state, TG_EFORMAT, "32\" is not UTF-8");
    state.entry[5].name[0] = 'g';
    tg_state_dict_add(&state, "__metadata__", tg_owned(TG_F32, 1));
    save_fails("a", &state, TG_EFORMAT, "the name \"__metadata__\" is taken");
    cr_expect_eq(folder_empty(), 0);
    tg_state_dict_release(&state);
}

/* A disk that fills up in the middle: here a limit on the size of files. */
Test(safetensors, save__leaves_the_old_file_whole)
{
    static const char old[] = "the model of last week";
    write_file("a", old, sizeof old);
    tg_state_dict state = {.owns_tensors = true};
    tg_state_dict_add(&state, "w", tg_owned(TG_F32, 1000, 100));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    save_fails("a", &state, TG_EIO, "a: cannot be written: File too large");
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    char bytes[64];
    cr_expect_eq(read_file("a", bytes, sizeof bytes), sizeof old);
    cr_expect_arr_eq(bytes, old, sizeof old);
    cr_expect_eq(folder_empty(), 1);
    tg_state_dict_release(&state);
}

/* ---- where it is written --------------------------------------------------------------------- */

static mode_t mode_of(const char *path)
{
    struct stat about;
    cr_assert_eq(lstat(path, &about), 0);
    return about.st_mode;
}

Test(safetensors, save__honours_permissions)
{
    tg_state_dict state = state_new();
    const mode_t before = umask(027);
    cr_assert_eq(tg_safetensors_save("new", &state), TG_OK);
    cr_expect_eq(mode_of("new") & 0777, 0640);
    cr_assert_eq(chmod("new", 0600), 0);
    cr_assert_eq(tg_safetensors_save("new", &state), TG_OK);
    cr_expect_eq(mode_of("new") & 0777, 0600);
    umask(before);
    cr_expect_eq(folder_empty(), 1);
    tg_state_dict_release(&state);
}

Test(safetensors, save__writes_through_links)
{
    tg_state_dict state = state_new(), back;
    write_file("target", "old", 3);
    cr_assert_eq(symlink("target", "link"), 0);
    cr_assert_eq(symlink("new", "dangling"), 0);
    cr_assert_eq(tg_safetensors_save("link", &state), TG_OK);
    cr_assert_eq(tg_safetensors_save("dangling", &state), TG_OK);
    cr_expect(S_ISLNK(mode_of("link")));
    cr_expect(S_ISLNK(mode_of("dangling")));
    cr_expect_eq(tg_safetensors_load("target", &back), TG_OK);
    tg_state_dict_release(&back);
    cr_expect_eq(tg_safetensors_load("new", &back), TG_OK);
    tg_state_dict_release(&back);
    cr_expect_eq(folder_empty(), 4);
    tg_state_dict_release(&state);
}

Test(safetensors, save__writes_into_pipes)
{
    tg_state_dict state = state_new();
    int end[2];
    cr_assert_eq(pipe(end), 0);
    char path[64], piped[2048], filed[2048];
    snprintf(path, sizeof path, "/dev/fd/%d", end[1]);
    cr_assert_eq(tg_safetensors_save(path, &state), TG_OK, "%s", tg_last_error()->message);
    cr_assert_eq(tg_safetensors_save("a", &state), TG_OK);
    const size_t size = read_file("a", filed, sizeof filed);
    cr_expect_eq(read(end[0], piped, sizeof piped), (ssize_t)size);
    cr_expect_arr_eq(piped, filed, size);
    close(end[0]);
    close(end[1]);
    tg_state_dict_release(&state);
}
