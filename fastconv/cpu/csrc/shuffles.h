/* Shuffles of two vectors: taking every second item out of them, and putting items in turn. */
#ifndef FC_SHUFFLES_H
#define FC_SHUFFLES_H

#include "vector.h"

#define FC_EVENS_2 0, 2
#define FC_ODDS_2 1, 3
#define FC_LOWS_2 0, 2
#define FC_HIGHS_2 1, 3
#define FC_EVENS_4 0, 2, 4, 6
#define FC_ODDS_4 1, 3, 5, 7
#define FC_LOWS_4 0, 4, 1, 5
#define FC_HIGHS_4 2, 6, 3, 7
#define FC_EVENS_8 0, 2, 4, 6, 8, 10, 12, 14
#define FC_ODDS_8 1, 3, 5, 7, 9, 11, 13, 15
#define FC_LOWS_8 0, 8, 1, 9, 2, 10, 3, 11
#define FC_HIGHS_8 4, 12, 5, 13, 6, 14, 7, 15
#define FC_EVENS_16 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define FC_ODDS_16 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define FC_LOWS_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FC_HIGHS_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

/* Items from the n-th on; where vectors are shorter than n, never used. */
#define FC_FROM_2(n) (n) % 4, (n + 1) % 4
#define FC_FROM_4(n) (n), (n) + 1, (n) + 2, (n) + 3
#define FC_FROM_8(n) FC_FROM_4(n), FC_FROM_4((n) + 4)
#define FC_FROM_16(n) FC_FROM_8(n), FC_FROM_8((n) + 8)

#define FC_TWO_VECTORS(name, type, order)                                                          \
    static inline fc_vector_##type name##_##type(fc_vector_##type a, fc_vector_##type b)           \
    {                                                                                              \
        return __builtin_shufflevector(a, b, order);                                               \
    }
/* The items of two vectors that follow on the first n, which the compiler knows. */
#define FC_ITEMS_AFTER(type, lanes)                                                                \
    static inline __attribute__((always_inline)) fc_vector_##type items_after_##type(              \
        const int n, fc_vector_##type a, fc_vector_##type b)                                       \
    {                                                                                              \
        switch (n) {                                                                               \
        case 1: return __builtin_shufflevector(a, b, FC_FROM_##lanes(1));                          \
        case 2: return __builtin_shufflevector(a, b, FC_FROM_##lanes(2));                          \
        case 3: return __builtin_shufflevector(a, b, FC_FROM_##lanes(3));                          \
        case 4: return __builtin_shufflevector(a, b, FC_FROM_##lanes(4));                          \
        default: return a;                                                                         \
        }                                                                                          \
    }
#define FC_ALTERNATES(type, lanes)                                                                 \
    FC_TWO_VECTORS(evens, type, FC_EVENS_##lanes)                                                  \
    FC_TWO_VECTORS(odds, type, FC_ODDS_##lanes)
#define FC_SHUFFLES(type, lanes)                                                                   \
    FC_ITEMS_AFTER(type, lanes)                                                                    \
    FC_TWO_VECTORS(lows_in_turn, type, FC_LOWS_##lanes)                                            \
    FC_TWO_VECTORS(highs_in_turn, type, FC_HIGHS_##lanes)

#if defined(__AVX512F__)
FC_SHUFFLES(float32, 16)
FC_SHUFFLES(float64, 8)
FC_ALTERNATES(float32, 16)
FC_ALTERNATES(float64, 8)
#elif defined(__AVX2__)
FC_SHUFFLES(float32, 8)
FC_SHUFFLES(float64, 4)
FC_ALTERNATES(float64, 4)

/* A compiler takes three shuffles and a register for each order. */
#define FC_ALTERNATE_OF_8(name, order)                                                             \
    static inline fc_vector_float32 name##_float32(fc_vector_float32 a, fc_vector_float32 b)       \
    {                                                                                              \
        const __m256d halves = _mm256_castps_pd(_mm256_shuffle_ps((__m256)a, (__m256)b, order));   \
        return (fc_vector_float32)_mm256_permute4x64_pd(halves, 0xd8);                             \
    }
FC_ALTERNATE_OF_8(evens, 0x88)
FC_ALTERNATE_OF_8(odds, 0xdd)
#else
FC_SHUFFLES(float32, 4)
FC_SHUFFLES(float64, 2)
FC_ALTERNATES(float32, 4)
FC_ALTERNATES(float64, 2)
#endif

#endif
