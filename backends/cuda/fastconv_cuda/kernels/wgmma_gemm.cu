// Convolution and its input gradient as a matrix product, on Hopper: one warp has boxes of pixels
// and of the packed weight copied, two groups of four warps multiply them. Blocks stay, and take
// one tile of the result after another, so that the copies of the next one hide behind the stores.
#include "group_results.cuh"
#include "activations.cuh"

struct Result {
  typedef result type;
  static __device__ __forceinline__ result of(float sum) { return narrowed<result>::from(sum); }
};

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
wgmma_gemm(const char *bias, char *out, const __grid_constant__ Maps maps, const Boxes p) {
  FC_SHARED(memory);
  Ring ring;
  Slab slab(ring.lay_out(memory));
  ring.make_barriers();
  const Conv &conv = p.gather.conv;
  each_tile(
      ring, maps, p, [](const unsigned char *) {},
      [&](const Work &work, const Sums &sums) {
        store_tile<Result>(work, p, sums, out, slab, [&](long long channel, bool there) {
          if (!bias && !conv.activation) return;
          float more = bias && there ? (float)widen(load_bias(bias + channel * conv.bias)) : 0.f;
          slab.each([&](int, float *sum) { *sum = activated(*sum + more, conv.activation); });
        });
      });
}
FC_EXPORT(wgmma_gemm)
