// What a tile's rows read: where each tap of a pixel lies.
#pragma once
#include "tile.cuh"
#include "views.cuh"

// What a pixel's taps start from.
struct Origin { long long offset; int at[3]; bool there; };

__device__ __forceinline__ Origin origin_of(const Views &v, const Pixel &pixel,
                                            const long long *strides) {
  Origin o;
  o.there = pixel.image >= 0;
  o.offset = pixel.image * strides[0];
  for (int axis = 0; axis < 3; axis++) {
    o.at[axis] = pixel.row[axis] * v.axis[axis].step + v.axis[axis].first;
    o.offset += o.at[axis] * strides[2 + axis];
  }
  return o;
}

// Walks over (tap, chunk of channels), the channels first.
struct Cursor {
  int chunk, tap[3];

  __device__ __forceinline__ void start() { chunk = tap[0] = tap[1] = tap[2] = 0; }

  __device__ __forceinline__ void advance(int by, int chunks, const Views &v) {
    chunk += by;
    while (chunk >= chunks) {
      chunk -= chunks;
      if (++tap[2] < v.axis[2].taps) continue;
      tap[2] = 0;
      if (++tap[1] < v.axis[1].taps) continue;
      tap[1] = 0;
      tap[0]++;
    }
  }

  __device__ __forceinline__ bool done(const Views &v) const { return tap[0] >= v.axis[0].taps; }
};

// Where a tap of a pixel reads, if it is inside.
__device__ __forceinline__ bool reach(const Views &v, const Origin &o, const Cursor &c,
                                      const long long *strides, long long *offset) {
  bool inside = o.there && !c.done(v);
  long long sum = o.offset;
  for (int axis = 0; axis < 3; axis++) {
    int shift = c.tap[axis] * v.axis[axis].tap_reach;
    int at = o.at[axis] + shift;
    inside = inside && at >= 0 && at < v.axis[axis].limit;
    sum += shift * strides[2 + axis];
  }
  *offset = sum;
  return inside;
}
