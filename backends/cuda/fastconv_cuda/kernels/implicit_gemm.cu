// Convolution and its input gradient as a matrix product, floating point.
#include "gather_product.cuh"
#include "activations.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
implicit_gemm(const char *in, const char *weight, const char *bias, char *out, const Gather p) {
  FC_SHARED(memory);
  Block block(p);
  if (block.empty()) return;
  Loader loader(block, in, weight, element());
  Sums sums;
  sums.clear();
  each_tile(loader, memory, [&](unsigned char *a, unsigned char *b) { multiply(sums, a, b); });
  each_result(memory, sums, sum_t(), block, [&](long long at, int, int column, sum_t sum) {
    long long channel = (long long)block.group * block.columns + block.column0 + column;
    if (bias) sum += (sum_t)widen(load_bias(bias + channel * p.conv.bias));
    put_result(out + at + channel * block.to[1], activated(sum, p.conv.activation));
  });
}
FC_EXPORT(implicit_gemm)
