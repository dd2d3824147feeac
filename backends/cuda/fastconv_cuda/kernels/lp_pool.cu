// Power-mean pools: (sum of x^p * volume / share)^(1/p), and their gradient.
// An infinite p takes the largest magnitude, a negative infinite one the smallest.
#include "pools.cuh"

__device__ __forceinline__ float power(float v, double p) {
  return p == 2 ? v * v : p == 1 ? v : powf(v, (float)p);
}
__device__ __forceinline__ double power(double v, double p) {
  return p == 2 ? v * v : p == 1 ? v : pow(v, p);
}
__device__ __forceinline__ float root(float v, double p) {
  return p == 2 ? sqrtf(v) : p == 1 ? v : powf(v, (float)(1 / p));
}
__device__ __forceinline__ double root(double v, double p) {
  return p == 2 ? sqrt(v) : p == 1 ? v : pow(v, 1 / p);
}
__device__ __forceinline__ bool infinite(double p) { return p - p != 0; }
template <class T> __device__ __forceinline__ T magnitude(T v) { return v < 0 ? -v : v; }

// A window's norm; of an infinite p also which element has it.
struct Norm { sum_t value; long long place; };

__device__ __forceinline__ Norm norm_of(const char *plane, const Span *s, const Pool &p) {
  Norm found;
  found.value = 0;
  found.place = -1;
  if (s[0].taps * s[1].taps * s[2].taps == 0) return found;
  if (infinite(p.norm)) {
    each_element(s, [&](const long long *at) {
      sum_t v = magnitude(widen(load(plane + inside(at, p.x))));
      bool wins = p.norm > 0 ? v > found.value : v < found.value;
      if (found.place < 0 || wins || v != v) {
        found.value = v;
        found.place = (at[0] * p.window[1].length + at[1]) * p.window[2].length + at[2];
      }
    });
    return found;
  }
  each_element(s, [&](const long long *at) {
    found.value += power(widen(load(plane + inside(at, p.x))), p.norm);
  });
  double share = (double)most(s[0].share * s[1].share * s[2].share, 1);
  found.value = root((sum_t)(found.value * (sum_t)(p.volume / share)), p.norm);
  return found;
}

extern "C" __global__ void lp_pool(const char *x, char *y, const Pool p) {
  long long i = global_index();
  if (i >= p.batch * p.channels * windows_of(p)) return;
  Spot o = window_spot(i, p);
  Span s[3];
  for (int axis = 0; axis < 3; axis++) s[axis] = span_of(p.window[axis], o.at[axis]);
  Norm norm = norm_of(x + plane_of(o, p.x), s, p);
  store(y + plane_of(o, p.y) + inside(o.at, p.y), narrowed<element>::from(norm.value));
}
FC_EXPORT(lp_pool)

extern "C" __global__ void lp_pool_backward(const char *y, const char *x, char *grad,
                                            const Pool p) {
  long long i = global_index(), elements = elements_of(p);
  if (i >= p.batch * p.channels * elements) return;
  Spot e = element_spot(i, p);
  const char *plane = x + plane_of(e, p.x);
  sum_t own = widen(load(plane + inside(e.at, p.x)));
  sum_t sum = 0;
  each_window(p, e.at, [&](const long long *o, const Span *s) {
    Norm norm = norm_of(plane, s, p);
    sum_t up = widen(load(y + plane_of(e, p.y) + inside(o, p.y)));
    if (infinite(p.norm)) {
      if (norm.place == i % elements) sum += own > 0 ? up : own < 0 ? -up : own * up;
      return;
    }
    // A window of norm 0 has no slope of its own.
    if (norm.value == 0) return;
    double share = (double)most(s[0].share * s[1].share * s[2].share, 1);
    sum += up * (sum_t)(p.volume / share) * power(own / norm.value, p.norm - 1);
  });
  store(grad + plane_of(e, p.grad) + inside(e.at, p.grad), narrowed<element>::from(sum));
}
FC_EXPORT(lp_pool_backward)
