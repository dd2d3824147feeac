// Tiles in shared memory: rows of 64 bytes along the reduction, in four chunks of 16.
#pragma once
#include "types.cuh"

enum {
  ROWS = FC_ROWS,        // of the result, in a block's tile
  COLUMNS = FC_COLUMNS,
  CHUNKS = 4,
  CHUNK = 16 / sizeof(element),
  DEPTH = CHUNKS * CHUNK,  // reduction elements in a tile
  A_BYTES = ROWS * 64,
  B_BYTES = COLUMNS * 64,
  STAGE_BYTES = A_BYTES + B_BYTES,
  STAGES = FC_STAGES,
};

struct alignas(16) Chunk { element e[CHUNK]; };

// Eight neighbouring rows of one chunk fall into different banks.
__device__ __forceinline__ int place(int row, int chunk) {
  return row * 64 + ((chunk ^ (row >> 1)) & 3) * 16;
}

__device__ __forceinline__ Chunk *chunk_at(unsigned char *tile, int row, int chunk) {
  return (Chunk *)(tile + place(row, chunk));
}

// Tiles that lie the other way: a reduction step's rows or columns side by side. What is read at
// once, chunks of eight neighbouring steps, or pairs of chunks of four, falls into different banks.
__device__ __forceinline__ int across(int step, int chunk, int items) {
  int turn = sizeof(element) == 2 ? step : 2 * step;
  return step * items * (int)sizeof(element) + ((chunk & ~7) | ((chunk ^ turn) & 7)) * 16;
}
