/* What templates of floating types load and store where arrays may hold 16-bit floats instead:
 * `half` is 0 or one more than their type. */
#ifndef FC_HALF_VECTORS_H
#define FC_HALF_VECTORS_H

#include "narrow_formats.h"
#include "shuffles.h"

FC_INLINE fc_vector_float32 load_half_float32(int half, const char *from)
{
    if (half)
        return widened_half(half - 1, *(const fc_vector_u16 *)from);
    return *(const fc_vector_float32 *)from;
}

FC_INLINE fc_vector_float64 load_half_float64(int half, const char *from)
{
    (void)half;
    return *(const fc_vector_float64 *)from;
}

FC_INLINE fc_vector_float32 load_some_half_float32(int half, const char *from, int64_t n)
{
    if (half)
        return widened_half(half - 1, load_some_u16(from, n));
    return load_some_float32(from, n);
}

FC_INLINE fc_vector_float64 load_some_half_float64(int half, const char *from, int64_t n)
{
    (void)half;
    return load_some_float64(from, n);
}

FC_INLINE float load_half_item_float32(int half, const char *from)
{
    return half ? widen_item(half - 1, from) : *(const fc_float32 *)from;
}

FC_INLINE double load_half_item_float64(int half, const char *from)
{
    (void)half;
    return *(const fc_float64 *)from;
}

/* Each of the first n items to a place of its own. */
FC_INLINE void put_halves_float32(int half, fc_vector_float32 v, int64_t n, char **to)
{
    const fc_vector_u16 items = rounded_half(half - 1, v);

    for (int64_t i = 0; i < n; i++)
        *(fc_uint16 *)to[i] = items[i];
}

FC_INLINE void put_halves_float64(int half, fc_vector_float64 v, int64_t n, char **to)
{
    (void)half, (void)v, (void)n, (void)to; /* never with halves */
}

FC_INLINE void store_half_float32(int half, char *to, fc_vector_float32 v, int64_t n)
{
    if (half && n >= NARROW_LANES)
        *(fc_vector_u16 *)to = rounded_half(half - 1, v);
    else if (half)
        store_some_u16(to, rounded_half(half - 1, v), n);
    else if (n >= NARROW_LANES)
        *(fc_vector_float32 *)to = v;
    else
        store_some_float32(to, v, n);
}

FC_INLINE void store_half_float64(int half, char *to, fc_vector_float64 v, int64_t n)
{
    (void)half;
    if (n >= NARROW_LANES / 2)
        *(fc_vector_float64 *)to = v;
    else
        store_some_float64(to, v, n);
}

/* Every second one of 2 n items, and the others. Pairs of bfloat16 are a float each and what its
 * fraction lacks. */
FC_INLINE void load_pairs_float32(int half, const char *from, int64_t n, fc_vector_float32 *even,
                                  fc_vector_float32 *odd)
{
    const int64_t first = min64(NARROW_LANES, 2 * n), second = 2 * n - first;
    fc_vector_float32 a, b;

    if (half == 1 + FC_NARROW_bfloat16) {
        fc_vector_u32 pairs = {0};
        if (n >= NARROW_LANES)
            pairs = *(const fc_vector_u32 *)from;
        else
            pairs = (fc_vector_u32)load_some_float32(from, n);
        *even = (fc_vector_float32)(pairs << 16);
        *odd = (fc_vector_float32)(pairs & 0xffff0000);
        return;
    }
    if (half) {
        a = widened_half(half - 1, load_u16(from, first));
        b = widened_half(half - 1, load_u16(from + 2 * first, second));
    } else if (n >= NARROW_LANES) {
        a = *(const fc_vector_float32 *)from;
        b = *(const fc_vector_float32 *)(from + VECTOR_BYTES);
    } else {
        a = load_lanes_float32(from, lanes_between_float32(0, first));
        b = load_lanes_float32(from + VECTOR_BYTES, lanes_between_float32(0, second));
    }
    *even = evens_float32(a, b);
    *odd = odds_float32(a, b);
}

FC_INLINE void load_pairs_float64(int half, const char *from, int64_t n, fc_vector_float64 *even,
                                  fc_vector_float64 *odd)
{
    const int64_t lanes = NARROW_LANES / 2, first = min64(lanes, 2 * n);
    fc_vector_float64 a, b;

    (void)half;
    if (n >= lanes) {
        a = *(const fc_vector_float64 *)from;
        b = *(const fc_vector_float64 *)(from + VECTOR_BYTES);
    } else {
        a = load_lanes_float64(from, lanes_between_float64(0, first));
        b = load_lanes_float64(from + VECTOR_BYTES, lanes_between_float64(0, 2 * n - first));
    }
    *even = evens_float64(a, b);
    *odd = odds_float64(a, b);
}

#endif
