/* Weight gradients, Winograd's algorithm, and depthwise convolutions. */
#ifndef FC_CONVOLUTIONS_H
#define FC_CONVOLUTIONS_H

#include "fc_products.h"

/* The weight gradient of a convolution, weight being (groups * channels, inner channels, kernel of
 * three axes). A unit of work computes `channels` outputs by `inner` inputs of a group's weight,
 * over the boxes of one of `splits`; a box is box[0] x box[1] x box[2] outputs of `images` images.
 * Above one split, `sums` holds the sums of each. With
 * across_groups a unit computes all weights of a vector's lanes of input channels, and `channels`
 * is all that a group has.
 *
 * Items of narrow types may hold two positions. Then the halves of an axis, `mates`, are taken
 * together, 0 being images and 1 to 3 outputs: boxes are of the first half, each position with its
 * mate half of the axis away, and what is left over has boxes of its own. -1: there are none. */
typedef struct {
    fc_geometry g;
    fc_array x, y, weight;
    char *sums, *scratch;
    int64_t groups, channels, inner, images, box[3], splits;
    int dtype, across_groups, mates;
} fc_weight_grad;

/* What a weight gradient needs: `sums` once, `scratch` for every thread. */
typedef struct {
    int64_t sums, scratch;
} fc_grad_bytes;

/* A convolution by Winograd's algorithm, in float32. `up` is 1, or, for an input gradient, the
 * convolution's stride, 2 at most and 1 along the first axis; then `stride` is 1. Axes with either
 * have dilation 1, but for the first. `alpha` is how an axis is cut: 6 inputs for 4
 * outputs, 4 for 2, or 1 for 1. The weight is read by byte steps; where `packed` is
 * not NULL it holds winograd_weight's result and the weight is not read. Blocks of `width` tiles, a
 * multiple of a vector's lanes, are multiplied with `group` output channels at a time, a multiple
 * of a tile's rows. Where `inputs` is NULL, a unit of work is a block; otherwise all blocks are
 * transformed into it first, and a unit is a group of channels. Unless
 * `pixels` is 0, channels lie side by side in x and y, and vectors run along them: kernels are
 * packed in blocks of so many output channels, whole vectors of a tile of pixels; `group` is a
 * multiple of that. */
typedef struct {
    fc_array x, y;
    int64_t kernel[3], before[3], dilation[3], stride[3], up[3];
    int64_t groups, inner, channels; /* inner, channels: inputs and outputs of a group */
    const char *weight;
    int64_t w_group, w_channel, w_inner, w_tap[3];
    char *packed, *inputs, *scratch;
    const char *bias;
    int64_t width, group;
    double parameter;
    int alpha[2], activation; /* of the lines, and along a line */
    int64_t pixels;
    int half; /* of x, y and the weight as given, whose items have 2 bytes: FC_NARROW_float16... */
    int rounding; /* of float32 x and weight as they are read, with pixels 0: FC_TO_TF32... */
} fc_winograd;

/* The weight gradient of a convolution by Winograd's algorithm, summed in float32: tiles of
 * x and of y, the output's gradient, `width` at a time, a multiple of a vector's lanes, are
 * transformed into `inputs` and `grads`. A unit of work is a product of `range` output channels, a
 * multiple of a tile's rows, and `group` rows, a multiple of the lanes; it is transformed back and
 * added to `sums`. The tiles are cut into `splits`, each with sums of its own. With `panels` of
 * inputs and grads for each thread, a thread takes a split alone; with one, all share a split. Each
 * thread has winograd_grad_scratch. */
typedef struct {
    fc_array x, y, weight; /* weight: (groups * channels, inner, kernel) */
    int64_t kernel[3], before[3], dilation[3], stride[3];
    int64_t groups, inner, channels;
    char *inputs, *grads, *sums, *scratch;
    int64_t width, range, group, splits, panels;
    int alpha[2];
    int pixels; /* channels lie side by side in x and y: vectors run along them */
    int half;   /* of all three, whose items have 2 bytes, as in fc_winograd */
    int rounding; /* as fc_winograd's */
} fc_winograd_grad;

/* A depthwise convolution or one of its gradients: weight is (channels * multiplier, 1, kernel).
 * dtype is a floating one's code, FC_DTYPE_COUNT more than a narrow one's, or FC_LOWERED: float32
 * that is rounded as it is read; sums of 16-bit types are float32. Bytes have no gradients; their
 * sums, with weights less `w_zeros`, int32, w_zero_step bytes apart, are exact while they have no
 * more than 2^24 / 255^2 products. A pass takes a band of one channel at a time; with `pixels`,
 * where channels lie side by side in x and y, a vector of channels. depthwise_plan fills what
 * stands last from the rest, but for the arrays' memory. The weight gradient's sums are (splits,
 * channels * multiplier, kernel), contiguous, each over its share of the images. */
enum { FC_FORWARD, FC_INPUT_GRAD, FC_WEIGHT_GRAD };
enum { FC_MOST_PHASES = 4 }; /* an input gradient's largest stride */
enum { FC_LOWERED = FC_DTYPE_COUNT + FC_NARROW_COUNT };

typedef struct {
    fc_geometry g;
    fc_array x, y, weight;
    const char *bias; /* may be NULL */
    char *sums, *table, *scratch;
    int64_t multiplier, splits, band_bytes;
    double parameter;
    int dtype, operation, activation, pixels;
    int rounding; /* of FC_LOWERED: FC_TO_TF32... */
    /* Of FC_TO_STEPS, where x is taken as whole numbers of `scale`, as int8 would hold them: a
     * float32 for each target channel that its sums are multiplied by, and one that is added, or
     * NULL. The weight holds whole numbers. */
    const char *factors, *added;
    float scale;
    fc_narrow narrow; /* its flips, zero points and multiplier */
    const char *w_zeros; /* may be NULL */
    int64_t w_zero_step;
    int64_t table_bytes, scratch_bytes; /* scratch_bytes for each thread */
} fc_depthwise;

/* A convolution whose groups have `group` channels, 1, 2, 4 or 8, in and out, which lie side by
 * side in x and y. `packed` is the weight in pieces of FC_GROUPED_BYTES: (pieces, taps, channels of
 * a group, channels of the piece), zero past the last channel. It, the bias and sums are of
 * `dtype`, as x and y unless these hold 16-bit floats: `half` is 1 + FC_NARROW_float16... then.
 * With `streams`, results go past the caches where they fill whole lines; with `ahead`, x of groups
 * of one channel is asked for before it is needed. Such groups' kernels are no wider than
 * FC_ALONE_WIDEST, and rows of x that are widened or rounded are put in scratch memory, as many as
 * fit. */
enum { FC_GROUPED_BYTES = 64, FC_ALONE_WIDEST = 128 };

typedef struct {
    fc_geometry g;
    fc_array x, y;
    const char *packed, *bias; /* the bias may be NULL */
    int64_t group;
    double parameter;
    int dtype, half, activation;
    int rounding; /* of float32 items of x: FC_TO_TF32... */
    int streams, ahead;
    char *scratch;
    int64_t scratch_bytes; /* for each thread */
} fc_grouped;

/* Whether groups of one channel go over x as a kernel of 3 x 3 slides along it, and need no scratch
 * memory: the columns of x that two places, or three, have in common are all in the image. */
static inline int fc_slides(const fc_geometry *g)
{
    const int64_t stride = g->stride[2], shared = stride == 1 ? 2 : 1;
    const int64_t end = (g->out[2] - 1) * stride - g->before[2] + stride;

    return g->kernel[0] == 1 && g->kernel[1] == 3 && g->kernel[2] == 3 && g->dilation[1] == 1
           && g->dilation[2] == 1 && g->stride[1] == stride && (stride == 1 || stride == 2)
           && g->out[2] >= shared && g->before[2] <= shared * stride && end <= g->in[2];
}

/* Its weight's gradient: `sums`, as many bytes as the packed weight for each split of the outputs'
 * rows, are added to the weight, whose items are of `dtype`; the packed one, bias, and activation
 * are not looked at. */
typedef struct {
    fc_grouped conv;
    fc_array weight;
    char *sums;
    int64_t splits, bytes;
} fc_grouped_grad;

/* The weight that is packed: (channels, channels of a group, kernel), or, with `turned`, that of an
 * input gradient: the first axis is then of the source's channels, and the second of the target's.
 */
typedef struct {
    fc_array weight;
    char *packed;
    int turned;
} fc_grouped_weight;

#endif
