/* What tests of Winograd's algorithm share. */
#ifndef WINOGRAD_DRAW_H
#define WINOGRAD_DRAW_H

#include "conv.h"

/* How outputs lie beside inputs: one to one, further apart, or between them. */
enum { PLAIN, STRIDED, SPREAD, KINDS };

conv draw_float_conv(int kind, int64_t *up);
int64_t lanes_of(const fc_kernels *k);

/* The weight's steps; an adjoint convolution's weight has its taps in reverse. */
void take_weight(const fc_conv *f, fc_winograd *w);

/* Units are blocks of tiles, of a weight made ready or not, or groups of channels. */
void convolve_tiles(const fc_kernels *k, fc_winograd *w, block *y);

/* Draws how a weight gradient is cut: its units, chunks and splits. */
void cut_grad(const fc_kernels *k, const conv *c, fc_winograd_grad *w);
void sum_tiles(const fc_kernels *k, fc_winograd_grad *w, block *weight);

#endif
