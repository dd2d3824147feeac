/* Vectors of few bits: loads and stores of part of one, and float16 and bfloat16 to float32 and
 * back, rounded to nearest, ties to even. Denormals are kept, whatever the instruction set. */
#ifndef FC_NARROW_FORMATS_H
#define FC_NARROW_FORMATS_H

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
FC_INLINE fc_vector_u16 load_some_u16(const char *from, int64_t n)
{
    fc_vector_u16 v = {0};
    for (int64_t i = 0; i < n; i++)
        v[i] = ((const fc_uint16 *)from)[i];
    return v;
}

FC_INLINE void store_some_u16(char *to, fc_vector_u16 v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ((fc_uint16 *)to)[i] = v[i];
}

FC_INLINE fc_vector_u8 load_some_u8(const char *from, int64_t n)
{
    fc_vector_u8 v = {0};
    for (int64_t i = 0; i < n; i++)
        v[i] = ((const fc_uint8 *)from)[i];
    return v;
}

FC_INLINE void store_some_u8(char *to, fc_vector_u8 v, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ((fc_uint8 *)to)[i] = v[i];
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

FC_INLINE fc_vector_u8 low_u8(fc_vector_u32 v)
{
    return __builtin_convertvector(v, fc_vector_u8);
}
#endif

/* a where the mask is set, else b. */
FC_INLINE fc_vector_u32 chosen(fc_vector_i32 mask, fc_vector_u32 a, fc_vector_u32 b)
{
    return ((fc_vector_u32)mask & a) | (~(fc_vector_u32)mask & b);
}

/* NaN passes through, and so does a zero's sign: it's the second operand that decides. */
FC_INLINE fc_vector_float32 bounded(fc_vector_float32 v, fc_vector_float32 low,
                                    fc_vector_float32 high)
{
#if defined(__AVX512F__)
    return (fc_vector_float32)_mm512_min_ps((__m512)high, _mm512_max_ps((__m512)low, (__m512)v));
#elif defined(__AVX__)
    return (fc_vector_float32)_mm256_min_ps((__m256)high, _mm256_max_ps((__m256)low, (__m256)v));
#elif defined(__x86_64__)
    return (fc_vector_float32)_mm_min_ps((__m128)high, _mm_max_ps((__m128)low, (__m128)v));
#else
    const fc_vector_u32 above = chosen((fc_vector_i32)(v < low), (fc_vector_u32)low,
                                       (fc_vector_u32)v);
    return (fc_vector_float32)chosen((fc_vector_i32)((fc_vector_float32)above > high),
                                     (fc_vector_u32)high, above);
#endif
}

FC_INLINE fc_vector_float32 widened_bfloat16(fc_vector_u16 v)
{
    return (fc_vector_float32)(wide_u16(v) << 16);
}

#if defined(__AVX512F__)
FC_INLINE fc_vector_u16 rounded_bfloat16(fc_vector_float32 v)
{
    const __m512i bits = (__m512i)v, odd = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
    const __mmask16 nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
    const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), odd);
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, half), even);

    up = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
    return (fc_vector_u16)_mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16));
}
#else
FC_INLINE fc_vector_u16 rounded_bfloat16(fc_vector_float32 v)
{
    const fc_vector_u32 bits = (fc_vector_u32)v;
    const fc_vector_u32 up = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const fc_vector_u32 nan = bits >> 16 | 0x40;

    return low_u16(chosen((fc_vector_i32)(v != v), nan, up));
}
#endif

#if defined(__AVX512F__)
FC_INLINE fc_vector_float32 widened_float16(fc_vector_u16 v)
{
    return (fc_vector_float32)_mm512_cvtph_ps((__m256i)v);
}

FC_INLINE fc_vector_u16 rounded_float16(fc_vector_float32 v)
{
    return (fc_vector_u16)_mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(__F16C__)
FC_INLINE fc_vector_float32 widened_float16(fc_vector_u16 v)
{
    return (fc_vector_float32)_mm256_cvtph_ps((__m128i)v);
}

FC_INLINE fc_vector_u16 rounded_float16(fc_vector_float32 v)
{
    return (fc_vector_u16)_mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT);
}
#elif defined(__aarch64__)
FC_INLINE fc_vector_float32 widened_float16(fc_vector_u16 v)
{
    return (fc_vector_float32)vcvt_f32_f16((float16x4_t)v);
}

FC_INLINE fc_vector_u16 rounded_float16(fc_vector_float32 v)
{
    return (fc_vector_u16)vcvt_f16_f32((float32x4_t)v);
}
#else
#define NOTES_OVERFLOW 0
/* Exponents differ by 112: a product moves them, which serves denormals as well. */
FC_INLINE fc_vector_float32 widened_float16(fc_vector_u16 v)
{
    const fc_vector_u32 bits = wide_u16(v), ones = {0};
    const fc_vector_float32 size = (fc_vector_float32)((bits & 0x7fff) << 13) * 0x1p112f;
    const fc_vector_u32 special = (fc_vector_u32)(size >= 65536.0f) & (0x7f800000 + ones);

    return (fc_vector_float32)((fc_vector_u32)size | special | (bits & 0x8000) << 16);
}

/* Denormals are rounded by an addition that leaves no more bits than they have. */
FC_INLINE fc_vector_u16 rounded_float16(fc_vector_float32 v)
{
    const fc_vector_u32 bits = (fc_vector_u32)v, size = bits & 0x7fffffff;
    const fc_vector_u32 normal = (size + 0xc8000fff + (size >> 13 & 1)) >> 13;
    const fc_vector_u32 small = (fc_vector_u32)((fc_vector_float32)size + 0.5f) - 0x3f000000;
    const fc_vector_u32 zero = {0};
    fc_vector_u32 half = chosen((fc_vector_i32)size < 0x38800000, small, normal);

    half = chosen((fc_vector_i32)size >= 0x477ff000, zero + 0x7c00, half);
    half = chosen((fc_vector_i32)size > 0x7f800000, zero + 0x7e00, half);
    return low_u16(half | (bits >> 16 & 0x8000));
}
#endif

#ifndef NOTES_OVERFLOW
#define NOTES_OVERFLOW 1 /* an instruction rounds */
#endif

/* Of either type: FC_NARROW_float16 or FC_NARROW_bfloat16. */
FC_INLINE fc_vector_float32 widened_half(int dtype, fc_vector_u16 v)
{
    if (dtype == FC_NARROW_float16)
        return widened_float16(v);
    return widened_bfloat16(v);
}

FC_INLINE fc_vector_u16 rounded_half(int dtype, fc_vector_float32 v)
{
    if (dtype == FC_NARROW_float16)
        return rounded_float16(v);
    return rounded_bfloat16(v);
}

/* The first n lanes, and zeros: what lies beyond may be anything, and would note an overflow. */
FC_INLINE fc_vector_float32 first_lanes(fc_vector_float32 v, int64_t n)
{
#if defined(__AVX512F__)
    return (fc_vector_float32)_mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), (__m512)v);
#else
    for (int64_t i = n; i < NARROW_LANES; i++)
        v[i] = 0;
    return v;
#endif
}

FC_INLINE void store_some_halves(int dtype, char *to, fc_vector_float32 v, int64_t n)
{
    store_some_u16(to, rounded_half(dtype, first_lanes(v, n)), n);
}

/* Items of an array that has either type, or FC_WIDE: float32. */
enum { FC_WIDE = -1 };

FC_INLINE int64_t format_size(const int format)
{
    return format == FC_WIDE ? 4 : 2;
}

/* The first of each pair. */
FC_INLINE fc_vector_float32 widened_firsts(int dtype, fc_vector_u32 pairs)
{
    if (dtype == FC_NARROW_float16)
        return widened_float16(low_u16(pairs));
    return (fc_vector_float32)(pairs << 16);
}

/* n items side by side; what fills the last vector is written as well. */
FC_INLINE void widen_items(int dtype, const char *from, int64_t n, float *to)
{
    for (int64_t j = 0; j < n; j += NARROW_LANES)
        *(fc_vector_float32 *)(to + j) =
            widened_half(dtype, load_u16(from + 2 * j, n - j));
}

FC_INLINE float widen_item(int dtype, const char *from)
{
    const fc_vector_u16 v = {*(const fc_uint16 *)from};
    return widened_half(dtype, v)[0];
}

FC_INLINE float load_item(const int format, const char *from)
{
    return format == FC_WIDE ? *(const fc_float32 *)from : widen_item(format, from);
}

FC_INLINE void round_items(int dtype, const float *from, int64_t n, char *to)
{
    int64_t j = 0;

    for (; j + NARROW_LANES <= n; j += NARROW_LANES)
        *(fc_vector_u16 *)(to + 2 * j) =
            rounded_half(dtype, *(const fc_vector_float32 *)(from + j));
    if (j < n)
        store_some_u16(to + 2 * j, rounded_half(dtype, load_some_float32(from + j, n - j)),
                       n - j);
}

#endif
