/* A pointwise convolution as a matrix product: panels of positions, packed where they are used. */
#ifndef FC_POINTWISE_H
#define FC_POINTWISE_H

#include "product.h"
#include "transpose.h"

/* Blocks of a weight whose items are copied together: they share cache lines. */
enum { PACK_BLOCKS = 4 };

/* Positions of a panel that lie in one image. */
typedef struct {
    int64_t image, item, count;
} fc_stretch;

/* Positions [begin, end) of a set of images: as many vectors as a tile has, or fewer. */
typedef struct {
    int64_t begin, end, vectors;
    fc_stretch first;
} fc_panel;

/* A unit of work: panels of a set, blocks of channels of a group. */
typedef struct {
    int64_t set, group, index, panels, block, blocks;
    fc_panel panel[FC_MOST_PANELS];
    int32_t *windows; /* as in fc_unit, of each panel's pitch */
} fc_pointwise_unit;

#endif
