/* One convolution as a matrix product whose right operand, the columns, is never made whole. */
#ifndef FC_IMPLICIT_GEMM_H
#define FC_IMPLICIT_GEMM_H

#include "common.h"
#include "vector.h"

/* A band of an input's padded lines: items of a line, lines, positions of the output counted along
 * padded lines, and items of all channels with room for a last vector. */
typedef struct {
    int64_t line, lines, width, items;
} fc_band;

/* A unit of work is an image's group and `width` positions of it; units are handed out one by one
 * to slots, each with scratch memory of its own. */
typedef struct {
    const fc_conv *conv;
    int64_t units, tiles; /* tiles: units per image and group */
    _Atomic int64_t next;
} fc_conv_job;

typedef struct {
    fc_array weight;
    char *packed;
    int64_t blocks; /* of TILE_ROWS output channels, per group */
} fc_pack_job;

#endif
