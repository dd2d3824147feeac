// Bias and activation, in place on finished sums of (batch, channels, positions), contiguous.
#include "types.cuh"
#include "params.cuh"
#include "activations.cuh"

extern "C" __global__ void finish(const char *bias, char *y, const Finish p) {
  long long i = global_index();
  if (i >= p.batch * p.channels * p.positions) return;
  long long channel = i / p.positions % p.channels;
  char *at = y + i * (long long)sizeof(element);
  sum_t sum = widen(load(at));
  if (bias) sum = sum + widen(load(bias + channel * p.bias));
  store(at, narrowed<element>::from(activated(sum, p.activation)));
}
FC_EXPORT(finish)
