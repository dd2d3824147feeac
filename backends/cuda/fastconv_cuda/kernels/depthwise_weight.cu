// The weight gradient of a depthwise convolution: blocks of FC_ACROSS channels x pixels, each
// thread with all taps of a channel; a part's sums meet in a fixed tree, reduce_weight adds up the
// parts.
#include "depthwise.cuh"
#include "walk.cuh"

enum { ACROSS = FC_ACROSS, DEEP = 256 / ACROSS, TAPS = TAPS_H * TAPS_W };

extern "C" __global__ void FC_ONE_BLOCK
depthwise_weight(const char *x, const char *y, sum_t *parts, const WeightSum p) {
  FC_SHARED(memory);
  sum_t *shared = (sum_t *)memory;
  const Conv &conv = p.conv;
  const Axis &rows = conv.axis[1], &columns = conv.axis[2];
  int lane = threadIdx.x % ACROSS, deep = threadIdx.x / ACROSS;
  long long channel = (long long)blockIdx.x * ACROSS + lane, channels = conv.groups * conv.k;
  long long pixels = conv.batch * rows.out * columns.out, first = blockIdx.y * p.part;
  long long end = first + p.part < pixels ? first + p.part : pixels;
  const char *plane = x + channel / conv.k * conv.x[1], *grad = y + channel * conv.y[1];
  sum_t sums[TAPS] = {};
  Walk at;
  at.start(first + deep, conv.axis);
  if (channel < channels)
    for (long long pixel = first + deep; pixel < end; pixel += DEEP) {
      sum_t g = factor(load(grad + at.image * conv.y[0] + at.at[1] * conv.y[3]
                           + at.at[2] * conv.y[4]));
#pragma unroll
      for (int r = 0; r < TAPS_H; r++) {
        long long h = (long long)at.at[1] * STRIDE_H + r * DILATION_H - rows.before;
#pragma unroll
        for (int s = 0; s < TAPS_W; s++) {
          long long v = (long long)at.at[2] * STRIDE_W + s * DILATION_W - columns.before;
          if (h >= 0 && h < rows.in && v >= 0 && v < columns.in)
            sums[r * TAPS_W + s] +=
                g * factor(load(plane + at.image * conv.x[0] + h * conv.x[3] + v * conv.x[4]));
        }
      }
      at.advance(DEEP, conv.axis);
    }
#pragma unroll
  for (int tap = 0; tap < TAPS; tap++) {
    shared[threadIdx.x] = sums[tap];
    for (int half = DEEP / 2; half > 0; half /= 2) {
      block_barrier();
      if (deep < half) shared[threadIdx.x] += shared[threadIdx.x + half * ACROSS];
    }
    if (deep == 0 && channel < channels)
      parts[(blockIdx.y * channels + channel) * TAPS + tap] = shared[lane];
    block_barrier();
  }
}
FC_EXPORT(depthwise_weight)
