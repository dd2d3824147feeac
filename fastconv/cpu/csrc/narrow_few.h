/* The first few items of two vectors of 16-bit items, and of one of bytes beside a given byte. */
#ifndef FC_NARROW_FEW_H
#define FC_NARROW_FEW_H

#include "narrow_formats.h"

/* The first n items of two vectors. */
FC_INLINE fc_vector_u32 load_few_pairs(const char *from, int64_t n)
{
#if defined(__AVX512BW__)
    return (fc_vector_u32)_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), from);
#else
    const int64_t second = max64(0, n - NARROW_LANES);
    const fc_vector_u16 low = load_some_u16(from, n);
    const fc_vector_u16 high = load_some_u16(from + (n - second) * 2, second);
#if defined(__AVX2__)
    return (fc_vector_u32)_mm256_set_m128i((__m128i)high, (__m128i)low);
#else
    fc_vector_u32 v;
    memcpy(&v, &low, sizeof low);
    memcpy((char *)&v + sizeof low, &high, sizeof high);
    return v;
#endif
#endif
}

FC_INLINE void store_few_pairs(char *to, fc_vector_u32 v, int64_t n)
{
#if defined(__AVX512BW__)
    _mm512_mask_storeu_epi16(to, (__mmask32)((1ull << n) - 1), (__m512i)v);
#else
    fc_vector_u16 half[2];

    memcpy(half, &v, sizeof half);
    store_some_u16(to, half[0], n);
    if (n > NARROW_LANES)
        store_some_u16(to + 2 * NARROW_LANES, half[1], n - NARROW_LANES);
#endif
}

/* The other lanes are a given byte. */
FC_INLINE fc_vector_u8 load_few_u8(const char *from, int64_t n, int other)
{
#if defined(__AVX512BW__)
    const __m128i rest = _mm_set1_epi8((char)other);
    return (fc_vector_u8)_mm_mask_loadu_epi8(rest, (__mmask16)((1u << n) - 1), from);
#else
    const fc_vector_u8 others = (fc_vector_u8){0} + (uint8_t)other;
    uint64_t found = 0;
    fc_vector_u8 v;

    if (n >= NARROW_LANES)
        return *(const fc_vector_u8 *)from;
    memcpy(&found, &others, sizeof others);
    found = found << 8 * n | few_bytes(from, n);
    memcpy(&v, &found, sizeof v);
    return v;
#endif
}

#endif
