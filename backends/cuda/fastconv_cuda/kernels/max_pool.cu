// Max pooling: a thread for each window. The first of equal maxima wins; a NaN is larger than
// everything, and of several the last one counts.
#define FC_COPIES_ONLY
#include "pools.cuh"

extern "C" __global__ void max_pool(const char *x, char *y, char *indices, const Pool p) {
  long long i = global_index();
  if (i >= p.batch * p.channels * windows_of(p)) return;
  Spot o = window_spot(i, p);
  Span s[3];
  for (int axis = 0; axis < 3; axis++) s[axis] = span_of(p.window[axis], o.at[axis]);
  const char *plane = x + plane_of(o, p.x);
  element best = element();
  long long place = -1;
  each_element(s, [&](const long long *at) {
    element v = load(plane + inside(at, p.x));
    auto value = ordered(v);
    if (place < 0 || value > ordered(best) || value != value) {
      best = v;
      place = (at[0] * p.window[1].length + at[1]) * p.window[2].length + at[2];
    }
  });
  store(y + plane_of(o, p.y) + inside(o.at, p.y), best);
  long long to = plane_of(o, p.indices) + inside(o.at, p.indices);
  if (p.has_indices) write<long long>(indices + to, place);
}
FC_EXPORT(max_pool)
