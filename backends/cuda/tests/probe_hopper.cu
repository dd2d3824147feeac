// Hopper's primitives alone, on tensor maps of the caller's: run on a CPU and, where there is one,
// on a GPU.
#include "types.cuh"

enum { STAGES = 1, STAGE_BYTES = FC_BYTES };

#include "group_ring.cuh"

struct Pair { TensorMap a, b; };

// The one stage, and the turn that finds it empty.
struct Probe {
  Ring ring;
  Turn turn;

  __device__ __forceinline__ explicit Probe(unsigned char *memory) {
    ring.lay_out(memory);
    ring.make_barriers();
    turn.start();
  }

  __device__ __forceinline__ unsigned char *claim() const { return ring.claim(turn); }

  // Writes the stage's bytes once they have come.
  __device__ __forceinline__ void show(unsigned char *out) const {
    barrier_wait(ring.full, 0);
    for (int i = threadIdx.x; i < STAGE_BYTES; i += THREADS) out[i] = ring.stages[i];
  }
};

// One copy of pixels, its bytes as they lie: places are (axes, channel, image, at, shift).
extern "C" __global__ void probe_pixels(const int *places, unsigned char *out,
                                        const __grid_constant__ Pair maps) {
  FC_SHARED(memory);
  Probe probe(memory);
  if (threadIdx.x == 0)
    copy_pixels(probe.claim(), &maps.a, probe.ring.full, places[0], places[1], places + 3,
                places[2], places + 6);
  probe.show(out);
}
FC_EXPORT(probe_pixels)

// The same of a box; places are its corner.
extern "C" __global__ void probe_box(const int *places, unsigned char *out,
                                     const __grid_constant__ Pair maps) {
  FC_SHARED(memory);
  Probe probe(memory);
  if (threadIdx.x == 0)
    copy_box(probe.claim(), &maps.a, probe.ring.full, places[0], places[1], places[2]);
  probe.show(out);
}
FC_EXPORT(probe_box)

// Two boxes, b behind a, and one product of them: places are b's place, a's and b's descriptors
// but for their addresses in two words each.
extern "C" __global__ void probe_group(const int *places, FC_NUMBER *out,
                                       const __grid_constant__ Pair maps) {
  FC_SHARED(memory);
  Probe probe(memory);
  const Ring &ring = probe.ring;
  if (threadIdx.x == 0) {
    unsigned char *stage = probe.claim();
    copy_box(stage, &maps.a, ring.full, 0, 0, 0);
    copy_box(stage + places[0], &maps.b, ring.full, 0, 0, 0);
  }
  barrier_wait(ring.full, 0);
  if (threadIdx.x >= GROUP) return;
  FC_NUMBER sums[FC_COLUMNS / 2];
  for (int i = 0; i < FC_COLUMNS / 2; i++) sums[i] = 0;
  const unsigned *words = (const unsigned *)places;
  Matrix a = (Matrix)words[1] | (Matrix)words[2] << 32;
  Matrix b = (Matrix)words[3] | (Matrix)words[4] << 32;
  a |= (Matrix)(shared_address(ring.stages) >> 4);
  b |= (Matrix)(shared_address(ring.stages + places[0]) >> 4);
  open_products();
  FC_MULTIPLY_BY(sums, a, b);
  close_products();
  await_products<0>();
  int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
  for (int i = 0; i < FC_COLUMNS / 2; i++)
    out[(row + i % 4 / 2 * 8) * FC_COLUMNS + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
}
FC_EXPORT(probe_group)
