#include <string.h>

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
    int ndim;
    int64_t size[TG_MAX_DIMS], dst[TG_MAX_DIMS], src[TG_MAX_DIMS];
} walk;

static walk walk_of(const tg_tensor *dst, const tg_tensor *src)
{
    walk w = {.ndim = 0};
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
        w = (walk){1, {1}, {1}, {1}};
    return w;
}

void tg_copy_elements(const tg_tensor *dst, const tg_tensor *src)
{
    const int64_t total = tg_numel(dst);
    if (total == 0)
        return;
    const walk w = walk_of(dst, src);
    const int inner = w.ndim - 1;
    const size_t size = tg_dtype_size(dst->dtype);
    int64_t index[TG_MAX_DIMS] = {0}, to = 0, from = 0;
    for (int64_t row = total / w.size[inner]; row > 0; row--) {
        if (dst->dtype == src->dtype)
            copy_row(w.size[inner], size, (char *)dst->data + to * (int64_t)size, w.dst[inner],
                     (const char *)src->data + from * (int64_t)size, w.src[inner]);
        else
            for (int64_t i = 0; i < w.size[inner]; i++)
                tg_element_set(dst, to + i * w.dst[inner],
                               tg_element(src, from + i * w.src[inner]));
        for (int d = inner - 1; d >= 0; d--) {
            to += w.dst[d];
            from += w.src[d];
            if (++index[d] < w.size[d])
                break;
            to -= index[d] * w.dst[d];
            from -= index[d] * w.src[d];
            index[d] = 0;
        }
    }
}
