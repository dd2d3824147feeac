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

#ifdef FC_ACROSS
// Of tiles that lie across, a thread has whole chunks.
__device__ __forceinline__ int row_of(int i) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % (ROWS / WARP_ROWS);
  return warp * WARP_ROWS + i / CHUNK * 4 * CHUNK + lane / 8 * CHUNK + i % CHUNK;
}
__device__ __forceinline__ int column_of(int j) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32 / (ROWS / WARP_ROWS);
  return warp * WARP_COLUMNS + j / CHUNK * 8 * CHUNK + lane % 8 * CHUNK + j % CHUNK;
}

__device__ __forceinline__ void multiply_across(Sums &sums, unsigned char *a, unsigned char *b) {
#pragma unroll 4
  for (int step = 0; step < DEPTH; step++) {
    Chunk left[THREAD_ROWS / CHUNK], right[THREAD_COLUMNS / CHUNK];
#pragma unroll
    for (int i = 0; i < THREAD_ROWS / CHUNK; i++)
      left[i] = *(Chunk *)(a + across(step, row_of(i * CHUNK) / CHUNK, ROWS));
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS / CHUNK; j++)
      right[j] = *(Chunk *)(b + across(step, column_of(j * CHUNK) / CHUNK, COLUMNS));
#pragma unroll
    for (int i = 0; i < THREAD_ROWS; i++)
#pragma unroll
      for (int j = 0; j < THREAD_COLUMNS; j++)
        sums.v[i][j] += left[i / CHUNK].e[i % CHUNK] * right[j / CHUNK].e[j % CHUNK];
  }
}
#else
__device__ __forceinline__ int row_of(int i) { return first_row() + 4 * i; }
__device__ __forceinline__ int column_of(int j) { return first_column() + 8 * j; }
#endif

// Calls visit(row, column, sum) for each of this thread's elements.
template <class Visit>
__device__ __forceinline__ void each_sum(const Sums &sums, Visit visit) {
#pragma unroll
  for (int i = 0; i < THREAD_ROWS; i++)
#pragma unroll
    for (int j = 0; j < THREAD_COLUMNS; j++) visit(row_of(i), column_of(j), sums.v[i][j]);
}
