// Barriers that count bytes, and copies of boxes, which land in either order and as late as they may.
#pragma once
#include "twins.h"

namespace simt {

// Memory that nobody made a barrier of has more arrivals than any could have.
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

// tests/simt/maps.py writes this structure in a tensor map's place.
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
  if ((long long)box.to + box_bytes(m) > SHARED_AT + shared_bytes) fail("a box past the shared memory");
  if (pending_boxes == MOST_BOXES) fail("too many boxes under way");
  memcpy(box.at, at, rank * sizeof(int));
  for (int i = 0; im2col && i < rank - 2; i++) {
    if (shift[i] < 0 || shift[i] > (rank == 3 ? 65535 : rank == 4 ? 255 : 31))
      fail("a shift out of range");
    box.shift[i] = shift[i];
  }
  for (int i = 0; i < box_bytes(m); i += 2) memcpy(window + box.to + i, &POISON[i / 2 % 2], 2);
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
    memcpy(window + swizzled(to + e * m.size, m.swizzle), value, m.size);
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

}  // namespace simt
