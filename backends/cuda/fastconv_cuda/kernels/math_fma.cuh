// A block's product of tiles by ordinary multiply-adds: each thread 8 rows, far apart.
#pragma once
#include "tile.cuh"

enum {
  THREAD_ROWS = 8,
  THREAD_COLUMNS = COLUMNS / 16,
  WARP_ROWS = 4 * THREAD_ROWS,
  WARP_COLUMNS = 8 * THREAD_COLUMNS,
  THREADS = (ROWS / WARP_ROWS) * (COLUMNS / WARP_COLUMNS) * 32,
};

struct Sums {
  element v[THREAD_ROWS][THREAD_COLUMNS];

  __device__ __forceinline__ void clear() {
    for (int i = 0; i < THREAD_ROWS; i++)
      for (int j = 0; j < THREAD_COLUMNS; j++) v[i][j] = 0;
  }
};

// A warp's lanes are 4 x 8: neighbours in a row share what they read of a, those of b lie in
// different banks.
__device__ __forceinline__ int first_row() {
  return threadIdx.x / 32 % (ROWS / WARP_ROWS) * WARP_ROWS + threadIdx.x % 32 / 8;
}
__device__ __forceinline__ int first_column() {
  return threadIdx.x / 32 / (ROWS / WARP_ROWS) * WARP_COLUMNS + threadIdx.x % 8;
}

__device__ __forceinline__ void multiply(Sums &sums, unsigned char *a, unsigned char *b) {
#pragma unroll 1
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    Chunk right[THREAD_COLUMNS];
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS; j++) right[j] = *chunk_at(b, first_column() + 8 * j, chunk);
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++) {
      Chunk left = *chunk_at(a, first_row() + 4 * i, chunk);
#pragma unroll
      for (int e = 0; e < CHUNK; e++)
#pragma unroll
        for (int j = 0; j < THREAD_COLUMNS; j++) sums.v[i][j] += left.e[e] * right[j].e[e];
    }
  }
}

// Calls visit(row, column, sum) for each of this thread's elements.
template <class Visit>
__device__ __forceinline__ void each_sum(const Sums &sums, Visit visit) {
#pragma unroll
  for (int i = 0; i < THREAD_ROWS; i++)
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS; j++)
      visit(first_row() + 4 * i, first_column() + 8 * j, sums.v[i][j]);
}
