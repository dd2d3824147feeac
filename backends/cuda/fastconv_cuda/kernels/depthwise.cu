// Depthwise convolution: a thread reads each row of the image once for all its outputs.
#include "strips.cuh"

enum { SPAN = (STRIP - 1) * STRIDE_W + (TAPS_W - 1) * DILATION_W + 1 };

extern "C" __global__ void FC_ONE_BLOCK
depthwise(const char *x, const char *w, const char *bias, char *y, const Conv p) {
  const Axis &rows = p.axis[1], &columns = p.axis[2];
  Task task(p.batch, p.groups * p.k, rows.out, columns.out);
  Weights weights(w, p, task);
  if (!task.there) return;
  long long channel = (long long)task.chunk * LANES;
  const char *plane = x + task.image * p.x[0] + channel / p.k * p.x[1];
  long long v0 = (long long)task.strip * STRIP * STRIDE_W - columns.before;
  sum_t sums[STRIP][LANES] = {};
#pragma unroll ROWS_AT_ONCE
  for (int r = 0; r < TAPS_H; r++) {
    long long h = (long long)task.row * STRIDE_H + r * DILATION_H - rows.before;
    if (h < 0 || h >= rows.in) continue;
    Lanes seen[SPAN];
    load_row(seen, plane + h * p.x[3], p.x[4], v0, columns.in);
#pragma unroll
    for (int s = 0; s < TAPS_W; s++)
#pragma unroll
      for (int lane = 0; lane < LANES; lane++) {
        sum_t weight = weights.at(r, s, lane);
#pragma unroll
        for (int o = 0; o < STRIP; o++)
          sums[o][lane] += factor(seen[o * STRIDE_W + s * DILATION_W].e[lane]) * weight;
      }
  }
  char *to = y + task.image * p.y[0] + task.row * p.y[3];
  put_strip(to, p.y[1], p.y[4], sums, task, columns.out, bias, p);
}
FC_EXPORT(depthwise)
