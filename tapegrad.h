/*
 * tapegrad.h: everything, from the ground up. Each header is the manual of its floor.
 *
 * C++ programs include this header alone: g++ or clang++, C++17 or later.
 */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#define TG_VERSION "0.1.0"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

#include "autograd/autograd.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/named_options.h"

#include "nn/file.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "nn/npy.h"
#include "nn/safetensors.h"

#include "optim/optim.h"

#include "data/csv.h"
#include "data/dataset.h"
#include "data/ids.h"
#include "data/lines.h"
#include "data/loader.h"
#include "data/ratings.h"
#include "data/split.h"
#include "data/synthetic.h"

#ifdef __cplusplus
} /* extern "C" */

/* Lists as C++ knows them: it has no arrays without a name. */
#undef TG_SHAPE
#undef tg_scalar
#undef TG_ARRAY
#undef tg_cat
#undef tg_stack
#undef tg_sequential_new
#undef tg_dataset_of
#undef tg_loader_next
#undef tg_csv_read
#define TG_SHAPE(...) tg_cpp_shape(__VA_ARGS__)
#define tg_scalar(dtype, value) tg_full_at(TG_HERE, dtype, value, tg_shape{})
#define TG_ARRAY(values) tg_cpp_array(values)
#define tg_cat(dim, ...) tg_cpp_join(tg_cat_at, TG_HERE, dim, __VA_ARGS__)
#define tg_stack(dim, ...) tg_cpp_join(tg_stack_at, TG_HERE, dim, __VA_ARGS__)
#define tg_sequential_new(...) tg_cpp_sequence(TG_HERE, __VA_ARGS__)
#define tg_dataset_of(...) tg_cpp_dataset(TG_HERE, __VA_ARGS__)
#define tg_loader_next(loader, ...) tg_cpp_batch(TG_HERE, loader, __VA_ARGS__)
#define tg_csv_read(path, data, ...) tg_cpp_csv(path, data, __VA_ARGS__)

template <typename... Size> tg_shape tg_cpp_shape(Size... size)
{
    const int64_t list[] = {static_cast<int64_t>(size)...};
    return tg_shape_of(list, static_cast<int>(sizeof...(size)));
}

template <typename Other> tg_c_type tg_cpp_type(const Other *) = delete;
inline tg_c_type tg_cpp_type(const float *) { return TG_C_FLOAT; }
inline tg_c_type tg_cpp_type(const double *) { return TG_C_DOUBLE; }
inline tg_c_type tg_cpp_type(const int *) { return TG_C_INT; }
inline tg_c_type tg_cpp_type(const long *) { return TG_C_LONG; }
inline tg_c_type tg_cpp_type(const long long *) { return TG_C_INT64; }
inline tg_c_type tg_cpp_type(const void *) { return TG_C_ANY; }
template <typename Element, size_t count> tg_c_type tg_cpp_type(const Element (*rows)[count])
{
    return tg_cpp_type(*rows);
}

template <typename Pointer> tg_array tg_cpp_array(const Pointer &values)
{
    return {values, tg_cpp_type(values), SIZE_MAX};
}

template <typename Element, size_t count> tg_array tg_cpp_array(const Element (&values)[count])
{
    return {values, tg_cpp_type(values), sizeof values};
}

template <typename Join, typename... Tensor>
tg_tensor *tg_cpp_join(Join join, const char *at, int dim, Tensor... x)
{
    tg_tensor *const list[] = {x...};
    return join(at, dim, list, static_cast<int>(sizeof...(x)));
}

template <typename... Layer> tg_sequential *tg_cpp_sequence(const char *at, Layer... layer)
{
    void *const list[] = {layer...};
    return tg_sequential_of(at, list, static_cast<int>(sizeof...(layer)));
}

template <typename... Column> tg_dataset tg_cpp_dataset(const char *at, Column... column)
{
    tg_tensor *const list[] = {column...};
    return tg_dataset_of_at(at, list, static_cast<int>(sizeof...(column)));
}

template <typename... Column>
bool tg_cpp_batch(const char *at, tg_loader *loader, Column... column)
{
    tg_tensor **const list[] = {column...};
    return tg_loader_next_at(at, loader, list, static_cast<int>(sizeof...(column)));
}

template <typename... Column>
tg_status tg_cpp_csv(const char *path, tg_dataset *data, Column... column)
{
    const tg_csv_column list[] = {column...};
    return tg_csv_read_columns(path, data, list, static_cast<int>(sizeof...(column)));
}
#endif

#endif
