// What depthwise kernels share: each thread has FC_STRIP neighbouring results in a row of FC_LANES
// channels. With FC_LAST channels come last: neighbouring threads have neighbouring chunks of them,
// FC_ACROSS of a block's, whose weights lie in shared memory.
#pragma once
#include "depthwise.cuh"
#include "lanes.cuh"
#include "activations.cuh"

enum {
  STRIP = FC_STRIP,
  TAPS = TAPS_H * TAPS_W,
  THREADS = 256,
  ROWS_AT_ONCE = TAPS > 25 ? 1 : TAPS_H,  // more loads under way than registers hold would spill
};
#ifdef FC_LAST
enum { ACROSS = FC_ACROSS };
#endif

struct Task {
  long long image;
  int chunk, row, strip;
  bool there;

  __device__ __forceinline__ Task(long long images, long long channels, long long rows,
                                  long long columns) {
    int chunks = (int)channels / LANES, strips = ((int)columns + STRIP - 1) / STRIP;
#ifdef FC_LAST
    long long i = (long long)blockIdx.x * (THREADS / ACROSS) + threadIdx.x / ACROSS;
    chunk = blockIdx.y * ACROSS + threadIdx.x % ACROSS;
    strip = (int)(i % strips); i /= strips;
    row = (int)(i % rows);
    image = i / rows;
    there = image < images && chunk < chunks;
#else
    long long i = global_index();
    strip = (int)(i % strips); i /= strips;
    row = (int)(i % rows); i /= rows;
    chunk = (int)(i % chunks);
    image = i / chunks;
    there = image < images;
#endif
  }
};

struct Weights {
#ifdef FC_LAST
  enum { WIDE = ACROSS * LANES };
  const sum_t *mine;

  // Waits for the block: all of its threads come here.
  __device__ __forceinline__ Weights(const char *w, const Conv &p, const Task &) {
    FC_SHARED(memory);
    sum_t *all = (sum_t *)memory;
    long long first = (long long)blockIdx.y * WIDE, channels = p.groups * p.k;
    for (int i = threadIdx.x; i < TAPS * WIDE; i += THREADS) {
      int channel = i / TAPS, tap = i % TAPS;
      if (first + channel < channels)
        all[tap * WIDE + channel] = factor(load(w + (first + channel) * p.w[0]
                                                + tap / TAPS_W * p.w[3] + tap % TAPS_W * p.w[4]));
    }
    block_barrier();
    mine = all + threadIdx.x % ACROSS * LANES;
  }
  __device__ __forceinline__ void go_to(long long) {}
  __device__ __forceinline__ sum_t at(int r, int s, int lane) const {
    return mine[(r * TAPS_W + s) * WIDE + lane];
  }
#else
  const char *all, *mine;
  const Conv &conv;

  __device__ __forceinline__ Weights(const char *w, const Conv &p, const Task &task)
      : all(w), mine(w + (long long)task.chunk * LANES * p.w[0]), conv(p) {}
  __device__ __forceinline__ void go_to(long long channel) { mine = all + channel * conv.w[0]; }
  __device__ __forceinline__ sum_t at(int r, int s, int lane) const {
    return factor(load(mine + lane * conv.w[0] + r * conv.w[3] + s * conv.w[4]));
  }
#endif
};

// Reads neighbouring columns of a row from the `first` on: zeros beside it.
template <int N>
__device__ __forceinline__ void load_row(Lanes (&seen)[N], const char *row, long long step,
                                         long long first, long long columns) {
#pragma unroll
  for (int j = 0; j < N; j++) {
    bool inside = first + j >= 0 && first + j < columns;
    seen[j] = Lanes();
    if (inside) seen[j] = load_lanes(row + (first + j) * step);
  }
}

// Writes a strip: `to` is its row in an image, `step` the strides of a channel and of a column.
__device__ __forceinline__ void put_strip(char *to, long long channel_step, long long step,
                                          const sum_t (*sums)[LANES], const Task &task,
                                          long long columns, const char *bias, const Conv &p) {
  long long channel = (long long)task.chunk * LANES;
  sum_t added[LANES] = {};
#pragma unroll
  for (int lane = 0; lane < LANES; lane++)
    if (bias) added[lane] = widen(load(bias + (channel + lane) * p.bias));
#pragma unroll
  for (int o = 0; o < STRIP; o++) {
    int column = task.strip * STRIP + o;
    if (column >= columns) break;
    Lanes v;
#pragma unroll
    for (int lane = 0; lane < LANES; lane++)
      v.e[lane] = narrowed<element>::from(activated(sums[o][lane] + added[lane], p.activation));
    store_lanes(to + channel * channel_step + column * step, channel_step, v);
  }
}
