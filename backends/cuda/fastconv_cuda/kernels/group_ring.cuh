// A ring of stages in shared memory, that a copying thread fills and two groups of four warps
// multiply: each stage has a barrier that says when it is full and one that says when it is free.
// Who includes this has said how many STAGES of STAGE_BYTES there are.
#pragma once
#include "hopper.cuh"

enum {
  GROUP = 128,
  MULTIPLYING = 2 * GROUP,
  THREADS = MULTIPLYING + GROUP,  // the third group copies, by one thread
};

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

// Calls multiply(stage) for each of `steps` stages, which begins products of it, and leaves the
// stages free.
template <class Multiply>
__device__ __forceinline__ void multiply_stages(const Ring &ring, Turn &turn, int steps,
                                                Multiply multiply) {
  int before = -1;
  for (int step = 0; step < steps; step++) {
    barrier_wait(ring.full + turn.stage, turn.parity);
    open_products();
    multiply(ring.at(turn));
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

// Runs copy() by one thread of the third group, and work() by all of the others. Where sums take
// most registers those who only copy give theirs away.
template <class Copy, class Work>
__device__ __forceinline__ void divide_work(bool crowded, Copy copy, Work work) {
  if (threadIdx.x >= MULTIPLYING) {
    if (crowded) give_registers<40>();
    if (threadIdx.x == MULTIPLYING) copy();
    return;
  }
  if (crowded) take_registers<232>();
  work();
}
