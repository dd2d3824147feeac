// FC_LANES neighbouring channels, read and written at once where they lie side by side.
#pragma once
#include "types.cuh"

enum { LANES = FC_LANES };

struct alignas(LANES * sizeof(element)) Lanes { element e[LANES]; };

__device__ __forceinline__ Lanes load_lanes(const char *from) {
#if FC_LANES == 1
  return Lanes{{load(from)}};
#else
  check_aligned(from, 16);
  return *(const Lanes *)from;
#endif
}

__device__ __forceinline__ void store_lanes(char *to, long long step, const Lanes &v) {
#if FC_LANES > 1
  if (step == sizeof(element) && (unsigned long long)to % 16 == 0) {
    *(Lanes *)to = v;
    return;
  }
#endif
#pragma unroll
  for (int lane = 0; lane < LANES; lane++) store(to + lane * step, v.e[lane]);
}
