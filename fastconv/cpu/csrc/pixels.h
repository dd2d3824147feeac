/* Convolutions of arrays whose channels lie side by side: vectors run along target channels. */
#ifndef FC_PIXELS_H
#define FC_PIXELS_H

#include "product.h"

/* The heights and widths of tiles, up to TILE_ROWS pixels and TILE_VECTORS vectors. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define FC_PIXEL_TILES(X)                                                                          \
    FC_3(X, 1) FC_3(X, 2) FC_3(X, 3) FC_3(X, 4) FC_3(X, 5) FC_3(X, 6) FC_3(X, 7) FC_3(X, 8)
#elif defined(__AVX__)
#define FC_PIXEL_TILES(X) FC_2(X, 1) FC_2(X, 2) FC_2(X, 3) FC_2(X, 4) FC_2(X, 5) FC_2(X, 6)
#else
#define FC_PIXEL_TILES(X) FC_2(X, 1) FC_2(X, 2) FC_2(X, 3) FC_2(X, 4)
#endif

/* How a unit finds its source: for each of its positions and each of `runs`, `length` items that
 * lie side by side. These are a tap's channels, or, in lines copied with their padding, those of
 * all taps of a line. */
typedef struct {
    int64_t runs, length;
    int64_t lines, line; /* copied for each image and plane of the kernel; items of one */
    /* Copied lines and pixels are `take` apart in the source, outputs' are `step` in the copy. */
    int64_t take[2], step[2];
} fc_pixel_runs;

static int64_t pixel_bytes(const fc_conv *c, const fc_product *p);

#endif
