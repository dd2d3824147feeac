/* What the dense product's templates share. */
#ifndef FC_DENSE_GEMM_H
#define FC_DENSE_GEMM_H

#include "common.h"
#include "finish.h"
#include "lanes.h"

/* A block of the right operand, BLOCK_DEPTH rows of BLOCK_TILES tiles' columns, takes half of a
 * megabyte of second-level cache with AVX-512, less with narrower vectors. With up to FEW_ROWS of
 * the left one, packing the right one would cost more than it saves. */
enum { BLOCK_DEPTH = 256, BLOCK_TILES = 10, FEW_ROWS = 16, WIDE_VECTORS = 8, DOT_COLUMNS = 8 };

/* Pieces are blocks of rows by groups of column tiles, taken by slots that have scratch memory. */
typedef struct {
    const fc_dense *p;
    int64_t rows, columns, depth;  /* of the whole product */
    int64_t piece_rows, piece_columns, down, across;
    int64_t a_i, a_k, b_k, b_j, c_i; /* strides in bytes */
    int64_t direct; /* rows, at most, that read the right operand's lines where they lie */
} fc_dense_job;

/* `count` units in at least `pieces` parts, of so many `least`s each, at most `most` of them. */
static int64_t part_of(int64_t count, int64_t pieces, int64_t least, int64_t most)
{
    return min64(most, max64(1, ceil_div(ceil_div(count, least), pieces))) * least;
}

#endif
