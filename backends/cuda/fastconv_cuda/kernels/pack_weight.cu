// A weight as implicit_gemm reads it: a thread for each packed element, zeros where channels end;
// converted to FC_COPY's type on the way, with FC_QUANTIZED to int8 by each output channel's scale.
#ifndef FC_QUANTIZED
#include "factors.cuh"
#else
#include "quantized.cuh"
#endif
#include "params.cuh"

extern "C" __global__ void pack_weight(const char *w, FC_SCALES copy_t *packed, const Gather p) {
  const Axis *a = p.conv.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps;
  long long columns = p.input_grad ? p.conv.c : p.conv.k;
  long long channels = p.input_grad ? p.conv.k : p.conv.c;
  long long i = global_index();
  if (i >= p.conv.groups * columns * taps * p.padded) return;
  long long channel = i % p.padded, tap = i / p.padded % taps, rest = i / p.padded / taps;
  long long column = rest % columns, group = rest / columns;
  copy_t v = copy_t();
  if (channel < channels) {
    long long k = group * p.conv.k + (p.input_grad ? channel : column);
    long long c = p.input_grad ? column : channel;
    long long t = tap % a[2].taps, s = tap / a[2].taps % a[1].taps;
    long long r = tap / a[2].taps / a[1].taps;
    element seen = load(w + k * p.conv.w[0] + c * p.conv.w[1] + r * p.conv.w[2]
                        + s * p.conv.w[3] + t * p.conv.w[4]);
#ifdef FC_QUANTIZED
    v = quantized(seen, scales[k]);
#else
    v = copied(seen);
#endif
  }
  packed[i] = v;
}
FC_EXPORT(pack_weight)
