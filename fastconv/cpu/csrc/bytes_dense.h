/* A linear layer of bytes: what its templates share. */
#ifndef FC_BYTES_DENSE_H
#define FC_BYTES_DENSE_H

#include "finish.h"
#include "narrow.h"
#include "requantize.h"

/* A panel is a tile's columns of the weight, that is, of y. Of a longer reduction it exceeds half a
 * megabyte of second-level cache, and is taken in blocks. A piece has at most MOST_PIECE_ROWS
 * rows of x, fewer where they would take more than that, but not so few that panels come from
 * memory faster than it can give them. */
enum {
    PANEL_COLUMNS = TILE_VECTORS * NARROW_LANES,
    PANEL_ITEMS = 512 * 1024 / (4 * PANEL_COLUMNS),
    MOST_PIECE_ROWS = 256 / TILE_ROWS * TILE_ROWS,
    LEAST_PIECE_ROWS = 64 / TILE_ROWS * TILE_ROWS,
};

/* Of a panel's columns: what their sums begin with, and what is made of them. */
typedef struct {
    fc_vector_i32 start[TILE_VECTORS], zeros[TILE_VECTORS];
    fc_vector_float32 factor[TILE_VECTORS], bias[TILE_VECTORS];
} fc_byte_columns;

/* Scratch memory of a thread. */
typedef struct {
    float sums[MOST_PIECE_ROWS * PANEL_COLUMNS];
    fc_byte_columns columns;
} fc_byte_space;

/* Pieces are blocks of rows by panels. x as items, item k of row i at x + i * x_i + k * x_k. */
typedef struct {
    const fc_byte_dense *p;
    const char *x;
    int64_t rows, columns, depth, items, panels, x_i, x_k;
    int64_t piece_rows, piece_panels, across, down;
    fc_bounds bounds;
} fc_byte_job;

#endif
