/* Shape ops and writing in place at the borders of what they take: strides that only just allow a
 * view, tensors that are empty, have no dimensions or lie upon each other. Expected values are
 * PyTorch's. */
#include "tests/elements.h"

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

TestSuite(borders, .init = begin, .fini = end);

static const tg_shape scalar = {.ndim = 0};

/* ---- views ----------------------------------------------------------------------------------- */

static int64_t below(tg_rng *rng, int64_t bound)
{
    return (int64_t)tg_rng_below(rng, (uint64_t)bound);
}

/* A tensor of at most 4 dimensions that was permuted, narrowed and expanded at random. */
static tg_tensor *random_view(tg_rng *rng)
{
    tg_shape shape = {.ndim = (int)below(rng, 4)};
    for (int d = 0; d < shape.ndim; d++)
        shape.size[d] = below(rng, 20) == 0 ? 0 : 1 + below(rng, 6);
    tg_tensor *x = counting(shape);
    for (int64_t step = below(rng, 4); step > 0 && x->shape.ndim > 0; step--) {
        const int d = (int)below(rng, x->shape.ndim), other = (int)below(rng, x->shape.ndim);
        const int64_t size = x->shape.size[d], length = below(rng, size + 1);
        shape = x->shape;
        switch (below(rng, 4)) {
        case 0: x = tg_transpose(x, d, other); break;
        case 1: x = tg_narrow(x, d, below(rng, size - length + 1), length); break;
        case 2: x = tg_narrow(x, d, size / 3, size - size / 3); break;
        default:
            shape.size[d] = size == 1 ? 3 : size;
            x = tg_expand_at(TG_HERE, x, shape);
        }
    }
    return below(rng, 8) == 0 && x->shape.ndim < 4 ? tg_unsqueeze(x, 0) : x;
}

/* Dimensions that multiply to `count`, with some of size 1 among them. */
static tg_shape random_shape(tg_rng *rng, int64_t count)
{
    tg_shape shape = {.ndim = 0};
    while (shape.ndim < 6 && (count > 1 || below(rng, 3) == 0)) {
        int64_t size = count <= 1 ? 1 : 1 + below(rng, count < 12 ? count : 12);
        while (count > 0 && count % size != 0)
            size--;
        size = shape.ndim == 5 ? count : size;
        shape.size[shape.ndim++] = size;
        count /= size > 0 ? size : 1;
    }
    if (count == 0)
        shape.size[shape.ndim++] = 0;
    return shape;
}

static int64_t offset_of(const tg_shape *shape, const int64_t *stride, int64_t i)
{
    int64_t offset = 0;
    for (int d = shape->ndim - 1; d >= 0; i /= shape->size[d--])
        offset += i % shape->size[d] * stride[d];
    return offset;
}

/* Whether any strides run through x's elements in this shape. If some do, the distance between the
 * first two elements along each dimension is its stride. */
static bool has_strides(const tg_tensor *x, const tg_shape *shape)
{
    int64_t stride[TG_MAX_DIMS] = {0}, inner = 1;
    const int64_t count = tg_numel(x);
    for (int d = shape->ndim - 1; d >= 0 && count > 0; inner *= shape->size[d--])
        if (shape->size[d] > 1)
            stride[d] = offset_of(&x->shape, x->stride, inner);
    for (int64_t i = 0; i < count; i++)
        if (offset_of(shape, stride, i) != offset_of(&x->shape, x->stride, i))
            return false;
    return true;
}

static void expect_order(const tg_tensor *x, const tg_tensor *y)
{
    for (int64_t i = 0; i < tg_numel(x); i++)
        cr_assert_eq(tg_element(y, offset_of(&y->shape, y->stride, i)),
                     tg_element(x, offset_of(&x->shape, x->stride, i)));
}

Test(borders, view__is_there_where_strides_are)
{
    enum { ROUNDS = 20000 };
    tg_rng rng = {.seed = 17};
    int views = 0, copies = 0, strided = 0;
    for (int round = 0; round < ROUNDS; round++) {
        tg_step_begin();
        tg_tensor *x = random_view(&rng);
        const tg_shape shape = random_shape(&rng, tg_numel(x));
        const bool possible = has_strides(x, &shape);
        const tg_tensor *y = tg_reshape_at(TG_HERE, x, shape);
        cr_assert(tg_shape_equal(&y->shape, &shape));
        cr_assert_eq(y->data == x->data, possible, "%s as %s", TEXT(x->shape), TEXT(shape));
        expect_order(x, y);
        const tg_tensor *view = tg_view_at(TG_HERE, x, shape);
        cr_assert_eq(tg_is_error(view), !possible, "%s as %s", TEXT(x->shape), TEXT(shape));
        if (possible)
            expect_order(x, view);
        else
            expect_misuse("has gaps or another order: take tg_contiguous first");
        views += possible;
        copies += !possible;
        strided += possible && !tg_is_contiguous(x);
        tg_step_end();
    }
    cr_expect(copies > ROUNDS / 20 && strided > ROUNDS / 20, "%d views, %d of them strided, %d "
              "copies", views, strided, copies);
}

/* What attention does: heads split from one part of a joint projection. */
Test(borders, view__splits_heads_of_a_narrowed_tensor)
{
    tg_tensor *x = tg_requires_grad(COUNT(2, 3, 12));
    tg_tensor *heads = tg_view(tg_narrow(x, 2, 4, 4), 2, 3, 2, 2);
    cr_expect_eq(tg_get(heads, 1, 2, 1, 0), 66);
    tg_set(tg_detach(heads), -1, 0, 0, 0, 0);
    cr_expect_eq(tg_get(x, 0, 0, 4), -1);
    tg_backward(tg_sum(tg_mul(heads, counting(heads->shape))));
    cr_expect_eq(tg_get(x->grad, 1, 2, 6), 22);
    cr_expect_eq(tg_get(x->grad, 1, 2, 8), 0);
    IS(tg_view(tg_narrow(COUNT(4, 2, 3), 0, 1, 2), 4, 3), TG_SHAPE(4, 3),
       6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
    IS(tg_view(tg_expand(COUNT(2), 2, 2, 2), 4, 1, 2), TG_SHAPE(4, 1, 2), 0, 1, 0, 1, 0, 1, 0, 1);
}

/* ---- no elements, no dimensions -------------------------------------------------------------- */

Test(borders, empty__is_contiguous)
{
    tg_tensor *permuted = tg_permute(COUNT(2, 0, 3), 2, 0, 1);
    tg_tensor *empty[] = {tg_t(COUNT(3, 0)), permuted, tg_narrow(COUNT(0, 3), 1, 1, 2),
                          tg_narrow(tg_t(COUNT(3, 2)), 0, 1, 0), tg_expand(COUNT(0, 1), 0, 4)};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        cr_expect(tg_is_contiguous(empty[i]), "%s", TEXT(empty[i]->shape));
        cr_expect_eq(tg_contiguous(empty[i]), empty[i]);
        EMPTY(tg_view(empty[i], -1), 0);
        EMPTY(tg_view(empty[i], 5, 0, 1), 5, 0, 1);
    }
    cr_expect_not(tg_is_contiguous(tg_t(COUNT(3, 2))));
}

Test(borders, views_of_no_dimension__as_of_one)
{
    tg_tensor *x = counting(scalar);
    IS(tg_transpose(x, 0, -1), scalar, 0);
    IS(tg_t(x), scalar, 0);
    IS(tg_squeeze(x, 0), scalar, 0);
    IS(tg_squeeze(x, -1), scalar, 0);
    IS(tg_permute_at(TG_HERE, x, scalar), scalar, 0);
    IS(tg_unsqueeze(x, -1), TG_SHAPE(1), 0);
    IS(tg_stack(-1, x, x), TG_SHAPE(2), 0, 0);
    IS(tg_view(x, 1, -1), TG_SHAPE(1, 1), 0);
    IS(tg_view_at(TG_HERE, COUNT(1, 1), scalar), scalar, 0);
    IS(tg_reshape_at(TG_HERE, x, scalar), scalar, 0);
    IS(tg_expand(x, 2, 2), TG_SHAPE(2, 2), 0, 0, 0, 0);
    IS(tg_t(COUNT(2)), TG_SHAPE(2), 0, 1);
    REFUSED(tg_transpose(x, 0, 1), "transpose: dimensions 0 and 1 of []");
    REFUSED(tg_squeeze(x, 1), "squeeze: dimension 1 of []");
    REFUSED(tg_unsqueeze(x, 1), "unsqueeze: a dimension of size 1 at 1 of []");
    REFUSED(tg_stack(1, x, x), "stack: a dimension of size 1 at 1 of []");
    REFUSED(tg_narrow(x, 0, 0, 1), "narrow: 1 elements from 0 on in dimension 0 of []");
    REFUSED(tg_select(x, 0, 0), "select: index 0 of dimension 0 of []");
    REFUSED(tg_cat(0, x, x), "cat: dimension 0 of []");
    REFUSED(tg_view_at(TG_HERE, COUNT(0), scalar), "view: [0] as []");
    REFUSED(tg_t(COUNT(2, 2, 2)), "t: [2, 2, 2]: at most two dimensions expected");
}

Test(borders, squeeze__leaves_other_sizes)
{
    IS(tg_squeeze(COUNT(2, 3), 0), TG_SHAPE(2, 3), 0, 1, 2, 3, 4, 5);
    IS(tg_squeeze(tg_t(COUNT(3, 2)), -1), TG_SHAPE(2, 3), 0, 2, 4, 1, 3, 5);
    EMPTY(tg_squeeze(COUNT(0, 3), 0), 0, 3);
    EMPTY(tg_squeeze(COUNT(0, 1), 1), 0);
    tg_tensor *x = tg_requires_grad(COUNT(2, 3));
    tg_backward(tg_sum(tg_square(tg_squeeze(x, 1))));
    IS(x->grad, TG_SHAPE(2, 3), 0, 2, 4, 6, 8, 10);
}

Test(borders, split__counts_its_parts)
{
    tg_tensor *part[4] = {NULL};
    cr_expect_eq(tg_split(COUNT(5), 0, 2, part, 4), 3);
    IS(part[1], TG_SHAPE(2), 2, 3);
    IS(part[2], TG_SHAPE(1), 4);
    cr_expect_null(part[3]);
    cr_expect_eq(tg_split(COUNT(3, 2), 0, INT64_MAX, part, 1), 1);
    IS(part[0], TG_SHAPE(3, 2), 0, 1, 2, 3, 4, 5);
    for (int64_t size = 0; size < 3; size++) {
        cr_expect_eq(tg_split(COUNT(0, 3), 0, size, part, 1), 1);
        EMPTY(part[0], 0, 3);
    }
    cr_expect_eq(tg_split(COUNT(3, 0), 0, 2, part, 2), 2);
    EMPTY(part[1], 1, 0);
    cr_expect_eq(tg_split(COUNT(5), 0, 1, part, 4), 0);
    expect_misuse("split: 5 parts of [5]; at most 4 expected, for which there is room");
    cr_expect_eq(tg_split(COUNT(0), 0, 1, part, 0), 0);
    expect_misuse("split: 1 parts of [0]; at most 0 expected");
    cr_expect_eq(tg_split(COUNT(2, 3), 0, 0, part, 4), 0);
    expect_misuse("split: [2, 3] into parts of 0 in dimension 0");
    cr_expect_eq(tg_split(counting(scalar), 0, 1, part, 4), 0);
    expect_misuse("split: [] into parts of 1 in dimension 0");
}

/* ---- writing in place ------------------------------------------------------------------------ */

/* Whatever source and target share, the target then holds what the source held. */
Test(borders, copy__reads_before_it_writes)
{
    tg_rng rng = {.seed = 10};
    for (int round = 0; round < 3000; round++) {
        tg_step_begin();
        const int64_t size = 1 + below(&rng, 5), from = below(&rng, 3), to = below(&rng, 3);
        tg_tensor *all = COUNT(7, 7), *x = tg_narrow(tg_narrow(all, 0, from, size), 1, to, size);
        tg_tensor *y = tg_narrow(tg_narrow(all, 0, to, size), 1, from, size);
        y = below(&rng, 2) ? tg_t(y) : y;
        tg_tensor *before = tg_retain(y), *elsewhere = tg_retain(all);
        tg_copy(x, y);
        cr_assert_eq(tg_last_error()->status, TG_OK);
        expect_order(before, x);
        for (int64_t i = 0; i < 49; i++) {
            const bool inside = i / 7 >= from && i / 7 < from + size && i % 7 >= to &&
                                i % 7 < to + size;
            cr_assert(inside || tg_element(all, i) == tg_element(elsewhere, i));
        }
        tg_free(before);
        tg_free(elsewhere);
        tg_step_end();
    }
    tg_tensor *x = COUNT(2, 2), *line = COUNT(5);
    tg_copy(x, tg_t(x));
    IS(x, TG_SHAPE(2, 2), 0, 2, 1, 3);
    tg_copy(tg_narrow(line, 0, 1, 4), tg_narrow(line, 0, 0, 4));
    IS(line, TG_SHAPE(5), 0, 0, 1, 2, 3);
    tg_copy(tg_narrow(line, 0, 0, 4), tg_expand(tg_narrow(line, 0, 3, 1), 4));
    IS(line, TG_SHAPE(5), 2, 2, 2, 2, 3);
}

Test(borders, expanded__takes_one_value_alone)
{
    static const char message[] = "an expanded tensor has several elements in one place";
    tg_tensor *expanded[] = {tg_expand(COUNT(1), 3), tg_t(tg_expand(COUNT(1, 2), 3, 2)),
                             tg_view(tg_expand(COUNT(2), 2, 3, 2), 6, 2)};
    for (size_t i = 0; i < sizeof expanded / sizeof *expanded; i++) {
        tg_tensor *t = expanded[i], *x = tg_contiguous(t);
        tg_copy(t, x);
        expect_misuse(message);
        tg_add_scaled(t, 1, x);
        expect_misuse(message);
        tg_fill_uniform(t, 0, 1);
        expect_misuse(message);
        tg_fill_normal(t, 0, 1);
        expect_misuse(message);
        tg_fill(t, 5);
        cr_expect_eq(tg_item(tg_sum(t)), 5. * (double)tg_numel(t));
    }
    tg_tensor *sparse = tg_scatter_rows(COUNT(1, 2), tg_zeros(TG_I64, 1), 3);
    tg_add_scaled(tg_expand(COUNT(2), 3, 2), 1, sparse);
    expect_misuse(message);
    tg_set(expanded[0], 7, 1);
    IS(expanded[0], TG_SHAPE(3), 7, 7, 7);
    tg_tensor *single = tg_expand(COUNT(1, 2), 1, 2), *none = tg_expand(COUNT(1, 0), 3, 0);
    tg_add_scaled(single, 2, single);
    IS(single, TG_SHAPE(1, 2), 0, 3);
    tg_copy(none, COUNT(3, 0));
    tg_copy(tg_select(tg_expand(COUNT(1), 3), 0, 1), tg_scalar(TG_F32, 2));
}
