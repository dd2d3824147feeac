// From a warp's sums to the result: 16 rows by 32 columns at a time go through shared memory of
// the warp's own, so that no warp waits for another.
#pragma once
#include "group_tile.cuh"

enum {
  SLAB = 32,
  PITCH = SLAB + 8,  // the eight rows that a store touches fall into different banks
  SLAB_BYTES = WARP_ROWS * (PITCH * 4 + 8),
};

struct Slab {
  float *sums;
  long long *offset;  // of each row in the result
  int lane;

  __device__ __forceinline__ explicit Slab(unsigned char *memory) {
    unsigned char *mine = memory + threadIdx.x / 32 * SLAB_BYTES;
    sums = (float *)mine;
    offset = (long long *)(mine + WARP_ROWS * PITCH * 4);
    lane = threadIdx.x % 32;
  }

  // `first` is a constant once loops are unrolled, as registers have no addresses.
  __device__ __forceinline__ void put(const Sums &from, int first) {
#pragma unroll
    for (int j = 0; j < SLAB / 8; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        sums[(lane / 4 + e / 2 * 8) * PITCH + j * 8 + lane % 4 * 2 + e % 2] =
            from.v[first / 2 + j * 4 + e];
  }

  // Calls change(column, sum) for each sum: a lane has a column.
  template <class Change>
  __device__ __forceinline__ void each(Change change) {
#pragma unroll 1
    for (int row = 0; row < WARP_ROWS; row++) {
      float *at = sums + row * PITCH + lane;
      *at = change(lane, *at);
    }
  }

  // Writes `rows` rows of `columns` columns, which are `step` bytes apart.
  __device__ __forceinline__ void store_one_by_one(char *to, int rows, int columns,
                                                   long long step) const {
#pragma unroll 1
    for (int i = lane; i < WARP_ROWS * SLAB; i += 32) {
      int row = step <= 8 ? i / SLAB : i % WARP_ROWS;
      int column = step <= 8 ? i % SLAB : i / WARP_ROWS;
      if (row < rows && column < columns)
        store(to + offset[row] + column * step,
              narrowed<element>::from(sums[row * PITCH + column]));
    }
  }

  // The same where whole chunks of columns lie side by side.
  __device__ __forceinline__ void store_chunks(char *to, int rows, int columns) const {
#pragma unroll
    for (int i = lane; i < WARP_ROWS * SLAB / CHUNK; i += 32) {
      int row = i / (SLAB / CHUNK), column = i % (SLAB / CHUNK) * CHUNK;
      if (row >= rows || column >= columns) continue;
      Chunk c;
#pragma unroll
      for (int e = 0; e < CHUNK; e++)
        c.e[e] = narrowed<element>::from(sums[row * PITCH + column + e]);
      char *at = to + offset[row] + column * (int)sizeof(element);
      check_aligned(at, 16);
      *(Chunk *)at = c;
    }
  }
};
