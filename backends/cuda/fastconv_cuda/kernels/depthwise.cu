// Depthwise convolution: each thread has FC_STRIP neighbouring outputs of FC_LANES channels, and
// reads each row of the image once for all of them. With FC_FLIPPED, the input gradient at stride
// 1: the same with y and x exchanged by the host and the taps turned around.
#include "depthwise.cuh"
#include "activations.cuh"

enum {
  STRIP = FC_STRIP,
  LANES = FC_LANES,
  SPAN = (STRIP - 1) * STRIDE_W + (TAPS_W - 1) * DILATION_W + 1,
};

struct alignas(LANES * sizeof(element)) Lanes { element e[LANES]; };

__device__ __forceinline__ Lanes load_lanes(const char *from) {
#if FC_LANES == 1
  return Lanes{{load(from)}};
#else
  check_aligned(from, 16);
  return *(const Lanes *)from;
#endif
}

extern "C" __global__ void __launch_bounds__(256)
depthwise(const char *x, const char *w, const char *bias, char *y, const Conv p) {
  const Axis &rows = p.axis[1], &columns = p.axis[2];
  int strips = ((int)columns.out + STRIP - 1) / STRIP;
  int chunks = (int)(p.groups * p.k) / LANES;
  long long i = global_index();
  if (i >= p.batch * chunks * rows.out * strips) return;
  // Neighbouring threads have neighbours in memory: channels where they come last.
  int chunk, strip;
#ifdef FC_LAST
  chunk = (int)(i % chunks); i /= chunks;
  strip = (int)(i % strips); i /= strips;
  int row = (int)(i % rows.out);
  long long image = i / rows.out;
#else
  strip = (int)(i % strips); i /= strips;
  int row = (int)(i % rows.out); i /= rows.out;
  chunk = (int)(i % chunks);
  long long image = i / chunks;
#endif
  long long channel = (long long)chunk * LANES;
  const char *plane = x + image * p.x[0] + channel / p.k * p.x[1];
  sum_t sums[STRIP][LANES] = {};
#pragma unroll
  for (int r = 0; r < TAPS_H; r++) {
    long long h = (long long)row * STRIDE_H + r * DILATION_H - rows.before;
    if (h < 0 || h >= rows.in) continue;
    long long v0 = (long long)strip * STRIP * STRIDE_W - columns.before;
    Lanes seen[SPAN];
#pragma unroll
    for (int j = 0; j < SPAN; j++) {
      bool inside = v0 + j >= 0 && v0 + j < columns.in;
      seen[j] = Lanes();
      if (inside) seen[j] = load_lanes(plane + h * p.x[3] + (v0 + j) * p.x[4]);
    }
#pragma unroll
    for (int s = 0; s < TAPS_W; s++)
#pragma unroll
      for (int lane = 0; lane < LANES; lane++) {
#ifdef FC_FLIPPED
        long long at = (TAPS_H - 1 - r) * p.w[3] + (TAPS_W - 1 - s) * p.w[4];
#else
        long long at = r * p.w[3] + s * p.w[4];
#endif
        sum_t weight = widen(load(w + (channel + lane) * p.w[0] + at));
#pragma unroll
        for (int o = 0; o < STRIP; o++)
          sums[o][lane] += widen(seen[o * STRIDE_W + s * DILATION_W].e[lane]) * weight;
      }
  }
#pragma unroll
  for (int o = 0; o < STRIP; o++) {
    int column = strip * STRIP + o;
    if (column >= columns.out) break;
    char *to = y + image * p.y[0] + row * p.y[3] + column * p.y[4];
#pragma unroll
    for (int lane = 0; lane < LANES; lane++) {
      sum_t sum = sums[o][lane];
      if (bias) sum += widen(load(bias + (channel + lane) * p.bias));
      store(to + (channel + lane) * p.y[1],
            narrowed<element>::from(activated(sum, p.activation)));
    }
  }
}
FC_EXPORT(depthwise)
