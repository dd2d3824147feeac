/* The vectors of one instruction-set level, through the compiler's own vector types.
 *
 * A tile of the product is held in registers while the reduction runs: TILE_ROWS x TILE_VECTORS
 * sums, TILE_VECTORS of the right operand, and a broadcast of the left one must fit: 32 registers
 * with AVX-512 and NEON, 16 with AVX and SSE.
 */
#ifndef FC_VECTOR_H
#define FC_VECTOR_H

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

#endif
