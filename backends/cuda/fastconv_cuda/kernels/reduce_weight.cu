// Adds up what weight_gemm's blocks summed, always in the same order.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void reduce_weight(const sum_t *parts, char *w, const WeightSum p) {
  const Axis *a = p.conv.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps;
  long long count = p.conv.groups * p.conv.k * taps * p.conv.c;
  long long i = global_index();
  if (i >= count) return;
  sum_t sum = 0;
  for (long long split = 0; split < p.splits; split++) sum += parts[split * count + i];
  long long c = i % p.conv.c, tap = i / p.conv.c % taps, k = i / p.conv.c / taps;
  long long t = tap % a[2].taps, s = tap / a[2].taps % a[1].taps, r = tap / a[2].taps / a[1].taps;
  store(w + k * p.conv.w[0] + c * p.conv.w[1] + r * p.conv.w[2] + s * p.conv.w[3]
          + t * p.conv.w[4],
        narrowed<element>::from(sum));
}
FC_EXPORT(reduce_weight)
