// Hopper's own instructions (sm_90a), each behind a small function: barriers that count bytes,
// copies of whole boxes, and matrix products of four warps that read shared memory themselves.
#pragma once
#include "primitives.cuh"

// What the driver makes of a tensor's description; a launch passes it by value.
struct alignas(64) TensorMap { unsigned long long words[16]; };
// In shared memory. A phase ends when all have arrived and all bytes have come.
typedef unsigned long long Barrier;
// Where a matrix lies in shared memory, as the product unit wants to be told.
typedef unsigned long long Matrix;

#ifdef FC_SIMULATED
#include <hopper_twins.h>
#else

__device__ __forceinline__ void warp_barrier() { __syncwarp(); }

// Registers of each thread from now on, of a group of four warps: what some give back others take.
template <int N> __device__ __forceinline__ void give_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
#endif
}
template <int N> __device__ __forceinline__ void take_registers() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
#endif
}

__device__ __forceinline__ void barrier_init(Barrier *b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)),
               "r"(arrivals) : "memory");
}

// Lets the unit that copies boxes see barriers that this thread made.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Lets products see what this thread wrote to shared memory.
__device__ __forceinline__ void publish_shared() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(Barrier *b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}

// Arrives, and says how many bytes the phase waits for beside.
__device__ __forceinline__ void barrier_expect(Barrier *b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)),
               "r"(bytes) : "memory");
}

// Waits for the end of the phase of this parity: 0 for the first one, then 1, 0, ...
__device__ __forceinline__ void barrier_wait(Barrier *b, unsigned parity) {
  unsigned passed;
  do {
    asm volatile("{\n.reg .pred p;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, p;\n}"
                 : "=r"(passed) : "r"(shared_address(b)), "r"(parity) : "memory");
  } while (!passed);
}

// Has a map at hand before the first copy asks for it.
__device__ __forceinline__ void prefetch_map(const TensorMap *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// A box of a 3-d tensor, whose corner has these coordinates, the innermost first. What lies
// outside the tensor is 0.
__device__ __forceinline__ void copy_box(void *to, const TensorMap *map, Barrier *b, int x, int y,
                                         int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile"
               ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
               ::"r"(shared_address(to)), "l"(map), "r"(shared_address(b)), "r"(x), "r"(y), "r"(z)
               : "memory");
}

// Pixels one after another, row by row and image by image inside the map's bounding box, from
// `at` on; each of them shifted by `shift`. Of three axes the last `axes` count.
__device__ __forceinline__ void copy_pixels(void *to, const TensorMap *map, Barrier *b, int axes,
                                            int channel, const int *at, int image,
                                            const int *shift) {
  if (axes == 1)
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.im2col"
                 ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2], {%6};"
                 ::"r"(shared_address(to)), "l"(map), "r"(shared_address(b)), "r"(channel),
                 "r"(at[2]), "r"(image), "h"((short)shift[2]) : "memory");
  else if (axes == 2)
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col"
                 ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
                 ::"r"(shared_address(to)), "l"(map), "r"(shared_address(b)), "r"(channel),
                 "r"(at[2]), "r"(at[1]), "r"(image), "h"((short)shift[2]), "h"((short)shift[1])
                 : "memory");
  else
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.im2col"
                 ".mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2], "
                 "{%8, %9, %10};"
                 ::"r"(shared_address(to)), "l"(map), "r"(shared_address(b)), "r"(channel),
                 "r"(at[2]), "r"(at[1]), "r"(at[0]), "r"(image), "h"((short)shift[2]),
                 "h"((short)shift[1]), "h"((short)shift[0]) : "memory");
}

// Before products that add to registers which the threads wrote.
__device__ __forceinline__ void open_products() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// Closes the group of products begun since the last one.
__device__ __forceinline__ void close_products() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits for all groups but the last N: their sums are in registers, their operands free.
template <int N> __device__ __forceinline__ void await_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// d (64 x columns) += a (64 x 32 bytes) b (columns x 32 bytes)^T, of four warps. Warp w has rows
// 16 w to 16 w + 15; of each 8 columns its lanes have four sums as after multiply_*.
#define FC_NAMES_4 "%0, %1, %2, %3"
#define FC_NAMES_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define FC_NAMES_64 FC_NAMES_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
  ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define FC_NAMES_128 FC_NAMES_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define FC_FOUR(l, i) "+" l(d[i]), "+" l(d[i + 1]), "+" l(d[i + 2]), "+" l(d[i + 3])
#define FC_SUMS_16(l, i)                                                                         \
  FC_FOUR(l, i), FC_FOUR(l, i + 4), FC_FOUR(l, i + 8), FC_FOUR(l, i + 12)
#define FC_SUMS_4(l) FC_FOUR(l, 0)
#define FC_SUMS_32(l) FC_SUMS_16(l, 0), FC_SUMS_16(l, 16)
#define FC_SUMS_64(l) FC_SUMS_32(l), FC_SUMS_16(l, 32), FC_SUMS_16(l, 48)
#define FC_SUMS_128(l)                                                                           \
  FC_SUMS_64(l), FC_SUMS_16(l, 64), FC_SUMS_16(l, 80), FC_SUMS_16(l, 96), FC_SUMS_16(l, 112)
#define FC_GROUP(name, sums, a_at, b_at, shape, types, how, number, letter)                      \
  __device__ __forceinline__ void name(number (&d)[sums], Matrix a, Matrix b) {                  \
    asm volatile("wgmma.mma_async.sync.aligned." shape "." types " {" FC_NAMES_##sums "}, "      \
                 a_at ", " b_at ", 1" how ";" : FC_SUMS_##sums(letter) : "l"(a), "l"(b));         \
  }
#define FC_GROUPS(name, depth, types, how, number, letter)                                       \
  FC_GROUP(name, 32, "%32", "%33", "m64n64" depth, types, how, number, letter)                   \
  FC_GROUP(name, 64, "%64", "%65", "m64n128" depth, types, how, number, letter)                  \
  FC_GROUP(name, 128, "%128", "%129", "m64n256" depth, types, how, number, letter)
// Another architecture's compilation of this file has no such instructions to refuse.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
FC_GROUPS(multiply_group_float16, "k16", "f32.f16.f16", ", 1, 1, 0, 0", float, "f")
FC_GROUPS(multiply_group_bfloat16, "k16", "f32.bf16.bf16", ", 1, 1, 0, 0", float, "f")
FC_GROUPS(multiply_group_tf32, "k8", "f32.tf32.tf32", ", 1, 1", float, "f")
#define FC_INTEGERS(name, types)                                                                 \
  FC_GROUPS(name, "k32", types, "", int, "r")                                                    \
  FC_GROUP(name, 4, "%4", "%5", "m64n8k32", types, "", int, "r")
FC_INTEGERS(multiply_group_int8_int8, "s32.s8.s8")
FC_INTEGERS(multiply_group_int8_uint8, "s32.s8.u8")
FC_INTEGERS(multiply_group_uint8_int8, "s32.u8.s8")
FC_INTEGERS(multiply_group_uint8_uint8, "s32.u8.u8")
// The same of matrices that lie across: 16 steps of the reduction one after another, whose rows or
// columns lie side by side.
FC_GROUPS(multiply_across_float16, "k16", "f32.f16.f16", ", 1, 1, 1, 1", float, "f")
FC_GROUPS(multiply_across_bfloat16, "k16", "f32.bf16.bf16", ", 1, 1, 1, 1", float, "f")
#endif
#endif
