// From a warp's sums to the result: 16 rows by 32 columns at a time go through shared memory of
// the warp's own, so that no warp waits for another.
#pragma once
#include "group_work.cuh"

enum {
  SLAB = 32,
  PITCH = SLAB + 8,  // the eight rows that a store touches fall into different banks
  SLAB_BYTES = WARP_ROWS * (PITCH * 4 + 8),
  WARPS = MULTIPLYING / 32,
};

struct Slab {
  number *sums;
  long long *offset;  // of each row in the result
  int lane;

  __device__ __forceinline__ explicit Slab(unsigned char *memory) {
    unsigned char *mine = memory + threadIdx.x / 32 * SLAB_BYTES;
    sums = (number *)mine;
    offset = (long long *)(mine + WARP_ROWS * PITCH * 4);
    lane = threadIdx.x % 32;
  }

  // `first` is a constant once loops are unrolled, as registers have no addresses.
  __device__ __forceinline__ void put(const Sums &from, int first) {
#pragma unroll
    for (int j = 0; j < SLAB / 8; j++)
#pragma unroll
      for (int e = 0; e < 4; e++)
        sums[(lane / 4 + e / 2 * 8) * PITCH + j * 8 + lane % 4 * 2 + e % 2] =
            from.v[first / 2 + j * 4 + e];
  }

  // Calls change(row, &sum) for each row of this lane's column.
  template <class Change>
  __device__ __forceinline__ void each(Change change) {
#pragma unroll 1
    for (int row = 0; row < WARP_ROWS; row++) change(row, sums + row * PITCH + lane);
  }

  // Writes `rows` rows of `columns` columns, which are `step` bytes apart.
  template <class R>
  __device__ __forceinline__ void store_one_by_one(char *to, int rows, int columns,
                                                   long long step) const {
#pragma unroll 1
    for (int i = lane; i < WARP_ROWS * SLAB; i += 32) {
      int row = step <= 8 ? i / SLAB : i % WARP_ROWS;
      int column = step <= 8 ? i % SLAB : i / WARP_ROWS;
      if (row < rows && column < columns)
        write<typename R::type>(to + offset[row] + column * step,
                                R::of(sums[row * PITCH + column]));
    }
  }

  // The same where whole chunks of columns lie side by side.
  template <class R>
  __device__ __forceinline__ void store_chunks(char *to, int rows, int columns) const {
    enum { SIZE = sizeof(typename R::type), MANY = 16 / SIZE };
    struct alignas(16) Many { typename R::type e[MANY]; };
#pragma unroll
    for (int i = lane; i < WARP_ROWS * SLAB / MANY; i += 32) {
      int row = i / (SLAB / MANY), column = i % (SLAB / MANY) * MANY;
      if (row >= rows || column >= columns) continue;
      Many c;
#pragma unroll
      for (int e = 0; e < MANY; e++) c.e[e] = R::of(sums[row * PITCH + column + e]);
      char *at = to + offset[row] + column * (int)SIZE;
      check_aligned(at, 16);
      *(Many *)at = c;
    }
  }
};

// Which rows of a tile a warp has, and how many there are.
struct WarpRows {
  long long first;
  int count;

  __device__ __forceinline__ explicit WarpRows(const Work &work) {
    first = work.row0 + threadIdx.x / 32 * WARP_ROWS;
    long long left = work.rows - first;
    count = left < 0 ? 0 : left < WARP_ROWS ? (int)left : WARP_ROWS;
  }
};

// Writes a tile. Calls finish(channel, whether there is one) for each column of a slab, to change
// its sums.
template <class R, class Finish>
__device__ __forceinline__ void store_tile(const Work &work, const Boxes &p, const Sums &sums,
                                           char *out, Slab &slab, Finish finish) {
  const Gather &g = p.gather;
  const long long *to = g.input_grad ? g.conv.x : g.conv.y;
  WarpRows rows(work);
  if (slab.lane < rows.count) {
    Pixel pixel = pixel_of(work.v, rows.first + slab.lane, g.conv.batch);
    long long at = pixel.image * to[0];
    for (int axis = 0; axis < 3; axis++) {
      const View &v = work.v.axis[axis];
      at += (pixel.row[axis] * v.place_step + v.place_first) * to[2 + axis];
    }
    slab.offset[slab.lane] = at;
  }
  int columns = (int)Work::columns(g);
#pragma unroll
  for (int first = 0; first < COLUMNS; first += SLAB) {
    int column0 = work.column0 + first;
    if (column0 >= columns) break;
    slab.put(sums, first);
    warp_barrier();
    long long channel0 = (long long)work.group * columns + column0;
    finish(channel0 + slab.lane, column0 + slab.lane < columns);
    warp_barrier();
    char *at = out + channel0 * to[1];
    if (p.wide) slab.template store_chunks<R>(at, rows.count, columns - column0);
    else slab.template store_one_by_one<R>(at, rows.count, columns - column0, to[1]);
    warp_barrier();
  }
}
