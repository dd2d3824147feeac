// Convolution of 8-bit integers by tensor cores. With X and W the zero points, and the padding
// filled with X, each window has all its taps, and
//   sum (x - X)(w - W) = sum x w - X sum w - W sum x + taps * channels * X * W.
// The weight's sums come from sum_weight, those of x from a product with ones.
#define FC_FILLED
#include "gather_product.cuh"
#include "integers.cuh"

#ifndef FC_SCALED
struct RowSums {
  int v[ROW_TILES][4];

  __device__ __forceinline__ void add(unsigned char *a) {
    const unsigned ones[2] = {0x01010101u, 0x01010101u};
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < CHUNKS / 2; step++)
#pragma unroll
      for (int i = 0; i < ROW_TILES; i++) {
        unsigned left[4];
        load_matrices(left, a + place(first_row() + i * 16 + lane % 16, 2 * step + lane / 16));
        FC_MULTIPLY_BY(v[i], left, ones);
      }
  }
};
#else
// Without zero points there is nothing to take away.
struct RowSums {
  __device__ __forceinline__ void add(unsigned char *) {}
};
#endif

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
integer_gemm(const char *x, const char *weight, const int *weight_sums, const char *x_zero,
             const char *w_zero, const char *bias, const char *multiplier, const char *y_zero,
             char *y, const Gather p, const IntegerConv q) {
  FC_SHARED(memory);
  Block block(p);
  if (block.empty()) return;
  element zero = x_zero ? *(const element *)x_zero : element();
  Loader loader(block, x, weight, zero);
  Sums sums;
  sums.clear();
  RowSums rows = {};
  each_tile(loader, memory, [&](unsigned char *a, unsigned char *b) {
    multiply(sums, a, b);
    rows.add(a);
  });
#ifdef FC_SCALED
  each_result(memory, sums, int(), block, [&](long long at, int, int column, int sum) {
    long long o = (long long)block.group * block.columns + block.column0 + column;
    put_integer(y + at + o * block.to[1], sum, o, bias, multiplier, y_zero, q);
  });
#else
  // Behind what the results go through.
  int *row_sums = (int *)(memory + SLAB * PITCH * sizeof(int) + ROWS * 12);
  block_barrier();
  int lane = threadIdx.x % 32;
  if (lane % 4 == 0 && first_column() == 0)
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        row_sums[first_row() + i * 16 + half * 8 + lane / 4] = rows.v[i][2 * half];
  each_result(memory, sums, int(), block, [&](long long at, int row, int column, int sum) {
    long long o = (long long)block.group * block.columns + block.column0 + column;
    uint32 less = w_zero ? widen(read<FC_W>(w_zero + o * q.w_zero)) : 0, from = widen(zero);
    uint32 all = (uint32)(block.all_taps * block.channels);
    uint32 exact = (uint32)sum - from * (uint32)weight_sums[o] - less * (uint32)row_sums[row]
                   + all * from * less;
    put_integer(y + at + o * block.to[1], exact, o, bias, multiplier, y_zero, q);
  });
#endif
}
FC_EXPORT(integer_gemm)
