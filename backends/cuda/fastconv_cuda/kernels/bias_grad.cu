// The bias's gradient: a block for each channel, whose threads' sums meet in a fixed tree.
#include "types.cuh"
#include "params.cuh"

extern "C" __global__ void bias_grad(const char *y, char *bias, const BiasSum p) {
  FC_SHARED(memory);
  sum_t *sums = (sum_t *)memory;
  int thread = threadIdx.x;
  long long channel = blockIdx.x;
  long long count = p.batch * p.extent[0] * p.extent[1] * p.extent[2];
  sum_t sum = sum_t();
  for (long long i = thread; i < count; i += blockDim.x) {
    long long v = i % p.extent[2], rest = i / p.extent[2];
    long long h = rest % p.extent[1];
    rest /= p.extent[1];
    long long d = rest % p.extent[0], n = rest / p.extent[0];
    long long at = n * p.y[0] + channel * p.y[1] + d * p.y[2] + h * p.y[3] + v * p.y[4];
    sum = sum + widen(load(y + at));
  }
  sums[thread] = sum;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    block_barrier();
    if (thread < half) sums[thread] = sums[thread] + sums[thread + half];
  }
  if (thread == 0) store(bias + channel * p.bias, narrowed<element>::from(sums[0]));
}
FC_EXPORT(bias_grad)
