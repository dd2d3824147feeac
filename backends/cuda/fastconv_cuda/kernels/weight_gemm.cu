// The weight gradient as a matrix product over pixels: channels of y x pixels, times
// (tap, channel of x) x pixels. A block sums a part of the pixels; reduce_weight adds the parts up.
#include "weight_product.cuh"

enum {
  A_CHUNKS = ROWS * CHUNKS / THREADS,
  B_CHUNKS = COLUMNS * CHUNKS / THREADS,
};

// Neighbouring threads bring neighbouring rows, element by element.
struct Loader {
  const Part &part;
  const char *x, *y;
  long long left;
  int channel;
  Column column;
  Walk a_walk[A_CHUNKS], b_walk[B_CHUNKS];
  Chunk a_held[A_CHUNKS], b_held[B_CHUNKS];

  __device__ __forceinline__ int chunk(int i, int rows) const {
    return threadIdx.x / rows + i * (THREADS / rows);
  }

  __device__ __forceinline__ Loader(const Part &of, const char *image, const char *grad)
      : part(of), left(of.left), channel(of.channel0 + threadIdx.x % ROWS),
        column(of, of.column0 + threadIdx.x % COLUMNS) {
    const Conv &conv = of.p.conv;
    x = image + of.group * conv.c * conv.x[1];
    y = grad + (of.group * conv.k + channel) * conv.y[1];
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++)
      a_walk[i].start(of.first + chunk(i, ROWS) * CHUNK, conv.axis);
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++)
      b_walk[i].start(of.first + chunk(i, COLUMNS) * CHUNK, conv.axis);
  }

  __device__ __forceinline__ void fetch() {
    const Conv &conv = part.p.conv;
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) {
      Walk at = a_walk[i];
#pragma unroll
      for (int e = 0; e < CHUNK; e++) {
        bool there = channel < part.channels && chunk(i, ROWS) * CHUNK + e < left;
        a_held[i].e[e] = there ? load(y + grad_offset(at, conv)) : element();
        at.advance(1, conv.axis);
      }
      a_walk[i].advance(DEPTH, conv.axis);
    }
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++) {
      Walk at = b_walk[i];
#pragma unroll
      for (int e = 0; e < CHUNK; e++) {
        long long from;
        bool there = column.reads(at, conv, &from) && chunk(i, COLUMNS) * CHUNK + e < left;
        b_held[i].e[e] = there ? load(x + from) : element();
        at.advance(1, conv.axis);
      }
      b_walk[i].advance(DEPTH, conv.axis);
    }
    left -= DEPTH;
  }

  __device__ __forceinline__ void put(unsigned char *stage) {
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++)
      *chunk_at(stage, threadIdx.x % ROWS, chunk(i, ROWS)) = a_held[i];
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++)
      *chunk_at(stage + A_BYTES, threadIdx.x % COLUMNS, chunk(i, COLUMNS)) = b_held[i];
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
weight_gemm(const char *x, const char *y, sum_t *parts, const WeightSum p) {
  FC_SHARED(memory);
  Part part(p);
  Loader loader(part, x, y);
  Sums sums;
  sums.clear();
  int tiles = part.tiles();
  if (tiles > 0) {
    loader.fetch();
    loader.put(memory);
  }
  for (int tile = 0; tile < tiles; tile++) {
    block_barrier();
    unsigned char *stage = memory + tile % 2 * STAGE_BYTES;
    unsigned char *free = memory + (tile + 1) % 2 * STAGE_BYTES;
    if (tile + 1 < tiles) loader.fetch();
    multiply(sums, stage, stage + A_BYTES);
    if (tile + 1 < tiles) loader.put(free);
  }
  part.put(sums, parts);
}
FC_EXPORT(weight_gemm)
