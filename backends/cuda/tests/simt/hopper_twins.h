// Twins of kernels/hopper.cuh, in C++ on simt.h's fibers. Their meaning comes from the PTX manual and
// cuda.h; a test on a GPU compares each with the real one.
#pragma once
#include "box_twins.h"
#include "group_twins.h"

static inline void warp_barrier() { simt::wait_at(simt::AT_WARP_BARRIER); }
template <int N> static inline void give_registers() {}
template <int N> static inline void take_registers() {}

namespace simt {

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
