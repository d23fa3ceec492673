/*
 * Misuse of every op: generated from the table of ops and tests/op_samples.h.
 *
 * Each operand of each sample is replaced by something that is wrong in one way, and so is each
 * index. The op then gives a message with the caller's line, or a result that has gradients.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"
#include "tests/helpers.h"
#include "tests/op_samples.h"

/* ---- what is wrong --------------------------------------------------------------------------- */

/* The first ones must be refused, those from FEWER on may fit some ops. */
typedef enum fault {
    ABSENT, ENDED, FAILED, INTEGERS, ROW_SPARSE, OTHER_FLOAT,
    FEWER, MORE, FIRST_LONGER, LAST_LONGER, EMPTY, EIGHT, ENDLESS,
    FAULTS
} fault;

static const char *const fault_name[FAULTS] = {
    "NULL", "of an ended step", "an error tensor", "i64", "row-sparse", "f32 among f64",
    "of one dimension less", "of one dimension more", "longer in the first dimension",
    "longer in the last dimension", "empty", "of eight dimensions", "larger than memory"};

static tg_shape changed(fault f, tg_shape shape)
{
    const int first_kept = f == FEWER && shape.ndim > 0 ? 1 : 0;
    tg_shape other = {.ndim = 0};
    for (int d = f == MORE ? -1 : f == EIGHT ? shape.ndim - TG_MAX_DIMS : first_kept;
         d < shape.ndim; d++)
        other.size[other.ndim++] = d < 0 ? 2 : shape.size[d];
    if (other.ndim == 0)
        return other;
    other.size[0] += f == FIRST_LONGER;
    other.size[other.ndim - 1] += f == LAST_LONGER;
    if (f == EMPTY)
        other.size[0] = 0;
    return other;
}

static tg_tensor *zeros(tg_shape shape)
{
    return tg_requires_grad(tg_zeros_at(TG_HERE, TG_F64, shape));
}

static tg_tensor *faulty(fault f, tg_shape shape)
{
    tg_tensor *t = NULL;
    switch (f) {
    case ABSENT: return NULL;
    case ENDED:
        tg_step_begin();
        t = zeros(shape);
        tg_step_end();
        return t;
    case FAILED:
        t = tg_view(zeros(shape), -2);
        tg_clear_error();
        return t;
    case INTEGERS: return tg_zeros_at(TG_HERE, TG_I64, shape);
    case ROW_SPARSE:
        return tg_scatter_rows(tg_zeros(TG_F64, 0, shape.size[1]), tg_zeros(TG_I64, 0),
                               shape.size[0]);
    case OTHER_FLOAT: return tg_zeros_at(TG_HERE, TG_F32, shape);
    case ENDLESS:
        shape.ndim += shape.ndim == 0;
        shape.size[0] = INT64_C(1) << 50;
        return tg_expand_at(TG_HERE, tg_scalar(TG_F64, 0), shape);
    default: return zeros(changed(f, shape));
    }
}

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* Some ops take whole numbers, to_dense row-sparse tensors, and linear and conv2d no bias; topk
 * and argmax would look through what is larger than memory. */
static bool is_right(const op_sample *s, int operand, fault f)
{
    static const char *const any_dtype[] = {
        "neg", "abs", "square", "cube", "relu", "add_scalar", "sub_scalar", "mul_scalar",
        "pow_scalar", "sum", "sum_dim", "sum_to", "view", "permute", "squeeze", "unsqueeze", "select", "narrow", "expand", "reshape",
        "contiguous", "pad", "cat", "stack", "gather", "index_select", "topk", "argmax", "sort",
        "masked_fill", "cast", "tril", "triu", "cumsum", "logical_not", "floor_divide", "remainder",
        "one_hot",
        "to_dense", NULL};
    const char *op = s->op;
    switch (f) {
    case INTEGERS:
        return is_one_of(op, any_dtype) ||
               (operand == 3 && strcmp(op, "scaled_dot_product_attention") == 0);
    case ROW_SPARSE: return s->operand[operand].ndim != 2 || strcmp(op, "to_dense") == 0;
    case OTHER_FLOAT: return s->count == 1;
    case ABSENT:
        return (operand == 2 && is_one_of(op, (const char *const[]){"linear", "conv2d", NULL})) ||
               (operand > 0 && strcmp(op, "layer_norm") == 0);
    case ENDLESS: return strcmp(op, "topk") == 0 || strcmp(op, "argmax") == 0;
    default: return false;
    }
}

/* ---- what must come of it -------------------------------------------------------------------- */

/* Whether tg_NAME( or tg_NAME_at( stands in the call. */
static bool is_written(const char *call, const char *name, size_t length)
{
    for (const char *p = call; (p = strstr(p, "tg_")); p += 3)
        if (strncmp(p + 3, name, length) == 0 &&
            (p[3 + length] == '(' || strncmp(p + 3 + length, "_at(", 4) == 0))
            return true;
    return false;
}

/* The message names a function that stands in the call: "softmax" of tg_softmax(x[0], -1), not an
 * op that softmax is made of. What there is no memory for may be inside of an op. */
static void expect_name(const char *call, const char *message)
{
    const char *name = strstr(message, ": ");
    const size_t length = name ? strcspn(name + 2, ":") : 0;
    bool found = strstr(message, ": no memory for ") ||
                 (name && is_written(call, name + 2, length));
    cr_expect(found, "%s: the message names what is not written there: %s", call, message);
}

static void expect_message(const op_sample *s, const char *what)
{
    const tg_error *error = tg_last_error();
    cr_expect_eq(error->status, TG_EMISUSE, "%s: %s, %s: no message", s->op, s->call, what);
    cr_expect_not_null(strstr(error->message, ".def:"), /* where the call stands */
                       "%s, %s: the message does not name the caller's line: %s", s->call, what,
                       error->message);
    expect_name(s->call, error->message);
}

/* What an op accepts has the gradients of its operands' shapes. */
static void expect_gradients(const op_sample *s, tg_tensor *const *x, tg_tensor *y,
                             const char *what)
{
    if (y->requires_grad)
        tg_backward(tg_sum(tg_to_dense(y)));
    cr_expect_eq(tg_last_error()->status, TG_OK, "%s: %s, %s: %s", s->op, s->call, what,
                 tg_last_error()->message);
    for (int i = 0; i < s->count; i++)
        cr_expect(!x[i] || !x[i]->grad || tg_shape_equal(&x[i]->grad->shape, &x[i]->shape), "%s",
                  s->call);
}

/* Whether the op refused it. */
static bool try_operand(const op_sample *s, int operand, fault f)
{
    tg_tensor *x[OP_SAMPLE_OPERANDS];
    for (int i = 0; i < s->count; i++)
        x[i] = i == operand ? faulty(f, s->operand[i]) : zeros(s->operand[i]);
    tg_tensor *y = s->apply(x);
    const bool refused = tg_is_error(y), given_back = f == ROW_SPARSE && y == x[operand];
    char what[64];
    snprintf(what, sizeof what, "x[%d] %s", operand, fault_name[f]);
    cr_expect(refused || given_back || f >= FEWER, "%s: %s takes %s", s->op, s->call, what);
    if (refused && f != FAILED)
        expect_message(s, what);
    if (!refused && !given_back && f != ENDLESS)
        expect_gradients(s, x, y, what);
    tg_clear_error();
    return refused;
}

/* Ops that take operands of every shape. */
static bool takes_any_shape(const tg_op *op)
{
    static const char *const any[] = {
#define UNARY(name, ...) #name,
#define BINARY(name, ...)
#include "tensor/elementwise.def"
#undef UNARY
#undef BINARY
        "contiguous", "dropout", "to_dense", "cast", "sort", "floor_divide", "remainder", "one_hot",
        NULL};
    return is_one_of(op->name, any);
}

/* How many operands of wrong shape the sample refuses. */
static int try_sample(const op_sample *s)
{
    int by_shape = 0;
    for (int operand = 0; operand < s->count; operand++)
        for (fault f = 0; f < FAULTS; f++) {
            tg_step_begin();
            const bool refused = !is_right(s, operand, f) && try_operand(s, operand, f);
            by_shape += refused && f >= FEWER && f < ENDLESS;
            tg_step_end();
        }
    return by_shape;
}

Test(misuse, operands__of_every_op_are_named_or_have_gradients)
{
    enum { MOST = 200 };
    int samples[MOST] = {0}, by_shape[MOST] = {0};
    cr_assert_lt(tg_op_count, MOST);
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < op_call_count; i++) {
        int k = 0; /* the op in the table; a function made of ops is not there */
        while (k < tg_op_count && strcmp(op_samples[i].op, tg_op_table[k]->name) != 0)
            k++;
        samples[k]++;
        by_shape[k] += try_sample(&op_samples[i]);
    }
    for (int k = 0; k < tg_op_count; k++) {
        const char *name = tg_op_table[k]->name;
        cr_expect_gt(samples[k], 0, "%s has no sample in tests/op_samples.def", name);
        cr_expect(by_shape[k] > 0 || takes_any_shape(tg_op_table[k]), "%s: no shape is refused",
                  name);
    }
}

/* So that what is checked of samples is checked of all functions of ops.h. */
Test(misuse, functions__of_ops_h_have_samples)
{
    static const char *const none[] = {"add_scaled", "split", NULL}; /* they give no tensor */
    char line[256], name[64];
    FILE *header = fopen("autograd/ops.h", "r");
    int functions = 0;
    cr_assert_not_null(header);
    while (fgets(line, sizeof line, header)) {
        if (sscanf(line, "#define tg_%63[a-z0-9_](", name) != 1 || is_one_of(name, none))
            continue;
        functions++;
        bool found = false;
        for (int i = 0; i < op_call_count && !found; i++)
            found = is_written(op_samples[i].call, name, strlen(name));
        cr_expect(found, "tg_%s stands in no call of tests/op_samples.def", name);
    }
    fclose(header);
    cr_expect_gt(functions, 80);
}

/* ---- indices --------------------------------------------------------------------------------- */

Test(misuse, indices__of_every_op_are_named)
{
    static const char *const name[INDEX_FAULTS] = {"as it should be", "negative", "too large",
                                                   "f64", "NULL", "of an ended step"};
    int tried = 0;
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < op_call_count; i++)
        for (index_fault f = INDEX_NEGATIVE; f < INDEX_FAULTS; f++) {
            const op_sample *s = &op_samples[i];
            tg_tensor *x[OP_SAMPLE_OPERANDS];
            if ((strcmp(s->op, "where") == 0 || strcmp(s->op, "masked_fill") == 0) &&
                (f == INDEX_NEGATIVE || f == INDEX_TOO_LARGE))
                continue; /* true as any other number but 0 */
            tg_step_begin();
            for (int operand = 0; operand < s->count; operand++)
                x[operand] = zeros(s->operand[operand]);
            const int before = op_indices_made;
            op_index_fault = f;
            const tg_tensor *y = s->apply(x);
            if (op_indices_made > before) {
                tried++;
                cr_expect(tg_is_error(y), "%s: %s takes an index %s", s->op, s->call, name[f]);
                expect_message(s, name[f]);
            }
            tg_clear_error();
            tg_step_end();
        }
    op_index_fault = INDEX_FITS;
    cr_expect_gt(tried, 100);
}

/* ---- dimensions and other numbers ------------------------------------------------------------ */

/* The caller's line and the op, for a call on one line. */
static void expect_named(const tg_tensor *y, const char *call, int64_t number)
{
    cr_expect(tg_is_error(y), "%s takes %lld", call, (long long)number);
    cr_expect_eq(tg_last_error()->status, TG_EMISUSE, "%s of %lld", call, (long long)number);
    cr_expect_not_null(strstr(tg_last_error()->message, "test_misuse.c:"), "%s: %s", call,
                       tg_last_error()->message);
    expect_name(call, tg_last_error()->message);
    tg_clear_error();
}
#define NAMED(call) expect_named(call, #call, n)

Test(misuse, dimensions__of_every_function_are_named)
{
    static const int64_t beyond[] = {3, -4, INT32_MAX, INT32_MIN};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(2, 3)), *index = tg_zeros(TG_I64, 2, 3), *part[4];
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const int n = (int)beyond[i];
        NAMED(tg_transpose(x, n, 0));
        NAMED(tg_permute(x, n, 0));
        NAMED(tg_permute(x, 1, (INT64_C(1) << 32)));
        NAMED(tg_squeeze(x, n));
        NAMED(tg_unsqueeze(x, n));
        NAMED(tg_select(x, n, 0));
        NAMED(tg_narrow(x, n, 0, 1));
        NAMED(tg_cat(n, x, x));
        NAMED(tg_stack(n, x, x));
        NAMED(tg_pad(x, n, 0, 9));
        NAMED(tg_gather(x, n, index));
        NAMED(tg_scatter_add(x, n, index, x));
        NAMED(tg_index_select(x, n, tg_zeros(TG_I64, 1)));
        NAMED(tg_sum_dim(x, true, n));
        NAMED(tg_sum_dim(x, true, 0, n));
        NAMED(tg_sum_dim(x, true, (INT64_C(1) << 32)));
        NAMED(tg_mean_dim(x, true, n));
        NAMED(tg_max_dim(x, false, n));
        NAMED(tg_min_dim(x, false, n));
        NAMED(tg_var_dim(x, true, n));
        NAMED(tg_logsumexp(x, true, n));
        NAMED(tg_softmax(x, n));
        NAMED(tg_log_softmax(x, n));
        NAMED(tg_argmax(x, n, false));
        cr_expect_eq(tg_split(x, n, 1, part, 4), 0);
        cr_expect_eq(tg_last_error()->status, TG_EMISUSE);
        tg_clear_error();
    }
    tg_step_end();
}

Test(misuse, numbers__that_fit_no_size_are_named)
{
    static const int64_t beyond[] = {4, -5, INT64_MAX, INT64_MIN};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(2, 3)), *places, *part[4];
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const int64_t n = beyond[i];
        NAMED(tg_select(x, 1, n));
        NAMED(tg_narrow(x, 1, n, 1));
        NAMED(tg_narrow(x, 1, 0, n));
        NAMED(tg_narrow(x, 1, n, n));
        NAMED(tg_pad(x, 1, n, 4));
        NAMED(tg_view(x, n));
        NAMED(tg_view(x, n, n));
        NAMED(tg_reshape(x, n, -1));
        NAMED(tg_expand(x, n));
        NAMED(tg_expand(x, n, n, 3));
        NAMED(tg_sum_to(x, n));
        NAMED(tg_topk(x, n, &places));
        if (n < 0) {
            NAMED(tg_pad(x, 1, 0, n));
            NAMED(tg_zeros(TG_F64, n));
            NAMED(tg_scatter_rows(x, tg_zeros(TG_I64, 2), n));
            cr_expect_eq(tg_split(x, 1, n, part, 4), 0);
            tg_clear_error();
        }
    }
    tg_step_end();
}

Test(misuse, operands__that_are_none_or_too_deep_are_named)
{
    const int64_t n = 0;
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(2, 3)), *none[] = {NULL};
    NAMED(tg_cat_at(TG_HERE, 0, none, 0));
    NAMED(tg_stack_at(TG_HERE, 0, none, 0));
    NAMED(tg_embedding(x, tg_zeros(TG_I64, 1, 1, 1, 1, 1, 1, 1, 1)));
    tg_step_end();
}

Test(misuse, delta__of_huber_must_be_above_zero)
{
    static const double wrong[] = {0, -1, NAN, -INFINITY};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(2));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect(tg_is_error(tg_huber_loss(x, x, wrong[i])));
        expect_misuse("; a number above 0 expected");
    }
    tg_step_end();
}

Test(misuse, attention__takes_floats_and_one_mask)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(3, 2)), *i = tg_zeros(TG_I64, 3, 2);
    const int64_t n = 0;
    NAMED(tg_scaled_dot_product_attention(x, x, x, zeros(TG_SHAPE(3, 3)), 0, true));
    NAMED(tg_scaled_dot_product_attention(x, i, x, NULL, 0, false));
    NAMED(tg_scaled_dot_product_attention(i, i, i, NULL, 0, false));
    NAMED(tg_scaled_dot_product_attention(x, x, zeros(TG_SHAPE(3)), NULL, 0, false));
    NAMED(tg_scaled_dot_product_attention(x, x, x, NULL, 2, false));
    NAMED(tg_scaled_dot_product_attention(x, tg_t(x), x, NULL, 0, false));
    NAMED(tg_scaled_dot_product_attention(x, x, zeros(TG_SHAPE(2, 3)), NULL, 0, false));
    NAMED(tg_scaled_dot_product_attention(zeros(TG_SHAPE(4, 3, 2)), zeros(TG_SHAPE(5, 3, 2)), x,
                                          NULL, 0, false));
    tg_step_end();
}

Test(misuse, crow__that_is_none_is_named)
{
    static const int64_t wrong[][4] = {{1, 2, 4, 6}, {0, 2, 4, 5}, {0, 4, 2, 6}, {0, 7, 4, 6}};
    static const char *const what[] = {"crow goes from 1 to 6; from 0 to 6",
                                       "crow goes from 0 to 5",
                                       "crow falls from 4 to 2 at row 1", "crow falls from 7 to 4"};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *col = tg_zeros(TG_I64, 6), *values = zeros(TG_SHAPE(6)), *x = zeros(TG_SHAPE(3, 3));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tg_tensor *crow = tg_from(TG_I64, wrong[i], 4);
        cr_expect(tg_is_error(tg_sparse_mm(crow, col, values, x)));
        expect_misuse(what[i]);
        cr_expect(tg_is_error(tg_sampled_mm(crow, col, x, x)));
        expect_misuse(what[i]);
    }
    cr_expect(tg_is_error(tg_sparse_mm(tg_zeros(TG_I64, 0), col, values, x)));
    expect_misuse("i64 (m + 1), i64 (entries), (entries) x (n, d)");
    tg_step_end();
}

Test(misuse, windows__that_do_not_fit_are_named)
{
    static const int64_t beyond[] = {0, -1, 8, INT64_MAX, INT64_MIN};
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(1, 4, 7, 7)), *w = zeros(TG_SHAPE(2, 2, 3, 3));
    tg_tensor *columns = zeros(TG_SHAPE(1, 36, 25)), *b = zeros(TG_SHAPE(2));
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const int64_t n = beyond[i];
        NAMED(tg_unfold(x, n, 3));
        NAMED(tg_unfold(x, 3, n));
        NAMED(tg_unfold(x, 3, 3, .dilation = n));
        NAMED(tg_fold(columns, n, 7, 3, 3));
        NAMED(tg_fold(columns, 7, 7, 3, n));
        NAMED(tg_max_pool2d(x, n));
        NAMED(tg_max_pool2d(x, 3, .dilation = n));
        NAMED(tg_conv2d(x, w, b, .groups = 2, .dilation = n));
        NAMED(tg_conv2d(x, w, b, .groups = n));
        if (n != 0)
            NAMED(tg_max_pool2d(x, 3, .padding = n));
        if (n != 8) {
            NAMED(tg_max_pool2d(x, 3, .stride = n));
            NAMED(tg_conv2d(x, w, b, .groups = 2, .stride = n));
        }
        if (n < 0)
            NAMED(tg_conv2d(x, w, b, .groups = 2, .padding = n));
    }
    const int64_t n = 0;
    tg_tensor *channels = tg_expand(zeros(TG_SHAPE(1, 1, 1, 1)), 1, INT64_C(1) << 50, 1, 1);
    NAMED(tg_unfold(channels, 1 << 16, 1 << 16, .padding = 1 << 16));
    NAMED(tg_max_pool2d(zeros(TG_SHAPE(1, 1, 1, 3)), 2, .padding = 1, .dilation = 2));
    NAMED(tg_conv2d(x, w, zeros(TG_SHAPE(3)), .groups = 2));
    NAMED(tg_conv2d(x, zeros(TG_SHAPE(3, 2, 3, 3)), NULL, .groups = 2));
    tg_step_end();
}

Test(misuse, made_tensors__that_cannot_be_are_named)
{
    const int64_t n = 0;
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    NAMED(tg_arange(TG_F32, 0, 1, 0));
    NAMED(tg_arange(TG_F32, 0, 1, -1));
    NAMED(tg_arange(TG_F32, 0, INFINITY, 1));
    NAMED(tg_arange(TG_F32, 0, NAN, 1));
    NAMED(tg_arange(TG_I64, 0, 1, 0.5));
    NAMED(tg_arange(TG_I64, 0.5, 3, 1));
    NAMED(tg_arange(TG_I64, -9.3e18, 9.3e18, 1e18));
    NAMED(tg_eye(TG_F32, -1));
    NAMED(tg_full_like(NULL, 1));
    NAMED(tg_full_like(tg_zeros(TG_I64, 1), NAN));
    NAMED(tg_randint(3, 3, 2));
    NAMED(tg_randint(0, 3, -2));
    NAMED(tg_randperm(-1));
    tg_step_end();
}

Test(misuse, masks_and_places__that_do_not_fit_are_named)
{
    const int64_t n = 0;
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *x = zeros(TG_SHAPE(2, 3)), *index = tg_zeros(TG_I64, 2), *place;
    NAMED(tg_tril(zeros(TG_SHAPE(3)), 0));
    NAMED(tg_triu(NULL, 0));
    NAMED(tg_masked_fill(NULL, index, 0));
    NAMED(tg_masked_fill(x, x, 0));
    NAMED(tg_one_hot(x, 3));
    NAMED(tg_one_hot(index, 0));
    NAMED(tg_one_hot(tg_full(TG_I64, 3, 2), 3));
    NAMED(tg_one_hot(tg_full(TG_I64, -1, 2), 3));
    NAMED(tg_cast(NULL, TG_F64));
    NAMED(tg_cumsum(x, 2));
    NAMED(tg_cumsum(NULL, 0));
    NAMED(tg_sort(x, 2, false, &place));
    NAMED(tg_sort(NULL, 0, false, &place));
    NAMED(tg_logical_not(NULL));
    NAMED(tg_logical_and(x, index));
    NAMED(tg_floor_divide(x, x));
    NAMED(tg_floor_divide(tg_zeros(TG_I64, 2), tg_zeros(TG_I64, 3)));
    NAMED(tg_floor_divide(index, index));
    NAMED(tg_remainder(index, index));
    NAMED(tg_norm(x, false, 2));
    NAMED(tg_std_dim(x, false, 2));
    NAMED(tg_normalize(x, 2, 1));
    NAMED(tg_multinomial(x, 1, true));
    NAMED(tg_multinomial(tg_full(TG_F32, 1, 3), 4, false));
    NAMED(tg_multinomial(tg_full(TG_F32, -1, 3), 1, true));
    NAMED(tg_multinomial(tg_full(TG_F32, 1, 3), 0, true));
    NAMED(tg_multinomial(tg_full(TG_I64, 1, 3), 1, true));
    NAMED(tg_expand(NULL, 2));
    NAMED(tg_expand(x, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const int64_t endless = INT64_C(1) << 50;
    tg_tensor *long_one = tg_expand(tg_scalar(TG_I64, 1), endless);
    NAMED(tg_one_hot(index, endless));
    NAMED(tg_floor_divide(long_one, tg_scalar(TG_I64, 2)));
    NAMED(tg_multinomial(tg_full(TG_F32, 1, 3), endless, true));
    NAMED(tg_arange(TG_I64, 0, (double)endless, 1));
    NAMED(tg_randperm(endless));
    NAMED(tg_randint(0, 2, endless));
    NAMED(tg_eye(TG_F32, INT64_C(1) << 25));
    tg_step_end();
}
