/* The vectors of one instruction-set level, through the compiler's own vector types.
 *
 * A tile of the product is held in registers while the reduction runs: TILE_ROWS x TILE_VECTORS
 * sums, TILE_VECTORS of the right operand, and a broadcast of the left one must fit: 32 registers
 * with AVX-512 and NEON, 16 with AVX and SSE.
 */
#ifndef FC_VECTOR_H
#define FC_VECTOR_H

#include <stdint.h>

#if defined(__AVX512F__)
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

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/* The first `count` lanes, fewer than there are, to memory; nothing beside them is touched. */
static inline __attribute__((always_inline)) void store_part(float *to, fc_vector_float32 v,
                                                             int64_t count)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)v);
#else
    for (int64_t k = 0; k < count; k++)
        __builtin_memcpy(to + k, (const char *)&v + 4 * k, 4);
#endif
}

#endif
