/* The vectors of one instruction-set level, through the compiler's own vector types.
 *
 * A tile of the product is held in registers while the reduction runs: TILE_ROWS x TILE_VECTORS
 * sums, TILE_VECTORS of the right operand, and a broadcast of the left one must fit: 32 registers
 * with AVX-512 and NEON, 16 with AVX and SSE.
 */
#ifndef FC_VECTOR_H
#define FC_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
enum { VECTOR_BYTES = 64, TILE_ROWS = 8, TILE_VECTORS = 3 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32, TILE_ROWS = 6, TILE_VECTORS = 2 };
#elif defined(__aarch64__)
enum { VECTOR_BYTES = 16, TILE_ROWS = 8, TILE_VECTORS = 3 };
#else
enum { VECTOR_BYTES = 16, TILE_ROWS = 4, TILE_VECTORS = 2 };
#endif

typedef float fc_vector_float32 __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef double fc_vector_float64 __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));

/* Every second item of two vectors, for __builtin_shufflevector. */
#define FC_EVEN_2 0, 2
#define FC_EVEN_4 0, 2, 4, 6
#define FC_EVEN_8 FC_EVEN_4, 8, 10, 12, 14
#define FC_EVEN_16 FC_EVEN_8, 16, 18, 20, 22, 24, 26, 28, 30
#if defined(__AVX512F__)
#define FC_EVEN_float32 FC_EVEN_16
#define FC_EVEN_float64 FC_EVEN_8
#elif defined(__AVX__)
#define FC_EVEN_float32 FC_EVEN_8
#define FC_EVEN_float64 FC_EVEN_4
#else
#define FC_EVEN_float32 FC_EVEN_4
#define FC_EVEN_float64 FC_EVEN_2
#endif

/* The first n items of a vector, fewer than it has: a masked store, where a processor has them,
 * costs no more than a whole one. */
static inline void put_some_float32(char *to, fc_vector_float32 v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    memcpy(to, &v, (size_t)n * sizeof(float));
#endif
}

static inline void put_some_float64(char *to, fc_vector_float64 v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_pd(to, (__mmask8)((1u << n) - 1), (__m512d)v);
#else
    memcpy(to, &v, (size_t)n * sizeof(double));
#endif
}

/* The first n items of a vector to every second item of memory, which leaves the others alone. */
static inline void put_even_float32(char *to, fc_vector_float32 v, int64_t n)
{
#if defined(__AVX512F__)
    const __mmask32 even = 0x55555555u & (__mmask32)((1ull << 2 * n) - 1);
    const __m512 low = (__m512)__builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6,
                                                       6, 7, 7);
    const __m512 high = (__m512)__builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
                                                        13, 13, 14, 14, 15, 15);
    _mm512_mask_storeu_ps(to, (__mmask16)even, low);
    _mm512_mask_storeu_ps(to + 64, (__mmask16)(even >> 16), high);
#else
    for (int64_t j = 0; j < n; j++)
        memcpy(to + 2 * j * (int64_t)sizeof(float), (const char *)&v + j * (int64_t)sizeof(float),
               sizeof(float));
#endif
}

static inline void put_even_float64(char *to, fc_vector_float64 v, int64_t n)
{
#if defined(__AVX512F__)
    const __mmask16 even = (__mmask16)(0x5555u & ((1u << 2 * n) - 1));
    const __m512d low = (__m512d)__builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
    const __m512d high = (__m512d)__builtin_shufflevector(v, v, 4, 4, 5, 5, 6, 6, 7, 7);
    _mm512_mask_storeu_pd(to, (__mmask8)even, low);
    _mm512_mask_storeu_pd(to + 64, (__mmask8)(even >> 8), high);
#else
    for (int64_t j = 0; j < n; j++)
        memcpy(to + 2 * j * (int64_t)sizeof(double), (const char *)&v + j * (int64_t)sizeof(double),
               sizeof(double));
#endif
}

#endif
