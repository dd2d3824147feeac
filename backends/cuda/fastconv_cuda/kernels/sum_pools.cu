// Average and power-mean pools, and every gradient of a pool that sums.
// Backward, each element of x gathers from the windows that cover it: no two threads write to one
// place, and sums have one order.
#include "pools.cuh"

extern "C" __global__ void avg_pool(const char *x, char *y, const Pool p) {
  long long i = global_index();
  if (i >= p.batch * p.channels * windows_of(p)) return;
  Spot o = window_spot(i, p);
  Span s[3];
  for (int axis = 0; axis < 3; axis++) s[axis] = span_of(p.window[axis], o.at[axis]);
  const char *plane = x + plane_of(o, p.x);
  sum_t sum = sum_t();
  each_element(s, [&](const long long *at) {
    sum = sum + widen(load(plane + inside(at, p.x)));
  });
  store(y + plane_of(o, p.y) + inside(o.at, p.y),
        narrowed<element>::from(divided(sum, divisor_of(s, p))));
}
FC_EXPORT(avg_pool)

extern "C" __global__ void avg_pool_backward(const char *y, char *x, const Pool p) {
  long long i = global_index();
  if (i >= p.batch * p.channels * elements_of(p)) return;
  Spot e = element_spot(i, p);
  const char *plane = y + plane_of(e, p.y);
  sum_t sum = sum_t();
  each_window(p, e.at, [&](const long long *o, const Span *s) {
    sum = sum + divided(widen(load(plane + inside(o, p.y))), divisor_of(s, p));
  });
  store(x + plane_of(e, p.x) + inside(e.at, p.x), narrowed<element>::from(sum));
}
FC_EXPORT(avg_pool_backward)

// The indices say all: the windows need not be known.
extern "C" __global__ void max_pool_backward(const char *y, const char *indices, char *x,
                                             const Pool p) {
  long long i = global_index(), elements = elements_of(p);
  if (i >= p.batch * p.channels * elements) return;
  Spot e = element_spot(i, p);
  sum_t sum = sum_t();
  for (long long q = 0; q < windows_of(p); q++) {
    Spot o = window_spot(q, p);
    long long at = plane_of(e, p.indices) + inside(o.at, p.indices);
    if (read<long long>(indices + at) == i % elements)
      sum = sum + widen(load(y + plane_of(e, p.y) + inside(o.at, p.y)));
  }
  store(x + plane_of(e, p.x) + inside(e.at, p.x), narrowed<element>::from(sum));
}
FC_EXPORT(max_pool_backward)
