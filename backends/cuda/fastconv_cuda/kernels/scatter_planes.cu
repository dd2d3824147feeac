// Adding or writing at a max pool's indices without two threads at one place: a block has some
// elements of a plane in shared memory, each thread every 256th of them, and all look at the
// plane's indices in turn. With FC_COPIES_ONLY, values are written, not added.
#include "pools.cuh"

enum { ELEMENTS = 2048, GROUP = 256 };
#ifdef FC_COPIES_ONLY
typedef element kept_t;
__device__ __forceinline__ kept_t keep(element v) { return v; }
__device__ __forceinline__ void meet(kept_t *to, kept_t v) { *to = v; }
__device__ __forceinline__ element given(kept_t v) { return v; }
#else
typedef sum_t kept_t;
__device__ __forceinline__ kept_t keep(element v) { return widen(v); }
__device__ __forceinline__ void meet(kept_t *to, kept_t v) { *to = *to + v; }
__device__ __forceinline__ element given(kept_t v) { return narrowed<element>::from(v); }
#endif

// By itself ptxas spills a few registers to make room for one more block.
extern "C" __global__ void __launch_bounds__(GROUP, 1)
scatter_planes(const char *y, const char *indices, char *x, const Pool p) {
  FC_SHARED(memory);
  kept_t *kept = (kept_t *)memory, *values = kept + ELEMENTS;
  int *places = (int *)(values + GROUP);
  int thread = threadIdx.x;
  long long windows = windows_of(p), elements = elements_of(p);
  long long first = (long long)blockIdx.x * ELEMENTS;
  Spot plane = {blockIdx.y / p.channels, blockIdx.y % p.channels, {0, 0, 0}};
  for (int i = thread; i < ELEMENTS; i += GROUP) kept[i] = kept_t();
  for (long long group = 0; group < windows; group += GROUP) {
    long long q = group + thread;
    int place = -1;
    if (q < windows) {
      Spot o = window_spot(q, p);
      long long at = plane_of(plane, p.indices) + inside(o.at, p.indices);
      long long index = read<long long>(indices + at) - first;
      if (index >= 0 && index < ELEMENTS) place = (int)index;
      values[thread] = keep(load(y + plane_of(plane, p.y) + inside(o.at, p.y)));
    }
    places[thread] = place;
    block_barrier();
    for (int i = 0; i < GROUP; i++)
      if (places[i] >= 0 && places[i] % GROUP == thread) meet(&kept[places[i]], values[i]);
    block_barrier();
  }
  for (int i = thread; i < ELEMENTS && first + i < elements; i += GROUP) {
    Spot e = element_spot(first + i, p);
    store(x + plane_of(plane, p.x) + inside(e.at, p.x), given(kept[i]));
  }
}
FC_EXPORT(scatter_planes)
