// Which elements a tile's rows are: pixels of the result, and what each tap reads for them.
#pragma once
#include "tile.cuh"
#include "params.cuh"

// One phase of one axis: row r of the result is at r * place_step + place_first; its tap i is tap
// tap_first + i * tap_step of the kernel and reads r * step + first + i * tap_reach.
struct View {
  int rows, place_step, place_first, step, first, taps, tap_first, tap_step, tap_reach, limit;
};

__device__ __forceinline__ View forward_view(const Axis &a) {
  return View{(int)a.out, 1, 0, (int)a.stride, -(int)a.before, (int)a.taps, 0, 1, (int)a.dilation,
              (int)a.in};
}

__device__ __forceinline__ View grad_view(const Axis &a, int phase, int tap_step) {
  int stride = (int)a.stride, dilation = (int)a.dilation, taps = (int)a.taps;
  int reach = phase + (int)a.before, tap = 0;
  while (tap < tap_step && tap < taps && (reach - tap * dilation) % stride) tap++;
  // No tap at all may reach a phase.
  int count = tap < tap_step && tap < taps ? (taps - tap + tap_step - 1) / tap_step : 0;
  return View{((int)a.in - phase + stride - 1) / stride, stride, phase, 1,
              count ? (reach - tap * dilation) / stride : 0, count, tap, tap_step,
              -(tap_step * dilation / stride), (int)a.out};
}

struct Views { View axis[3]; };

__device__ __forceinline__ Views views_of(const Gather &p, int phase) {
  Views v;
  for (int axis = 2; axis >= 0; axis--) {
    if (p.input_grad)
      v.axis[axis] = grad_view(p.conv.axis[axis], phase % (int)p.phases[axis],
                               (int)p.tap_step[axis]);
    else
      v.axis[axis] = forward_view(p.conv.axis[axis]);
    phase /= (int)p.phases[axis];
  }
  return v;
}

// A pixel of the result: its image, and its row along each axis; no pixel: image -1.
struct Pixel { int image, row[3]; };

__device__ __forceinline__ Pixel pixel_of(const Views &v, long long m, long long batch) {
  Pixel at;
  for (int axis = 2; axis >= 0; axis--) {
    // No rows, no pixels: but nothing may be divided by 0 either.
    int rows = v.axis[axis].rows > 0 ? v.axis[axis].rows : 1;
    at.row[axis] = (int)(m % rows);
    m /= rows;
  }
  at.image = m < batch ? (int)m : -1;
  return at;
}

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
