// What sums of 8-bit integers become. With FC_SCALED, FC_Y is a real type: the sums are of operands
// that were quantized, and the multiplier and y_zero are the scales of the weight and of x.
#pragma once
#include "types.cuh"
#include "params.cuh"
#ifdef FC_SCALED
#include "activations.cuh"

__device__ __forceinline__ void put_integer(char *to, uint32 sum, long long o, const char *bias,
                                            const char *multiplier, const char *y_zero,
                                            const IntegerConv &q) {
  float scale = read<float>(multiplier + o * q.multiplier) * read<float>(y_zero);
  float v = (float)(int32)sum * scale;
  if (q.has_bias) v += (float)widen(read<FC_Y>(bias + o * q.bias));
  write<FC_Y>(to, narrowed<FC_Y>::from(activated(v, q.conv.activation)));
}
#else
__device__ __forceinline__ int32 finished(uint32 sum, float, int, int32) { return (int32)sum; }

// What the host does in float32 too: round to nearest even, then saturate.
template <class T>
__device__ __forceinline__ T finished(uint32 sum, float multiplier, int zero, T) {
  float low = (T)-1 < 0 ? -128.f : 0.f;
  float v = rintf((float)(int32)sum * multiplier) + (float)zero;
  return (T)(v > low + 255.f ? low + 255.f : v < low ? low : v);
}

// Writes one element of channel o: bias, multiplier and zero point are the whole arrays.
__device__ __forceinline__ void put_integer(char *to, uint32 sum, long long o, const char *bias,
                                            const char *multiplier, const char *y_zero,
                                            const IntegerConv &q) {
  if (q.has_bias) sum += (uint32)read<int32>(bias + o * q.bias);
  FC_Y kind = 0;
  float scale = 0;
  int shift = 0;
  if (sizeof(FC_Y) == 1) {
    scale = read<float>(multiplier + o * q.multiplier);
    shift = read<FC_Y>(y_zero);
  }
  write<FC_Y>(to, finished(sum, scale, shift, kind));
}
#endif
