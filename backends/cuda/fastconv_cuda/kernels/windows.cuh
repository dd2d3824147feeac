// A pool's windows along one axis, fixed or adaptive, as fastconv.problem.Window defines them.
#pragma once
#include "params.cuh"

__device__ __forceinline__ long long ceil_div(long long a, long long b) {
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}
__device__ __forceinline__ long long floor_div(long long a, long long b) {
  return -ceil_div(-a, b);
}
__device__ __forceinline__ long long least(long long a, long long b) { return a < b ? a : b; }
__device__ __forceinline__ long long most(long long a, long long b) { return a > b ? a : b; }

// First valid element, number of valid ones, distance between them, share of the divisor.
struct Span { long long first, taps, step, share; };

__device__ __forceinline__ Span span_of(const Window &w, long long o) {
  Span s;
  if (w.adaptive) {
    s.first = o * w.length / w.count;
    s.taps = s.share = ceil_div((o + 1) * w.length, w.count) - s.first;
    s.step = 1;
    return s;
  }
  long long start = o * w.stride - w.before;
  long long skipped = most(ceil_div(-start, w.dilation), 0);
  s.step = w.dilation;
  s.first = start + skipped * w.dilation;
  s.taps = most(least(ceil_div(w.length - s.first, w.dilation), w.kernel - skipped), 0);
  s.share = s.taps;
  if (w.count_padding)
    s.share = most(least(ceil_div(w.length + w.after - start, w.dilation), w.kernel), 0);
  return s;
}

// Windows that may cover an element: from first to last, both included.
struct Range { long long first, last; };

__device__ __forceinline__ Range touching(const Window &w, long long at) {
  Range r;
  if (w.adaptive) {
    r.first = at * w.count / w.length - 1;
    r.last = ceil_div((at + 1) * w.count, w.length);
  } else {
    r.first = ceil_div(at + w.before - (w.kernel - 1) * w.dilation, w.stride);
    r.last = floor_div(at + w.before, w.stride);
  }
  r.first = most(r.first, 0);
  r.last = least(r.last, w.count - 1);
  return r;
}

__device__ __forceinline__ bool covers(const Span &s, long long at) {
  long long from = at - s.first;
  return from >= 0 && from % s.step == 0 && from / s.step < s.taps;
}
