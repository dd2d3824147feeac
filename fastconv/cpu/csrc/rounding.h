/* float32 to the nearest number that a format of fewer bits has, ties to even, still as float32. */
#ifndef FC_ROUNDING_H
#define FC_ROUNDING_H

#include "overflow.h"
#include "requantize.h"

/* What the processor notes where a quick way to round went wrong; elsewhere there is none. */
#if defined(__x86_64__)
enum { QUICK_FLAGS = INVALID_FLAG | DENORMAL_FLAG | OVERFLOW_FLAG };
#else
enum { QUICK_FLAGS = 0 };
#endif

static inline int rounds_quickly(int rounding)
{
    return QUICK_FLAGS != 0 && (rounding == FC_TO_TF32 || rounding == FC_TO_BFLOAT16);
}

static inline void forget_quick_flags(void)
{
    set_status_flags(status_flags() & ~(uint64_t)QUICK_FLAGS);
}

/* What is asked about has to be in memory by then, for all that a compiler knows. */
static inline int quick_went_wrong(void)
{
    __asm__ volatile("" ::: "memory");
    return (status_flags() & QUICK_FLAGS) != 0;
}

enum { TF32_DROPPED = 13, BFLOAT16_DROPPED = 16 }; /* bits of float32's fraction */

FC_INLINE fc_vector_float32 load_floats(const char *from, int64_t n)
{
    return n >= NARROW_LANES ? *(const fc_vector_float32 *)from : load_some_float32(from, n);
}

/* Every second one of 2 n - 1, as load_seconds_u16 reads 16 bits. */
FC_INLINE fc_vector_float32 load_second_floats(const char *from, int64_t n)
{
#if defined(__AVX512F__)
    const uint32_t mask = (uint32_t)((1ull << (2 * n - 1)) - 1);
    const __m512 low = _mm512_maskz_loadu_ps((__mmask16)mask, from);
    const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), from + VECTOR_BYTES);
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2,
                                          0);

    return (fc_vector_float32)_mm512_permutex2var_ps(low, even, high);
#else
    (void)n;
    return __builtin_shufflevector(*(const fc_vector_float32 *)from,
                                   *(const fc_vector_float32 *)(from + VECTOR_BYTES),
                                   FC_ALTERNATE_float32);
#endif
}

/* Up to a vector of floats `step` bytes apart, the others 0. Faster than gathering. */
FC_INLINE fc_vector_float32 load_floats_apart(const char *from, int64_t step, int64_t n)
{
    fc_vector_float32 v = {0};

    if (n < NARROW_LANES) {
        for (int64_t i = 0; i < n; i++)
            v[i] = *(const fc_float32 *)(from + i * step);
        return v;
    }
    FC_UNROLL
    for (int i = 0; i < NARROW_LANES; i++)
        v[i] = *(const fc_float32 *)(from + i * step);
    return v;
}

#if defined(__AVX512F__)
/* Out of memory, for want of registers: depthwise convolution's blocks take nearly all of them. */
#define FC_WITH_CONSTANT(instruction, to, from, constant)                                          \
    __asm__(instruction " %2%{1to16%}, %1, %0" : "+v"(to) : "v"(from), "m"(constant))
static const uint32_t nan_from_nan = 0x33; /* for the classes of quiet and signalling ones */
static const uint32_t bits_kept[2] = {UINT32_MAX << 13, UINT32_MAX << 16};
#endif

/* Without the last `bits` bits of fractions; NaN become quiet ones. */
FC_INLINE fc_vector_float32 without_bits(const int bits, fc_vector_float32 v)
{
#if defined(__AVX512F__)
    const __m512i given = (__m512i)v;
    __m512i up = (__m512i)raised(bits, (fc_vector_u32)v);

    FC_WITH_CONSTANT("vpandd", up, up, bits_kept[bits == 16]);
    FC_WITH_CONSTANT("vfixupimmps $0,", up, given, nan_from_nan);
    return (fc_vector_float32)up;
#else
    const fc_vector_u32 up = raised(bits, (fc_vector_u32)v) & (UINT32_MAX << bits);

    return (fc_vector_float32)(up | ((fc_vector_u32)(v != v) & 0x7fc00000));
#endif
}

/* The same for copies, which do little else: masks save two instructions of seven, but wait for the
 * ports that multiply. */
FC_INLINE fc_vector_float32 copied_without_bits(const int bits, fc_vector_float32 v)
{
#if defined(__AVX512F__)
    const __mmask16 number = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_ORD_Q);
    const __m512i up = (__m512i)raised(bits, (fc_vector_u32)v);

    return (fc_vector_float32)_mm512_mask_and_epi32(_mm512_set1_epi32(0x7fc00000), number, up,
                                                    _mm512_set1_epi32((int)(UINT32_MAX << bits)));
#else
    return without_bits(bits, v);
#endif
}

/* The same in three instructions, for ordinary numbers: 2^k, of which v is 1.f times, times 2^bits
 * leaves no room for the last bits of what is added to it. Denormals, infinities and numbers that
 * are nearly as large come out wrong, and set one of QUICK_FLAGS; zeros lose their sign. */
FC_INLINE fc_vector_float32 quickly_without_bits(const int bits, fc_vector_float32 v)
{
    const fc_vector_float32 power = (fc_vector_float32)((fc_vector_u32)v & 0xff800000);
    const fc_vector_float32 much = power * (float)(1 << bits);

    return (v + much) - much;
}

FC_INLINE fc_vector_float32 rounded_to(const int rounding, fc_vector_float32 v)
{
    if (rounding == FC_TO_FLOAT16)
        return AS_FLOAT16(v);
    if (rounding == FC_UNROUNDED)
        return v;
    return without_bits(rounding == FC_TO_TF32 ? TF32_DROPPED : BFLOAT16_DROPPED, v);
}

/* To what there is a quick way to: see rounds_quickly. */
FC_INLINE fc_vector_float32 quickly_rounded_to(const int rounding, fc_vector_float32 v)
{
    return quickly_without_bits(rounding == FC_TO_TF32 ? TF32_DROPPED : BFLOAT16_DROPPED, v);
}

/* How float32 is read: rounded to a format, `quick` by way of quickly_without_bits, or as whole
 * numbers of a scale. */
typedef struct {
    int rounding;
    float scale;
    int quick;
} fc_reading;

FC_INLINE fc_vector_float32 read_as(const fc_reading *as, fc_vector_float32 v)
{
    const fc_vector_float32 most = spread(127), rounder = spread(FC_ROUNDER);

    if (as->quick)
        return quickly_rounded_to(as->rounding, v);
    if (as->rounding != FC_TO_STEPS)
        return rounded_to(as->rounding, v);
    return bounded(v / spread(as->scale), -most, most) + rounder - rounder;
}

/* `call` with a rounding that the compiler knows. */
#define FC_EACH_ROUNDING(rounding, call)                                                           \
    switch (rounding) {                                                                            \
    case FC_TO_TF32:                                                                               \
        call(FC_TO_TF32);                                                                          \
        break;                                                                                     \
    case FC_TO_BFLOAT16:                                                                           \
        call(FC_TO_BFLOAT16);                                                                      \
        break;                                                                                     \
    case FC_TO_FLOAT16:                                                                            \
        call(FC_TO_FLOAT16);                                                                       \
        break;                                                                                     \
    default:                                                                                       \
        call(FC_UNROUNDED);                                                                        \
    }

#endif
