/* Winograd's minimal filtering: tiles of m x m outputs by (m + 2)^2 products instead of 9 m^2.
 *
 * A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. A tile of
 * alpha x alpha inputs is transformed, multiplied element by element with the transformed 3 x 3
 * kernel, summed over channels, and transformed back. The sums are `points` matrix products.
 */
#ifndef FC_WINOGRAD_H
#define FC_WINOGRAD_H

#include "common.h"
#include "narrow_formats.h"
#include "vector.h"

typedef float fc_lanes __attribute__((vector_size(VECTOR_BYTES)));

enum {
    LANES = VECTOR_BYTES / sizeof(float),
    MOST_ALPHA = 6,
    MOST_POINTS = MOST_ALPHA * MOST_ALPHA,
    CHUNK = 16, /* input channels whose kernels are transformed together: CHUNK * TILE_ROWS lanes */
    WINOGRAD_COLUMNS = TILE_VECTORS * LANES,
    CACHE_LINE = 64, /* bytes; where it is more, fetching does a little twice */
};

/* The Cook-Toom points are 0, infinity, and these with either sign. The usual 1 and 2 lose five
 * times as many digits; squares and products of these are exact in float32. */
#define POINT_A 0.625f
#define POINT_B 1.5f

/* The two ways of cutting an axis: alpha inputs give alpha - 2 outputs of a 3-tap kernel, or the
 * axis is left alone. */
typedef struct {
    int h, w; /* alpha of the lines, and along a line */
} fc_alpha;

/* Consecutive tiles of one line of tiles, in a block of tiles of any lines and images. */
typedef struct {
    int64_t at, count;      /* first tile's place in the block, tiles */
    int64_t h, w;           /* the first tile's first input, in its sub-image */
    int64_t lines, width;   /* extents of the sub-image */
    int64_t depth;          /* the first tap's place along the first spatial axis of x */
    const char *x;          /* sub-image of channel 0, depth 0 */
    char *y;                /* first output of the first tile, channel 0 */
    int64_t down, across;   /* outputs from there to the sub-image's end, of all phases */
} fc_tile_run;

/* Images that tiles are taken from, `step` items apart; anything between lowest and highest may be
 * read. */
typedef struct {
    fc_array a;
    int64_t step[3];
    const int64_t *stride;
    const char *lowest, *highest;
    int half; /* as fc_winograd's, where items have 2 bytes */
} fc_tile_source;

/* A block of taps' first input, relative to the tile's, in its phase of the input's axis. */
typedef struct {
    int64_t phase, origin;
} fc_tap_block;

/* Where a block of taps reads, along all axes. */
typedef struct {
    int64_t depth;
    fc_tap_block h, w;
} fc_tap_window;

/* Rows of the reduction that have a point; rows 0 ends a list. */
typedef struct {
    int64_t first, rows;
} fc_row_list;

/* A block of tiles being worked on; one per thread, in its scratch memory, with what takes long to
 * find out about the taps: rows of the reduction; entries of a row list; items of a block of
 * transformed kernels, and of a point of it. */
typedef struct {
    float *tiles, *inputs, *products, *weights;
    fc_tile_run *runs;
    fc_row_list *rows;      /* for each phase of the outputs and each point */
    fc_tap_window *windows; /* for each block of taps */
    int64_t run_count, tile_step, input_step, product_step;
    int64_t depth, list, kernel_items, kernel_step;
} fc_winograd_scratch;

typedef struct fc_winograd_job fc_winograd_job;
typedef void (*fc_winograd_body)(const fc_winograd_job *, fc_winograd_scratch *, int64_t unit);

struct fc_winograd_job {
    const fc_winograd *conv;
    fc_winograd_body body;
    int64_t blocks, chunks; /* chunks: of CHUNK rows of a block's transformed inputs */
    fc_tile_source x;
};

#endif
