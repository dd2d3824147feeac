// Adds up what weight_gemm's blocks summed, always in the same order.
// FC_COPY is what was multiplied, FC_ELEMENT the weight's own type.
#include "factors.cuh"
#include "params.cuh"

typedef decltype(widen(copy_t())) part_t;

extern "C" __global__ void reduce_weight(const part_t *parts, char *w, const WeightSum p) {
  const Axis *a = p.conv.axis;
  long long taps = a[0].taps * a[1].taps * a[2].taps;
  long long count = p.conv.groups * p.conv.k * taps * p.conv.c;
  long long i = global_index();
  if (i >= p.conv.groups * p.k * taps * p.c) return;
  long long c = i % p.c, tap = i / p.c % taps, k = i / p.c / taps;
  long long from = ((k / p.k * p.conv.k + k % p.k) * taps + tap) * p.conv.c + c;
  part_t sum = 0;
  for (long long split = 0; split < p.splits; split++) sum += parts[split * count + from];
  long long t = tap % a[2].taps, s = tap / a[2].taps % a[1].taps, r = tap / a[2].taps / a[1].taps;
  store(w + k * p.conv.w[0] + c * p.conv.w[1] + r * p.conv.w[2] + s * p.conv.w[3]
          + t * p.conv.w[4],
        converted<element, part_t>::from(sum));
}
FC_EXPORT(reduce_weight)
