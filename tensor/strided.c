#include <string.h>

#include "tensor/parallel.h"
#include "tensor/tensor-internal.h"

int64_t tg_element_offset(const tg_tensor *t, int64_t i)
{
    int64_t offset = 0;
    for (int d = t->shape.ndim - 1; d >= 0; d--) {
        offset += i % t->shape.size[d] * t->stride[d];
        i /= t->shape.size[d];
    }
    return offset;
}

/* One row: n elements at strides dst_stride and src_stride. */
static void copy_row(int64_t n, size_t size, char *dst, int64_t dst_stride, const char *src,
                     int64_t src_stride)
{
    if (dst_stride == 1 && src_stride == 1) {
        memcpy(dst, src, (size_t)n * size);
    } else if (size == 4) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)dst)[i * dst_stride] =
                ((const uint32_t *)(const void *)src)[i * src_stride];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)dst)[i * dst_stride] =
                ((const uint64_t *)(const void *)src)[i * src_stride];
    }
}

/* The shape with neighbouring dimensions joined wherever both tensors run through them with one
 * stride, and without those of size 1. */
typedef struct walk {
    const tg_tensor *to, *from;
    int ndim;
    int64_t size[TG_MAX_DIMS], dst[TG_MAX_DIMS], src[TG_MAX_DIMS];
} walk;

static walk walk_of(const tg_tensor *dst, const tg_tensor *src)
{
    walk w = {dst, src, .ndim = 0};
    for (int d = 0; d < dst->shape.ndim; d++) {
        const int64_t size = dst->shape.size[d];
        if (size == 1)
            continue;
        const int last = w.ndim - 1;
        if (last >= 0 && w.dst[last] == size * dst->stride[d] &&
            w.src[last] == size * src->stride[d]) {
            w.size[last] *= size;
            w.dst[last] = dst->stride[d];
            w.src[last] = src->stride[d];
        } else {
            w.size[w.ndim] = size;
            w.dst[w.ndim] = dst->stride[d];
            w.src[w.ndim++] = src->stride[d];
        }
    }
    if (w.ndim == 0)
        w = (walk){dst, src, 1, {1}, {1}, {1}};
    return w;
}

/* Elements begin .. end of a row at the offsets to and from. */
static void copy_part(const walk *w, int64_t to, int64_t from, int64_t begin, int64_t end)
{
    const int inner = w->ndim - 1;
    const int64_t size = (int64_t)tg_dtype_size(w->to->dtype);
    to += begin * w->dst[inner];
    from += begin * w->src[inner];
    if (w->to->dtype == w->from->dtype)
        copy_row(end - begin, (size_t)size, (char *)w->to->data + to * size, w->dst[inner],
                 (const char *)w->from->data + from * size, w->src[inner]);
    else
        for (int64_t i = 0; i < end - begin; i++)
            tg_element_convert(w->to, to + i * w->dst[inner], w->from,
                               from + i * w->src[inner]);
}

static void copy_inner(void *context, int64_t begin, int64_t end)
{
    copy_part(context, 0, 0, begin, end);
}

/* Rows begin .. end of all dimensions but the inner. */
static void copy_outer(void *context, int64_t begin, int64_t end)
{
    const walk *w = context;
    const int inner = w->ndim - 1;
    int64_t index[TG_MAX_DIMS], to = 0, from = 0;
    for (int64_t d = inner - 1, rest = begin; d >= 0; rest /= w->size[d--]) {
        index[d] = rest % w->size[d];
        to += index[d] * w->dst[d];
        from += index[d] * w->src[d];
    }
    for (int64_t row = begin; row < end; row++) {
        copy_part(w, to, from, 0, w->size[inner]);
        for (int d = inner - 1; d >= 0; d--) { /* on to the next row */
            to += w->dst[d];
            from += w->src[d];
            if (++index[d] < w->size[d])
                break;
            to -= index[d] * w->dst[d];
            from -= index[d] * w->src[d];
            index[d] = 0;
        }
    }
}

void tg_copy_elements(const tg_tensor *dst, const tg_tensor *src)
{
    enum { PARALLEL = 8192 }; /* elements worth a thread */
    const int64_t total = tg_numel(dst);
    if (total == 0)
        return;
    walk w = walk_of(dst, src);
    const int64_t inner = w.size[w.ndim - 1];
    if (w.ndim == 1)
        tg_parallel_for(inner, PARALLEL, copy_inner, &w);
    else
        tg_parallel_for(total / inner, 1 + PARALLEL / inner, copy_outer, &w);
}
