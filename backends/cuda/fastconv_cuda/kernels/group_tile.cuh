// Tiles of rows along the reduction: a box has 128 pixels, or the weight's columns.
#pragma once
#include "types.cuh"

enum {
  ROWS = 128,  // 64 for each group of warps
  COLUMNS = FC_COLUMNS,
  CROWDED = COLUMNS == 256,  // sums alone take 128 registers
  ROW_BYTES = FC_ROW_BYTES,  // of the reduction: 128, 64 or 32, swizzled as a whole
  DEPTH = ROW_BYTES / (int)sizeof(element),
  STAGES = FC_STAGES,
  A_BYTES = ROWS * ROW_BYTES,
  B_BYTES = COLUMNS * ROW_BYTES,
  STAGE_BYTES = A_BYTES + B_BYTES,
  WARP_ROWS = 16,
  SWIZZLE = ROW_BYTES == 128 ? 1 : ROW_BYTES == 64 ? 2 : 3,
};

#include "group_ring.cuh"

#ifdef FC_SUM
typedef FC_SUM number;
#else
typedef float number;
#endif

struct Sums {
  number v[COLUMNS / 2];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < COLUMNS / 2; i++) v[i] = 0;
  }
};

// Rows of ROW_BYTES one after another, from a multiple of 8 rows on. Rows repeat their swizzle
// after 8, which is the offset that the unit asks for; of the other it makes no use.
__device__ __forceinline__ Matrix matrix_of(const unsigned char *rows) {
  return (Matrix)((shared_address(rows) & 0x3ffff) >> 4) | (Matrix)1 << 16
         | (Matrix)(8 * ROW_BYTES >> 4) << 32 | (Matrix)SWIZZLE << 62;
}

#define FC_GROUP_BY_OF(word) multiply_group_##word
#define FC_GROUP_BY(word) FC_GROUP_BY_OF(word)

// Begins a stage's products.
__device__ __forceinline__ void multiply_rows(Sums &sums, const unsigned char *stage) {
  Matrix a = matrix_of(stage + threadIdx.x / GROUP * (64 * ROW_BYTES));
  Matrix b = matrix_of(stage + A_BYTES);
#pragma unroll
  for (int k = 0; k < ROW_BYTES / 32; k++)
    FC_GROUP_BY(FC_MATH)(sums.v, a + k * (32 >> 4), b + k * (32 >> 4));
}
