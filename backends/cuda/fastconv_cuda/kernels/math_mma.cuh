// A block's product of tiles by tensor cores: warps of (ROWS / 2) x 32.
#pragma once
#include "tile.cuh"

enum {
  WARP_ROWS = ROWS / 2,
  WARP_COLUMNS = 32,
  ROW_TILES = WARP_ROWS / 16,
  COLUMN_TILES = WARP_COLUMNS / 8,
  THREADS = 2 * (COLUMNS / WARP_COLUMNS) * 32,
};

struct Sums {
  FC_NUMBER v[ROW_TILES][COLUMN_TILES][4];

  __device__ __forceinline__ void clear() {
    for (int i = 0; i < ROW_TILES; i++)
      for (int j = 0; j < COLUMN_TILES; j++)
        for (int e = 0; e < 4; e++) v[i][j][e] = 0;
  }
};

__device__ __forceinline__ int first_row() { return threadIdx.x / 32 % 2 * WARP_ROWS; }
__device__ __forceinline__ int first_column() { return threadIdx.x / 64 * WARP_COLUMNS; }

__device__ __forceinline__ void rounded(unsigned *words, int count) {
#ifdef FC_TF32
  for (int i = 0; i < count; i++) words[i] = round_to_tf32(words[i]);
#endif
}

__device__ __forceinline__ void multiply(Sums &sums, unsigned char *a, unsigned char *b) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int step = 0; step < CHUNKS / 2; step++) {
    unsigned left[ROW_TILES][4], right[COLUMN_TILES / 2][4];
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++) {
      load_matrices(left[i], a + place(first_row() + i * 16 + lane % 16, 2 * step + lane / 16));
      rounded(left[i], 4);
    }
#pragma unroll
    for (int j = 0; j < COLUMN_TILES / 2; j++) {
      int row = first_column() + j * 16 + lane % 8 + lane / 16 * 8;
      load_matrices(right[j], b + place(row, 2 * step + lane / 8 % 2));
      rounded(right[j], 4);
    }
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
      for (int j = 0; j < COLUMN_TILES; j++)
        FC_MULTIPLY_BY(sums.v[i][j], left[i], right[j / 2] + j % 2 * 2);
  }
}

// The same for tiles that lie across. ldmatrix turns 2-byte elements around; others are read one by
// one.
#ifdef FC_TF32
__device__ __forceinline__ unsigned word_across(unsigned char *tile, int step, int item,
                                                int items) {
  return round_to_tf32(*(unsigned *)(tile + across(step, item / 4, items) + item % 4 * 4));
}

__device__ __forceinline__ void multiply_across(Sums &sums, unsigned char *a, unsigned char *b) {
  int row = first_row() + threadIdx.x % 32 / 4, column = first_column() + threadIdx.x % 32 / 4;
#pragma unroll
  for (int first = 0; first < DEPTH; first += 8) {
    int step = first + threadIdx.x % 4;
    unsigned left[ROW_TILES][4], right[COLUMN_TILES][2];
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        left[i][e] = word_across(a, step + e / 2 * 4, row + i * 16 + e % 2 * 8, ROWS);
#pragma unroll
    for (int j = 0; j < COLUMN_TILES; j++)
#pragma unroll
      for (int e = 0; e < 2; e++)
        right[j][e] = word_across(b, step + e * 4, column + j * 8, COLUMNS);
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
      for (int j = 0; j < COLUMN_TILES; j++) FC_MULTIPLY_BY(sums.v[i][j], left[i], right[j]);
  }
}
#else
__device__ __forceinline__ void multiply_across(Sums &sums, unsigned char *a, unsigned char *b) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int first = 0; first < DEPTH; first += 16) {
    unsigned left[ROW_TILES][4], right[COLUMN_TILES / 2][4];
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
      load_transposed(left[i], a + across(first + lane / 16 * 8 + lane % 8,
                                          (first_row() + i * 16) / 8 + lane / 8 % 2, ROWS));
#pragma unroll
    for (int j = 0; j < COLUMN_TILES / 2; j++)
      load_transposed(right[j], b + across(first + lane / 8 % 2 * 8 + lane % 8,
                                           (first_column() + j * 16) / 8 + lane / 16, COLUMNS));
#pragma unroll
    for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
      for (int j = 0; j < COLUMN_TILES; j++)
        FC_MULTIPLY_BY(sums.v[i][j], left[i], right[j / 2] + j % 2 * 2);
  }
}
#endif

// Calls visit(row, column, sum) for each of this thread's elements.
template <class Visit>
__device__ __forceinline__ void each_sum(const Sums &sums, Visit visit) {
  int row = first_row() + threadIdx.x % 32 / 4, column = first_column() + threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < ROW_TILES; i++)
#pragma unroll
    for (int j = 0; j < COLUMN_TILES; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        visit(row + i * 16 + e / 2 * 8, column + j * 8 + e % 2, sums.v[i][j][e]);
}
