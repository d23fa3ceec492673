/* Plain C for any machine: 16-byte vectors, which the compiler takes apart where there are none. */
#define SET portable
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define NARROW_ROWS 6
#include "tensor/kernels/set.inc"
