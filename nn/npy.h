/*
 * npy.h: tensors as NumPy's .npy files (numpy.save, numpy.load), format 1.0
 */
#ifndef TG_NN_NPY_H
#define TG_NN_NPY_H

#include "tensor/tensor.h"

/* Written to a temporary name, then renamed. TG_EIO on failure. */
tg_status tg_npy_save(const char *path, const tg_tensor *t);

/* Little-endian float32, float64 and int64, of either order, as an owned tensor in *t; TG_EIO,
 * TG_EFORMAT or TG_ENOMEM otherwise, and NULL. */
tg_status tg_npy_load(const char *path, tg_tensor **t);

#endif
