// A weight as implicit_gemm reads it: a thread for each packed element, zeros where channels end.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void pack_weight(const char *w, element *packed, const Gather p) {
  const Axis *a = p.conv.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps;
  long long columns = p.input_grad ? p.conv.c : p.conv.k;
  long long channels = p.input_grad ? p.conv.k : p.conv.c;
  long long i = global_index();
  if (i >= p.conv.groups * columns * taps * p.padded) return;
  long long channel = i % p.padded, tap = i / p.padded % taps, rest = i / p.padded / taps;
  long long column = rest % columns, group = rest / columns;
  element v = element();
  if (channel < channels) {
    long long k = group * p.conv.k + (p.input_grad ? channel : column);
    long long c = p.input_grad ? column : channel;
    long long t = tap % a[2].taps, s = tap / a[2].taps % a[1].taps;
    long long r = tap / a[2].taps / a[1].taps;
    v = load(w + k * p.conv.w[0] + c * p.conv.w[1] + r * p.conv.w[2] + s * p.conv.w[3]
             + t * p.conv.w[4]);
  }
  packed[i] = v;
}
FC_EXPORT(pack_weight)
