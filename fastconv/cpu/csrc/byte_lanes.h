/* Vectors of bytes, signed or not: as wide as the level's, and narrower ones for what is left of a
 * line. FC_TEMPLATE of each_bytes.h is included once per width: FC_B(name) names an instance, whose
 * FC_BYTES bytes are the first of a vector of at least 16. */
#ifndef FC_BYTE_LANES_H
#define FC_BYTE_LANES_H

#include "common.h"
#include "lanes.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef uint8_t fc_bytes_16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t fc_bytes_32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint8_t fc_bytes_64 __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint8_t fc_bytes __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef uint64_t fc_half_of_4, fc_half_of_8, fc_half_of_16;
typedef fc_bytes_16 fc_half_of_32;
typedef fc_bytes_32 fc_half_of_64;
typedef uint16_t fc_byte_pairs_16 __attribute__((vector_size(16)));
typedef uint16_t fc_byte_pairs_32 __attribute__((vector_size(32)));
typedef uint16_t fc_byte_pairs_64 __attribute__((vector_size(64)));

enum { BYTE_SIGN = 0x80 };

/* The least one. */
FC_INLINE int lowest_byte(const int is_signed)
{
    return is_signed ? BYTE_SIGN : 0;
}

FC_INLINE fc_bytes_16 larger_of_16(const int is_signed, fc_bytes_16 a, fc_bytes_16 b)
{
#if defined(__aarch64__)
    return is_signed ? (fc_bytes_16)vmaxq_s8((int8x16_t)a, (int8x16_t)b)
                     : (fc_bytes_16)vmaxq_u8((uint8x16_t)a, (uint8x16_t)b);
#elif defined(__SSE4_1__)
    return is_signed ? (fc_bytes_16)_mm_max_epi8((__m128i)a, (__m128i)b)
                     : (fc_bytes_16)_mm_max_epu8((__m128i)a, (__m128i)b);
#else
    for (int i = 0; i < 16; i++)
        a[i] = (is_signed ? (int8_t)a[i] > (int8_t)b[i] : a[i] > b[i]) ? a[i] : b[i];
    return a;
#endif
}

/* The even bytes of a vector. */
FC_INLINE uint64_t evens_of_16(fc_bytes_16 v)
{
    uint64_t evens;
#if defined(__aarch64__)
    const uint8x8_t low = vmovn_u16((uint16x8_t)v);
    memcpy(&evens, &low, sizeof evens);
#elif defined(__x86_64__)
    const __m128i low = _mm_and_si128((__m128i)v, _mm_set1_epi16(0xff));
    evens = (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(low, low));
#else
    for (int i = 0; i < 8; i++)
        memcpy((char *)&evens + i, (const char *)&v + 2 * i, 1);
#endif
    return evens;
}

#if defined(__AVX2__)
FC_INLINE fc_bytes_32 larger_of_32(const int is_signed, fc_bytes_32 a, fc_bytes_32 b)
{
    return is_signed ? (fc_bytes_32)_mm256_max_epi8((__m256i)a, (__m256i)b)
                     : (fc_bytes_32)_mm256_max_epu8((__m256i)a, (__m256i)b);
}

FC_INLINE fc_bytes_16 evens_of_32(fc_bytes_32 v)
{
    const __m256i low = _mm256_and_si256((__m256i)v, _mm256_set1_epi16(0xff));
    return (fc_bytes_16)_mm_packus_epi16(_mm256_castsi256_si128(low),
                                         _mm256_extracti128_si256(low, 1));
}
#endif
#if defined(__AVX512BW__)
FC_INLINE fc_bytes_64 larger_of_64(const int is_signed, fc_bytes_64 a, fc_bytes_64 b)
{
    return is_signed ? (fc_bytes_64)_mm512_max_epi8((__m512i)a, (__m512i)b)
                     : (fc_bytes_64)_mm512_max_epu8((__m512i)a, (__m512i)b);
}

FC_INLINE fc_bytes_32 evens_of_64(fc_bytes_64 v)
{
    return (fc_bytes_32)_mm512_cvtepi16_epi8((__m512i)v);
}
#endif

#if defined(__AVX512BW__)
#define FC_OF_WIDTH(name) name##_of_64
#elif defined(__AVX2__)
#define FC_OF_WIDTH(name) name##_of_32
#else
#define FC_OF_WIDTH(name) name##_of_16
#endif

FC_INLINE fc_bytes larger_bytes(const int is_signed, fc_bytes a, fc_bytes b)
{
    return FC_OF_WIDTH(larger)(is_signed, a, b);
}

FC_INLINE fc_bytes all_bytes(int item)
{
    fc_bytes v = {0};
    return v + (uint8_t)item;
}

/* The first n of a vector's bytes, or all. */
FC_INLINE void store_bytes(char *to, fc_bytes v, int64_t n)
{
    if (n >= VECTOR_BYTES) {
        *(fc_bytes *)to = v;
        return;
    }
#if defined(__AVX512BW__)
    _mm512_mask_storeu_epi8(to, (__mmask64)((1ull << n) - 1), (__m512i)v);
#else
    const char *const from = (const char *)&v;
    if (n >= 8)
        copy_some(to, from, n);
    else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i];
#endif
}

#endif
