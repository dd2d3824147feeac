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

__device__ __forceinline__ unsigned float_bits(float v) { return __float_as_uint(v); }
__device__ __forceinline__ float bits_float(unsigned u) { return __uint_as_float(u); }

// Rounded to the 10 fraction bits that tensor cores take of a float32.
__device__ __forceinline__ unsigned round_to_tf32(unsigned bits) {
#if __CUDA_ARCH__ >= 800
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(bits)));
  return rounded;
#else
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
#endif
}

__device__ __forceinline__ unsigned shared_address(const void *p) {
  return (unsigned)__cvta_generic_to_shared(p);
}

// 16 bytes from global to shared memory while the thread goes on; zeros if not `there`.
// Turing has no such copy: there it is done at once.
__device__ __forceinline__ void copy_async(void *to, const void *from, bool there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
               "l"(from), "r"(there ? 16 : 0) : "memory");
#else
  uint4 v = make_uint4(0, 0, 0, 0);
  if (there) v = *(const uint4 *)from;
  *(uint4 *)to = v;
#endif
}

// Closes the group of copies begun since the last one.
__device__ __forceinline__ void close_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for all groups of this thread but the last N.
template <int N> __device__ __forceinline__ void await_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// Four 8 x 16-byte matrices, whose rows lanes 0-7, 8-15, 16-23 and 24-31 point at.
// Lane l gets bytes 4 (l % 4) to 4 (l % 4) + 3 of row l / 4 of each.
__device__ __forceinline__ void load_matrices(unsigned *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)) : "memory");
}

// The same of 8 x 8 matrices of 2-byte elements, transposed: lane l gets elements 2 (l % 4) and
// the next of column l / 4.
__device__ __forceinline__ void load_transposed(unsigned *r, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)) : "memory");
}

// c (16 x 8) += a (16 x 32 bytes) b (8 x 32 bytes)^T by a warp's tensor core. Lane l has, with
// g = l / 4 and t = l % 4: of a, words t and t + 4 of rows g and g + 8; of b, words t and t + 4 of
// row g; of c, columns 2 t and 2 t + 1 of rows g and g + 8.
#define FC_MULTIPLY(name, shape, types, number, letter)                                          \
  __device__ __forceinline__ void name(number *c, const unsigned *a, const unsigned *b) {        \
    asm volatile("mma.sync.aligned." shape ".row.col." types " {%0, %1, %2, %3}, "               \
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                 \
                 : "+" letter(c[0]), "+" letter(c[1]), "+" letter(c[2]), "+" letter(c[3])        \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));            \
  }
#if __CUDA_ARCH__ >= 800
FC_MULTIPLY(multiply_float16, "m16n8k16", "f32.f16.f16.f32", float, "f")
FC_MULTIPLY(multiply_bfloat16, "m16n8k16", "f32.bf16.bf16.f32", float, "f")
FC_MULTIPLY(multiply_tf32, "m16n8k8", "f32.tf32.tf32.f32", float, "f")
FC_MULTIPLY(multiply_int8_int8, "m16n8k32", "s32.s8.s8.s32", int, "r")
FC_MULTIPLY(multiply_int8_uint8, "m16n8k32", "s32.s8.u8.s32", int, "r")
FC_MULTIPLY(multiply_uint8_int8, "m16n8k32", "s32.u8.s8.s32", int, "r")
FC_MULTIPLY(multiply_uint8_uint8, "m16n8k32", "s32.u8.u8.s32", int, "r")
#endif
#endif
