// The weight gradient where channels come last, 16 bytes of them at a time: tiles hold pixels x
// channels, and are multiplied across.
#define FC_ACROSS
#include "weight_product.cuh"

// Brings the chunks of one operand's tile: 16 bytes of WIDTH channels, for DEPTH pixels.
template <int WIDTH> struct Rows {
  enum { ACROSS = WIDTH / CHUNK, EACH = ACROSS * DEPTH / THREADS, STEP = THREADS / ACROSS };
  Walk walk[EACH];

  __device__ __forceinline__ int chunk() const { return threadIdx.x % ACROSS; }
  __device__ __forceinline__ int pixel(int i) const { return threadIdx.x / ACROSS + i * STEP; }

  __device__ __forceinline__ void start(const Part &part) {
#pragma unroll
    for (int i = 0; i < EACH; i++) walk[i].start(part.first + pixel(i), part.p.conv.axis);
  }

  // Calls reads(walk, &offset): whether there is something, and where.
  template <class Reads>
  __device__ __forceinline__ void fetch(unsigned char *tile, const char *array, long long left,
                                        const Axis *axes, Reads reads) {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      long long offset;
      bool there = reads(walk[i], &offset) && pixel(i) < left;
      copy_async(tile + across(pixel(i), chunk(), WIDTH), there ? array + offset : array,
                 there);
      walk[i].advance(DEPTH, axes);
    }
  }
};

struct Loader {
  const Part &part;
  const char *x, *y;
  long long left;
  int channel;
  Column column;
  Rows<ROWS> a;
  Rows<COLUMNS> b;

  __device__ __forceinline__ Loader(const Part &of, const char *image, const char *grad)
      : part(of), left(of.left), channel(of.channel0 + a.chunk() * CHUNK),
        column(of, of.column0 + b.chunk() * CHUNK) {
    x = image + of.group * of.p.conv.c * of.p.conv.x[1];
    y = grad + of.group * of.p.conv.k * of.p.conv.y[1];
    a.start(of);
    b.start(of);
  }

  __device__ __forceinline__ void fetch(unsigned char *stage) {
    const Conv &conv = part.p.conv;
    a.fetch(stage, y, left, conv.axis, [&](const Walk &at, long long *offset) {
      *offset = grad_offset(at, conv) + channel * conv.y[1];
      return channel < part.channels;
    });
    b.fetch(stage + A_BYTES, x, left, conv.axis, [&](const Walk &at, long long *offset) {
      return column.reads(at, conv, offset);
    });
    left -= DEPTH;
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
weight_gemm_last(const char *x, const char *y, sum_t *parts, const WeightSum p) {
  FC_SHARED(memory);
  Part part(p);
  Loader loader(part, x, y);
  Sums sums;
  sums.clear();
  int tiles = part.tiles();
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < tiles) loader.fetch(memory + s * STAGE_BYTES);
    close_copies();
  }
  for (int tile = 0; tile < tiles; tile++) {
    await_copies<STAGES - 2>();
    block_barrier();
    int next = tile + STAGES - 1;
    if (next < tiles) loader.fetch(memory + next % STAGES * STAGE_BYTES);
    close_copies();
    unsigned char *stage = memory + tile % STAGES * STAGE_BYTES;
    multiply_across(sums, stage, stage + A_BYTES);
  }
  await_copies<0>();
  part.put(sums, parts);
}
FC_EXPORT(weight_gemm_last)
