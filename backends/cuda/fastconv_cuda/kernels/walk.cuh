// Walks over the pixels of y.
#pragma once
#include "params.cuh"

// A pixel of y, and steps to the next ones in row-major order.
struct Walk {
  long long image;
  int at[3];

  __device__ __forceinline__ void start(long long pixel, const Axis *a) {
    for (int axis = 2; axis >= 0; axis--) {
      at[axis] = (int)(pixel % a[axis].out);
      pixel /= a[axis].out;
    }
    image = pixel;
  }

  __device__ __forceinline__ void advance(int by, const Axis *a) {
    at[2] += by;
    while (at[2] >= a[2].out) {
      at[2] -= (int)a[2].out;
      if (++at[1] < a[1].out) continue;
      at[1] = 0;
      if (++at[0] < a[0].out) continue;
      at[0] = 0;
      image++;
    }
  }
};
