// The weight gradient as a matrix product over pixels: channels of y x pixels, times
// (tap, channel of x) x pixels. A block sums a part of the pixels; reduce_weight adds the parts up.
#include "math.cuh"
#include "params.cuh"

enum {
  A_CHUNKS = ROWS * CHUNKS / THREADS,
  B_CHUNKS = COLUMNS * CHUNKS / THREADS,
};

// A pixel of y, and steps to the next ones in row-major order.
struct Walk {
  long long image;
  int at[3];

  __device__ __forceinline__ void start(long long pixel, const Axis *a) {
    for (int axis = 2; axis >= 0; axis--) {
      at[axis] = (int)(pixel % a[axis].out);
      pixel /= a[axis].out;
    }
    image = pixel;
  }

  __device__ __forceinline__ void advance(int by, const Axis *a) {
    at[2] += by;
    while (at[2] >= a[2].out) {
      at[2] -= (int)a[2].out;
      if (++at[1] < a[1].out) continue;
      at[1] = 0;
      if (++at[0] < a[0].out) continue;
      at[0] = 0;
      image++;
    }
  }
};

struct Loader {
  const WeightSum &p;
  const char *x, *y;
  long long pixels_left;
  int channel0, channels, column0, columns;
  Walk a_walk[A_CHUNKS], b_walk[B_CHUNKS];
  Chunk a_held[A_CHUNKS], b_held[B_CHUNKS];
  // This thread's row of the right operand.
  long long b_offset;
  int b_shift[3];
  bool b_there;

  // Neighbouring threads bring neighbouring rows.
  __device__ __forceinline__ int chunk(int i, int rows) const {
    return threadIdx.x / rows + i * (THREADS / rows);
  }

  __device__ __forceinline__ void start(long long pixel) {
    const Axis *a = p.conv.axis;
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) a_walk[i].start(pixel + chunk(i, ROWS) * CHUNK, a);
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++) b_walk[i].start(pixel + chunk(i, COLUMNS) * CHUNK, a);
    int column = column0 + threadIdx.x % COLUMNS;
    int c = column % (int)p.conv.c, tap = column / (int)p.conv.c;
    b_there = column < columns;
    b_offset = c * p.conv.x[1];
    for (int axis = 2; axis >= 0; axis--) {
      b_shift[axis] = tap % (int)a[axis].taps * (int)a[axis].dilation - (int)a[axis].before;
      tap /= (int)a[axis].taps;
    }
  }

  __device__ __forceinline__ void fetch() {
    const Axis *a = p.conv.axis;
    int channel = channel0 + threadIdx.x % ROWS;
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) {
      Walk at = a_walk[i];
#pragma unroll
      for (int e = 0; e < CHUNK; e++) {
        bool there = channel < channels && chunk(i, ROWS) * CHUNK + e < pixels_left;
        a_held[i].e[e] = there ? load(y + at.image * p.conv.y[0] + channel * p.conv.y[1]
                                      + at.at[0] * p.conv.y[2] + at.at[1] * p.conv.y[3]
                                      + at.at[2] * p.conv.y[4])
                               : element();
        at.advance(1, a);
      }
      a_walk[i].advance(DEPTH, a);
    }
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++) {
      Walk at = b_walk[i];
#pragma unroll
      for (int e = 0; e < CHUNK; e++) {
        bool there = b_there && chunk(i, COLUMNS) * CHUNK + e < pixels_left;
        long long offset = b_offset + at.image * p.conv.x[0];
        for (int axis = 0; axis < 3; axis++) {
          long long from = at.at[axis] * a[axis].stride + b_shift[axis];
          there = there && from >= 0 && from < a[axis].in;
          offset += from * p.conv.x[2 + axis];
        }
        b_held[i].e[e] = there ? load(x + offset) : element();
        at.advance(1, a);
      }
      b_walk[i].advance(DEPTH, a);
    }
    pixels_left -= DEPTH;
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
  const Axis *a = p.conv.axis;
  int group = blockIdx.z % (int)p.conv.groups, split = blockIdx.z / (int)p.conv.groups;
  int channels = (int)p.conv.k;
  int columns = (int)(p.conv.c * a[0].taps * a[1].taps * a[2].taps);
  int channel0 = blockIdx.x * ROWS, column0 = blockIdx.y * COLUMNS;
  long long pixels = p.conv.batch * a[0].out * a[1].out * a[2].out;
  long long first = split * p.part, left = pixels - first < p.part ? pixels - first : p.part;

  Loader loader = {p, x + group * p.conv.c * p.conv.x[1], y + group * p.conv.k * p.conv.y[1], left,
                   channel0, channels, column0, columns};
  Sums sums;
  sums.clear();
  int tiles = left > 0 ? (int)((left + DEPTH - 1) / DEPTH) : 0;
  loader.start(first);
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

  sum_t *to = parts + (long long)blockIdx.z * channels * columns;
  each_sum(sums, [&](int row, int column, sum_t sum) {
    if (channel0 + row < channels && column0 + column < columns)
      to[(long long)(channel0 + row) * columns + column0 + column] = sum;
  });
}
FC_EXPORT(weight_gemm)
