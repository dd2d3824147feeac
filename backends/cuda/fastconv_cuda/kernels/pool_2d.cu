// Max and average pools over two axes, their windows known to the compiler: a thread has one window
// of FC_LANES channels. With FC_MAXIMUM the first of equal maxima wins, and of several NaN the
// last; otherwise windows are averaged.
#ifdef FC_MAXIMUM
#define FC_COPIES_ONLY
#endif
#include "depthwise.cuh"
#include "lanes.cuh"
#include "windows.cuh"

struct Best {
#ifdef FC_MAXIMUM
  element value[LANES];
  int place[LANES];
#else
  sum_t value[LANES];
#endif

  __device__ __forceinline__ void start() {
    for (int lane = 0; lane < LANES; lane++) {
      value[lane] = {};
#ifdef FC_MAXIMUM
      place[lane] = -1;
#endif
    }
  }

  __device__ __forceinline__ void take(const Lanes &seen, int at) {
#pragma unroll
    for (int lane = 0; lane < LANES; lane++) {
#ifdef FC_MAXIMUM
      auto v = ordered(seen.e[lane]);
      if (place[lane] < 0 || v > ordered(value[lane]) || v != v) {
        value[lane] = seen.e[lane];
        place[lane] = at;
      }
#else
      value[lane] = value[lane] + widen(seen.e[lane]);
#endif
    }
  }
};

extern "C" __global__ void __launch_bounds__(256)
pool_2d(const char *x, char *y, char *indices, const Pool p) {
  const Window &rows = p.window[1], &columns = p.window[2];
  int chunks = (int)p.channels / LANES;
  long long i = global_index();
  if (i >= p.batch * chunks * rows.count * columns.count) return;
  int chunk, row, column;
#ifdef FC_LAST
  chunk = (int)(i % chunks); i /= chunks;
  column = (int)(i % columns.count); i /= columns.count;
  row = (int)(i % rows.count);
  long long image = i / rows.count;
#else
  column = (int)(i % columns.count); i /= columns.count;
  row = (int)(i % rows.count); i /= rows.count;
  chunk = (int)(i % chunks);
  long long image = i / chunks;
#endif
  long long channel = (long long)chunk * LANES;
  const char *plane = x + image * p.x[0] + channel * p.x[1];
  Best best;
  best.start();
#pragma unroll
  for (int r = 0; r < TAPS_H; r++) {
    long long h = (long long)row * STRIDE_H + r * DILATION_H - rows.before;
    if (h < 0 || h >= rows.length) continue;
#pragma unroll
    for (int s = 0; s < TAPS_W; s++) {
      long long v = (long long)column * STRIDE_W + s * DILATION_W - columns.before;
      if (v >= 0 && v < columns.length)
        best.take(load_lanes(plane + h * p.x[3] + v * p.x[4]), (int)(h * columns.length + v));
    }
  }
  Lanes result;
#ifdef FC_MAXIMUM
  char *index = indices + image * p.indices[0] + row * p.indices[3] + column * p.indices[4];
#pragma unroll
  for (int lane = 0; lane < LANES; lane++) {
    result.e[lane] = best.value[lane];
    if (p.has_indices)
      write<long long>(index + (channel + lane) * p.indices[1], best.place[lane]);
  }
#else
  double share = (double)most(span_of(rows, row).share * span_of(columns, column).share, 1);
#pragma unroll
  for (int lane = 0; lane < LANES; lane++)
    result.e[lane] =
        narrowed<element>::from(divided(best.value[lane], p.has_divisor ? p.divisor : share));
#endif
  char *to = y + image * p.y[0] + channel * p.y[1] + row * p.y[3] + column * p.y[4];
  store_lanes(to, p.y[1], result);
}
FC_EXPORT(pool_2d)
