// The primitives' twins: what kernels/primitives.cuh says in PTX, in C++ on simt.h's fibers.
// Their meaning comes from reading the PTX manual; a test on a GPU compares each with the real one.
#pragma once
#include "simt.h"

#define FC_SHARED(name) unsigned char *name = simt::shared

static inline unsigned shared_address(const void *p) {
  return (unsigned)((const unsigned char *)p - simt::window);
}

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

static inline float bfloat_to_float(unsigned short bits) {
  return bits_float((unsigned)bits << 16);
}

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

static inline unsigned round_to_tf32(unsigned bits) {
  // To nearest, ties away from zero; infinities and NaN stay.
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
  return (bits + 0x1000u) & 0xffffe000u;
}

// An asynchronous copy lands as late as it may: what doesn't wait for it sees the poison.
static inline void copy_async(void *to, const void *from, bool there) {
  simt::Fiber &f = simt::fibers[simt::current];
  if ((unsigned long long)to % 16 || (unsigned long long)from % 16)
    simt::fail("a misaligned asynchronous copy");
  if (f.copies == simt::MOST_COPIES) simt::fail("too many copies under way");
  for (int i = 0; i < 8; i++) memcpy((char *)to + 2 * i, &simt::POISON[i % 2], 2);
  f.copy[f.copies++] = simt::Copy{to, from, there ? 16 : 0, f.groups};
}
static inline void close_copies() { simt::fibers[simt::current].groups++; }
template <int N> static inline void await_copies() {
  simt::Fiber &f = simt::fibers[simt::current];
  int kept = 0;
  for (int i = 0; i < f.copies; i++) {
    simt::Copy &c = f.copy[i];
    if (c.group >= f.groups - N) {
      f.copy[kept++] = c;
      continue;
    }
    memset(c.to, 0, 16);
    memcpy(c.to, c.from, c.bytes);
  }
  f.copies = kept;
}

static inline void load_matrices(unsigned *r, const void *row) {
  if ((unsigned long long)row % 16) simt::fail("a misaligned matrix row");
  auto all = simt::exchange(row);
  int lane = simt::current % 32;
  for (int i = 0; i < 4; i++)
    memcpy(&r[i], (const char *)all.from(i * 8 + lane / 4) + lane % 4 * 4, 4);
}

static inline void load_transposed(unsigned *r, const void *row) {
  if ((unsigned long long)row % 16) simt::fail("a misaligned matrix row");
  auto all = simt::exchange(row);
  int lane = simt::current % 32;
  for (int i = 0; i < 4; i++) {
    unsigned short pair[2];
    for (int e = 0; e < 2; e++)
      memcpy(&pair[e], (const char *)all.from(i * 8 + lane % 4 * 2 + e) + lane / 4 * 2, 2);
    r[i] = pair[0] | (unsigned)pair[1] << 16;
  }
}

struct Fragments { unsigned a[4], b[2]; };

// Value i of a word, for each kind of value.
static inline float float16_in(unsigned word, int i) { return half_to_float(word >> 16 * i); }
static inline float bfloat16_in(unsigned word, int i) { return bfloat_to_float(word >> 16 * i); }
// Tensor cores don't look at the last 13 bits.
static inline float tf32_in(unsigned word, int) { return bits_float(word & 0xffffe000u); }
static inline int int8_in(unsigned word, int i) { return (signed char)(word >> 8 * i); }
static inline int uint8_in(unsigned word, int i) { return (unsigned char)(word >> 8 * i); }

template <int VALUES, class N, class A, class B>
static inline void multiply_warp(N *c, const unsigned *a, const unsigned *b, A a_in, B b_in) {
  Fragments mine;
  memcpy(mine.a, a, sizeof mine.a);
  memcpy(mine.b, b, sizeof mine.b);
  auto all = simt::exchange(mine);
  int lane = simt::current % 32;
  for (int i = 0; i < 4; i++) {
    int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int word = 0; word < 8; word++) {
      // Word w of a row is with lane w % 4 of the row's four, low half first.
      unsigned left = all.from(row % 8 * 4 + word % 4).a[row / 8 + word / 4 * 2];
      unsigned right = all.from(column * 4 + word % 4).b[word / 4];
      for (int e = 0; e < VALUES; e++) c[i] += a_in(left, e) * b_in(right, e);
    }
  }
}

#define FC_TWIN(name, values, number, left, right)                                       \
  static inline void name(number *c, const unsigned *a, const unsigned *b) {             \
    multiply_warp<values>(c, a, b, left, right);                                         \
  }
FC_TWIN(multiply_float16, 2, float, float16_in, float16_in)
FC_TWIN(multiply_bfloat16, 2, float, bfloat16_in, bfloat16_in)
FC_TWIN(multiply_tf32, 1, float, tf32_in, tf32_in)
FC_TWIN(multiply_int8_int8, 4, int, int8_in, int8_in)
FC_TWIN(multiply_int8_uint8, 4, int, int8_in, uint8_in)
FC_TWIN(multiply_uint8_int8, 4, int, uint8_in, int8_in)
FC_TWIN(multiply_uint8_uint8, 4, int, uint8_in, uint8_in)
