// Twins of kernels/hopper.cuh: barriers, box copies and products of warpgroups, in C++ on simt.h's
// fibers. Copies land, and products read their operands, as late as they may. The meaning comes
// from the PTX manual and cuda.h; a test on a GPU compares each with the real one.
#pragma once
#include "twins.h"

static inline unsigned shared_address(const void *p) {
  return (unsigned)((const unsigned char *)p - simt::shared);
}
static inline void warp_barrier() { simt::wait_at(simt::AT_WARP_BARRIER); }
template <int N> static inline void give_registers() {}
template <int N> static inline void take_registers() {}

namespace simt {

// ---- Barriers. Memory that nobody made a barrier of has more arrivals than any could have.
struct Counted { unsigned arrivals : 16, pending : 15, phase : 1; int bytes; };
static_assert(sizeof(Counted) == sizeof(Barrier), "a barrier is 8 bytes");
static bool unpublished;

static Counted *counted(const Barrier *b) {
  Counted *c = (Counted *)b;
  if (shared_address(b) % 8) fail("a misaligned barrier");
  if (c->arrivals < 1 || c->arrivals > MOST_THREADS) fail("a barrier that nobody made");
  return c;
}
static void settle(Counted *c) {
  if (c->pending || c->bytes) return;
  c->phase ^= 1;
  c->pending = c->arrivals;
}
static void arrive(Counted *c) {
  if (!c->pending) fail("more arrivals than a barrier counts");
  c->pending--;
}
static bool passed(const void *b, unsigned parity) { return ((Counted *)b)->phase != parity; }

// ---- Box copies. tests/simt/maps.py writes this structure in a tensor map's place.
struct Described {
  unsigned long long address, strides[4];
  unsigned extents[5], box[5];
  short lower[3], upper[3];
  unsigned char steps[5], rank, size, im2col;
  unsigned short swizzle, tf32;
};
static_assert(sizeof(Described) <= sizeof(TensorMap), "a tensor map is 128 bytes");

enum { MOST_BOXES = 128 };
struct Box { unsigned to; Described map; Counted *barrier; int at[5], shift[3]; };
static Box boxes[MOST_BOXES];
static int pending_boxes;

static int box_bytes(const Described &m) {
  int elements = 1;
  for (int i = 0; i < (m.im2col ? 2 : m.rank); i++) elements *= m.box[i];
  return elements * m.size;
}

// Where a byte lies: chunks of 16 bytes change places with the row's number.
static unsigned swizzled(unsigned address, int row_bytes) {
  return address ^ ((address >> 7 & (row_bytes / 16 - 1)) << 4);
}

static void begin_box(void *to, const TensorMap *map, const Barrier *b, int rank, bool im2col,
                      const int *at, const int *shift) {
  Box box = {};
  memcpy(&box.map, map, sizeof box.map);
  const Described &m = box.map;
  box.to = shared_address(to);
  box.barrier = counted(b);
  if (unpublished) fail("a copy that can't see its barrier yet");
  if ((unsigned long long)map % 64) fail("a misaligned tensor map");
  if (m.rank != rank || m.im2col != im2col) fail("a tensor map of another rank or kind");
  if (box.to % 128) fail("a misaligned box");
  if ((long long)box.to + box_bytes(m) > shared_bytes) fail("a box past the shared memory");
  if (pending_boxes == MOST_BOXES) fail("too many boxes under way");
  memcpy(box.at, at, rank * sizeof(int));
  for (int i = 0; im2col && i < rank - 2; i++) {
    if (shift[i] < 0 || shift[i] > (rank == 3 ? 65535 : rank == 4 ? 255 : 31))
      fail("a shift out of range");
    box.shift[i] = shift[i];
  }
  for (int i = 0; i < box_bytes(m); i += 2) memcpy(shared + box.to + i, &POISON[i / 2 % 2], 2);
  boxes[pending_boxes++] = box;
}

// One row of a box: `count` elements from these coordinates on, zeros outside.
static void land_row(const Box &box, unsigned to, const long long *at, int count) {
  const Described &m = box.map;
  bool inside = true;
  const char *from = (const char *)m.address;
  for (int i = 1; i < m.rank; i++) {
    inside = inside && at[i] >= 0 && at[i] < m.extents[i];
    from += at[i] * (long long)m.strides[i - 1];
  }
  for (int e = 0; e < count; e++) {
    unsigned char value[8] = {0};
    long long place = at[0] + e;
    if (inside && place >= 0 && place < m.extents[0]) memcpy(value, from + place * m.size, m.size);
    if (m.tf32) {
      unsigned word;
      memcpy(&word, value, 4);
      word = round_to_tf32(word);
      memcpy(value, &word, 4);
    }
    memcpy(shared + swizzled(to + e * m.size, m.swizzle), value, m.size);
  }
}

static void land(const Box &box) {
  const Described &m = box.map;
  long long at[5];
  for (int i = 0; i < m.rank; i++) at[i] = box.at[i];
  int row_bytes = m.box[0] * m.size;
  if (!m.im2col) {
    int rows = box_bytes(m) / row_bytes;
    for (int row = 0; row < rows; row++) {
      int rest = row;
      for (int i = 1; i < m.rank; i++) {
        at[i] = box.at[i] + rest % m.box[i];
        rest /= m.box[i];
      }
      land_row(box, box.to + row * row_bytes, at, m.box[0]);
    }
    return;
  }
  for (unsigned pixel = 0; pixel < m.box[1]; pixel++) {
    long long shifted[5];
    memcpy(shifted, at, sizeof at);
    for (int i = 0; i < m.rank - 2; i++) shifted[1 + i] += box.shift[i];
    land_row(box, box.to + pixel * row_bytes, shifted, m.box[0]);
    int axis = 1;
    for (; axis < m.rank - 1; axis++) {
      at[axis] += m.steps[axis];
      if (at[axis] <= (long long)m.extents[axis] - 1 + m.upper[axis - 1]) break;
      at[axis] = m.lower[axis - 1];
    }
    if (axis == m.rank - 1) at[axis]++;
  }
}

// The oldest of the boxes under way, or the newest: they may land in any order.
static bool land_one(bool newest) {
  if (!pending_boxes) return false;
  int which = newest ? pending_boxes - 1 : 0;
  Box box = boxes[which];
  memmove(boxes + which, boxes + which + 1, (--pending_boxes - which) * sizeof(Box));
  land(box);
  box.barrier->bytes -= box_bytes(box.map);
  settle(box.barrier);
  return true;
}

// ---- Products.
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
  if ((int)at + bytes > shared_bytes) fail("a matrix past the shared memory");
  memcpy(to, shared + swizzled(at, row_bytes), bytes);
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

static void start_beside() {
  pending_boxes = 0;
  unpublished = false;
  for (int t = 0; t < threads; t++) {
    Multiplying &m = multiplying[t];
    m.products = m.groups = 0;
    m.open = false;
    for (int i = 0; i < MOST_SUMS; i++) m.held[i].products = 0;
  }
}
static void end_thread() {
  if (multiplying[current].products) fail("a thread ended with products under way");
}
static void end_block() {
  if (pending_boxes) failure = "a block ended with boxes under way";
}
static const Beside HOPPER = {start_beside, land_one, end_thread, end_block};
static const bool beside_is_set = (beside = HOPPER, true);

}  // namespace simt

static inline void barrier_init(Barrier *b, int arrivals) {
  simt::unpublished = true;
  *(simt::Counted *)b = simt::Counted{(unsigned)arrivals, (unsigned)arrivals, 0, 0};
}
static inline void publish_shared() {}
static inline void publish_barriers() { simt::unpublished = false; }
static inline void barrier_arrive(Barrier *b) {
  simt::Counted *c = simt::counted(b);
  simt::arrive(c);
  simt::settle(c);
}
static inline void barrier_expect(Barrier *b, int bytes) {
  simt::Counted *c = simt::counted(b);
  c->bytes += bytes;
  simt::arrive(c);
  simt::settle(c);
}
static inline void barrier_wait(Barrier *b, unsigned parity) {
  simt::counted(b);
  if (!simt::passed(b, parity)) simt::wait_until(simt::passed, b, parity);
}

static inline void prefetch_map(const TensorMap *) {}
static inline void copy_box(void *to, const TensorMap *map, Barrier *b, int x, int y, int z) {
  int at[3] = {x, y, z};
  simt::begin_box(to, map, b, 3, false, at, 0);
}
static inline void copy_pixels(void *to, const TensorMap *map, Barrier *b, int axes, int channel,
                               const int *at, int image, const int *shift) {
  int coordinates[5] = {channel}, shifts[3];
  for (int i = 0; i < axes; i++) {
    coordinates[1 + i] = at[2 - i];
    shifts[i] = shift[2 - i];
  }
  coordinates[1 + axes] = image;
  simt::begin_box(to, map, b, axes + 2, true, coordinates, shifts);
}

static inline void open_products() { simt::multiplying[simt::current].open = true; }
static inline void close_products() { simt::multiplying[simt::current].groups++; }
template <int N> static inline void await_products() { simt::finish_products(N); }

#define FC_GROUP_TWIN(name, values, number, left, right, words)                          \
  template <int SUMS> static void run_##name(void *sums, Matrix a, Matrix b) {           \
    simt::multiply_matrices<2 * SUMS, values>((number *)sums, a, b, left, right, words); \
  }                                                                                      \
  template <int SUMS> static inline void name(number (&d)[SUMS], Matrix a, Matrix b) {   \
    simt::begin_product(run_##name<SUMS>, d, sizeof d, a, b);                            \
  }
FC_GROUP_TWIN(multiply_group_float16, 2, float, float16_in, float16_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_bfloat16, 2, float, bfloat16_in, bfloat16_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_tf32, 1, float, tf32_in, tf32_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_int8_int8, 4, int, int8_in, int8_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_int8_uint8, 4, int, int8_in, uint8_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_uint8_int8, 4, int, uint8_in, int8_in, simt::row_words)
FC_GROUP_TWIN(multiply_group_uint8_uint8, 4, int, uint8_in, uint8_in, simt::row_words)
FC_GROUP_TWIN(multiply_across_float16, 2, float, float16_in, float16_in, simt::across_words)
FC_GROUP_TWIN(multiply_across_bfloat16, 2, float, bfloat16_in, bfloat16_in, simt::across_words)
