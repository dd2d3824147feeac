// The sum of each output channel's packed weight: a thread for each.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void sum_weight(const element *packed, int *sums, const Gather p) {
  const Axis *a = p.conv.axis;
  long long count = a[0].taps * a[1].taps * a[2].taps * p.padded;
  long long o = global_index();
  if (o >= p.conv.groups * p.conv.k) return;
  uint32 sum = 0;
  for (long long i = 0; i < count; i++) sum += widen(packed[o * count + i]);
  sums[o] = (int)sum;
}
FC_EXPORT(sum_weight)
