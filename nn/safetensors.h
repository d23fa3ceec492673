/*
 * safetensors.h: state_dicts as files that PyTorch's safetensors library reads too
 *
 * Layout: 8 bytes little-endian header length; a JSON object
 * {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3],
 * "data_offsets": [begin, end]}, ...}, padded with spaces; then the data, row-major, little-endian,
 * one after the other. As the format demands, files are refused in which data overlap or leave a
 * hole, a name occurs twice, or anything stands before the '{'.
 */
#ifndef TG_NN_SAFETENSORS_H
#define TG_NN_SAFETENSORS_H

#include "nn/module.h"

/* Write a file as tg_file_write (file.h) does. On failure TG_EIO, or TG_EFORMAT for names that are not
 * UTF-8 or occur twice, with the reason in tg_last_error(). */
tg_status tg_safetensors_save(const char *path, const tg_state_dict *state);

/* Read a file; F32, F64 and I64 tensors become f32, f64 and i64, and belong to *state. TG_EIO,
 * TG_EFORMAT or TG_ENOMEM on failure; *state is then empty. */
tg_status tg_safetensors_load(const char *path, tg_state_dict *state);

#endif
