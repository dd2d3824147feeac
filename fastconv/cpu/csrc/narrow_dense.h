/* What the dense products of narrow types share. */
#ifndef FC_NARROW_DENSE_H
#define FC_NARROW_DENSE_H

#include "dense_gemm.h"
#include "narrow.h"
#include "narrow_bfloat16.h"
#include "narrow_float16.h"

/* Up to so many rows don't pay for packing both operands along their memories. */
enum { DOT_ROWS = 4, LINE_AHEAD = AHEAD / 4 };

/* A piece has sums of so many rows by BLOCK_TILES tiles, or of fewer rows by more tiles. */
enum { SPACE_WIDTH = TILE_VECTORS * NARROW_LANES, SPACE_ROWS = 264,
       SPACE_COLUMNS = 8 * BLOCK_TILES * SPACE_WIDTH };

/* Where things lie in a thread's scratch memory: the right operand's panels, a tile's rows of the
 * left one, the bias in float32, and sums, `width` to a row. Whole vectors are written, so there's
 * one more behind what may end within it. */
typedef struct {
    float *panels, *left, *bias, *sums;
    int64_t width;
} fc_narrow_dense_space;

enum {
    SPACE_LEFT = BLOCK_DEPTH * BLOCK_TILES * SPACE_WIDTH + NARROW_LANES,
    SPACE_BIAS = SPACE_LEFT + BLOCK_DEPTH * TILE_ROWS + NARROW_LANES,
    SPACE_SUMS = SPACE_BIAS + SPACE_COLUMNS,
    DENSE_SPACE_ITEMS = SPACE_SUMS + (SPACE_ROWS + TILE_ROWS) * BLOCK_TILES * SPACE_WIDTH,
};

static fc_narrow_dense_space dense_space(const fc_dense_job *job, int slot)
{
    float *at = (float *)(job->p->scratch + slot * job->p->scratch_bytes);

    return (fc_narrow_dense_space){at, at + SPACE_LEFT, at + SPACE_BIAS, at + SPACE_SUMS,
                                   ceil_div(job->piece_columns, NARROW_LANES) * NARROW_LANES};
}

/* Whether tiles put sums down as results once `done` of the reduction is. */
static int goes_straight(const fc_dense_job *job, int64_t done)
{
    return done == job->depth && job->p->bias == NULL && job->p->activation == FC_NONE;
}

/* The first n 16-bit items of a vector of pairs, the others 0. */
FC_INLINE fc_vector_u32 load_some_pairs(const char *from, int64_t n)
{
#if defined(__AVX512BW__)
    return (fc_vector_u32)_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), from);
#else
    fc_vector_u32 v = {0};
    memcpy(&v, from, (size_t)n * 2);
    return v;
#endif
}

/* Up to a vector of items that `n` numbers side by side make, the others 0. */
FC_INLINE fc_vector_u32 adjoining_float16(const char *from, int64_t n)
{
    return items_float16(from, min64(n, NARROW_LANES), 0, 1, 0);
}

FC_INLINE fc_vector_u32 adjoining_bfloat16(const char *from, int64_t n)
{
    if (CHANNELS_bfloat16 == 1)
        return items_bfloat16(from, min64(n, NARROW_LANES), 0, 1, 0);
    return n >= 2 * NARROW_LANES ? *(const fc_vector_u32 *)from : load_some_pairs(from, n);
}

FC_INLINE float total_of(fc_vector_float32 v)
{
#if defined(__AVX512F__)
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
#elif defined(__AVX__)
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1);
#else
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
#endif
    return v[0] + v[1];
}

#endif
