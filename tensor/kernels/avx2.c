/* x86-64 with AVX2 and FMA: 16 registers hold 6 x 2 or 10 sums, two vectors of b and one of a. */
#include "tensor/kernels/kernels.h"

#ifdef __AVX2__
#define SET avx2
#define VECTOR_BYTES 32
#define TILE_ROWS 6
#define NARROW_ROWS 10
#include "tensor/kernels/set.inc"
#endif
