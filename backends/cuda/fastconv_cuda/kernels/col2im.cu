// col2im: each element of x gathers what lands on it, so that no two threads write to one place.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void col2im(const char *columns, char *x, const Columns p) {
  const Axis *a = p.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps;
  long long i = global_index();
  if (i >= p.batch * p.c * a[0].in * a[1].in * a[2].in) return;
  long long v = i % a[2].in, rest = i / a[2].in;
  long long h = rest % a[1].in;
  rest /= a[1].in;
  long long d = rest % a[0].in;
  rest /= a[0].in;
  long long c = rest % p.c, n = rest / p.c;
  long long at[3] = {d, h, v};
  sum_t sum = sum_t();
  for (long long tap = 0; tap < taps; tap++) {
    long long left = tap, position = 0, step = 1, hit = 1;
    for (int axis = 2; axis >= 0; axis--) {
      long long from = at[axis] + a[axis].before - left % a[axis].taps * a[axis].dilation;
      left /= a[axis].taps;
      hit = hit && from >= 0 && from % a[axis].stride == 0 && from / a[axis].stride < a[axis].out;
      position += from / a[axis].stride * step;
      step *= a[axis].out;
    }
    if (hit)
      sum = sum + widen(load(columns + n * p.columns[0] + (c * taps + tap) * p.columns[1]
                             + position * p.columns[2]));
  }
  store(x + n * p.x[0] + c * p.x[1] + d * p.x[2] + h * p.x[3] + v * p.x[4],
        narrowed<element>::from(sum));
}
FC_EXPORT(col2im)
