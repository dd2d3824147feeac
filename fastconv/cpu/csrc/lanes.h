/* Vectors of several widths, so that short lines fill theirs: the templates behind FC_TEMPLATE are
 * included once per floating type and width, from a single item to the level's own. FC_WIDEST calls
 * the widest instance of a function that n items fill, FC_OWN names that of the level's own width.
 *
 * FC_L(name) names an instance, FC_LANES and FC_BYTES are a vector's lanes and bytes, FC_V is the
 * value, FC_T the item in memory, FC_I the integer of its size. */
#ifndef FC_LANES_H
#define FC_LANES_H

#include "common.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Several streams at once are too many for some processors' own prefetching: what comes so many
 * bytes later is asked for. An address outside the array does no harm. */
enum { AHEAD = 4096 };

/* How the items of neighbouring lanes follow each other in memory. */
enum { ADJACENT, EVERY_SECOND, PAIRS, APART };

static inline int spacing_kind(int64_t step, int64_t item)
{
    return step == item ? ADJACENT : step == 2 * item ? EVERY_SECOND : APART;
}

/* The even lanes of two neighbouring vectors, the second one loaded an item early so that it ends
 * with the last item needed; and the lanes of two vectors in turn. */
#define FC_EVEN_LANES_1(a, b) ((void)(b), (a))
#define FC_EVEN_LANES_2(a, b) __builtin_shufflevector(a, b, 0, 3)
#define FC_EVEN_LANES_4(a, b) __builtin_shufflevector(a, b, 0, 2, 5, 7)
#define FC_EVEN_LANES_8(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15)
#define FC_EVEN_LANES_16(a, b)                                                                     \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31)
#define FC_LOW_1(a, b) ((void)(b), (a))
#define FC_HIGH_1(a, b) ((void)(a), (b))
#define FC_LOW_2(a, b) __builtin_shufflevector(a, b, 0, 2)
#define FC_LOW_4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define FC_LOW_8(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define FC_LOW_16(a, b)                                                                            \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define FC_HIGH_2(a, b) __builtin_shufflevector(a, b, 1, 3)
#define FC_HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define FC_HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define FC_HIGH_16(a, b)                                                                           \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* The even and the odd lanes of two vectors; a vector moved down by a lane, with the first of
 * another at its end. */
#define FC_EVEN_1(a, b) (a)
#define FC_ODD_1(a, b) (b)
#define FC_SHIFT_1(a, b) (b)
#define FC_EVEN_2(a, b) __builtin_shufflevector(a, b, 0, 2)
#define FC_ODD_2(a, b) __builtin_shufflevector(a, b, 1, 3)
#define FC_SHIFT_2(a, b) __builtin_shufflevector(a, b, 1, 2)
#define FC_EVEN_4(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define FC_ODD_4(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define FC_SHIFT_4(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4)
#define FC_EVEN_8(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define FC_ODD_8(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define FC_SHIFT_8(a, b) __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8)
#define FC_EVEN_16(a, b)                                                                           \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define FC_ODD_16(a, b)                                                                            \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define FC_SHIFT_16(a, b)                                                                          \
    __builtin_shufflevector(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)

#define FC_JOIN_(a, b) a##b
#define FC_JOIN(a, b) FC_JOIN_(a, b)
#define FC_EVEN_LANES FC_JOIN(FC_EVEN_LANES_, FC_LANES)
#define FC_EVEN FC_JOIN(FC_EVEN_, FC_LANES)
#define FC_ODD FC_JOIN(FC_ODD_, FC_LANES)
#define FC_SHIFT FC_JOIN(FC_SHIFT_, FC_LANES)
#define FC_LOW FC_JOIN(FC_LOW_, FC_LANES)
#define FC_HIGH FC_JOIN(FC_HIGH_, FC_LANES)

#if defined(__AVX512F__)
#define FC_OWN(name) FC_N(name##_64)
#define FC_WIDEST(name, n, ...)                                                                    \
    ((n) >= 64 / (int64_t)sizeof(FC_V)   ? FC_N(name##_64)(__VA_ARGS__)                            \
     : (n) >= 32 / (int64_t)sizeof(FC_V) ? FC_N(name##_32)(__VA_ARGS__)                            \
     : (n) >= 16 / (int64_t)sizeof(FC_V) ? FC_N(name##_16)(__VA_ARGS__)                            \
                                         : FC_N(name##_item)(__VA_ARGS__))
#elif defined(__AVX__)
#define FC_OWN(name) FC_N(name##_32)
#define FC_WIDEST(name, n, ...)                                                                    \
    ((n) >= 32 / (int64_t)sizeof(FC_V)   ? FC_N(name##_32)(__VA_ARGS__)                            \
     : (n) >= 16 / (int64_t)sizeof(FC_V) ? FC_N(name##_16)(__VA_ARGS__)                            \
                                         : FC_N(name##_item)(__VA_ARGS__))
#else
#define FC_OWN(name) FC_N(name##_16)
#define FC_WIDEST(name, n, ...)                                                                    \
    ((n) >= 16 / (int64_t)sizeof(FC_V) ? FC_N(name##_16)(__VA_ARGS__)                              \
                                       : FC_N(name##_item)(__VA_ARGS__))
#endif

#endif
