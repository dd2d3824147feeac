// What an operand becomes before it is multiplied: FC_COPY's type, its own by default, with
// FC_ROUNDED rounded to that format on the way.
#pragma once
#include "types.cuh"

#ifndef FC_COPY
#define FC_COPY FC_ELEMENT
#endif
typedef FC_COPY copy_t;
#define FC_SCALES

template <class To, class From> struct converted {
  static __device__ __forceinline__ To from(From v) {
    return narrowed<To>::from((float)widen(v));
  }
};
template <class T> struct converted<T, T> {
  static __device__ __forceinline__ T from(T v) { return v; }
};
template <class From> struct converted<float64, From> {
  static __device__ __forceinline__ float64 from(From v) { return widen(v); }
};
template <> struct converted<float64, float64> {
  static __device__ __forceinline__ float64 from(float64 v) { return v; }
};

// As it is copied.
__device__ __forceinline__ copy_t copied(element v) {
#ifdef FC_ROUNDED
  return converted<copy_t, FC_ROUNDED>::from(converted<FC_ROUNDED, element>::from(v));
#else
  return converted<copy_t, element>::from(v);
#endif
}

#ifndef FC_COPIES_ONLY
// As it is multiplied where it lies.
__device__ __forceinline__ sum_t factor(element v) {
#ifdef FC_ROUNDED
  return (sum_t)widen(converted<FC_ROUNDED, element>::from(v));
#else
  return widen(v);
#endif
}
#endif
