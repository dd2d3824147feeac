// What both kernels of the weight gradient share: a block's part, and walks over pixels.
#pragma once
#include "math.cuh"
#include "walk.cuh"

// Which part of which sum a block has.
struct Part {
  const WeightSum &p;
  int group, channel0, channels, column0, columns;
  long long first, left;  // pixels

  __device__ __forceinline__ explicit Part(const WeightSum &params) : p(params) {
    const Axis *a = p.conv.axis;
    group = blockIdx.z % (int)p.conv.groups;
    channels = (int)p.conv.k;
    columns = (int)(p.conv.c * a[0].taps * a[1].taps * a[2].taps);
    channel0 = blockIdx.x * ROWS;
    column0 = blockIdx.y * COLUMNS;
    long long pixels = p.conv.batch * a[0].out * a[1].out * a[2].out;
    first = blockIdx.z / (int)p.conv.groups * p.part;
    left = pixels - first < p.part ? pixels - first : p.part;
  }

  __device__ __forceinline__ int tiles() const {
    return left > 0 ? (int)((left + DEPTH - 1) / DEPTH) : 0;
  }

  __device__ __forceinline__ void put(const Sums &sums, sum_t *parts) const {
    sum_t *to = parts + (long long)blockIdx.z * channels * columns;
    each_sum(sums, [&](int row, int column, sum_t sum) {
      if (channel0 + row < channels && column0 + column < columns)
        to[(long long)(channel0 + row) * columns + column0 + column] = sum;
    });
  }
};

// A column of the result: a tap, which shifts what each pixel reads, and a channel of x.
struct Column {
  long long offset;
  int shift[3];
  bool there;

  __device__ __forceinline__ Column(const Part &part, int column) {
    const Conv &conv = part.p.conv;
    int c = column % (int)conv.c, tap = column / (int)conv.c;
    there = column < part.columns;
    offset = c * conv.x[1];
    for (int axis = 2; axis >= 0; axis--) {
      const Axis &a = conv.axis[axis];
      shift[axis] = tap % (int)a.taps * (int)a.dilation - (int)a.before;
      tap /= (int)a.taps;
    }
  }

  // Where it reads for a pixel, if that is inside the image.
  __device__ __forceinline__ bool reads(const Walk &at, const Conv &conv, long long *from) const {
    bool inside = there;
    *from = offset + at.image * conv.x[0];
    for (int axis = 0; axis < 3; axis++) {
      long long place = at.at[axis] * conv.axis[axis].stride + shift[axis];
      inside = inside && place >= 0 && place < conv.axis[axis].in;
      *from += place * conv.x[2 + axis];
    }
    return inside;
  }
};

__device__ __forceinline__ long long grad_offset(const Walk &at, const Conv &conv) {
  return at.image * conv.y[0] + at.at[0] * conv.y[2] + at.at[1] * conv.y[3]
         + at.at[2] * conv.y[4];
}
