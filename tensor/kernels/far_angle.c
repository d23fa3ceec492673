/* Sine and cosine of large numbers (Payne and Hanek, 1983), the same for all sets. */
#include <string.h>

#include "tensor/kernels/kernels.h"

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

/* The digits of 2 / pi, after a word of zeros. */
static const uint64_t two_over_pi[] = {
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
    0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB};

/* fraction / 2^127 times pi/2, in two parts. The fraction becomes a + b, and the products of the
 * halves of a and of pi/2 are exact. */
static void to_angle(signed_wide fraction, double *high, double *excess)
{
    const uint64_t mask = (UINT64_C(1) << 42) - 1;
    const double top = (double)(int64_t)(fraction >> 84) * 0x1p84;
    const double middle = (double)(int64_t)((uint64_t)(fraction >> 42) & mask) * 0x1p42;
    const double bottom = (double)(int64_t)((uint64_t)fraction & mask);
    const double a = top + middle, b = (middle - (a - top)) + bottom;
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    bits &= UINT64_C(0xFFFFFFFFF8000000);
    double a_high;
    memcpy(&a_high, &bits, sizeof a_high);
    const double c = 0x1.921fb54442d18p+0, c_high = 0x1.921fb5p+0, c_low = 0x1.110b46p-26;
    const double first = a_high * c_high, a_low = a - a_high;
    const double least = a_low * c_low + (a * 0x1.1a62633145c07p-54 + b * c);
    const double rest = a_high * c_low + a_low * c_high + least;
    const double sum = first + rest;
    *high = 0x1p-127 * sum;
    *excess = 0x1p-127 * ((sum - first) - rest);
}

/* |x| is m 2^e, m of 53 digits. Digits of 2 / pi that make multiples of 4 with 2^e do not count; of
 * the next 192, 128 remain in the product that are exact to 2^-10 of the last. */
uint64_t tg_far_angle(double x, double *high, double *excess)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    const int e = (int)(bits >> 52 & 0x7FF) - 1075, skipped = 64 + e - 2, shift = skipped % 64;
    uint64_t digits[3];
    for (int i = 0; i < 3; i++) {
        const uint64_t *const word = two_over_pi + skipped / 64 + i;
        digits[i] = word[0] << shift | word[1] >> 1 >> (63 - shift);
    }
    const wide product = ((wide)(m * digits[0]) << 64) + (wide)m * digits[1] +
                         (uint64_t)((wide)m * digits[2] >> 64);
    const uint64_t quarter = (uint64_t)(product >> 126) + (uint64_t)(product >> 125 & 1);
    to_angle((signed_wide)(product << 2) >> 1, high, excess); /* from -1/2 to 1/2, times 2^127 */
    if (x > 0)
        return quarter;
    *high = -*high;
    *excess = -*excess;
    return -quarter;
}
