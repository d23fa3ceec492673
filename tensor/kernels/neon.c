/* AArch64: 32 registers of 16 bytes hold 8 x 2 sums and more. */
#include "tensor/kernels/kernels.h"

#ifdef __ARM_NEON
#define SET neon
#define VECTOR_BYTES 16
#define TILE_ROWS 8
#define NARROW_ROWS 8
#include "tensor/kernels/set.inc"
#endif
