/* float32 to the nearest number that a format of fewer bits has, ties to even, still as float32. */
#ifndef FC_ROUNDING_H
#define FC_ROUNDING_H

#include "narrow_formats.h"

FC_INLINE fc_vector_float32 load_floats(const char *from, int64_t n)
{
    return n >= NARROW_LANES ? *(const fc_vector_float32 *)from : load_some_float32(from, n);
}

/* Every second one of 2 n - 1, as load_seconds_u16 reads 16 bits. */
FC_INLINE fc_vector_float32 load_second_floats(const char *from, int64_t n)
{
#if defined(__AVX512F__)
    const uint32_t mask = (uint32_t)((1ull << (2 * n - 1)) - 1);
    const __m512 low = _mm512_maskz_loadu_ps((__mmask16)mask, from);
    const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), from + VECTOR_BYTES);
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2,
                                          0);

    return (fc_vector_float32)_mm512_permutex2var_ps(low, even, high);
#else
    (void)n;
    return __builtin_shufflevector(*(const fc_vector_float32 *)from,
                                   *(const fc_vector_float32 *)(from + VECTOR_BYTES),
                                   FC_ALTERNATE_float32);
#endif
}

/* The last `bits` bits of fractions; all NaN become the same. */
FC_INLINE fc_vector_float32 without_bits(const int bits, fc_vector_float32 v)
{
#if defined(__AVX512F__)
    /* Masks take the place of instructions: five instead of seven. */
    const __m512i given = (__m512i)v, one = _mm512_set1_epi32(1);
    const __mmask16 odd = _mm512_test_epi32_mask(given, _mm512_set1_epi32(1 << bits));
    const __mmask16 number = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_ORD_Q);
    const __m512i half = _mm512_add_epi32(given, _mm512_set1_epi32((1 << (bits - 1)) - 1));
    const __m512i up = _mm512_mask_add_epi32(half, odd, half, one);

    return (fc_vector_float32)_mm512_mask_and_epi32(_mm512_set1_epi32(0x7fc00000), number, up,
                                                    _mm512_set1_epi32((int)(UINT32_MAX << bits)));
#else
    const fc_vector_u32 given = (fc_vector_u32)v, none = {0};
    const fc_vector_u32 up = (given + ((1u << (bits - 1)) - 1) + (given >> bits & 1))
                             & (UINT32_MAX << bits);
    return (fc_vector_float32)chosen((fc_vector_i32)(v != v), none + 0x7fc00000, up);
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
        return widened_float16(rounded_float16(v));
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
