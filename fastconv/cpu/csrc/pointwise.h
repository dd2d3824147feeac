/* A pointwise convolution as a matrix product: panels of positions, packed where they are used. */
#ifndef FC_POINTWISE_H
#define FC_POINTWISE_H

#include "product.h"
#include "transpose.h"

/* Blocks of a weight whose items are copied together: they share cache lines. */
enum { PACK_BLOCKS = 4 };

/* Positions [begin, end) of a set of images: as many vectors as a tile has, or fewer. */
typedef struct {
    int64_t begin, end, vectors;
} fc_panel;

/* Part of a panel that lies in one image, `at` positions from the panel's begin. */
typedef struct {
    int64_t image, item, count, at;
} fc_stretch;

/* A unit of work: a panel of a set, blocks of channels of a group. */
typedef struct {
    int64_t set, group, index, block, blocks;
    fc_panel panel;
    fc_stretch first;
} fc_pointwise_unit;

#endif
