// The input gradient of a depthwise convolution, or a transposed one, at any stride: which taps
// reach a column depends on its place in the strip alone, as strips are whole strides, and on
// FC_BEFORE_W, the padding modulo the stride.
#include "strips.cuh"

enum {
  BEFORE = FC_BEFORE_W,
  // Columns of y that a strip's taps read, from the first one's on.
  FARTHEST = (TAPS_W - 1) * DILATION_W,
  LOW = FARTHEST > BEFORE ? -((FARTHEST - BEFORE) / STRIDE_W)
                          : (BEFORE - FARTHEST + STRIDE_W - 1) / STRIDE_W,
  HIGH = (STRIP - 1 + BEFORE) / STRIDE_W,
  SPAN = HIGH >= LOW ? HIGH - LOW + 1 : 1,
};

extern "C" __global__ void FC_ONE_BLOCK
depthwise_input(const char *y, const char *w, const char *bias, char *x, const Conv p) {
  const Axis &rows = p.axis[1], &columns = p.axis[2];
  Task task(p.batch, p.groups, rows.in, columns.in);
  Weights weights(w, p, task);
  if (!task.there) return;
  long long channel = (long long)task.chunk * LANES;
  long long v0 = ((long long)task.strip * STRIP + columns.before - BEFORE) / STRIDE_W + LOW;
  sum_t sums[STRIP][LANES] = {};
#pragma unroll 1
  for (long long k = 0; k < p.k; k++) {
    const char *plane = y + task.image * p.y[0] + (channel * p.k + k) * p.y[1];
    weights.go_to(channel * p.k + k);
#pragma unroll ROWS_AT_ONCE
    for (int r = 0; r < TAPS_H; r++) {
      long long from = task.row + rows.before - r * DILATION_H, h = from / STRIDE_H;
      if (from < 0 || from % STRIDE_H || h >= rows.out) continue;
      Lanes seen[SPAN];
      load_row(seen, plane + h * p.y[3], p.y[4], v0, columns.out);
#pragma unroll
      for (int s = 0; s < TAPS_W; s++)
#pragma unroll
        for (int lane = 0; lane < LANES; lane++) {
          sum_t weight = weights.at(r, s, lane);
#pragma unroll
          for (int o = 0; o < STRIP; o++) {
            int reach = o + BEFORE - s * DILATION_W;
            if (reach % STRIDE_W == 0)
              sums[o][lane] += factor(seen[reach / STRIDE_W - LOW].e[lane]) * weight;
          }
        }
    }
  }
  char *to = x + task.image * p.x[0] + task.row * p.x[3];
  put_strip(to, p.x[1], p.x[4], sums, task, columns.in, bias, p);
}
FC_EXPORT(depthwise_input)
