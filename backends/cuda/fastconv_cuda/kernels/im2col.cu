// im2col: a thread for each element of the columns; only bits are copied, so that
// FC_ELEMENT is an unsigned type of the right size.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void im2col(const char *x, char *columns, const Columns p) {
  const Axis *a = p.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps, outs = a[0].out * a[1].out * a[2].out;
  long long i = global_index();
  if (i >= p.batch * p.c * taps * outs) return;
  long long position = i % outs, row = i / outs % (p.c * taps), n = i / outs / (p.c * taps);
  long long tap = row % taps, c = row / taps;
  long long place[3], hit = 1;
  for (int axis = 2; axis >= 0; axis--) {
    long long o = position % a[axis].out, t = tap % a[axis].taps;
    position /= a[axis].out;
    tap /= a[axis].taps;
    place[axis] = o * a[axis].stride + t * a[axis].dilation - a[axis].before;
    hit = hit && place[axis] >= 0 && place[axis] < a[axis].in;
  }
  element v = element();
  if (hit)
    v = load(x + n * p.x[0] + c * p.x[1] + place[0] * p.x[2] + place[1] * p.x[3]
             + place[2] * p.x[4]);
  store(columns + n * p.columns[0] + row * p.columns[1] + i % outs * p.columns[2], v);
}
FC_EXPORT(im2col)
