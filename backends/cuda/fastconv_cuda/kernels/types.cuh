// Element types. Each compilation serves one: -DFC_ELEMENT=float16 and so on.
// No CUDA header is needed: conversions of 16-bit floats are primitives of our own.
#pragma once
#include "primitives.cuh"

typedef signed char int8;
typedef unsigned char uint8;
typedef short int16;
typedef unsigned short uint16;
typedef int int32;
typedef unsigned int uint32;
typedef long long int64;
typedef unsigned long long uint64;
typedef float float32;
typedef double float64;
struct float16 { uint16 bits; };
struct bfloat16 { uint16 bits; };
struct tf32 { uint32 bits; };  // a float32's bits, the last 13 of them unseen
template <class R> struct complex_of { R re, im; };
typedef complex_of<float> complex64;
typedef complex_of<double> complex128;
struct alignas(16) bytes16 { uint64 low, high; };
struct alignas(16) Words16 { uint32 word[4]; };

// What sums are taken in: at least float32; integers wrap around, which only unsigned may do.
__device__ __forceinline__ float widen(float16 v) { return half_to_float(v.bits); }
__device__ __forceinline__ float widen(bfloat16 v) { return bfloat_to_float(v.bits); }
__device__ __forceinline__ float widen(tf32 v) { return bits_float(v.bits & 0xffffe000u); }
__device__ __forceinline__ float widen(float v) { return v; }
__device__ __forceinline__ double widen(double v) { return v; }
__device__ __forceinline__ complex64 widen(complex64 v) { return v; }
__device__ __forceinline__ complex128 widen(complex128 v) { return v; }
__device__ __forceinline__ uint32 widen(int8 v) { return (uint32)v; }
__device__ __forceinline__ uint32 widen(uint8 v) { return v; }
__device__ __forceinline__ uint32 widen(int16 v) { return (uint32)v; }
__device__ __forceinline__ uint32 widen(uint16 v) { return v; }
__device__ __forceinline__ uint32 widen(int32 v) { return (uint32)v; }
__device__ __forceinline__ uint32 widen(uint32 v) { return v; }
__device__ __forceinline__ uint64 widen(int64 v) { return (uint64)v; }
__device__ __forceinline__ uint64 widen(uint64 v) { return v; }

// A value as comparisons see it.
template <class T> __device__ __forceinline__ T ordered(T v) { return v; }
__device__ __forceinline__ float ordered(float16 v) { return half_to_float(v.bits); }
__device__ __forceinline__ float ordered(bfloat16 v) { return bfloat_to_float(v.bits); }

template <class T> struct narrowed {
  template <class S> static __device__ __forceinline__ T from(S v) { return (T)v; }
};
template <> struct narrowed<float16> {
  static __device__ __forceinline__ float16 from(float v) { return float16{float_to_half(v)}; }
};
template <> struct narrowed<bfloat16> {
  static __device__ __forceinline__ bfloat16 from(float v) { return bfloat16{float_to_bfloat(v)}; }
};
template <> struct narrowed<tf32> {
  static __device__ __forceinline__ tf32 from(float v) {
    return tf32{round_to_tf32(float_bits(v))};
  }
};

template <class R>
__device__ __forceinline__ complex_of<R> operator+(complex_of<R> a, complex_of<R> b) {
  return complex_of<R>{a.re + b.re, a.im + b.im};
}
template <class T> __device__ __forceinline__ T conjugate_of(T v) { return v; }
template <class R> __device__ __forceinline__ complex_of<R> conjugate_of(complex_of<R> v) {
  return complex_of<R>{v.re, -v.im};
}
template <class T> __device__ __forceinline__ T product(T a, T b) { return a * b; }
template <class R>
__device__ __forceinline__ complex_of<R> product(complex_of<R> a, complex_of<R> b) {
  return complex_of<R>{a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class T> __device__ __forceinline__ T divided(T a, double by) { return (T)(a / (T)by); }
template <class R> __device__ __forceinline__ complex_of<R> divided(complex_of<R> a, double by) {
  return complex_of<R>{a.re / (R)by, a.im / (R)by};
}

// Arrays may start anywhere where the host found them to: such data is read byte by byte.
template <class T> __device__ __forceinline__ T read(const char *from) {
#ifdef FC_UNALIGNED
  T v;
  for (int i = 0; i < (int)sizeof(T); i++) ((char *)&v)[i] = from[i];
  return v;
#else
  check_aligned(from, sizeof(T));
  return *(const T *)from;
#endif
}

template <class T> __device__ __forceinline__ void write(char *to, T v) {
#ifdef FC_UNALIGNED
  for (int i = 0; i < (int)sizeof(T); i++) to[i] = ((const char *)&v)[i];
#else
  check_aligned(to, sizeof(T));
  *(T *)to = v;
#endif
}

#ifdef FC_ELEMENT
typedef FC_ELEMENT element;
#ifndef FC_COPIES_ONLY
typedef decltype(widen(element())) sum_t;
#endif

__device__ __forceinline__ element load(const char *from) { return read<element>(from); }
__device__ __forceinline__ void store(char *to, element v) { write<element>(to, v); }

// What results and biases are, where operands were converted before: FC_RESULT.
#ifndef FC_RESULT
#define FC_RESULT FC_ELEMENT
#endif
typedef FC_RESULT result;
__device__ __forceinline__ result load_bias(const char *from) { return read<result>(from); }
template <class S> __device__ __forceinline__ void put_result(char *to, S sum) {
  write<result>(to, narrowed<result>::from(sum));
}
#endif
