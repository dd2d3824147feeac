// Products of four warps: operands are read where their descriptors say, as late as they may be, and
// sums are out of the threads' hands until they are waited for.
#pragma once
#include "twins.h"

namespace simt {

enum { MOST_PRODUCTS = 64, MOST_SUMS = 2, SUM_BYTES = 512 };
struct Product { void (*run)(void *, Matrix, Matrix); int sums, group; Matrix a, b; };
struct Held { void *owner; int bytes, products; unsigned char value[SUM_BYTES]; };
struct Multiplying {
  int products, groups;
  bool open;
  Product product[MOST_PRODUCTS];
  Held held[MOST_SUMS];
};
static Multiplying multiplying[MOST_THREADS];

// Takes sums out of the thread's hands: until they are waited for they read as NaN.
static int hold(Multiplying &m, void *owner, int bytes) {
  for (int i = 0; i < MOST_SUMS; i++)
    if (m.held[i].products && m.held[i].owner == owner) return i;
  for (int i = 0; i < MOST_SUMS; i++) {
    Held &h = m.held[i];
    if (h.products) continue;
    h.owner = owner;
    h.bytes = bytes;
    memcpy(h.value, owner, bytes);
    for (int b = 0; b < bytes; b += 2) memcpy((char *)owner + b, &POISON[b / 2 % 2], 2);
    return i;
  }
  fail("products into too many sums");
  return 0;
}

static void begin_product(void (*run)(void *, Matrix, Matrix), void *sums, int bytes, Matrix a,
                          Matrix b) {
  struct Both { Matrix a, b; } mine = {a, b};
  auto all = exchange(mine);
  if (all.from(0).a != a || all.from(0).b != b) fail("lanes that disagree about a product");
  Multiplying &m = multiplying[current];
  if (!m.open) fail("a product that may run before its sums are written");
  if (m.products == MOST_PRODUCTS) fail("too many products under way");
  int held = hold(m, sums, bytes);
  m.held[held].products++;
  m.product[m.products++] = Product{run, held, m.groups, a, b};
}

static void finish_products(int groups_left) {
  Multiplying &m = multiplying[current];
  int kept = 0;
  for (int i = 0; i < m.products; i++) {
    Product p = m.product[i];
    if (p.group >= m.groups - groups_left) {
      m.product[kept++] = p;
      continue;
    }
    Held &h = m.held[p.sums];
    p.run(h.value, p.a, p.b);
    if (--h.products == 0) memcpy(h.owner, h.value, h.bytes);
  }
  m.products = kept;
  m.open = false;
}

struct Layout { unsigned start, leading, stride; int row_bytes; };

static Layout layout_of(Matrix d) {
  int kind = (int)(d >> 62);
  Layout l = {(unsigned)(d & 0x3fff) << 4, (unsigned)(d >> 16 & 0x3fff) << 4,
              (unsigned)(d >> 32 & 0x3fff) << 4, kind ? 256 >> kind : 0};
  if (!kind) fail("a matrix without a swizzle");
  if (d & 0x3fffc000c000c000ull) fail("a matrix whose reserved or base bits are set");
  if (l.start % (8 * l.row_bytes) >= (unsigned)l.row_bytes || l.stride % (8 * l.row_bytes))
    fail("a matrix that starts inside its swizzle's pattern");
  return l;
}

static void read_matrix(void *to, unsigned at, int bytes, int row_bytes) {
  if ((int)at + bytes > SHARED_AT + shared_bytes) fail("a matrix past the shared memory");
  memcpy(to, window + swizzled(at, row_bytes), bytes);
}

// Words 0 to 7 of a row, 32 bytes along the reduction.
static void row_words(Matrix d, int row, unsigned *words) {
  Layout l = layout_of(d);
  if (l.start % l.row_bytes + 32 > (unsigned)l.row_bytes) fail("a matrix past its row");
  unsigned at = l.start + row / 8 * l.stride + row % 8 * l.row_bytes;
  for (int w = 0; w < 8; w++) read_matrix(&words[w], at + 4 * w, 4, l.row_bytes);
}

// The same where 2-byte elements of neighbouring rows lie side by side: as many as a swizzle spans,
// then the next ones a leading offset on.
static void across_words(Matrix d, int row, unsigned *words) {
  Layout l = layout_of(d);
  int across = l.row_bytes / 2;
  if (l.start % l.row_bytes) fail("a matrix that starts inside a row");
  if (row >= across && l.leading % (8 * l.row_bytes))
    fail("a matrix whose next part starts inside its swizzle's pattern");
  unsigned at = l.start + row / across * l.leading + row % across * 2;
  for (int w = 0; w < 8; w++) {
    unsigned short pair[2];
    for (int e = 0; e < 2; e++) {
      int step = 2 * w + e;
      read_matrix(&pair[e], at + step / 8 * l.stride + step % 8 * l.row_bytes, 2, l.row_bytes);
    }
    words[w] = pair[0] | (unsigned)pair[1] << 16;
  }
}

// This thread's sums of 64 x COLUMNS.
typedef void Words(Matrix, int, unsigned *);
template <int COLUMNS, int VALUES, class N, class A, class B>
static void multiply_matrices(N *c, Matrix a, Matrix b, A a_in, B b_in, Words words_of) {
  int lane = current % 32, row = current / 32 % 4 * 16 + lane / 4;
  unsigned words[8];
  N left[2][8 * VALUES];
  for (int half = 0; half < 2; half++) {
    words_of(a, row + half * 8, words);
    for (int i = 0; i < 8 * VALUES; i++)
      left[half][i] = a_in(words[i / VALUES], i % VALUES);
  }
  for (int j = 0; j < COLUMNS / 8; j++)
    for (int e = 0; e < 2; e++) {
      words_of(b, j * 8 + lane % 4 * 2 + e, words);
      for (int i = 0; i < 8 * VALUES; i++) {
        N right = b_in(words[i / VALUES], i % VALUES);
        for (int half = 0; half < 2; half++) c[j * 4 + half * 2 + e] += left[half][i] * right;
      }
    }
}

}  // namespace simt
