/* int32 sums to 8 bits. */
#ifndef FC_REQUANTIZE_H
#define FC_REQUANTIZE_H

#include "narrow_formats.h"

/* The lowest bits of a float32 to which 1.5 * 2^23 was added are the whole number nearest to it. */
#define FC_ROUNDER 0x1.8p23f
enum { ROUNDER_BITS = 0x4b400000 };

/* Of a product that is rounded before `zero` is added, which takes ROUNDER_BITS off. */
typedef struct {
    fc_vector_float32 low, high;
    fc_vector_i32 zero;
} fc_bounds;

FC_INLINE fc_bounds bounds_of(const fc_narrow *narrow)
{
    const fc_vector_i32 none = {0};

    return (fc_bounds){
        .low = spread((float)(narrow->low - narrow->y_zero)),
        .high = spread((float)(narrow->high - narrow->y_zero)),
        .zero = none + (narrow->y_zero - ROUNDER_BITS),
    };
}

/* Between bounds that are whole numbers a sum may be bounded first; it's small then, and an
 * addition rounds it. */
FC_INLINE fc_vector_i32 requantized_sums(fc_vector_float32 sums, fc_vector_float32 multiplier,
                                         const fc_bounds *b)
{
    return (fc_vector_i32)(bounded(sums * multiplier, b->low, b->high) + FC_ROUNDER) + b->zero;
}

FC_INLINE fc_vector_i32 requantized(fc_vector_i32 sums, fc_vector_float32 multiplier,
                                    const fc_bounds *b)
{
    return requantized_sums(__builtin_convertvector(sums, fc_vector_float32), multiplier, b);
}

#endif
