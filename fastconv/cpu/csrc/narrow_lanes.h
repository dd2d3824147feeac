/* Vectors of 8 and 16 bits, as many items as a vector of 32 bits has: loads and stores of part of
 * one, and conversions of whole numbers. */
#ifndef FC_NARROW_LANES_H
#define FC_NARROW_LANES_H

#include "common.h"
#include "vector.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__x86_64__)
#include <immintrin.h>
#endif

enum { NARROW_LANES = VECTOR_BYTES / 4 };

typedef uint32_t fc_vector_u32 __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef int32_t fc_vector_i32 __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef uint16_t fc_vector_u16 __attribute__((vector_size(VECTOR_BYTES / 2), aligned(1),
                                              may_alias));
typedef uint8_t fc_vector_u8 __attribute__((vector_size(VECTOR_BYTES / 4), aligned(1), may_alias));

static inline fc_vector_float32 spread(float item)
{
#if defined(__AVX512F__)
    return (fc_vector_float32)_mm512_set1_ps(item);
#elif defined(__AVX__)
    return (fc_vector_float32)_mm256_set1_ps(item);
#else
    return (fc_vector_float32){item, item, item, item};
#endif
}

#include "narrow_some.h"

/* Every second one of 2 n - 1 items, whose neighbours may come with them. With masks that is all
 * that is read; without, n must be a vector's lanes, and the odd item after the last one exist. */
#if defined(__AVX512BW__)
enum { MASKED_SECONDS = 1 };

FC_INLINE fc_vector_u32 load_seconds_u16(const char *from, int64_t n)
{
    return (fc_vector_u32)_mm512_maskz_loadu_epi16((__mmask32)((1ull << (2 * n - 1)) - 1), from);
}

FC_INLINE fc_vector_u16 load_seconds_u8(const char *from, int64_t n)
{
    return (fc_vector_u16)_mm256_maskz_loadu_epi8((__mmask32)((1ull << (2 * n - 1)) - 1), from);
}
#else
enum { MASKED_SECONDS = 0 };

FC_INLINE fc_vector_u32 load_seconds_u16(const char *from, int64_t n)
{
    (void)n;
    return *(const fc_vector_u32 *)from;
}

FC_INLINE fc_vector_u16 load_seconds_u8(const char *from, int64_t n)
{
    (void)n;
    return *(const fc_vector_u16 *)from;
}
#endif

FC_INLINE fc_vector_u16 load_u16(const char *from, int64_t n)
{
    return n >= NARROW_LANES ? *(const fc_vector_u16 *)from : load_some_u16(from, n);
}

FC_INLINE fc_vector_u8 load_u8(const char *from, int64_t n)
{
    return n >= NARROW_LANES ? *(const fc_vector_u8 *)from : load_some_u8(from, n);
}

/* gcc 12 converts such vectors by __builtin_convertvector item by item. */
#if defined(__AVX512F__)
FC_INLINE fc_vector_u32 wide_u16(fc_vector_u16 v)
{
    return (fc_vector_u32)_mm512_cvtepu16_epi32((__m256i)v);
}

FC_INLINE fc_vector_u32 wide_u8(fc_vector_u8 v)
{
    return (fc_vector_u32)_mm512_cvtepu8_epi32((__m128i)v);
}

FC_INLINE fc_vector_u16 low_u16(fc_vector_u32 v)
{
    return (fc_vector_u16)_mm512_cvtepi32_epi16((__m512i)v);
}

/* The upper halves of a vector's items. */
FC_INLINE fc_vector_u16 high_u16(fc_vector_u32 v)
{
    const __m512i order = _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 31, 29,
                                           27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);

    return (fc_vector_u16)_mm512_castsi512_si256(_mm512_permutexvar_epi16(order, (__m512i)v));
}

FC_INLINE fc_vector_u8 low_u8(fc_vector_u32 v)
{
    return (fc_vector_u8)_mm512_cvtepi32_epi8((__m512i)v);
}
#elif defined(__AVX2__)
FC_INLINE fc_vector_u32 wide_u16(fc_vector_u16 v)
{
    return (fc_vector_u32)_mm256_cvtepu16_epi32((__m128i)v);
}

FC_INLINE fc_vector_u32 wide_u8(fc_vector_u8 v)
{
    return (fc_vector_u32)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)&v));
}

FC_INLINE fc_vector_u16 low_u16(fc_vector_u32 v)
{
    const __m256i low = (__m256i)(v & 0xffff), pairs = _mm256_packus_epi32(low, low);
    return (fc_vector_u16)_mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 0x08));
}

FC_INLINE fc_vector_u16 high_u16(fc_vector_u32 v)
{
    const __m128i order = _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15);
    const __m256i halves = _mm256_shuffle_epi8((__m256i)v, _mm256_broadcastsi128_si256(order));

    return (fc_vector_u16)_mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0x08));
}

FC_INLINE fc_vector_u8 low_u8(fc_vector_u32 v)
{
    return __builtin_convertvector(v, fc_vector_u8);
}
#elif defined(__SSE4_1__)
FC_INLINE fc_vector_u32 wide_u16(fc_vector_u16 v)
{
    return (fc_vector_u32)_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)&v));
}

FC_INLINE fc_vector_u32 wide_u8(fc_vector_u8 v)
{
    int32_t four;

    memcpy(&four, &v, sizeof four);
    return (fc_vector_u32)_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
}

FC_INLINE fc_vector_u16 low_u16(fc_vector_u32 v)
{
    const __m128i low = (__m128i)(v & 0xffff);
    fc_vector_u16 four;

    _mm_storel_epi64((__m128i *)&four, _mm_packus_epi32(low, low));
    return four;
}

FC_INLINE fc_vector_u16 high_u16(fc_vector_u32 v)
{
    const __m128i order = _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15);
    fc_vector_u16 four;

    _mm_storel_epi64((__m128i *)&four, _mm_shuffle_epi8((__m128i)v, order));
    return four;
}

FC_INLINE fc_vector_u8 low_u8(fc_vector_u32 v)
{
    return __builtin_convertvector(v, fc_vector_u8);
}
#else
FC_INLINE fc_vector_u32 wide_u16(fc_vector_u16 v)
{
    return __builtin_convertvector(v, fc_vector_u32);
}

FC_INLINE fc_vector_u32 wide_u8(fc_vector_u8 v)
{
    return __builtin_convertvector(v, fc_vector_u32);
}

FC_INLINE fc_vector_u16 low_u16(fc_vector_u32 v)
{
    return __builtin_convertvector(v, fc_vector_u16);
}

FC_INLINE fc_vector_u16 high_u16(fc_vector_u32 v)
{
    return low_u16(v >> 16);
}

FC_INLINE fc_vector_u8 low_u8(fc_vector_u32 v)
{
    return __builtin_convertvector(v, fc_vector_u8);
}
#endif

/* The first n lanes, the last one first; what follows them may be any. */
FC_INLINE fc_vector_u32 turned_round(fc_vector_u32 v, int64_t n)
{
    fc_vector_u32 lane = {0};

    FC_UNROLL
    for (int i = 0; i < NARROW_LANES; i++)
        lane[i] = (uint32_t)(n - 1 - i) & (NARROW_LANES - 1);
#if defined(__clang__)
    fc_vector_u32 turned = {0};
    for (int i = 0; i < NARROW_LANES; i++)
        turned[i] = v[lane[i]];
    return turned;
#else
    return __builtin_shuffle(v, lane);
#endif
}

#endif
