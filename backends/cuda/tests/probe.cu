// Each primitive alone, on words of the caller's: run on a CPU and, where there is one, on a GPU.
#include "types.cuh"

extern "C" __global__ void probe_convert(const unsigned *in, unsigned *out, int count) {
  long long i = global_index();
  if (i >= count) return;
  float v = *(const float *)&in[i];
  unsigned short low = (unsigned short)in[i];
  out[5 * i] = float_to_half(v);
  out[5 * i + 1] = float_to_bfloat(v);
  out[5 * i + 2] = round_to_tf32(in[i]);
  *(float *)&out[5 * i + 3] = half_to_float(low);
  *(float *)&out[5 * i + 4] = bfloat_to_float(low);
}
FC_EXPORT(probe_convert)

// One warp: a (16 x 32 bytes) times b (8 x 32 bytes) transposed, both through shared memory.
extern "C" __global__ void probe_product(const unsigned char *a, const unsigned char *b, FC_NUMBER *c) {
  FC_SHARED(memory);
  int lane = threadIdx.x;
  for (int i = lane; i < 48; i += 32)
    copy_async(memory + i * 16, i < 32 ? a + i * 16 : b + (i - 32) * 16, true);
  close_copies();
  await_copies<0>();
  block_barrier();
  unsigned left[4], right[4];
  load_matrices(left, memory + lane % 16 * 32 + lane / 16 * 16);
  load_matrices(right, memory + 512 + lane % 8 * 32 + lane / 8 % 2 * 16);
  FC_NUMBER sums[4] = {0, 0, 0, 0};
  FC_MULTIPLY_BY(sums, left, right);
  for (int i = 0; i < 4; i++)
    c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sums[i];
}
FC_EXPORT(probe_product)

// One warp: an 8 x 32 matrix of 2-byte elements, as load_transposed gives it.
extern "C" __global__ void probe_turned(const unsigned char *in, unsigned *out) {
  FC_SHARED(memory);
  int lane = threadIdx.x;
  copy_async(memory + lane * 16, in + lane * 16, true);
  close_copies();
  await_copies<0>();
  block_barrier();
  unsigned r[4];
  load_transposed(r, memory + lane % 8 * 64 + lane / 8 * 16);
  for (int i = 0; i < 4; i++) out[lane * 4 + i] = r[i];
}
FC_EXPORT(probe_turned)
