// Convolution of integers of 8 bits, each less its zero point; sums in int32, which wrap.
// -DFC_X, -DFC_W and -DFC_Y are int8, uint8 or int32 (y only: the sums themselves).
#include "types.cuh"
#include "params.cuh"
#include "integers.cuh"

extern "C" __global__ void integer_conv(const char *x, const char *w, const char *x_zero,
                                        const char *w_zero, const char *bias,
                                        const char *multiplier, const char *y_zero, char *y,
                                        const IntegerConv q) {
  const Conv &p = q.conv;
  const Axis *a = p.axis;
  long long i = global_index();
  long long outs = a[0].out * a[1].out * a[2].out;
  if (i >= p.batch * p.groups * p.k * outs) return;
  long long position = i % outs, o = i / outs % (p.groups * p.k), n = i / outs / (p.groups * p.k);
  long long pv = position % a[2].out, ph = position / a[2].out % a[1].out;
  long long pd = position / a[2].out / a[1].out;
  uint32 zero = widen(*(const FC_X *)x_zero);
  uint32 less = w_zero ? widen(read<FC_W>(w_zero + o * q.w_zero)) : 0;
  uint32 sum = 0;
  for (long long c = 0; c < p.c; c++)
    for (long long r = 0; r < a[0].taps; r++) {
      long long d = pd * a[0].stride + r * a[0].dilation - a[0].before;
      if (d < 0 || d >= a[0].in) continue;
      for (long long s = 0; s < a[1].taps; s++) {
        long long h = ph * a[1].stride + s * a[1].dilation - a[1].before;
        if (h < 0 || h >= a[1].in) continue;
        for (long long t = 0; t < a[2].taps; t++) {
          long long v = pv * a[2].stride + t * a[2].dilation - a[2].before;
          if (v < 0 || v >= a[2].in) continue;
          uint32 left = widen(*(const FC_X *)(x + n * p.x[0] + (o / p.k * p.c + c) * p.x[1]
                                             + d * p.x[2] + h * p.x[3] + v * p.x[4]));
          uint32 right = widen(*(const FC_W *)(w + o * p.w[0] + c * p.w[1] + r * p.w[2]
                                              + s * p.w[3] + t * p.w[4]));
          sum += (left - zero) * (right - less);
        }
      }
    }
  put_integer(y + n * p.y[0] + o * p.y[1] + pd * p.y[2] + ph * p.y[3] + pv * p.y[4], sum, o, bias,
              multiplier, y_zero, q);
}
FC_EXPORT(integer_conv)
