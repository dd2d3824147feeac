// A block's part of a convolution or an input gradient as a matrix product: pixels x
// (tap, channel), gathered from the image as they are needed, times what pack_weight laid out.
#pragma once
#include "math.cuh"
#include "gather.cuh"

enum {
  A_CHUNKS = ROWS * CHUNKS / THREADS,     // that a thread brings for each tile
  B_CHUNKS = COLUMNS * CHUNKS / THREADS,
#ifdef FC_VECTOR
  A_ROWS = A_CHUNKS, A_CURSORS = 1,  // neighbouring threads bring neighbouring chunks of a row
#else
  A_ROWS = 1, A_CURSORS = A_CHUNKS,  // neighbouring threads bring neighbouring rows of a chunk
#endif
};

// Which part a block has.
struct Block {
  const Gather &p;
  Views v;
  const long long *from, *to;  // strides of what is gathered, and of the result
  long long row0, all_taps;
  int group, channels, columns, column0, taps, chunks;

  __device__ __forceinline__ explicit Block(const Gather &params) : p(params) {
    int phases = (int)(p.phases[0] * p.phases[1] * p.phases[2]);
    group = blockIdx.z / phases;
    v = views_of(p, blockIdx.z % phases);
    from = p.input_grad ? p.conv.y : p.conv.x;
    to = p.input_grad ? p.conv.x : p.conv.y;
    row0 = (long long)blockIdx.x * ROWS;
    all_taps = p.conv.axis[0].taps * p.conv.axis[1].taps * p.conv.axis[2].taps;
    channels = (int)(p.input_grad ? p.conv.k : p.conv.c);
    columns = (int)(p.input_grad ? p.conv.c : p.conv.k);
    column0 = blockIdx.y * COLUMNS;
    taps = v.axis[0].taps * v.axis[1].taps * v.axis[2].taps;
    chunks = (int)p.padded / CHUNK;
  }

  // Phases differ in size, the grid holds the largest.
  __device__ __forceinline__ bool empty() const {
    return row0 >= p.conv.batch * v.axis[0].rows * v.axis[1].rows * v.axis[2].rows;
  }
};

struct Loader {
  const Block &block;
  const char *in, *weight;
  long long strides[5];
  int taps[3];
  element fill;  // what the padding beside the image holds
  Origin origin[A_ROWS];
  Cursor cursor[A_CURSORS], b_cursor;
  Chunk held[A_CHUNKS];

  __device__ __forceinline__ Loader(const Block &b, const char *image, const char *packed,
                                    element padding)
      : block(b), fill(padding) {
#ifdef FC_VECTOR
    in = image + (long long)b.group * b.chunks * 16;
#else
    in = image + (long long)b.group * b.channels * b.from[1];
#endif
    weight = packed + b.group * b.columns * b.all_taps * b.chunks * 16;
    for (int i = 0; i < 5; i++) strides[i] = b.from[i];
    for (int i = 0; i < 3; i++) taps[i] = (int)b.p.conv.axis[i].taps;
#pragma unroll
    for (int i = 0; i < A_ROWS; i++)
      origin[i] = origin_of(b.v, pixel_of(b.v, b.row0 + a_row(i), b.p.conv.batch), strides);
#pragma unroll
    for (int i = 0; i < A_CURSORS; i++) {
      cursor[i].start();
      cursor[i].advance(a_chunk(i), b.chunks, b.v);
    }
    b_cursor.start();
    b_cursor.advance(threadIdx.x % CHUNKS, b.chunks, b.v);
  }

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

  __device__ __forceinline__ void fetch_a(unsigned char *stage, int i) {
    const Cursor &at = cursor[i % A_CURSORS];
    long long offset;
    bool inside = reach(block.v, origin[i % A_ROWS], at, strides, &offset);
#ifdef FC_VECTOR
#ifdef FC_FILLED
    if (!inside && !at.done(block.v)) {
      Chunk beside;
#pragma unroll
      for (int e = 0; e < CHUNK; e++)  // channels that only fill a chunk stay 0
        beside.e[e] = at.chunk * CHUNK + e < block.channels ? fill : element();
      *chunk_at(stage, a_row(i), a_chunk(i)) = beside;
      return;
    }
#endif
    const char *from = inside ? in + offset + (long long)at.chunk * 16 : in;
    copy_async(chunk_at(stage, a_row(i), a_chunk(i)), from, inside);
#else
    element beside = at.done(block.v) ? element() : fill;
#pragma unroll
    for (int e = 0; e < CHUNK; e++) {
      int c = at.chunk * CHUNK + e;
      held[i].e[e] = c >= block.channels ? element()
                     : inside            ? load(in + offset + c * strides[1])
                                         : beside;
    }
#endif
  }

  __device__ __forceinline__ void fetch_b(unsigned char *stage, int i) {
    int row = threadIdx.x / CHUNKS + i * (THREADS / CHUNKS);
    bool inside = block.column0 + row < block.columns && !b_cursor.done(block.v);
    long long tap = 0;
    for (int axis = 0; axis < 3; axis++)
      tap = tap * taps[axis] + block.v.axis[axis].tap_first
            + b_cursor.tap[axis] * block.v.axis[axis].tap_step;
    long long first = (block.column0 + row) * block.all_taps + tap;
    const char *from = weight + (first * block.chunks + b_cursor.chunk) * 16;
    copy_async(chunk_at(stage + A_BYTES, row, threadIdx.x % CHUNKS), inside ? from : weight,
               inside);
  }

  // Starts what goes to shared memory by itself; fetches the rest into registers.
  __device__ __forceinline__ void fetch(unsigned char *stage) {
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) fetch_a(stage, i);
#pragma unroll
    for (int i = 0; i < B_CHUNKS; i++) fetch_b(stage, i);
#pragma unroll
    for (int i = 0; i < A_CURSORS; i++) cursor[i].advance(CHUNKS, block.chunks, block.v);
    b_cursor.advance(CHUNKS, block.chunks, block.v);
  }

  __device__ __forceinline__ void put(unsigned char *stage) {
#ifndef FC_VECTOR
#pragma unroll
    for (int i = 0; i < A_CHUNKS; i++) *chunk_at(stage, a_row(i), a_chunk(i)) = held[i];
#endif
  }
};

// Calls multiply(left tile, right tile) for each tile of the reduction, in order, while the next
// ones are on their way.
template <class Multiply>
__device__ __forceinline__ void each_tile(Loader &loader, unsigned char *memory,
                                          Multiply multiply) {
  int all = loader.block.taps * loader.block.chunks;
  int tiles = (all + CHUNKS - 1) / CHUNKS;
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
    multiply(stage, stage + A_BYTES);
    if (next < tiles) loader.put(free);
  }
  await_copies<0>();
}

enum { SLAB = 32, PITCH = COLUMNS + 1 };

// Takes the sums through shared memory, a slab of rows at a time, so that neighbouring threads
// write neighbouring elements in either layout. Calls put(offset of the pixel, row and column of
// the tile, sum).
template <class S, class Put>
__device__ __forceinline__ void each_result(unsigned char *memory, const Sums &sums, S,
                                            const Block &block, Put put) {
  S *slab = (S *)memory;
  long long *offset = (long long *)(memory + SLAB * PITCH * sizeof(S));
  int *there = (int *)(offset + ROWS);
  block_barrier();
  for (int row = threadIdx.x; row < ROWS; row += THREADS) {
    Pixel pixel = pixel_of(block.v, block.row0 + row, block.p.conv.batch);
    long long at = pixel.image * block.to[0];
    for (int axis = 0; axis < 3; axis++) {
      const View &v = block.v.axis[axis];
      at += (pixel.row[axis] * v.place_step + v.place_first) * block.to[2 + axis];
    }
    offset[row] = at;
    there[row] = pixel.image >= 0;
  }
  bool columns_first = block.to[1] <= 8;
  for (int first = 0; first < ROWS; first += SLAB) {
    each_sum(sums, [&](int row, int column, S sum) {
      if (row / SLAB * SLAB == first) slab[row % SLAB * PITCH + column] = sum;
    });
    block_barrier();
#pragma unroll 1
    for (int i = threadIdx.x; i < SLAB * COLUMNS; i += THREADS) {
      int row = columns_first ? i / COLUMNS : i % SLAB;
      int column = columns_first ? i % COLUMNS : i / SLAB;
      if (there[first + row] && block.column0 + column < block.columns)
        put(offset[first + row], first + row, column, slab[row * PITCH + column]);
    }
    block_barrier();
  }
}
