// The primitives' twins: what kernels/primitives.cuh says in PTX, in C++ on simt.h's fibers.
// Their meaning comes from reading the PTX manual; a test on a GPU compares each with the real one.
#pragma once
#include "simt.h"

#define FC_SHARED(name) unsigned char *name = simt::shared

static inline void check_aligned(const void *p, int bytes) {
  // A complex number is read as two.
  if ((unsigned long long)p % (bytes == 16 ? 8 : bytes)) simt::fail("a misaligned address");
}
static inline void block_barrier() { simt::wait_at(simt::AT_BLOCK_BARRIER); }
static inline long long global_index() {
  return (long long)blockIdx.x * blockDim.x + threadIdx.x;
}

static inline unsigned float_bits(float v) {
  unsigned u;
  memcpy(&u, &v, 4);
  return u;
}
static inline float bits_float(unsigned u) {
  float v;
  memcpy(&v, &u, 4);
  return v;
}

static inline float bfloat_to_float(unsigned short bits) { return bits_float((unsigned)bits << 16); }

static inline unsigned short float_to_bfloat(float v) {
  unsigned u = float_bits(v);
  if (v != v) return 0x7fff;
  return (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static inline float half_to_float(unsigned short bits) {
  unsigned sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31) return bits_float(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {
    float v = ldexpf((float)fraction, -24);
    return sign ? -v : v;
  }
  return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline unsigned short float_to_half(float v) {
  unsigned u = float_bits(v), sign = (u >> 16) & 0x8000u;
  u &= 0x7fffffffu;
  if (u > 0x7f800000u) return 0x7fff;
  if (u >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);  // 65520 and more: infinite
  if (u < 0x38800000u)  // subnormal: steps of 2^-24, ties to even as rintf does
    return (unsigned short)(sign | (unsigned)rintf(ldexpf(bits_float(u), 24)));
  unsigned rounded = u + 0xfffu + ((u >> 13) & 1);
  return (unsigned short)(sign | ((rounded - 0x38000000u) >> 13));
}
