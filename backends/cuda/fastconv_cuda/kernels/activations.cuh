// Activations of finished sums. NaN stays NaN.
#pragma once

enum { NONE, RELU, RELU6, LEAKY_RELU, SIGMOID, TANH, SILU, GELU };

__device__ __forceinline__ float exponential(float v) { return expf(v); }
__device__ __forceinline__ double exponential(double v) { return exp(v); }
__device__ __forceinline__ float error_rest(float v) { return erfcf(v); }
__device__ __forceinline__ double error_rest(double v) { return erfc(v); }
__device__ __forceinline__ float tangent(float v) { return tanhf(v); }
__device__ __forceinline__ double tangent(double v) { return tanh(v); }

template <class T> __device__ __forceinline__ T sigmoid(T v) {
  // exp of a negative number only, so that nothing overflows.
  T small = exponential(v < 0 ? v : -v);
  return (v < 0 ? small : (T)1) / (1 + small);
}

template <class T> __device__ __forceinline__ T activated(T v, long long activation) {
  switch ((int)activation) {
    case RELU: return v < 0 ? (T)0 : v;
    case RELU6: return v < 0 ? (T)0 : v > 6 ? (T)6 : v;
    case LEAKY_RELU: return v > 0 ? v : v * (T)0.01;
    case SIGMOID: return sigmoid(v);
    case TANH: return tangent(v);
    case SILU: return v * sigmoid(v);
    // 1 + erf(z) is erfc(-z), without its cancellation.
    case GELU: return (T)0.5 * v * error_rest(v * (T)-0.70710678118654752440);
    default: return v;
  }
}
template <class R>
__device__ __forceinline__ complex_of<R> activated(complex_of<R> v, long long) { return v; }
