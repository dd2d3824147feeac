// What the host passes by value. Every member is 8 bytes, so that no compiler pads anything;
// fastconv_cuda/params.py says the same to NumPy, and a test compares the two.
#pragma once

// Along one axis, y[o] reads x[o * stride + tap * dilation - before].
struct Axis { long long in, out, taps, stride, dilation, before; };

// x (batch, groups * c, in...), w (groups * k, c, taps...), y (batch, groups * k, out...):
// strides in bytes. A linear layer is one whose axes are all 1.
struct Conv {
  Axis axis[3];
  long long batch, groups, c, k;
  long long x[5], w[5], y[5];
  long long bias, activation, conjugate;
};

// Column rows count (c, taps...), the last one fastest; positions count outputs.
struct Columns {
  Axis axis[3];
  long long batch, c;
  long long x[5], columns[3];
};

struct Window {
  long long length, count, kernel, stride, before, after, dilation, adaptive, count_padding;
};

struct Pool {
  Window window[3];
  long long batch, channels;
  long long x[5], y[5], indices[5], grad[5];
  long long has_indices, has_divisor;
  double divisor, norm, volume;
};

struct BiasSum {
  long long batch, channels, extent[3];
  long long y[5], bias;
};

// Zero points, bias and multiplier are 1-d: strides in bytes, 0 where one number serves all.
struct IntegerConv {
  Conv conv;
  long long w_zero, multiplier, has_bias, bias;
};

// Forward, or the input gradient taken apart into phases of x's positions (position % stride),
// each of which is a convolution of y with some of the taps. The weight lies packed:
// (group, channel of the result, tap, channel of the reduction to whole 16-byte chunks).
struct Gather {
  Conv conv;
  long long input_grad, padded;
  long long phases[3], tap_step[3];
};

// The same by boxes of `axes` spatial axes: tiles of the result, and whether 16 bytes of its
// channels lie side by side.
struct Boxes {
  Gather gather;
  long long axes, row_tiles, column_tiles, wide;
};

// The weight gradient: the pixels are summed in `splits` parts of `part` each. Of the channels that
// were summed, those beyond `c` and `k` were only there to fill chunks.
struct WeightSum {
  Conv conv;
  long long splits, part, c, k;
};

// The same by boxes: tiles of the result, and the boxes of x's channels that hold each tap's.
struct WeightBoxes {
  WeightSum sum;
  long long axes, row_tiles, column_tiles, chunks;
};

// An array (batch, groups * channels, extent...), strides in bytes, and its copy: pixels x groups *
// padded channels. `last`: whether channels lie side by side in the array too.
struct ImageCopy {
  long long batch, groups, channels, padded, last;
  long long extent[3], from[5];
};

// Rows of `count` values each, taken in `parts`: strides of a row, then of five axes.
struct Reach { long long count, parts, extent[5], stride[6]; };

struct Finish { long long batch, channels, positions, bias, activation; };
