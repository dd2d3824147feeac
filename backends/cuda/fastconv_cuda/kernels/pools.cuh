// What the pools' kernels share: which element a thread has, and walks over a window's elements.
#pragma once
#include "types.cuh"
#include "windows.cuh"

struct Spot { long long n, c, at[3]; };

__device__ __forceinline__ long long windows_of(const Pool &p) {
  return p.window[0].count * p.window[1].count * p.window[2].count;
}
__device__ __forceinline__ long long elements_of(const Pool &p) {
  return p.window[0].length * p.window[1].length * p.window[2].length;
}

__device__ __forceinline__ Spot spot(long long i, long long channels, long long d, long long h,
                                     long long v) {
  Spot s;
  s.at[2] = i % v; i /= v;
  s.at[1] = i % h; i /= h;
  s.at[0] = i % d; i /= d;
  s.c = i % channels;
  s.n = i / channels;
  return s;
}
__device__ __forceinline__ Spot window_spot(long long i, const Pool &p) {
  return spot(i, p.channels, p.window[0].count, p.window[1].count, p.window[2].count);
}
__device__ __forceinline__ Spot element_spot(long long i, const Pool &p) {
  return spot(i, p.channels, p.window[0].length, p.window[1].length, p.window[2].length);
}

__device__ __forceinline__ long long plane_of(const Spot &s, const long long *strides) {
  return s.n * strides[0] + s.c * strides[1];
}
__device__ __forceinline__ long long inside(const long long *at, const long long *strides) {
  return at[0] * strides[2] + at[1] * strides[3] + at[2] * strides[4];
}

// Calls visit(element's coordinates) in row-major order.
template <class Visit>
__device__ __forceinline__ void each_element(const Span *s, Visit visit) {
  for (long long i = 0; i < s[0].taps; i++)
    for (long long j = 0; j < s[1].taps; j++)
      for (long long k = 0; k < s[2].taps; k++) {
        long long at[3] = {s[0].first + i * s[0].step, s[1].first + j * s[1].step,
                           s[2].first + k * s[2].step};
        visit(at);
      }
}

// Calls visit(window's coordinates, its spans) for each window that covers an element.
template <class Visit>
__device__ __forceinline__ void each_window(const Pool &p, const long long *at, Visit visit) {
  Range r[3];
  for (int axis = 0; axis < 3; axis++) r[axis] = touching(p.window[axis], at[axis]);
  Span s[3];
  for (long long i = r[0].first; i <= r[0].last; i++) {
    s[0] = span_of(p.window[0], i);
    if (!covers(s[0], at[0])) continue;
    for (long long j = r[1].first; j <= r[1].last; j++) {
      s[1] = span_of(p.window[1], j);
      if (!covers(s[1], at[1])) continue;
      for (long long k = r[2].first; k <= r[2].last; k++) {
        s[2] = span_of(p.window[2], k);
        if (!covers(s[2], at[2])) continue;
        long long window[3] = {i, j, k};
        visit(window, s);
      }
    }
  }
}

__device__ __forceinline__ double divisor_of(const Span *s, const Pool &p) {
  if (p.has_divisor) return p.divisor;
  return (double)most(s[0].share * s[1].share * s[2].share, 1);
}
