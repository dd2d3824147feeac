/* A convolution as matrix products whose right operand, the columns, is never made whole. */
#ifndef FC_PRODUCT_H
#define FC_PRODUCT_H

#include "common.h"
#include "finish.h"
#include "vector.h"

/* The heights of tiles, each with as many vectors as leave registers for a row of the right operand
 * and a broadcast of the left one: TILES(X) lists X(rows, vectors) up to that. */
#define FC_1(X, rows) X(rows, 1)
#define FC_2(X, rows) FC_1(X, rows) X(rows, 2)
#define FC_3(X, rows) FC_2(X, rows) X(rows, 3)
#define FC_4(X, rows) FC_3(X, rows) X(rows, 4)
#define FC_5(X, rows) FC_4(X, rows) X(rows, 5)
#define FC_6(X, rows) FC_5(X, rows) X(rows, 6)
#define FC_7(X, rows) FC_6(X, rows) X(rows, 7)
#if defined(__AVX512F__) || defined(__aarch64__)
#define FC_TILES(X)                                                                                \
    FC_7(X, 1) FC_7(X, 2) FC_7(X, 3) FC_6(X, 4) FC_5(X, 5) FC_4(X, 6) FC_3(X, 7) FC_3(X, 8)
#elif defined(__AVX__)
#define FC_TILES(X) FC_6(X, 1) FC_4(X, 2) FC_3(X, 3) FC_3(X, 4) FC_2(X, 5) FC_2(X, 6)
#else
#define FC_TILES(X) FC_6(X, 1) FC_4(X, 2) FC_3(X, 3) FC_2(X, 4)
#endif
enum { MOST_ROWS = 8, MOST_VECTORS = 7, MOST_TILE = 25 };

/* So many items side by side in the result begin at a position of the product. */
typedef struct {
    int64_t begin, end;
    char *to;
} fc_run;

/* Below so many products a thread does not pay. Lines of a channel so far ahead are prefetched. */
enum { GRAIN_UNITS = 1024 * 1024, CHANNELS_AHEAD = 4 };

/* A piece of a result: images, lines of one plane of theirs and part of each line; blocks of output
 * channels of a group. */
typedef struct {
    const fc_product *product;
    int64_t image, images, group, plane, line, lines, item, items, block, blocks;
    fc_run *runs;
    int64_t count, step, vectors; /* of runs; bytes from item to item of one; of positions */
    int32_t *windows;             /* of bytes whose weight has zero points, else NULL */
} fc_unit;

#endif
