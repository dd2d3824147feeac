/* Depthwise convolution's items of 16 or 8 bits: those of a vector that lie within a line, and sums
 * that become items. */
#ifndef FC_DEPTHWISE_PARTS_H
#define FC_DEPTHWISE_PARTS_H

#include "narrow_few.h"
#include "narrow_formats.h"

typedef uint16_t fc_vector_all_u16
    __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

/* Two vectors of sums, rounded and put in turn. */
FC_INLINE fc_vector_u32 rounded_in_turn_bfloat16(fc_vector_float32 even, fc_vector_float32 odd)
{
    const fc_vector_u32 low = raised(16, (fc_vector_u32)even) >> 16;
    const fc_vector_u32 high = raised(16, (fc_vector_u32)odd);
#if defined(__AVX512BW__)
    return (fc_vector_u32)_mm512_mask_blend_epi16(0xaaaaaaaa, (__m512i)low, (__m512i)high);
#elif defined(__AVX2__)
    return (fc_vector_u32)_mm256_blend_epi16((__m256i)low, (__m256i)high, 0xaa);
#elif defined(__SSE4_1__)
    return (fc_vector_u32)_mm_blend_epi16((__m128i)low, (__m128i)high, 0xaa);
#else
    return low | (high & 0xffff0000);
#endif
}

FC_INLINE fc_vector_u32 rounded_in_turn_float16(fc_vector_float32 even, fc_vector_float32 odd)
{
    const fc_vector_u16 low = rounded_float16(even), high = rounded_float16(odd);
#if defined(__AVX512BW__)
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512((__m256i)low), (__m256i)high, 1);
    const __m512i order = (__m512i)(fc_vector_all_u16){
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};

    return (fc_vector_u32)_mm512_permutexvar_epi16(order, both);
#elif defined(__AVX2__)
    const __m128i first = _mm_unpacklo_epi16((__m128i)low, (__m128i)high);

    return (fc_vector_u32)_mm256_set_m128i(_mm_unpackhi_epi16((__m128i)low, (__m128i)high), first);
#else
    return wide_u16(low) | wide_u16(high) << 16;
#endif
}

/* One vector's items as the lower half of two. */
FC_INLINE fc_vector_u32 one_of_two(fc_vector_u16 v)
{
#if defined(__AVX512F__)
    return (fc_vector_u32)_mm512_castsi256_si512((__m256i)v);
#elif defined(__AVX2__)
    return (fc_vector_u32)_mm256_castsi128_si256((__m128i)v);
#else
    fc_vector_u32 pairs = {0};
    memcpy(&pairs, &v, sizeof v);
    return pairs;
#endif
}

#if defined(__AVX512BW__)
typedef __mmask16 fc_part_u16, fc_part_u8;

FC_INLINE fc_part_u16 part_of_u16(int64_t at, int64_t items)
{
    const int64_t end = max64(0, min64(NARROW_LANES, items - at));
    return (__mmask16)((1u << end) - (1u << min64(end, max64(0, -at))));
}

FC_INLINE fc_part_u8 part_of_u8(int64_t at, int64_t items)
{
    return part_of_u16(at, items);
}

FC_INLINE fc_vector_u16 load_part_u16(const char *from, const fc_part_u16 *part, int outside)
{
    (void)outside;
    return (fc_vector_u16)_mm256_maskz_loadu_epi16(*part, from);
}

/* Of two vectors, which follow each other. */
FC_INLINE fc_vector_u32 load_parts_u16(const char *from, const fc_part_u16 *parts, int outside)
{
    (void)outside;
    return (fc_vector_u32)_mm512_maskz_loadu_epi16(_mm512_kunpackw(parts[1], parts[0]), from);
}

FC_INLINE fc_vector_u8 load_part_u8(const char *from, const fc_part_u8 *part, int outside,
                                    int other)
{
    (void)outside;
    return (fc_vector_u8)_mm_mask_loadu_epi8(_mm_set1_epi8((char)other), *part, from);
}

enum { LEAST_LINE = 1 };
#elif defined(__AVX2__)
/* Without masks for such items a vector is read where it doesn't leave the line, and its bytes are
 * shuffled to their lanes. Of lines that are shorter than a vector, two halves are read, so that
 * lines must not be shorter than a half. */
enum { LEAST_LINE = NARROW_LANES / 2 };

typedef struct {
    int64_t first, second; /* bytes from where the load is asked for to what is read */
    int whole, halves; /* nothing lies outside of the line; the line is short: branches foreseen */
    __m128i bytes;     /* of what was read; a set sign bit stands for none */
} fc_part_u16;
typedef fc_part_u16 fc_part_u8;

/* Which bytes lie in `size` of them, read `from` bytes after a vector, that begin with `place`. */
FC_INLINE __m128i bytes_read(int64_t from, int64_t size, int64_t place, __m128i others)
{
    const __m128i each = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i at = _mm_sub_epi8(each, _mm_set1_epi8((char)max64(-64, min64(from, 64))));
    const __m128i there = _mm_and_si128(_mm_cmpgt_epi8(at, _mm_set1_epi8(-1)),
                                        _mm_cmpgt_epi8(_mm_set1_epi8((char)size), at));

    return _mm_blendv_epi8(others, _mm_add_epi8(at, _mm_set1_epi8((char)place)), there);
}

FC_INLINE fc_part_u16 part_of_items(int64_t at, int64_t items, const int64_t size)
{
    const int halves = items < NARROW_LANES;
    const int64_t lanes = halves ? LEAST_LINE : NARROW_LANES, bytes = lanes * size;
    const int64_t first = max64(0, min64(at, items - lanes));
    const int64_t second = min64(first + lanes, items - lanes);
    fc_part_u16 part = {.first = (first - at) * size, .second = (second - at) * size,
                        .whole = at >= 0 && at + NARROW_LANES <= items, .halves = halves};
    const __m128i none = _mm_set1_epi8(-1);

    part.bytes = bytes_read(part.first, bytes, 0,
                            halves ? bytes_read(part.second, bytes, bytes, none) : none);
    return part;
}

FC_INLINE fc_part_u16 part_of_u16(int64_t at, int64_t items)
{
    return part_of_items(at, items, 2);
}

FC_INLINE fc_part_u8 part_of_u8(int64_t at, int64_t items)
{
    return part_of_items(at, items, 1);
}

/* `outside`, a line of padding is read, where it doesn't matter from where on. */
FC_INLINE fc_vector_u16 load_part_u16(const char *from, const fc_part_u16 *part, int outside)
{
    if (part->whole)
        return *(const fc_vector_u16 *)from;
    const char *const first = from + (outside ? 0 : part->first);
    if (!part->halves)
        return (fc_vector_u16)_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)first),
                                               part->bytes);
    const __m128i low = _mm_loadl_epi64((const __m128i *)first);
    const char *const second = from + (outside ? 0 : part->second);

    return (fc_vector_u16)_mm_shuffle_epi8(
        (__m128i)_mm_loadh_pi((__m128)low, (const __m64 *)second), part->bytes);
}

FC_INLINE fc_vector_u32 load_parts_u16(const char *from, const fc_part_u16 *parts, int outside)
{
    if (parts[0].whole && parts[1].whole)
        return *(const fc_vector_u32 *)from;
    const fc_vector_u16 low = load_part_u16(from, parts, outside);
    const fc_vector_u16 high = load_part_u16(from + 16, parts + 1, outside);
    return (fc_vector_u32)_mm256_set_m128i((__m128i)high, (__m128i)low);
}

FC_INLINE fc_vector_u8 load_part_u8(const char *from, const fc_part_u8 *part, int outside,
                                    int other)
{
    if (part->whole)
        return *(const fc_vector_u8 *)from;
    const char *const first = from + (outside ? 0 : part->first);
    const char *const second = from + (outside ? 0 : part->second);
    const __m128i rest = _mm_set1_epi8((char)other);
    __m128i both = _mm_cvtsi32_si128(*(const fc_int32 *)first);
    fc_vector_u8 found;

    if (part->halves)
        both = _mm_insert_epi32(both, *(const fc_int32 *)second, 1);
    else
        both = _mm_loadl_epi64((const __m128i *)first);
    _mm_storel_epi64((__m128i *)&found,
                     _mm_blendv_epi8(_mm_shuffle_epi8(both, part->bytes), rest, part->bytes));
    return found;
}

#else
/* Lines are copied here. */
typedef struct {
    char none;
} fc_part_u16;
typedef fc_part_u16 fc_part_u8;

FC_INLINE fc_part_u16 part_of_u16(int64_t at, int64_t items)
{
    (void)at, (void)items;
    return (fc_part_u16){0};
}

FC_INLINE fc_part_u8 part_of_u8(int64_t at, int64_t items)
{
    return part_of_u16(at, items);
}

FC_INLINE fc_vector_u16 load_part_u16(const char *from, const fc_part_u16 *part, int outside)
{
    (void)part, (void)outside;
    return *(const fc_vector_u16 *)from;
}

FC_INLINE fc_vector_u32 load_parts_u16(const char *from, const fc_part_u16 *parts, int outside)
{
    (void)parts, (void)outside;
    return *(const fc_vector_u32 *)from;
}

FC_INLINE fc_vector_u8 load_part_u8(const char *from, const fc_part_u8 *part, int outside,
                                    int other)
{
    (void)part, (void)outside, (void)other;
    return *(const fc_vector_u8 *)from;
}

enum { LEAST_LINE = 1 };
#endif

#endif
