/* bfloat16: the upper half of a float32. Where the processor multiplies and adds pairs, an item is
 * that of two source channels; elsewhere it's widened. */
#ifndef FC_NARROW_BFLOAT16_H
#define FC_NARROW_BFLOAT16_H

#include "rounding.h"

#if defined(FC_BF16_PAIRS)
enum { CHANNELS_bfloat16 = 2 };

FC_INLINE fc_vector_u32 items_bfloat16(const char *from, int64_t n, int64_t next, int64_t some,
                                       uint32_t flip)
{
    const fc_vector_u32 low = wide_u16(load_u16(from, n));

    (void)flip;
    if (some < 2)
        return low;
    return low | wide_u16(load_u16(from + next, n)) << 16;
}

FC_INLINE fc_vector_u32 second_items_bfloat16(const char *from, int64_t n, int64_t next,
                                              int64_t some, uint32_t flip)
{
    const fc_vector_u32 low = load_seconds_u16(from, n) & 0xffff;

    (void)flip;
    if (some < 2)
        return low;
    return low | load_seconds_u16(from + next, n) << 16;
}

FC_INLINE uint32_t item_bfloat16(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    const uint32_t low = *(const fc_uint16 *)from;

    (void)flip;
    return some < 2 ? low : low | (uint32_t)*(const fc_uint16 *)(from + next) << 16;
}

/* The same of float32, rounded. What the instruction takes for 0, denormal numbers, products would
 * as well. */
FC_INLINE fc_vector_u32 floats_as_bfloat16(fc_vector_float32 low, fc_vector_float32 high)
{
    const __m512i in_turn = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9,
                                             24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
                                             16, 0);
    const __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);

    return (fc_vector_u32)_mm512_permutexvar_epi16(in_turn, pairs);
}

FC_INLINE fc_vector_u32 float_items_bfloat16(const char *from, int64_t n, int64_t next,
                                             int64_t some)
{
    const fc_vector_float32 none = {0};

    return floats_as_bfloat16(load_floats(from, n), some < 2 ? none : load_floats(from + next, n));
}

FC_INLINE fc_vector_u32 second_float_items_bfloat16(const char *from, int64_t n, int64_t next,
                                                    int64_t some)
{
    const fc_vector_float32 none = {0};

    return floats_as_bfloat16(load_second_floats(from, n),
                          some < 2 ? none : load_second_floats(from + next, n));
}

/* Items of n floats whose channels adjoin; what is missing is 0. */
FC_INLINE fc_vector_u32 adjoining_float_items_bfloat16(const char *from, int64_t n)
{
    const __m512 low = (__m512)load_floats(from, n);
    const __m512 high = n > NARROW_LANES
                            ? (__m512)load_floats(from + VECTOR_BYTES, n - NARROW_LANES)
                            : _mm512_setzero_ps();

    return (fc_vector_u32)_mm512_cvtne2ps_pbh(high, low);
}

FC_INLINE fc_vector_float32 add_products_bfloat16(fc_vector_float32 sums, fc_vector_float32 source,
                                                  fc_vector_float32 weight)
{
    return (fc_vector_float32)_mm512_dpbf16_ps((__m512)sums, (__m512bh)source, (__m512bh)weight);
}
#else
enum { CHANNELS_bfloat16 = 1 };

FC_INLINE fc_vector_u32 items_bfloat16(const char *from, int64_t n, int64_t next, int64_t some,
                                       uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return (fc_vector_u32)widened_bfloat16(load_u16(from, n));
}

FC_INLINE fc_vector_u32 second_items_bfloat16(const char *from, int64_t n, int64_t next,
                                              int64_t some, uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return load_seconds_u16(from, n) << 16;
}

FC_INLINE uint32_t item_bfloat16(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return (uint32_t)*(const fc_uint16 *)from << 16;
}

/* The same of float32, rounded. */
FC_INLINE fc_vector_u32 float_items_bfloat16(const char *from, int64_t n, int64_t next,
                                             int64_t some)
{
    (void)next, (void)some;
    return (fc_vector_u32)rounded_to(FC_TO_BFLOAT16, load_floats(from, n));
}

FC_INLINE fc_vector_u32 second_float_items_bfloat16(const char *from, int64_t n, int64_t next,
                                                    int64_t some)
{
    (void)next, (void)some;
    return (fc_vector_u32)rounded_to(FC_TO_BFLOAT16, load_second_floats(from, n));
}

FC_INLINE fc_vector_u32 floats_as_bfloat16(fc_vector_float32 low, fc_vector_float32 high)
{
    (void)high;
    return (fc_vector_u32)rounded_to(FC_TO_BFLOAT16, low);
}

FC_INLINE fc_vector_u32 adjoining_float_items_bfloat16(const char *from, int64_t n)
{
    return float_items_bfloat16(from, n, 0, 1);
}

FC_INLINE fc_vector_float32 add_products_bfloat16(fc_vector_float32 sums, fc_vector_float32 source,
                                                  fc_vector_float32 weight)
{
    return sums + source * weight;
}
#endif

/* Sums of products alone, which are never denormal where pairs are multiplied. */
FC_INLINE fc_vector_u16 rounded_products_bfloat16(fc_vector_float32 v)
{
#if defined(FC_BF16_PAIRS)
    return (fc_vector_u16)_mm512_cvtneps_pbh((__m512)v);
#else
    return rounded_sums_bfloat16(v);
#endif
}

FC_INLINE float bias_bfloat16(const char *from)
{
    const uint32_t bits = (uint32_t)*(const fc_uint16 *)from << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

FC_INLINE fc_vector_u32 as_weight_bfloat16(fc_vector_u32 items, int64_t some)
{
    (void)some;
    return items;
}

FC_INLINE uint32_t ones_bfloat16(void)
{
    return 0; /* no sums of weights are asked for */
}

/* Items whose channels adjoin; of single channels, never asked for. */
FC_INLINE fc_vector_u32 adjoining_items_bfloat16(const char *from, uint32_t flip)
{
    (void)flip;
    return *(const fc_vector_u32 *)from;
}

#endif
