/* The first n items of a vector of 16 or 8 bits, from memory and to it; the other lanes are 0.
 * narrow_lanes.h has the types, and includes this. */
#ifndef FC_NARROW_SOME_H
#define FC_NARROW_SOME_H

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

#endif
