// Convolution, forward and both gradients, of anything: a thread for each element of the result.
// Slow and simple: what every other kernel is compared with on a GPU. With FC_ROUNDED, operands are
// rounded to that format as they are read.
#include "factors.cuh"
#include "params.cuh"
#include "activations.cuh"

// Five coordinates out of a linear index, the last one fastest.
struct Place { long long at[5]; };

__device__ __forceinline__ Place unravel(long long i, long long b, long long c, long long d,
                                         long long e) {
  Place p;
  p.at[4] = i % e; i /= e;
  p.at[3] = i % d; i /= d;
  p.at[2] = i % c; i /= c;
  p.at[1] = i % b;
  p.at[0] = i / b;
  return p;
}

__device__ __forceinline__ long long offset(const Place &p, const long long *strides) {
  long long sum = 0;
  for (int i = 0; i < 5; i++) sum += p.at[i] * strides[i];
  return sum;
}

__device__ __forceinline__ sum_t weight_of(const char *w, long long at, const Conv &p) {
  sum_t v = factor(load(w + at));
  return p.conjugate ? conjugate_of(v) : v;
}

__device__ __forceinline__ void finish(char *to, sum_t sum, const char *bias, long long channel,
                                       const Conv &p) {
  if (bias) sum = sum + widen(load(bias + channel * p.bias));
  store(to, narrowed<element>::from(activated(sum, p.activation)));
}

// y = conv(x, w): the window of one output.
extern "C" __global__ void conv_forward(const char *x, const char *w, const char *bias, char *y,
                                        const Conv p) {
  const Axis *a = p.axis;
  long long i = global_index();
  if (i >= p.batch * p.groups * p.k * a[0].out * a[1].out * a[2].out) return;
  Place o = unravel(i, p.groups * p.k, a[0].out, a[1].out, a[2].out);
  const char *image = x + o.at[0] * p.x[0] + o.at[1] / p.k * p.c * p.x[1];
  const char *kernel = w + o.at[1] * p.w[0];
  sum_t sum = sum_t();
  for (long long c = 0; c < p.c; c++)
    for (long long r = 0; r < a[0].taps; r++) {
      long long d = o.at[2] * a[0].stride + r * a[0].dilation - a[0].before;
      if (d < 0 || d >= a[0].in) continue;
      for (long long s = 0; s < a[1].taps; s++) {
        long long h = o.at[3] * a[1].stride + s * a[1].dilation - a[1].before;
        if (h < 0 || h >= a[1].in) continue;
        for (long long t = 0; t < a[2].taps; t++) {
          long long v = o.at[4] * a[2].stride + t * a[2].dilation - a[2].before;
          if (v < 0 || v >= a[2].in) continue;
          sum_t left = factor(load(image + c * p.x[1] + d * p.x[2] + h * p.x[3] + v * p.x[4]));
          long long at = c * p.w[1] + r * p.w[2] + s * p.w[3] + t * p.w[4];
          sum = sum + product(left, weight_of(kernel, at, p));
        }
      }
    }
  finish(y + offset(o, p.y), sum, bias, o.at[1], p);
}
FC_EXPORT(conv_forward)

// The output whose tap reads element `at`, or -1.
__device__ __forceinline__ long long reader(const Axis &a, long long at, long long tap) {
  long long from = at + a.before - tap * a.dilation;
  if (from < 0 || from % a.stride) return -1;
  from /= a.stride;
  return from < a.out ? from : -1;
}

// x's gradient, or a transposed convolution: every output that reads one element of x.
extern "C" __global__ void conv_input_grad(const char *y, const char *w, const char *bias, char *x,
                                           const Conv p) {
  const Axis *a = p.axis;
  long long i = global_index();
  if (i >= p.batch * p.groups * p.c * a[0].in * a[1].in * a[2].in) return;
  Place e = unravel(i, p.groups * p.c, a[0].in, a[1].in, a[2].in);
  long long group = e.at[1] / p.c, c = e.at[1] % p.c;
  const char *image = y + e.at[0] * p.y[0] + group * p.k * p.y[1];
  const char *kernel = w + group * p.k * p.w[0] + c * p.w[1];
  sum_t sum = sum_t();
  for (long long r = 0; r < a[0].taps; r++) {
    long long d = reader(a[0], e.at[2], r);
    if (d < 0) continue;
    for (long long s = 0; s < a[1].taps; s++) {
      long long h = reader(a[1], e.at[3], s);
      if (h < 0) continue;
      for (long long t = 0; t < a[2].taps; t++) {
        long long v = reader(a[2], e.at[4], t);
        if (v < 0) continue;
        long long from = d * p.y[2] + h * p.y[3] + v * p.y[4];
        long long at = r * p.w[2] + s * p.w[3] + t * p.w[4];
        for (long long k = 0; k < p.k; k++) {
          sum_t left = factor(load(image + k * p.y[1] + from));
          sum = sum + product(left, weight_of(kernel, k * p.w[0] + at, p));
        }
      }
    }
  }
  finish(x + offset(e, p.x), sum, bias, e.at[1], p);
}
FC_EXPORT(conv_input_grad)

// The weight's gradient: one weight against every position that it served.
extern "C" __global__ void conv_weight_grad(const char *x, const char *y, char *w, const Conv p) {
  const Axis *a = p.axis;
  long long i = global_index();
  if (i >= p.groups * p.k * p.c * a[0].taps * a[1].taps * a[2].taps) return;
  Place e = unravel(i, p.c, a[0].taps, a[1].taps, a[2].taps);
  const char *image = x + (e.at[0] / p.k * p.c + e.at[1]) * p.x[1];
  const char *grad = y + e.at[0] * p.y[1];
  sum_t sum = sum_t();
  for (long long n = 0; n < p.batch; n++)
    for (long long d = 0; d < a[0].out; d++) {
      long long r = d * a[0].stride + e.at[2] * a[0].dilation - a[0].before;
      if (r < 0 || r >= a[0].in) continue;
      for (long long h = 0; h < a[1].out; h++) {
        long long s = h * a[1].stride + e.at[3] * a[1].dilation - a[1].before;
        if (s < 0 || s >= a[1].in) continue;
        for (long long v = 0; v < a[2].out; v++) {
          long long t = v * a[2].stride + e.at[4] * a[2].dilation - a[2].before;
          if (t < 0 || t >= a[2].in) continue;
          long long from = n * p.x[0] + r * p.x[2] + s * p.x[3] + t * p.x[4];
          sum_t left = factor(load(image + from));
          if (p.conjugate) left = conjugate_of(left);
          long long at = n * p.y[0] + d * p.y[2] + h * p.y[3] + v * p.y[4];
          sum = sum + product(left, factor(load(grad + at)));
        }
      }
    }
  store(w + offset(e, p.w), narrowed<element>::from(sum));
}
FC_EXPORT(conv_weight_grad)
