// Reading and writing at a max pool's indices, only bits being moved. An index outside its plane
// reads 0 and writes nothing: nobody can be told without waiting for the device.
#include "pools.cuh"

__device__ __forceinline__ long long index_at(const char *indices, const Spot &plane, long long q,
                                              const Pool &p) {
  Spot o = window_spot(q, p);
  return read<long long>(indices + plane_of(plane, p.indices) + inside(o.at, p.indices));
}

extern "C" __global__ void max_unpool(const char *y, const char *indices, char *x, const Pool p) {
  long long i = global_index(), elements = elements_of(p);
  if (i >= p.batch * p.channels * elements) return;
  Spot e = element_spot(i, p);
  element v = element();
  // Of windows with one index the last is kept.
  for (long long q = windows_of(p) - 1; q >= 0; q--)
    if (index_at(indices, e, q, p) == i % elements) {
      Spot o = window_spot(q, p);
      v = load(y + plane_of(e, p.y) + inside(o.at, p.y));
      break;
    }
  store(x + plane_of(e, p.x) + inside(e.at, p.x), v);
}
FC_EXPORT(max_unpool)

extern "C" __global__ void max_unpool_backward(const char *x, const char *indices, char *y,
                                               const Pool p) {
  long long i = global_index(), windows = windows_of(p);
  if (i >= p.batch * p.channels * windows) return;
  Spot o = window_spot(i, p);
  long long index = index_at(indices, o, i % windows, p);
  element v = element();
  if (index >= 0 && index < elements_of(p)) {
    Spot e = element_spot(index, p);
    v = load(x + plane_of(o, p.x) + inside(e.at, p.x));
  }
  store(y + plane_of(o, p.y) + inside(o.at, p.y), v);
}
FC_EXPORT(max_unpool_backward)
