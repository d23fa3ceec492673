/* x86-64 with AVX-512 F, BW, DQ and VL: 32 registers hold 8 x 2 sums and more. */
#include "tensor/kernels/kernels.h"

#ifdef __AVX512F__
#define SET avx512
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define NARROW_ROWS 8
#include "tensor/kernels/set.inc"
#endif
