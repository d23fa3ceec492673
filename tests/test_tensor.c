#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/helpers.h"

static void begin(void)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
}

static void end(void)
{
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s", tg_last_error()->message);
    tg_step_end();
}

TestSuite(tensor, .init = begin, .fini = end);

static const float six[] = {1, 2, 3, 4, 5, 6};

Test(tensor, elements__by_index)
{
    tg_tensor *x = tg_from(TG_F32, six, 2, 3);
    cr_expect_eq(tg_get(x, 0, 0), 1);
    cr_expect_eq(tg_get(x, 1, 2), 6);
    cr_expect_eq(tg_get(x, -2, -1), 3);
    tg_set(x, 9, 1, 0);
    cr_expect_eq(tg_get(x, 1, 0), 9);
    cr_expect_eq(six[3], 4, "tg_from copies");
    cr_expect_eq(tg_item(tg_scalar(TG_F64, 0.1)), 0.1);
    cr_expect_eq(tg_item(tg_full(TG_I64, 7, 1, 1)), 7);
    cr_expect_eq(tg_get(tg_zeros(TG_I64, 3), 2), 0);
}

/* Row-sparse (4, 3). */
static tg_tensor *no_rows(void)
{
    return tg_scatter_rows(tg_zeros(TG_F32, 0, 3), tg_zeros(TG_I64, 0), 4);
}

Test(tensor, elements__misuse_is_named)
{
    tg_tensor *x = tg_from(TG_F32, six, 2, 3);
    cr_expect(isnan(tg_get(x, 2, 0)));
    expect_misuse("[2, 0]");
    cr_expect(isnan(tg_get(x, 0)));
    expect_misuse("[2, 3]");
    tg_set(x, 0, 0, -4);
    expect_misuse("[0, -4]");
    cr_expect(isnan(tg_item(x)));
    expect_misuse("[2, 3]");
    cr_expect(isnan(tg_get(NULL, 0)));
    expect_misuse("NULL");
    cr_expect(isnan(tg_get(no_rows(), 0, 0)));
    expect_misuse("get: the tensor is row-sparse: take tg_to_dense first");
    tg_fill_uniform(tg_zeros(TG_I64, 2), 0, 1);
    expect_misuse("fill: i64; f32 or f64 expected");
    tg_fill_normal(tg_zeros(TG_I64, 2), 0, 1);
    expect_misuse("fill: i64; f32 or f64 expected");
    tg_set_default_dtype(TG_I64);
    expect_misuse("dtype: i64; f32 or f64 expected");
}

Test(tensor, shape__sizes_and_text)
{
    const tg_tensor *x = tg_zeros(TG_F64, 1, 2, 3, 4, 5, 1, 2, 1);
    char text[TG_SHAPE_TEXT];
    cr_expect_eq(tg_numel(x), 240);
    cr_expect_eq(tg_size(x, 3), 4);
    cr_expect_eq(tg_size(x, -2), 2);
    cr_expect_str_eq(tg_shape_format(&x->shape, text), "[1, 2, 3, 4, 5, 1, 2, 1]");
    cr_expect_str_eq(tg_shape_format(&(tg_shape){0}, text), "[]");
    cr_expect_eq(tg_numel(tg_zeros(TG_F32, 3, 0, 2)), 0);
    cr_expect_str_eq(tg_dtype_name(TG_F32), "f32");
    cr_expect_eq(tg_dtype_size(TG_I64), 8);
}

Test(tensor, shape__misuse_is_named)
{
    cr_expect(tg_is_error(tg_zeros(TG_F32, 2, -1)));
    expect_misuse("[2, -1]");
    cr_expect(tg_is_error(tg_zeros(TG_F32, 1, 1, 1, 1, 1, 1, 1, 1, 1)));
    expect_misuse("9");
    cr_expect(tg_is_error(tg_zeros(TG_F32, INT64_MAX / 2, 8)));
    expect_misuse("more elements than memory can hold");
    cr_expect_eq(tg_size(tg_zeros(TG_F32, 2), 1), 0);
    expect_misuse("size: [2] has no dimension 1");
    cr_expect_eq(tg_size(tg_zeros(TG_F32, 2), -2), 0);
    expect_misuse("size: [2] has no dimension -1");
}

Test(tensor, views__share_data)
{
    tg_tensor *x = tg_from(TG_F32, six, 2, 3);
    tg_tensor *t = tg_t(x);
    cr_expect_not(tg_is_contiguous(t));
    cr_expect_eq(tg_get(t, 2, 1), 6);
    tg_set(t, 60, 2, 1);
    cr_expect_eq(tg_get(x, 1, 2), 60);
    tg_tensor *n = tg_narrow(x, 1, 1, 2); /* [[2, 3], [5, 60]] */
    cr_expect_eq(tg_get(n, 1, 0), 5);
    tg_fill(n, 0);
    cr_expect_eq(tg_get(x, 0, 0), 1);
    cr_expect_eq(tg_get(x, 0, 2), 0);
    cr_expect_eq(tg_get(x, 1, 0), 4);
    const tg_tensor *e = tg_expand(tg_narrow(x, 1, 0, 1), 2, 5);
    cr_expect_eq(e->stride[1], 0);
    cr_expect_eq(tg_get(e, 1, 4), 4);
    cr_expect(tg_is_contiguous(tg_contiguous(t)));
    cr_expect_eq(tg_get(tg_contiguous(t), 0, 1), 4);
}

Test(tensor, copy__between_strides_and_dtypes)
{
    static const tg_dtype dtypes[] = {TG_F32, TG_F64, TG_I64};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            tg_tensor *source = tg_full(dtypes[a], 0, 3, 2);
            for (int i = 0; i < 6; i++)
                tg_set(source, i - 2, i / 2, i % 2);
            tg_tensor *target = tg_zeros(dtypes[b], 2, 3);
            tg_copy(target, tg_t(source));
            for (int i = 0; i < 6; i++)
                cr_expect_eq(tg_get(target, i % 2, i / 2), i - 2);
        }
    tg_copy(tg_zeros(TG_F32, 2, 3), tg_zeros(TG_F32, 3, 2));
    expect_misuse("[2, 3]");
    tg_copy(tg_zeros(TG_F32, 4, 3), no_rows());
    expect_misuse("copy: a row-sparse tensor: take tg_to_dense first");
}

Test(tensor, retain__is_the_way_out_of_a_step)
{
    tg_step_begin();
    tg_tensor *kept = tg_retain(tg_t(tg_from(TG_F32, six, 2, 3)));
    tg_step_end();
    tg_step_begin();
    tg_zeros(TG_F32, 100);
    cr_expect(tg_is_contiguous(kept));
    cr_expect_eq(tg_get(kept, 2, 0), 3);
    tg_step_end();
    tg_free(kept);
    tg_free(NULL);
    cr_expect(tg_is_error(tg_retain(no_rows())));
    expect_misuse("retain: the tensor is row-sparse: take tg_to_dense first");
}

Test(tensor, memory__is_aligned_to_cache_lines)
{
    for (int i = 1; i < 50; i++)
        cr_expect_eq((uintptr_t)tg_zeros(TG_F32, 16 + i)->data % 64, 0);
    tg_tensor *owned = tg_owned(TG_F32, 77);
    cr_expect_eq((uintptr_t)owned->data % 64, 0);
    tg_free(owned);
}

/* Headers are used again; whatever stood in one, the next tensor is a plain leaf. */
Test(tensor, header__is_blank_when_used_again)
{
    tg_step_begin();
    tg_tensor *used = tg_zeros(TG_F32, 2, 3);
    tg_step_end();
    memset(used, 0xA5, sizeof *used);
    tg_step_begin();
    tg_tensor *t = NULL;
    for (int i = 0; t != used; i++) {
        cr_assert(i < 100000, "the header was not used again");
        t = tg_zeros(TG_F64, 4);
    }
    const size_t sizes = offsetof(tg_tensor, shape.size), after = offsetof(tg_tensor, grad);
    for (size_t at = 0; at < sizeof *t; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, (const char *)t + at, sizeof word);
        const bool is_unused = at >= sizes && at < after; /* sizes and strides of no dimension */
        cr_expect(is_unused || word != UINT64_C(0xA5A5A5A5A5A5A5A5), "the member at byte %zu", at);
    }
    cr_expect(!t->requires_grad && !t->retains_grad && t->node == -1 && t->version == 0);
    tg_step_end();
}

Test(tensor, requires_grad__is_for_floating_leaves)
{
    tg_requires_grad(tg_zeros(TG_I64, 2));
    expect_misuse("i64");
    tg_tensor *x = tg_requires_grad(tg_zeros(TG_F32, 2));
    tg_requires_grad(tg_relu(x));
    expect_misuse("requires_grad");
}

/* ---- errors ---------------------------------------------------------------------------------- */

Test(tensor, error__the_first_is_kept)
{
    tg_zeros(TG_F32, -1);
    char first[512];
    strcpy(first, tg_last_error()->message);
    tg_zeros(TG_F32, -2);
    cr_expect_str_eq(tg_last_error()->message, first);
    tg_clear_error();
    tg_zeros(TG_F32, -2);
    expect_misuse("[-2]");
}

Test(tensor, error__ends_the_program_unless_told_otherwise)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        tg_set_misuse(TG_MISUSE_EXIT);
        tg_matmul(tg_zeros(TG_F32, 2, 3), tg_zeros(TG_F32, 2, 3));
        _exit(0); /* not reached */
    }
    close(ends[1]);
    char text[512] = "";
    const ssize_t size = read(ends[0], text, sizeof text - 1);
    cr_assert_gt(size, 0);
    text[size] = '\0';
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    cr_expect_eq(strncmp(text, "tests/test_tensor.c:", 20), 0, "%s", text);
    cr_expect_not_null(strstr(text, ": matmul: [2, 3] x [2, 3]: inner sizes 3 and 2 differ\n"));
}
