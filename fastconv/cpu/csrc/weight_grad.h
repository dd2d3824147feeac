/* The weight gradient of a convolution. */
#ifndef FC_WEIGHT_GRAD_H
#define FC_WEIGHT_GRAD_H

#include "common.h"
#include "transpose.h"


/* The most vectors of a tile: their sums, the vectors and a broadcast item fill the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define FC_GRAD_VECTORS 4
#elif defined(__AVX__)
#define FC_GRAD_VECTORS 2
enum { GRAD_ROWS = 6 };
#else
#define FC_GRAD_VECTORS 2
enum { GRAD_ROWS = 4 };
#endif
/* Where x is read in place, position p of a tile asks for a cache line of row p % GRAD_AHEAD of
 * what comes next. */
enum { GRAD_VECTORS = FC_GRAD_VECTORS, GRAD_MOST_ROWS = 8, GRAD_AHEAD = 16 };

/* `images` images, and of each the outputs [first, first + count) of every axis. A mate, if there
 * is one, is so many images or outputs of an axis away. */
typedef struct {
    int64_t image, images, first[3], count[3], positions, mate[4];
} fc_box;

/* The copy of what a box reads of x, padded. Inputs are `take` apart in the image; those of
 * neighbouring outputs are `step` apart in the copy, those of neighbouring taps `reach`. Strides in
 * items: of the copy's axes, its channels, and its images. Without items it is x itself. */
typedef struct {
    int64_t take[3], step[3], reach[3], stride[3], channel, image, items;
} fc_patch;

/* Positions that follow each other in memory: so many runs, `lines` of them in a plane. */
typedef struct {
    int64_t count, positions, lines;
} fc_runs;

/* What is copied next: so many rows, `step` bytes apart, and as many of their mates, if these are
 * `mate` bytes away. */
typedef struct {
    const char *from;
    int64_t step, rows, mate;
} fc_grad_next;

/* What all units have in common, and where each thing lies in a thread's scratch memory. */
typedef struct {
    const fc_weight_grad *grad;
    fc_patch patch;
    int64_t item; /* bytes, of scratch memory */
    int64_t boxes[4], inner_blocks, channel_blocks, blocks;
    int64_t rows, vectors, sum_items; /* of a full unit */
    int64_t at_places, at_right, at_patch, at_sums, bytes;
} fc_weight_grad_job;

/* A block of the result: of a group, some output channels by some input channels. Across groups, a
 * vector's lanes of x's channels from `inner` on, each by all outputs of its group. */
typedef struct {
    int64_t group, channel, channels, inner, inners, rows, vectors;
} fc_weight_block;

#endif
