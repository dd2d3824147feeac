/* float16 and bfloat16 to float32 and back, rounded to nearest, ties to even. Denormals are kept,
 * whatever the instruction set. */
#ifndef FC_NARROW_FORMATS_H
#define FC_NARROW_FORMATS_H

#include "narrow_lanes.h"

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

/* With this, dropping the last `bits` bits of float32 is rounding, ties to even. */
FC_INLINE fc_vector_u32 raised(const int bits, fc_vector_u32 v)
{
#if defined(__AVX512F__)
    const __mmask16 odd = _mm512_test_epi32_mask((__m512i)v, _mm512_set1_epi32(1 << bits));
    const __m512i half = _mm512_add_epi32((__m512i)v, _mm512_set1_epi32((1 << (bits - 1)) - 1));

    return (fc_vector_u32)_mm512_mask_add_epi32(half, odd, half, _mm512_set1_epi32(1));
#else
    return v + ((1u << (bits - 1)) - 1) + (v >> bits & 1);
#endif
}

FC_INLINE fc_vector_float32 widened_bfloat16(fc_vector_u16 v)
{
    return (fc_vector_float32)(wide_u16(v) << 16);
}

FC_INLINE fc_vector_u16 rounded_bfloat16(fc_vector_float32 v)
{
    const fc_vector_u32 bits = (fc_vector_u32)v, up = raised(16, bits);
#if defined(__AVX512F__)
    const __mmask16 nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);

    return high_u16((fc_vector_u32)_mm512_mask_or_epi32((__m512i)up, nan, (__m512i)bits,
                                                        _mm512_set1_epi32(0x400000)));
#else
    return high_u16(chosen((fc_vector_i32)(v != v), bits | 0x400000, up));
#endif
}

/* Sums of widened numbers. A NaN among them is one of those, or the processor's own: its lower half
 * is 0, and rounding leaves it alone. */
FC_INLINE fc_vector_u16 rounded_sums_bfloat16(fc_vector_float32 v)
{
    return high_u16(raised(16, (fc_vector_u32)v));
}

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
#if defined(__x86_64__)
    const fc_vector_u32 bits = (fc_vector_u32)_mm_cvtepi16_epi32(_mm_loadl_epi64((void *)&v)) << 13;
#else
    const fc_vector_u32 bits = (fc_vector_u32)((fc_vector_i32)(wide_u16(v) << 16) >> 3);
#endif
    const fc_vector_u32 value = (fc_vector_u32)((fc_vector_float32)(bits & 0x8fffe000) * 0x1p112f);
    const fc_vector_u32 special = (fc_vector_u32)((bits & 0x0f800000) == 0x0f800000);

    return (fc_vector_float32)(value | (special & 0x7f800000));
}

/* A magnitude's exponent, but not below float16's least, and one beyond its largest at most, which
 * NaN gets as well. */
FC_INLINE fc_vector_u32 float16_exponent(fc_vector_float32 size)
{
    const fc_vector_float32 none = {0};
#if defined(__x86_64__)
    const __m128 most = _mm_min_ps((__m128)size, (__m128)(65536.0f + none));
    const fc_vector_u32 held = (fc_vector_u32)_mm_max_ps(most, (__m128)(0x1p-14f + none));
#else
    const fc_vector_u32 most = chosen((fc_vector_i32)(size < 65536.0f), (fc_vector_u32)size,
                                      (fc_vector_u32)(65536.0f + none));
    const fc_vector_u32 held = chosen((fc_vector_i32)((fc_vector_float32)most > 0x1p-14f), most,
                                      (fc_vector_u32)(0x1p-14f + none));
#endif
    return held & 0x7f800000;
}

/* What is added to a magnitude so that the sum has no more bits than float16 leaves it: three
 * halves of its power of two, times 2^13. */
enum { FLOAT16_STEP = 13 << 23 | 1 << 22 };

FC_INLINE fc_vector_u16 rounded_float16(fc_vector_float32 v)
{
    const fc_vector_u32 none = {0}, size = (fc_vector_u32)v & 0x7fffffff;
    const fc_vector_u32 exponent = float16_exponent((fc_vector_float32)size);
    const fc_vector_u32 step = exponent + FLOAT16_STEP;
    const fc_vector_u32 sum = (fc_vector_u32)((fc_vector_float32)size + (fc_vector_float32)step);
    const fc_vector_u32 half = sum - step + ((exponent - (113 << 23)) >> 13);
    const fc_vector_u32 nan = (fc_vector_u32)(v != v) & (0x200 + none);
#if defined(__x86_64__)
    const fc_vector_u32 held = (fc_vector_u32)_mm_min_epi32((__m128i)half,
                                                            _mm_set1_epi32(0x7c00));
#else
    const fc_vector_u32 held = chosen((fc_vector_i32)half < 0x7c00, half, none + 0x7c00);
#endif
    return low_u16(held | nan | ((fc_vector_u32)v >> 16 & 0x8000));
}

/* The same as float32. Beyond float16's largest, products overflow. */
FC_INLINE fc_vector_float32 as_float16(fc_vector_float32 v)
{
    const fc_vector_u32 size = (fc_vector_u32)v & 0x7fffffff;
    const fc_vector_u32 exponent = float16_exponent((fc_vector_float32)size);
    const fc_vector_float32 step = (fc_vector_float32)(exponent + FLOAT16_STEP);
    const fc_vector_float32 rounded = ((fc_vector_float32)size + step) - step;
    const fc_vector_u32 held = (fc_vector_u32)(rounded * 0x1p112f * 0x1p-112f);

    return (fc_vector_float32)(held | ((fc_vector_u32)v & 0x80000000));
}
#define AS_FLOAT16(v) as_float16(v)
#endif

#ifndef AS_FLOAT16
#define AS_FLOAT16(v) widened_float16(rounded_float16(v))
#endif

#ifndef NOTES_OVERFLOW
#define NOTES_OVERFLOW 1 /* an instruction rounds */
#endif

FC_INLINE fc_vector_u16 rounded_sums_float16(fc_vector_float32 v)
{
    return rounded_float16(v);
}

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
