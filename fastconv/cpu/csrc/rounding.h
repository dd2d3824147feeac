/* float32 to the nearest number that a format of fewer bits has, ties to even, still as float32. */
#ifndef FC_ROUNDING_H
#define FC_ROUNDING_H

#include "narrow_formats.h"

FC_INLINE fc_vector_float32 load_floats(const char *from, int64_t n)
{
    return n >= NARROW_LANES ? *(const fc_vector_float32 *)from : load_some_float32(from, n);
}

#if defined(__AVX512F__)
/* Out of memory, for want of registers: depthwise convolution's blocks take nearly all of them. */
#define FC_WITH_CONSTANT(instruction, to, from, constant)                                          \
    __asm__(instruction " %2%{1to16%}, %1, %0" : "+v"(to) : "v"(from), "m"(constant))
static const uint32_t nan_from_nan = 0x33; /* for the classes of quiet and signalling ones */
static const uint32_t bits_kept[2] = {UINT32_MAX << 13, UINT32_MAX << 16};
#endif

/* Without the last `bits` bits of fractions; NaN become quiet ones. */
FC_INLINE fc_vector_float32 without_bits(const int bits, fc_vector_float32 v)
{
#if defined(__AVX512F__)
    const __m512i given = (__m512i)v;
    const __mmask16 odd = _mm512_test_epi32_mask(given, _mm512_set1_epi32(1 << bits));
    const __m512i half = _mm512_add_epi32(given, _mm512_set1_epi32((1 << (bits - 1)) - 1));
    __m512i up = _mm512_mask_add_epi32(half, odd, half, _mm512_set1_epi32(1));

    FC_WITH_CONSTANT("vpandd", up, up, bits_kept[bits == 16]);
    FC_WITH_CONSTANT("vfixupimmps $0,", up, given, nan_from_nan);
    return (fc_vector_float32)up;
#else
    const fc_vector_u32 given = (fc_vector_u32)v;
    const fc_vector_u32 up = (given + ((1u << (bits - 1)) - 1) + (given >> bits & 1))
                             & (UINT32_MAX << bits);

    return (fc_vector_float32)(up | ((fc_vector_u32)(v != v) & 0x7fc00000));
#endif
}

FC_INLINE fc_vector_float32 rounded_to(const int rounding, fc_vector_float32 v)
{
    switch (rounding) {
    case FC_TO_TF32:
        return without_bits(13, v);
    case FC_TO_BFLOAT16:
        return without_bits(16, v);
    case FC_TO_FLOAT16:
        return AS_FLOAT16(v);
    default:
        return v;
    }
}

/* `call` with a rounding that the compiler knows. */
#define FC_EACH_ROUNDING(rounding, call)                                                           \
    switch (rounding) {                                                                            \
    case FC_TO_TF32:                                                                               \
        call(FC_TO_TF32);                                                                          \
        break;                                                                                     \
    case FC_TO_BFLOAT16:                                                                           \
        call(FC_TO_BFLOAT16);                                                                      \
        break;                                                                                     \
    case FC_TO_FLOAT16:                                                                            \
        call(FC_TO_FLOAT16);                                                                       \
        break;                                                                                     \
    default:                                                                                       \
        call(FC_UNROUNDED);                                                                        \
    }

#endif
