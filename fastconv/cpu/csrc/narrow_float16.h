/* float16: widened to float32 on its way to scratch memory, and rounded on its way back. */
#ifndef FC_NARROW_FLOAT16_H
#define FC_NARROW_FLOAT16_H

#include "rounding.h"

enum { CHANNELS_float16 = 1 };

FC_INLINE fc_vector_u32 items_float16(const char *from, int64_t n, int64_t next, int64_t some,
                                      uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return (fc_vector_u32)widened_float16(load_u16(from, n));
}

FC_INLINE fc_vector_u32 second_items_float16(const char *from, int64_t n, int64_t next,
                                             int64_t some, uint32_t flip)
{
    const fc_vector_u32 pairs = load_seconds_u16(from, n);

    (void)next, (void)some, (void)flip;
    return (fc_vector_u32)widened_float16(low_u16(pairs));
}

FC_INLINE uint32_t item_float16(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    const fc_vector_u16 v = {*(const fc_uint16 *)from};

    (void)next, (void)some, (void)flip;
    return ((fc_vector_u32)widened_float16(v))[0];
}

/* The same of float32, rounded. */
FC_INLINE fc_vector_u32 float_items_float16(const char *from, int64_t n, int64_t next,
                                            int64_t some)
{
    (void)next, (void)some;
    return (fc_vector_u32)rounded_to(FC_TO_FLOAT16, load_floats(from, n));
}

FC_INLINE fc_vector_u32 second_float_items_float16(const char *from, int64_t n, int64_t next,
                                                   int64_t some)
{
    (void)next, (void)some;
    return (fc_vector_u32)rounded_to(FC_TO_FLOAT16, load_second_floats(from, n));
}

FC_INLINE fc_vector_u32 floats_as_float16(fc_vector_float32 low, fc_vector_float32 high)
{
    (void)high;
    return (fc_vector_u32)rounded_to(FC_TO_FLOAT16, low);
}

FC_INLINE fc_vector_u32 adjoining_float_items_float16(const char *from, int64_t n)
{
    return float_items_float16(from, n, 0, 1);
}

FC_INLINE fc_vector_u16 rounded_products_float16(fc_vector_float32 v)
{
    return rounded_float16(v);
}

FC_INLINE float bias_float16(const char *from)
{
    const fc_vector_u16 v = {*(const fc_uint16 *)from};

    return widened_float16(v)[0];
}

FC_INLINE fc_vector_float32 add_products_float16(fc_vector_float32 sums, fc_vector_float32 source,
                                                 fc_vector_float32 weight)
{
    return sums + source * weight;
}

FC_INLINE fc_vector_u32 as_weight_float16(fc_vector_u32 items, int64_t some)
{
    (void)some;
    return items;
}

FC_INLINE uint32_t ones_float16(void)
{
    return 0; /* no sums of weights are asked for */
}

/* Items whose channels adjoin; of single channels, never asked for. */
FC_INLINE fc_vector_u32 adjoining_items_float16(const char *from, uint32_t flip)
{
    (void)flip;
    return *(const fc_vector_u32 *)from;
}

#endif
