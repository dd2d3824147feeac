/* The first few items of 16 or 8 bits of a vector, or of two, from memory and to it. */
#ifndef FC_NARROW_FEW_H
#define FC_NARROW_FEW_H

#include "narrow_formats.h"

#if !defined(__AVX512BW__)
/* Fewer bytes than `size`, which the compiler knows, in one or two moves that may overlap. */
FC_INLINE void copy_few(char *to, const char *from, int64_t bytes, const int64_t size)
{
    if (size > 16 && bytes >= 16) {
        memcpy(to, from, 16);
        memcpy(to + bytes - 16, from + bytes - 16, 16);
    } else if (size > 8 && bytes >= 8) {
        memcpy(to, from, 8);
        memcpy(to + bytes - 8, from + bytes - 8, 8);
    } else if (size > 4 && bytes >= 4) {
        memcpy(to, from, 4);
        memcpy(to + bytes - 4, from + bytes - 4, 4);
    } else if (bytes >= 2) {
        memcpy(to, from, 2);
        memcpy(to + bytes - 2, from + bytes - 2, 2);
    } else if (bytes == 1)
        *to = *from;
}
#endif

FC_INLINE fc_vector_u16 load_few_u16(const char *from, int64_t n)
{
#if defined(__AVX512BW__)
    return load_some_u16(from, n);
#else
    fc_vector_u16 v = {0};
    if (n == NARROW_LANES)
        return *(const fc_vector_u16 *)from;
    copy_few((char *)&v, from, 2 * n, sizeof v);
    return v;
#endif
}

FC_INLINE void store_few_u16(char *to, fc_vector_u16 v, int64_t n)
{
#if defined(__AVX512BW__)
    store_some_u16(to, v, n);
#else
    copy_few(to, (const char *)&v, 2 * n, sizeof v);
#endif
}

/* The first n items of two vectors. */
FC_INLINE fc_vector_u32 load_few_pairs(const char *from, int64_t n)
{
#if defined(__AVX512BW__)
    return (fc_vector_u32)_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), from);
#else
    fc_vector_u32 v = {0};
    copy_few((char *)&v, from, 2 * n, sizeof v);
    return v;
#endif
}

FC_INLINE void store_few_pairs(char *to, fc_vector_u32 v, int64_t n)
{
#if defined(__AVX512BW__)
    _mm512_mask_storeu_epi16(to, (__mmask32)((1ull << n) - 1), (__m512i)v);
#else
    if (n == 2 * NARROW_LANES)
        *(fc_vector_u32 *)to = v;
    else
        copy_few(to, (const char *)&v, 2 * n, sizeof v);
#endif
}

/* The other lanes are a given byte. */
FC_INLINE fc_vector_u8 load_few_u8(const char *from, int64_t n, int other)
{
#if defined(__AVX512BW__)
    const __m128i rest = _mm_set1_epi8((char)other);
    return (fc_vector_u8)_mm_mask_loadu_epi8(rest, (__mmask16)((1u << n) - 1), from);
#else
    fc_vector_u8 v = {0};
    v += (uint8_t)other;
    copy_few((char *)&v, from, n, sizeof v);
    return v;
#endif
}

FC_INLINE void store_few_u8(char *to, fc_vector_u8 v, int64_t n)
{
#if defined(__AVX512BW__)
    store_some_u8(to, v, n);
#else
    copy_few(to, (const char *)&v, n, sizeof v);
#endif
}

#endif
