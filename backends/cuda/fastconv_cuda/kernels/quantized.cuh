// Floats in steps of a scale, as int8.
#pragma once
#include "types.cuh"
typedef int8 copy_t;
#define FC_SCALES const float *scales,

// NaN, which no scale has, is nowhere: 0.
__device__ __forceinline__ int8 quantized(element v, float scale) {
  float steps = rintf((float)widen(v) / scale);
  return (int8)(steps > 127.f ? 127.f : steps < -127.f ? -127.f : steps == steps ? steps : 0.f);
}
