// How far values reach: each row's largest magnitude over 127, which is a step of int8. Blocks find
// a part's largest each, settle the largest of all parts. NaN where a row holds what isn't finite
// in float32, so that nothing comes of it that looks like a number.
#include "types.cuh"
#include "params.cuh"

__device__ __forceinline__ float larger(float a, float b) { return b > a || b != b ? b : a; }

// NaN stays: it is larger than anything, and nothing is larger.
__device__ __forceinline__ float largest_of_block(float mine) {
  FC_SHARED(memory);
  float *found = (float *)memory;
  found[threadIdx.x] = mine;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    block_barrier();
    if (threadIdx.x < half) {
      float other = found[threadIdx.x + half];
      found[threadIdx.x] = larger(found[threadIdx.x], other);
    }
  }
  return found[0];
}

extern "C" __global__ void reach(const char *from, float *parts, const Reach p) {
  float most = 0;
  for (long long i = global_index(); i < p.count; i += (long long)gridDim.x * blockDim.x) {
    long long at = blockIdx.y * p.stride[0], rest = i;
    for (int axis = 5; axis > 1 && rest; axis--) {
      at += rest % p.extent[axis - 1] * p.stride[axis];
      rest /= p.extent[axis - 1];
    }
    float v = (float)widen(load(from + at + rest * p.stride[1]));
    most = larger(most, v < 0 ? -v : v);
  }
  most = largest_of_block(most);
  if (threadIdx.x == 0) parts[(long long)blockIdx.y * gridDim.x + blockIdx.x] = most;
}
FC_EXPORT(reach)

extern "C" __global__ void settle(const float *parts, float *scales, const Reach p) {
  float most = 0;
  for (long long i = threadIdx.x; i < p.parts; i += blockDim.x)
    most = larger(most, parts[blockIdx.x * p.parts + i]);
  most = largest_of_block(most);
  if (threadIdx.x == 0) {
    float scale = most / 127.f;
    if (!(most <= 3.402823466e38f)) scale = bits_float(0x7fc00000u);
    else if (scale < 1.401298464e-45f) scale = 1.401298464e-45f;
    scales[blockIdx.x] = scale;
  }
}
FC_EXPORT(settle)
