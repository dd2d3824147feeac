/* Convolutions and linear layers as products of matrices. */
#ifndef FC_PRODUCTS_H
#define FC_PRODUCTS_H

#include "fc_arrays.h"

/* A convolution's forward pass, or one phase of its input gradient, as a matrix product: the
 * weight, (channels, rows), times columns, (rows, positions), where a row is an input channel's
 * tap.
 *
 * Columns are not made. An input channel's lines are copied into a plane, padded; with stride s,
 * into a plane for each residue of lines and items by s, so that a tap's column is a plane read
 * from a constant offset on: output positions are counted along padded lines. Where too much falls
 * between two lines of the output, `gathered` columns are copied out of the planes after all. */
typedef struct {
    fc_geometry g;                     /* from the source to this phase of the target */
    int64_t first[3], step[3];         /* kernel element k is the weight's first + k * step */
    int64_t place[3], every[3];        /* output o is the target's place + o * every */
    int64_t images, lines, items;      /* a unit: images, or lines of an image, or part of a line */
    int64_t depth, blocks;             /* source channels at a time; tiles' heights in a unit */
    int64_t gathered, apart;           /* apart: tiles begin with lines, sums are finished */
    /* What follows is conv_layout's. */
    int64_t period[3], reach[3];       /* residues used per axis, and what is read beyond out */
    int64_t line, plane_lines, plane;  /* items of a padded line, lines and items of a plane */
    int64_t rows, width, packed, packed_at, units; /* bytes of the packed weight, and before */
    int64_t across, down, parts;       /* units: parts of a line, of a plane, of the channels */
    int64_t *offsets;                  /* depth * kernel of them, filled by conv_offsets */
} fc_product;

/* What such a convolution has besides: source channels of a group, which items hold some of.
 *
 * Of int8, flips are xored to bytes of x and of the weight, so that x is unsigned and the weight
 * signed; x_zero is then what stands for 0 in x. `sums` are the packed weight's, of each target
 * channel, int32. With a multiplier for each, or one for all (step 0), the target has 8 bits:
 * sum * multiplier, rounded, plus y_zero, between low and high. If `scaled`, it is float32: sum *
 * multiplier, plus `added` of each target channel, and rectified if there's `relu`. */
typedef struct {
    int64_t sources, multiplier_step;
    int scaled, relu;
    const char *added; /* float32, contiguous, or NULL */
    uint32_t x_flip, weight_flip;
    int32_t x_zero, y_zero, low, high;
    const char *multiplier;
    char *sums;
    const char *w_zeros; /* int32, of each target channel or of all (step 0), or NULL: all 0 */
    int64_t w_zero_step;
} fc_narrow;

/* A turned convolution's unit: some lines of one plane of an image, or part of a line, and so many
 * vectors of target channels, for all products. It reads a box of the source, copied with its
 * padding: output o of every product reads items o * stride / every + 0 to reach of the box. */
typedef struct {
    int64_t lines, items, blocks;
    int64_t low[3], reach[3], every[3]; /* where the box of output 0 begins; steps in the source */
    int64_t line, plane, channel;       /* items of the box, to the next line, plane, channel */
    int64_t planes, down, across, parts, units;
} fc_turned;

enum { FC_PLANES, FC_PIXELS, FC_TRANSPOSED };
enum { FC_UPRIGHT, FC_TURNED, FC_TURNED_WHOLE };

/* weight is (outputs, inputs per group, *kernel) of a forward convolution; with `transposed`,
 * source channels are its outputs. inner and channels are a group's source and target channels.
 * A tile's rows are target channels and its vectors positions, or, with `turned`, the other way
 * round: there tile_rows is a vector's lanes. FC_TURNED_WHOLE is for narrow types whose source
 * channels lie side by side, as they then do in a box as well. With `streams`, results go past the
 * caches; with `gaps`, there are items of the target that no product fills.
 *
 * Over `pixels`, a tile has TILE_ROWS positions by tile_rows target channels, whole vectors.
 * Channels lie side by side in x and y, and are read and written where they are. There `gathered`
 * copies padded lines, so that a line's taps are one run of items, and takes all source channels
 * at once. FC_TRANSPOSED is for other arrays: lines are transposed as they are copied, and so are
 * sums. */
typedef struct {
    const fc_product *products;
    fc_turned box;
    fc_array x, y, weight;
    const char *bias;
    char *packed, *scratch;
    int64_t count, groups, inner, channels, bias_step, scratch_bytes;
    double parameter;
    int dtype, activation, transposed, turned, streams, gaps, pixels, tile_rows, tile_vectors;
    fc_narrow narrow;
} fc_conv;

/* A pointwise convolution's forward pass or input gradient: positions lie side by side in x, the
 * source, and y, the target. The positions of `images` images at a time are counted as one line,
 * which is cut into panels, a tile's vectors wide. A unit of work is so many panels, at most
 * FC_MOST_PANELS, by so many blocks of tile_rows channels; it sums `depth` source channels at a
 * time. inner and channels are a group's. */
enum { FC_MOST_PANELS = 16 };

typedef struct {
    fc_array x, y, weight;
    const char *bias;
    char *packed, *scratch;
    int64_t groups, inner, channels, images, panels, blocks, depth, bias_step;
    double parameter;
    int dtype, activation, transposed, tile_rows, tile_vectors;
    /* What follows is pointwise_layout's: of an image; of a line; panels of a line; parts that the
     * blocks fall into. */
    int64_t positions, vectors, across, parts, units, packed_bytes, scratch_bytes;
    fc_narrow narrow;
} fc_pointwise;

/* The product c = a b of matrices, the last two of three axes, with a bias for each column of c and
 * an activation. Columns of c lie side by side. Each thread has scratch_bytes of scratch, which
 * product_scratch tells. */
typedef struct {
    fc_array a, b, c;
    const char *bias; /* or NULL */
    char *scratch;
    int64_t scratch_bytes;
    double parameter;
    int dtype, activation;
} fc_dense;

/* A linear layer of bytes, whose sums are exact: y = (x - x_zero) (weight - w_zeros)^T, all of them
 * matrices, the last two of three axes. Columns of y lie side by side; it has int32 sums, or bytes
 * where there is a multiplier. With `scales` it has float32: sums times the multiplier of their
 * column plus a bias, which is float32 then, else int32, activated. byte_layout tells the bytes of
 * the packed weight, of x's items, and of each thread's scratch. */
typedef struct {
    fc_array x, weight, y;
    const char *bias; /* or NULL */
    char *packed, *items, *scratch;
    char *scales_to; /* where the weight is float32 that is to be quantised: its columns' scales */
    int64_t bias_step, packed_bytes, items_bytes, scratch_bytes;
    double parameter;
    int activation, scales;
    fc_narrow narrow;
} fc_byte_dense;

#endif
