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

#if defined(__AVX512BW__)
FC_INLINE fc_vector_u16 load_some_u16(const char *from, int64_t n)
{
    return (fc_vector_u16)_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), from);
}

FC_INLINE void store_some_u16(char *to, fc_vector_u16 v, int64_t n)
{
    _mm256_mask_storeu_epi16(to, (__mmask16)((1u << n) - 1), (__m256i)v);
}

FC_INLINE fc_vector_u8 load_some_u8(const char *from, int64_t n)
{
    return (fc_vector_u8)_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), from);
}

FC_INLINE void store_some_u8(char *to, fc_vector_u8 v, int64_t n)
{
    _mm_mask_storeu_epi8(to, (__mmask16)((1u << n) - 1), (__m128i)v);
}
#else
/* In registers: what is put together in memory can't be loaded until it has got there. Fewer than 8
 * bytes, in two loads that may overlap. */
FC_INLINE uint64_t few_bytes(const char *from, int64_t bytes)
{
    uint32_t first = 0, last = 0;
    uint16_t two = 0, next = 0;

    if (bytes >= 4) {
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + bytes - 4, sizeof last);
        return first | (uint64_t)last >> 8 * (8 - bytes) << 32;
    }
    if (bytes >= 2) {
        memcpy(&two, from, sizeof two);
        memcpy(&next, from + bytes - 2, sizeof next);
        return two | (uint64_t)next >> 8 * (4 - bytes) << 16;
    }
    return bytes == 1 ? *(const fc_uint8 *)from : 0;
}

FC_INLINE void store_few_bytes(char *to, uint64_t left, int64_t bytes)
{
    if (bytes & 4) {
        memcpy(to, &left, 4);
        left >>= 32;
        to += 4;
    }
    if (bytes & 2) {
        memcpy(to, &left, 2);
        left >>= 16;
        to += 2;
    }
    if (bytes & 1)
        *to = (char)left;
}

typedef uint64_t fc_eights __attribute__((vector_size(VECTOR_BYTES / 2)));
enum { LAST_EIGHT = VECTOR_BYTES / 16 - 1 }; /* of a vector of 16-bit items */

FC_INLINE fc_vector_u16 load_some_u16(const char *from, int64_t n)
{
    fc_eights v = {0};
    uint64_t first, last;

    if (n >= NARROW_LANES)
        return *(const fc_vector_u16 *)from;
    if (n >= 4) {
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + 2 * n - 8, sizeof last);
        v[0] = first;
        /* Twice, since n may be 4, and 64 bits are too far for one shift. */
        v[LAST_EIGHT] = last >> 8 >> 8 * (15 - 2 * n);
    } else
        v[0] = few_bytes(from, 2 * n);
    return (fc_vector_u16)v;
}

FC_INLINE void store_some_u16(char *to, fc_vector_u16 v, int64_t n)
{
    uint64_t left = ((fc_eights)v)[0];

    if (n >= NARROW_LANES) {
        *(fc_vector_u16 *)to = v;
        return;
    }
    if (n >= 4) {
        memcpy(to, &left, sizeof left);
        left = ((fc_eights)v)[LAST_EIGHT];
        to += 8;
        n -= 4;
    }
    store_few_bytes(to, left, 2 * n);
}

FC_INLINE fc_vector_u8 load_some_u8(const char *from, int64_t n)
{
    fc_vector_u8 v;

    if (n >= NARROW_LANES)
        return *(const fc_vector_u8 *)from;
    const uint64_t found = few_bytes(from, n);
    memcpy(&v, &found, sizeof v);
    return v;
}

FC_INLINE void store_some_u8(char *to, fc_vector_u8 v, int64_t n)
{
    uint64_t left = 0;

    if (n >= NARROW_LANES) {
        *(fc_vector_u8 *)to = v;
        return;
    }
    memcpy(&left, &v, sizeof v);
    store_few_bytes(to, left, n);
}
#endif

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
    const __m512i order = _mm512_set_epi16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 31, 29, 27,
                                           25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);

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

#endif
