/* A convolution's operands, and its results by the definition, in double. */
#ifndef CONV_H
#define CONV_H

#include "geometry.h"

typedef struct {
    fc_geometry g;
    int dtype;
    int64_t groups, channels, rows, size; /* channels: outputs of a group; rows: of its columns */
    int64_t x_shape[5], y_shape[5];
} conv;

conv draw_conv(void);

/* A depthwise one of a narrow type, whose code is FC_DTYPE_COUNT more. */
conv draw_narrow_depthwise(int dtype);

/* The input under group `group`'s row, as a double; 0 in padding. */
double column(const conv *c, const block *x, int64_t n, int64_t group, int64_t row,
              int64_t position);

/* What each of a product's outputs should be, and by how much a sum in its own precision may miss
 * it. Of f its operands are read, of p its geometry and places. */
void convolve(const conv *c, const fc_conv *f, const fc_product *p, const block *x, double *want,
              double *bound);

/* The weight gradient: sums of y times a row of columns, and bounds of their errors. */
void add_up(const conv *c, const block *x, const block *y, double *want, double *bound);

/* An array whose positions lie side by side, on three axes; images and channels may be apart. The
 * same on five. */
block lines_of(const conv *c, int64_t channels, int is_output);
fc_array of_five_axes(const block *b, const conv *c);

/* Items of a narrow type of 16 bits; of multiples of 1/64 up to 1, exactly. */
uint16_t half_of(int dtype, double v);
double of_half(int dtype, uint16_t half);
double unit_of(int dtype); /* half the spacing of its numbers at 1 */

int64_t rounded_up(int64_t n, int64_t multiple);

#endif
