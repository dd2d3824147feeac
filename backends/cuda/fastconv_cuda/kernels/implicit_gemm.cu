// Convolution and its input gradient as a matrix product whose left operand is gathered from the
// image as it is needed: pixels x (tap, channel), times channels x (tap, channel).
#include "math.cuh"
#include "gather.cuh"
#include "activations.cuh"

enum {
  A_CHUNKS = ROWS * CHUNKS / THREADS,     // that a thread brings for each tile
  B_CHUNKS = COLUMNS * CHUNKS / THREADS,
#ifdef FC_VECTOR
  A_ROWS = A_CHUNKS, A_CURSORS = 1,  // neighbouring threads bring neighbouring chunks of a row
#else
  A_ROWS = 1, A_CURSORS = A_CHUNKS,  // neighbouring threads bring neighbouring rows of a chunk
#endif
};

struct Loader {
  const Gather &p;
  const Views &v;
  const char *in, *weight;
  long long strides[5];
  int channels, chunks, columns, column0, taps[3];
  Origin origin[A_ROWS];
  Cursor cursor[A_CURSORS], b_cursor;
  Chunk held[A_CHUNKS];

  __device__ __forceinline__ int a_row(int i) const {
#ifdef FC_VECTOR
    return threadIdx.x / CHUNKS + i * (THREADS / CHUNKS);
#else
    return threadIdx.x % ROWS;
#endif
  }
  __device__ __forceinline__ int a_chunk(int i) const {
#ifdef FC_VECTOR
    return threadIdx.x % CHUNKS;
#else
    return threadIdx.x / ROWS + i * (THREADS / ROWS);
#endif
  }

  __device__ __forceinline__ void start(long long row0) {
#pragma unroll
    for (int i = 0; i < A_ROWS; i++)
      origin[i] = origin_of(v, pixel_of(v, row0 + a_row(i), p.conv.batch), strides);
#pragma unroll
    for (int i = 0; i < A_CURSORS; i++) {
      cursor[i].start();
      cursor[i].advance(a_chunk(i), chunks, v);
    }
    b_cursor.start();
    b_cursor.advance(threadIdx.x % CHUNKS, chunks, v);
  }

  // Starts what goes to shared memory by itself; fetches the rest into registers.
  __device__ __forceinline__ void fetch(unsigned char *stage) {
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) {
      const Cursor &at = cursor[i % A_CURSORS];
      long long offset;
      bool inside = reach(v, origin[i % A_ROWS], at, strides, &offset);
#ifdef FC_VECTOR
      const char *from = inside ? in + offset + (long long)at.chunk * 16 : in;
      copy_async(chunk_at(stage, a_row(i), a_chunk(i)), from, inside);
#else
#pragma unroll
      for (int e = 0; e < CHUNK; e++) {
        int c = at.chunk * CHUNK + e;
        held[i].e[e] = inside && c < channels ? load(in + offset + c * strides[1]) : element();
      }
#endif
    }
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++) {
      int row = threadIdx.x / CHUNKS + i * (THREADS / CHUNKS);
      bool inside = column0 + row < columns && !b_cursor.done(v);
      long long tap = 0;
      for (int axis = 0; axis < 3; axis++)
        tap = tap * taps[axis] + v.axis[axis].tap_first
              + b_cursor.tap[axis] * v.axis[axis].tap_step;
      long long all = (long long)taps[0] * taps[1] * taps[2];
      long long chunk = ((column0 + row) * all + tap) * chunks + b_cursor.chunk;
      copy_async(chunk_at(stage + A_BYTES, row, threadIdx.x % CHUNKS),
                 inside ? weight + chunk * 16 : weight, inside);
    }
#pragma unroll
    for (int i = 0; i < A_CURSORS; i++) cursor[i].advance(CHUNKS, chunks, v);
    b_cursor.advance(CHUNKS, chunks, v);
  }

  __device__ __forceinline__ void put(unsigned char *stage) {
#ifndef FC_VECTOR
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) *chunk_at(stage, a_row(i), a_chunk(i)) = held[i];
#endif
  }
};

struct Result {
  const Conv &p;
  char *out;
  const char *bias;
  const long long *strides;
  long long channel0;
  int column0, columns;

  __device__ __forceinline__ void put(long long row, int column, sum_t sum) const {
    long long channel = channel0 + column0 + column;
    if (bias) sum += widen(load(bias + channel * p.bias));
    store(out + row + channel * strides[1], narrowed<element>::from(activated(sum, p.activation)));
  }
};

enum { SLAB = 32, PITCH = COLUMNS + 1 };

// Takes the sums through shared memory, a slab of rows at a time, so that neighbouring threads
// write neighbouring elements in either layout.
__device__ __forceinline__ void finish(unsigned char *memory, const Sums &sums,
                                       const Result &result, const Views &v, long long row0) {
  sum_t *slab = (sum_t *)memory;
  long long *offset = (long long *)(memory + SLAB * PITCH * sizeof(sum_t));
  int *there = (int *)(offset + ROWS);
  block_barrier();
  for (int row = threadIdx.x; row < ROWS; row += THREADS) {
    Pixel pixel = pixel_of(v, row0 + row, result.p.batch);
    long long at = pixel.image * result.strides[0];
    for (int axis = 0; axis < 3; axis++)
      at += (pixel.row[axis] * v.axis[axis].place_step + v.axis[axis].place_first)
            * result.strides[2 + axis];
    offset[row] = at;
    there[row] = pixel.image >= 0;
  }
  bool columns_first = result.strides[1] <= (long long)sizeof(element);
  for (int first = 0; first < ROWS; first += SLAB) {
    each_sum(sums, [&](int row, int column, sum_t sum) {
      if (row / SLAB * SLAB == first) slab[row % SLAB * PITCH + column] = sum;
    });
    block_barrier();
#pragma unroll 1
    for (int i = threadIdx.x; i < SLAB * COLUMNS; i += THREADS) {
      int row = columns_first ? i / COLUMNS : i % SLAB;
      int column = columns_first ? i % COLUMNS : i / SLAB;
      if (there[first + row] && result.column0 + column < result.columns)
        result.put(offset[first + row], column, slab[row * PITCH + column]);
    }
    block_barrier();
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
implicit_gemm(const char *in, const char *weight, const char *bias, char *out, const Gather p) {
  FC_SHARED(memory);
  int phases = (int)(p.phases[0] * p.phases[1] * p.phases[2]);
  int group = blockIdx.z / phases;
  Views v = views_of(p, blockIdx.z % phases);
  long long row0 = (long long)blockIdx.x * ROWS;
  long long rows = p.conv.batch * v.axis[0].rows * v.axis[1].rows * v.axis[2].rows;
  if (row0 >= rows) return;
  const long long *from = p.input_grad ? p.conv.y : p.conv.x;
  const long long *to = p.input_grad ? p.conv.x : p.conv.y;
  int channels = (int)(p.input_grad ? p.conv.k : p.conv.c);
  int columns = (int)(p.input_grad ? p.conv.c : p.conv.k), column0 = blockIdx.y * COLUMNS;
  int taps = v.axis[0].taps * v.axis[1].taps * v.axis[2].taps;
  int chunks = (int)p.padded / CHUNK;
  long long all_taps = p.conv.axis[0].taps * p.conv.axis[1].taps * p.conv.axis[2].taps;

  Loader loader = {p, v, in + group * channels * from[1],
                   weight + group * columns * all_taps * chunks * 16,
                   {from[0], from[1], from[2], from[3], from[4]},
                   channels, chunks, columns, column0,
                   {(int)p.conv.axis[0].taps, (int)p.conv.axis[1].taps, (int)p.conv.axis[2].taps}};
  Sums sums;
  sums.clear();
  int tiles = taps * chunks / CHUNKS + (taps * chunks % CHUNKS != 0);
  loader.start(row0);
  for (int s = 0; s < STAGES - 1; s++) {
    if (s < tiles) {
      loader.fetch(memory + s * STAGE_BYTES);
      loader.put(memory + s * STAGE_BYTES);
    }
    close_copies();
  }
  for (int tile = 0; tile < tiles; tile++) {
    await_copies<STAGES - 2>();
    block_barrier();
    // The stage that all have finished with in the last round.
    int next = tile + STAGES - 1;
    unsigned char *free = memory + next % STAGES * STAGE_BYTES;
    if (next < tiles) loader.fetch(free);
    close_copies();
    unsigned char *stage = memory + tile % STAGES * STAGE_BYTES;
    multiply(sums, stage, stage + A_BYTES);
    if (next < tiles) loader.put(free);
  }
  await_copies<0>();
  Result result = {p.conv, out, bias, to, (long long)group * columns, column0, columns};
  finish(memory, sums, result, v, row0);
}
FC_EXPORT(implicit_gemm)
