// The instructions that CUDA C++ has no words for, each behind a small function.
// On a CPU, tests put a twin in place of each: same name, same meaning, written in plain C++.
#pragma once
#ifdef FC_SIMULATED
#include <twins.h>
#else
#define FC_EXPORT(kernel)
#define FC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

__device__ __forceinline__ void check_aligned(const void *, int) {}
__device__ __forceinline__ void block_barrier() { __syncthreads(); }
__device__ __forceinline__ long long global_index() {
  return (long long)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ float half_to_float(unsigned short bits) {
  float v;
  asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
  return v;
}

__device__ __forceinline__ unsigned short float_to_half(float v) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
}

__device__ __forceinline__ float bfloat_to_float(unsigned short bits) {
  return __uint_as_float((unsigned)bits << 16);
}

__device__ __forceinline__ unsigned short float_to_bfloat(float v) {
#if __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(v));
  return bits;
#else
  unsigned u = __float_as_uint(v);
  if (v != v) return 0x7fff;
  return (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
#endif
}
#endif
