// Which pixels a phase of a result has, and which taps reach them.
#pragma once
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
