// Tiles that a copying warp brings and two groups of four warps multiply: a ring of stages, each
// behind a barrier that says when it is full and one that says when it is free.
#pragma once
#include "hopper.cuh"
#include "types.cuh"

enum {
  ROWS = 128,  // 64 for each group of warps
  COLUMNS = FC_COLUMNS,
  ROW_BYTES = FC_ROW_BYTES,  // of the reduction: 128, 64 or 32, swizzled as a whole
  DEPTH = ROW_BYTES / (int)sizeof(element),
  STAGES = FC_STAGES,
  A_BYTES = ROWS * ROW_BYTES,
  B_BYTES = COLUMNS * ROW_BYTES,
  STAGE_BYTES = A_BYTES + B_BYTES,
  GROUP = 128,
  MULTIPLYING = 2 * GROUP,
  THREADS = MULTIPLYING + GROUP,  // the third group copies, by one thread
  CROWDED = COLUMNS == 256,       // sums alone take 128 registers
  WARP_ROWS = 16,
  SWIZZLE = ROW_BYTES == 128 ? 1 : ROW_BYTES == 64 ? 2 : 3,
  CHUNK = 16 / (int)sizeof(element),
};

struct alignas(16) Chunk { element e[CHUNK]; };

struct Sums {
  float v[COLUMNS / 2];

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

// Where a thread is on its way around the ring.
struct Turn {
  int stage;
  unsigned parity;

  __device__ __forceinline__ void start() { stage = 0, parity = 0; }
  __device__ __forceinline__ void advance() {
    if (++stage < STAGES) return;
    stage = 0;
    parity ^= 1;
  }
};

struct Ring {
  unsigned char *stages;
  Barrier *full, *free;

  // The swizzle looks at addresses: a stage starts where its pattern does.
  __device__ __forceinline__ unsigned char *lay_out(unsigned char *memory) {
    stages = memory + (-shared_address(memory) & 1023);
    full = (Barrier *)(stages + STAGES * STAGE_BYTES);
    free = full + STAGES;
    return (unsigned char *)(free + STAGES);
  }

  __device__ __forceinline__ void make_barriers() {
    if (threadIdx.x == 0) {
      for (int i = 0; i < STAGES; i++) {
        barrier_init(full + i, 1);
        barrier_init(free + i, MULTIPLYING / 32);
      }
      publish_barriers();
    }
    block_barrier();
  }

  __device__ __forceinline__ unsigned char *at(const Turn &turn) const {
    return stages + turn.stage * STAGE_BYTES;
  }

  // The first round finds every stage free: a phase before the first has ended, too.
  __device__ __forceinline__ unsigned char *claim(const Turn &turn) const {
    barrier_wait(free + turn.stage, turn.parity ^ 1);
    barrier_expect(full + turn.stage, STAGE_BYTES);
    return at(turn);
  }

  __device__ __forceinline__ void release(int stage) const {
    if (threadIdx.x % 32 == 0) barrier_arrive(free + stage);
  }
};

#define FC_GROUP_BY_OF(word) multiply_group_##word
#define FC_GROUP_BY(word) FC_GROUP_BY_OF(word)

// Adds `steps` stages' products to the sums, and leaves the stages free.
__device__ __forceinline__ void multiply_stages(const Ring &ring, Turn &turn, int steps,
                                                Sums &sums) {
  int before = -1;
  for (int step = 0; step < steps; step++) {
    barrier_wait(ring.full + turn.stage, turn.parity);
    unsigned char *stage = ring.at(turn);
    Matrix a = matrix_of(stage + threadIdx.x / GROUP * (64 * ROW_BYTES));
    Matrix b = matrix_of(stage + A_BYTES);
    open_products();
#pragma unroll
    for (int k = 0; k < ROW_BYTES / 32; k++)
      FC_GROUP_BY(FC_MATH)(sums.v, a + k * (32 >> 4), b + k * (32 >> 4));
    close_products();
    // While these go on, those before are done.
    await_products<1>();
    if (before >= 0) ring.release(before);
    before = turn.stage;
    turn.advance();
  }
  await_products<0>();
  if (before >= 0) ring.release(before);
}
