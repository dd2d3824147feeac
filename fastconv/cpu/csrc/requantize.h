/* int32 sums to 8 bits. */
#ifndef FC_REQUANTIZE_H
#define FC_REQUANTIZE_H

#include "narrow_formats.h"

/* The lowest bits of a float32 to which 1.5 * 2^23 was added are the whole number nearest to it. */
#define FC_ROUNDER 0x1.8p23f
enum { ROUNDER_BITS = 0x4b400000 };

/* Many quotients by one number: two corrections of a product with its reciprocal give what a
 * division does, to the bit, in a third of the time (P. Markstein, IBM J. Res. Dev. 34, 1990). Not
 * of numbers so small that what is left of them is denormal, nor of infinite ones. */
typedef struct {
    float divisor, reciprocal; /* 0 where it would be too large or too small */
} fc_step;

FC_INLINE fc_step step_of(float divisor)
{
    const int fits = divisor >= 0x1p-80f && divisor <= 0x1p80f;

    return (fc_step){divisor, fits ? 1 / divisor : 0};
}

#if defined(__AVX512F__)
#define FC_FUSED(op) _mm512_##op##_ps
typedef __m512 fc_fused;
#elif defined(__FMA__)
#define FC_FUSED(op) _mm256_##op##_ps
typedef __m256 fc_fused;
#endif

FC_INLINE fc_vector_float32 divided(fc_vector_float32 v, const fc_step *by)
{
#if defined(FC_FUSED)
    if (by->reciprocal != 0) {
        const fc_fused divisor = (fc_fused)spread(by->divisor);
        const fc_fused inverse = (fc_fused)spread(by->reciprocal);
        fc_fused q = (fc_fused)v * inverse;
        for (int i = 0; i < 2; i++)
            q = FC_FUSED(fmadd)(FC_FUSED(fnmadd)(q, divisor, (fc_fused)v), inverse, q);
        return (fc_vector_float32)q;
    }
#endif
    return v / spread(by->divisor);
}

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
