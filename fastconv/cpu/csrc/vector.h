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

#if defined(__AVX2__)
#include <immintrin.h>
#endif
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

/* What a comparison of vectors gives: 0 or -1 in each lane. */
typedef int32_t fc_mask_float32 __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t fc_mask_float64 __attribute__((vector_size(VECTOR_BYTES)));

/* Keeps a loaded vector in a register. GCC otherwise gives each use of it a load of its own, and
 * where several multiply-adds share one, loads are what there is too little of. */
#if defined(__AVX512F__)
#define FC_IN_REGISTER(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define FC_IN_REGISTER(v) __asm__("" : "+x"(v))
#elif defined(__aarch64__)
#define FC_IN_REGISTER(v) __asm__("" : "+w"(v))
#else
#define FC_IN_REGISTER(v) (void)(v)
#endif

/* Keeps the compiler from knowing how an integer or an address came about. */
#define FC_OPAQUE(i) __asm__("" : "+r"(i))

/* Unrolls the loop that follows altogether; its count is at most 16. clang takes a number for the
 * count itself, and leaves sums in memory where the loop has another. */
#if defined(__clang__)
#define FC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FC_UNROLL _Pragma("GCC unroll 16")
#endif

#include "vector_parts.h"

/* Whole cache lines to memory past the caches: nothing is fetched before it is overwritten, and
 * what the caches hold stays. Others see them after end_streams(). */
#if defined(__AVX512F__)
static inline void stream_vector_float32(char *to, fc_vector_float32 v)
{
    _mm512_stream_ps((void *)to, (__m512)v);
}

static inline void stream_vector_float64(char *to, fc_vector_float64 v)
{
    _mm512_stream_pd((void *)to, (__m512d)v);
}

static inline void end_streams(void)
{
    _mm_sfence();
}
#else
static inline void stream_vector_float32(char *to, fc_vector_float32 v)
{
    *(fc_vector_float32 *)to = v;
}

static inline void stream_vector_float64(char *to, fc_vector_float64 v)
{
    *(fc_vector_float64 *)to = v;
}

static inline void end_streams(void) {}
#endif

/* Whether load_lanes is one instruction; without it, three times as slow as a copy. */
#if defined(__AVX2__)
#define MASKED_LOADS 1
#else
#define MASKED_LOADS 0
#endif

/* Lanes from `first` up to `end`, for loads that give 0 in the others and don't touch their memory.
 */
#if defined(__AVX512F__)
typedef __mmask16 fc_lanes_float32;
typedef __mmask8 fc_lanes_float64;

static inline fc_lanes_float32 lanes_between_float32(int64_t first, int64_t end)
{
    return (fc_lanes_float32)((1u << end) - (1u << first));
}

static inline fc_lanes_float64 lanes_between_float64(int64_t first, int64_t end)
{
    return (fc_lanes_float64)((1u << end) - (1u << first));
}

static inline fc_vector_float32 load_lanes_float32(const void *from, fc_lanes_float32 lanes)
{
    return (fc_vector_float32)_mm512_maskz_loadu_ps(lanes, from);
}

static inline fc_vector_float64 load_lanes_float64(const void *from, fc_lanes_float64 lanes)
{
    return (fc_vector_float64)_mm512_maskz_loadu_pd(lanes, from);
}
#elif defined(__AVX2__)
typedef fc_mask_float32 fc_lanes_float32;
typedef fc_mask_float64 fc_lanes_float64;

static inline fc_lanes_float32 lanes_between_float32(int64_t first, int64_t end)
{
    const fc_mask_float32 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (lane >= (int32_t)first) & (lane < (int32_t)end);
}

static inline fc_lanes_float64 lanes_between_float64(int64_t first, int64_t end)
{
    const fc_mask_float64 lane = {0, 1, 2, 3};
    return (lane >= first) & (lane < end);
}

static inline fc_vector_float32 load_lanes_float32(const void *from, fc_lanes_float32 lanes)
{
    return (fc_vector_float32)_mm256_maskload_ps(from, (__m256i)lanes);
}

static inline fc_vector_float64 load_lanes_float64(const void *from, fc_lanes_float64 lanes)
{
    return (fc_vector_float64)_mm256_maskload_pd(from, (__m256i)lanes);
}
#else
typedef float fc_any_float32 __attribute__((aligned(1), may_alias));
typedef double fc_any_float64 __attribute__((aligned(1), may_alias));

typedef struct {
    int64_t first, end;
} fc_lanes_float32;
typedef fc_lanes_float32 fc_lanes_float64;

static inline fc_lanes_float32 lanes_between_float32(int64_t first, int64_t end)
{
    return (fc_lanes_float32){first, end};
}

static inline fc_lanes_float64 lanes_between_float64(int64_t first, int64_t end)
{
    return (fc_lanes_float64){first, end};
}

static inline fc_vector_float32 load_lanes_float32(const void *from, fc_lanes_float32 lanes)
{
    fc_vector_float32 v = {0};
    for (int64_t i = lanes.first; i < lanes.end; i++)
        v[i] = *((const fc_any_float32 *)from + i);
    return v;
}

static inline fc_vector_float64 load_lanes_float64(const void *from, fc_lanes_float64 lanes)
{
    fc_vector_float64 v = {0};
    for (int64_t i = lanes.first; i < lanes.end; i++)
        v[i] = *((const fc_any_float64 *)from + i);
    return v;
}
#endif

/* Every second item of two vectors, for __builtin_shufflevector. */
#define FC_ALTERNATE_2 0, 2
#define FC_ALTERNATE_4 0, 2, 4, 6
#define FC_ALTERNATE_8 FC_ALTERNATE_4, 8, 10, 12, 14
#define FC_ALTERNATE_16 FC_ALTERNATE_8, 16, 18, 20, 22, 24, 26, 28, 30
#if defined(__AVX512F__)
#define FC_ALTERNATE_float32 FC_ALTERNATE_16
#define FC_ALTERNATE_float64 FC_ALTERNATE_8
#elif defined(__AVX__)
#define FC_ALTERNATE_float32 FC_ALTERNATE_8
#define FC_ALTERNATE_float64 FC_ALTERNATE_4
#else
#define FC_ALTERNATE_float32 FC_ALTERNATE_4
#define FC_ALTERNATE_float64 FC_ALTERNATE_2
#endif


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
