/* Bytes: unsigned ones of the source times signed ones of the weight. Where the processor adds four
 * products, an item is that of four source channels; elsewhere two, widened to 16 bits. Either way
 * int32 sums are exact, modulo 2^32. */
#ifndef FC_NARROW_INT8_H
#define FC_NARROW_INT8_H

#include "narrow_formats.h"

typedef uint16_t fc_vector_all_u16
    __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

/* Where a channel is missing, x may hold anything: the weight is 0. */
FC_INLINE const char *channel_of(const char *from, int64_t next, int64_t i, int64_t some)
{
    return from + min64(i, some - 1) * next;
}

FC_INLINE fc_vector_u32 bytes_of(const char *from, int64_t n)
{
    return wide_u8(load_u8(from, n));
}

FC_INLINE fc_vector_u32 even_bytes_of(const char *from, int64_t n)
{
    return wide_u16(load_seconds_u8(from, n)) & 0xff;
}

#if defined(FC_INT8_QUADS)
enum { CHANNELS_int8 = 4 };

FC_INLINE fc_vector_u32 items_int8(const char *from, int64_t n, int64_t next, int64_t some,
                                   uint32_t flip)
{
    const fc_vector_u32 a = bytes_of(from, n), b = bytes_of(channel_of(from, next, 1, some), n);
    const fc_vector_u32 c = bytes_of(channel_of(from, next, 2, some), n);
    const fc_vector_u32 d = bytes_of(channel_of(from, next, 3, some), n);

    return (a | b << 8 | c << 16 | d << 24) ^ flip;
}

FC_INLINE fc_vector_u32 second_items_int8(const char *from, int64_t n, int64_t next,
                                          int64_t some, uint32_t flip)
{
    const fc_vector_u32 a = even_bytes_of(from, n);
    const fc_vector_u32 b = even_bytes_of(channel_of(from, next, 1, some), n);
    const fc_vector_u32 c = even_bytes_of(channel_of(from, next, 2, some), n);
    const fc_vector_u32 d = even_bytes_of(channel_of(from, next, 3, some), n);

    return (a | b << 8 | c << 16 | d << 24) ^ flip;
}

FC_INLINE uint32_t item_int8(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    uint32_t item = 0;

    for (int64_t i = 0; i < 4; i++)
        item |= (uint32_t)*(const fc_uint8 *)channel_of(from, next, i, some) << 8 * i;
    return item ^ flip;
}

FC_INLINE fc_vector_u32 as_weight_int8(fc_vector_u32 items, int64_t some)
{
    return items & (some < 4 ? (1u << 8 * some) - 1 : UINT32_MAX);
}

FC_INLINE fc_vector_u32 adjoining_items_int8(const char *from, uint32_t flip)
{
    return *(const fc_vector_u32 *)from ^ flip;
}

FC_INLINE uint32_t equal_items_int8(uint32_t byte)
{
    return byte * 0x01010101u;
}

FC_INLINE fc_vector_float32 add_products_int8(fc_vector_float32 sums, fc_vector_float32 source,
                                              fc_vector_float32 weight)
{
    /* gcc 12 copies the sums before each such instruction of its own. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(source), "v"(weight));
    return sums;
}
#else
enum { CHANNELS_int8 = 2 };

FC_INLINE fc_vector_u32 items_int8(const char *from, int64_t n, int64_t next, int64_t some,
                                   uint32_t flip)
{
    return (bytes_of(from, n) | bytes_of(channel_of(from, next, 1, some), n) << 16)
           ^ (flip & 0xff00ff);
}

FC_INLINE fc_vector_u32 second_items_int8(const char *from, int64_t n, int64_t next,
                                          int64_t some, uint32_t flip)
{
    return (even_bytes_of(from, n) | even_bytes_of(channel_of(from, next, 1, some), n) << 16)
           ^ (flip & 0xff00ff);
}

FC_INLINE uint32_t item_int8(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    const uint32_t high = *(const fc_uint8 *)channel_of(from, next, 1, some);

    return (*(const fc_uint8 *)from | high << 16) ^ (flip & 0xff00ff);
}

/* Bytes are sign-extended to 16 bits; what is beyond the last lane wraps around. */
FC_INLINE fc_vector_u32 as_weight_int8(fc_vector_u32 items, int64_t some)
{
    const fc_vector_u32 kept = items & (some < 2 ? 0xffff : UINT32_MAX);

    return (fc_vector_u32)(((fc_vector_all_u16)kept ^ 0x80) - 0x80);
}

FC_INLINE fc_vector_u32 adjoining_items_int8(const char *from, uint32_t flip)
{
    const fc_vector_u32 pairs = wide_u16(*(const fc_vector_u16 *)from);

    return ((pairs & 0xff) | (pairs & 0xff00) << 8) ^ (flip & 0xff00ff);
}

FC_INLINE uint32_t equal_items_int8(uint32_t byte)
{
    return byte * 0x00010001u;
}

FC_INLINE fc_vector_float32 add_products_int8(fc_vector_float32 sums, fc_vector_float32 source,
                                              fc_vector_float32 weight)
{
#if defined(__AVX512BW__)
    const __m512i pairs = _mm512_madd_epi16((__m512i)source, (__m512i)weight);
#elif defined(__AVX2__)
    const __m256i pairs = _mm256_madd_epi16((__m256i)source, (__m256i)weight);
#elif defined(__x86_64__)
    const __m128i pairs = _mm_madd_epi16((__m128i)source, (__m128i)weight);
#else
    const fc_vector_i32 a = (fc_vector_i32)source, b = (fc_vector_i32)weight;
    const fc_vector_i32 pairs = (a >> 16) * (b >> 16) + (a << 16 >> 16) * (b << 16 >> 16);
#endif
    return (fc_vector_float32)((fc_vector_u32)sums + (fc_vector_u32)pairs);
}
#endif

FC_INLINE uint32_t ones_int8(void)
{
    return equal_items_int8(1);
}

/* Items of floats, which are never asked for: bytes have scales. */
FC_INLINE fc_vector_u32 float_items_int8(const char *from, int64_t n, int64_t next, int64_t some)
{
    (void)n, (void)next, (void)some;
    return *(const fc_vector_u32 *)from;
}

#define second_float_items_int8 float_items_int8

FC_INLINE fc_vector_u32 floats_as_int8(fc_vector_float32 low, fc_vector_float32 high)
{
    (void)high;
    return (fc_vector_u32)low;
}

FC_INLINE fc_vector_u32 adjoining_float_items_int8(const char *from, int64_t n)
{
    (void)n;
    return *(const fc_vector_u32 *)from;
}

#endif
