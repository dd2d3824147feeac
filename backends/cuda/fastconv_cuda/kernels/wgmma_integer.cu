// Convolution of 8-bit integers on Hopper. What boxes hold beside the image is 0, not the zero
// point X, so that each window has the taps that lie inside, and with W the weight's zero point
//   sum (x - X)(w - W) = sum x w - X sum w - W sum x + taps inside * channels * X * W.
// The weight's sums for each tap come from sum_weight, those of x from a product with ones.
#define FC_SUM int
#include "group_results.cuh"
#include "integers.cuh"

enum { ONES_BYTES = 8 * ROW_BYTES };

// A slot of a slab holds a sum, and then what comes of it.
struct Result {
  typedef FC_Y type;
  static __device__ __forceinline__ FC_Y of(const int &slot) { return *(const FC_Y *)&slot; }
};

// The sum of each row of x: eight equal columns, of which one would do.
struct RowSums {
  int v[4];
  Matrix ones;

  // Where all are 1 it is all the same how they lie.
  __device__ __forceinline__ explicit RowSums(unsigned char *memory) {
    unsigned char *at = memory + (-shared_address(memory) & 1023);
    for (int i = threadIdx.x; i < ONES_BYTES; i += THREADS) at[i] = 1;
    publish_shared();
    ones = matrix_of(at);
    clear();
  }

  __device__ __forceinline__ void clear() { v[0] = v[1] = v[2] = v[3] = 0; }

  __device__ __forceinline__ void add(const unsigned char *stage) {
#ifdef FC_ROW_SUMS
    Matrix a = matrix_of(stage + threadIdx.x / GROUP * (64 * ROW_BYTES));
#pragma unroll
    for (int k = 0; k < ROW_BYTES / 32; k++)
      FC_GROUP_BY(FC_MATH)(v, a + k * (32 >> 4), ones);
#endif
  }
};

// What a row of a warp's must know of its window: where it starts, whether all of it is inside,
// and the sum of x's elements in it. The warp meets before it looks, as it does for its sums.
struct Reads { int at[3], whole, sum; };

__device__ __forceinline__ bool is_inside(const Reads &w, const View *v, int tap) {
  bool inside = true;
  for (int axis = 2; axis >= 0; axis--) {
    int place = w.at[axis] + tap % v[axis].taps * v[axis].tap_reach;
    inside = inside && place >= 0 && place < v[axis].limit;
    tap /= v[axis].taps;
  }
  return inside;
}

__device__ __forceinline__ void look_at_windows(Reads *windows, const Work &work, const Boxes &p,
                                                const RowSums &sums) {
  WarpRows rows(work);
  int lane = threadIdx.x % 32;
  if (lane < rows.count) {
    Reads &w = windows[lane];
    Pixel pixel = pixel_of(work.v, rows.first + lane, p.gather.conv.batch);
    w.whole = 1;
    for (int axis = 0; axis < 3; axis++) {
      const View &v = work.v.axis[axis];
      w.at[axis] = pixel.row[axis] * v.step + v.first;
      int last = w.at[axis] + (v.taps - 1) * v.tap_reach;
      w.whole = w.whole && w.at[axis] >= 0 && last < v.limit;
    }
  }
  if (lane % 4 == 0) {
    windows[lane / 4].sum = sums.v[0];
    windows[lane / 4 + 8].sum = sums.v[2];
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
wgmma_integer(const int *tap_sums, const char *x_zero, const char *w_zero, const char *bias,
              const char *multiplier, const char *y_zero, char *y,
              const __grid_constant__ Maps maps, const Boxes p, const IntegerConv q) {
  FC_SHARED(memory);
  Ring ring;
  unsigned char *rest = ring.lay_out(memory);
  Slab slab(rest);
  rest += WARPS * SLAB_BYTES;
  Reads *windows = (Reads *)rest + threadIdx.x / 32 * WARP_ROWS;
  RowSums row_sums(rest + WARPS * WARP_ROWS * sizeof(Reads));
  ring.make_barriers();
  uint32 zero = widen(*(const element *)x_zero);
  each_tile(
      ring, maps, p, [&](const unsigned char *stage) { row_sums.add(stage); },
      [&](const Work &work, const Sums &sums) {
        look_at_windows(windows, work, p, row_sums);
        row_sums.clear();
        const View *v = work.v.axis;
        // Not those of a copy, some of which only fill chunks.
        int taps = v[0].taps * v[1].taps * v[2].taps, channels = (int)q.conv.c;
        store_tile<Result>(work, p, sums, y, slab, [&](long long o, bool there) {
          if (!there) return;
          const int *of_taps = tap_sums + o * taps;
          uint32 less = w_zero ? widen(read<FC_W>(w_zero + o * q.w_zero)) : 0, all = 0;
          for (int tap = 0; zero && tap < taps; tap++) all += (uint32)of_taps[tap];
          slab.each([&](int row, int *sum) {
            const Reads &w = windows[row];
            uint32 inside = all, count = (uint32)taps;
            if (zero && !w.whole) {
              inside = count = 0;
              for (int tap = 0; tap < taps; tap++)
                if (is_inside(w, v, tap)) inside += (uint32)of_taps[tap], count++;
            }
            uint32 exact = (uint32)*sum - zero * inside - less * (uint32)w.sum
                           + count * (uint32)channels * zero * less;
            put_integer((char *)sum, exact, o, bias, multiplier, y_zero, q);
          });
        });
      });
}
FC_EXPORT(wgmma_integer)
