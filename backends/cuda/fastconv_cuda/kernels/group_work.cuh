// A tile of a convolution or an input gradient, and the copies that bring its stages.
#pragma once
#include "group_tile.cuh"
#include "views.cuh"

enum { MOST_PHASES = 9 };

// The packed weight's, and the gathered image's for each phase.
struct Maps { TensorMap weight, image[MOST_PHASES]; };

// A tile of the result.
struct Work {
  Views v;
  long long row0, rows;  // of all images
  int phase, group, column0, chunks;

  __device__ __forceinline__ Work(const Boxes &p, long long tile) {
    const Gather &g = p.gather;
    int phases = (int)(g.phases[0] * g.phases[1] * g.phases[2]);
    // Tiles of the same rows come one after another: their pixels are in the cache.
    column0 = (int)(tile % p.column_tiles) * COLUMNS;
    tile /= p.column_tiles;
    row0 = tile % p.row_tiles * ROWS;
    tile /= p.row_tiles;
    phase = (int)(tile % phases);
    group = (int)(tile / phases);
    v = views_of(g, phase);
    rows = g.conv.batch * v.axis[0].rows * v.axis[1].rows * v.axis[2].rows;
    chunks = (int)((channels(g) + DEPTH - 1) / DEPTH);
  }

  static __device__ __forceinline__ long long channels(const Gather &g) {
    return g.input_grad ? g.conv.k : g.conv.c;
  }
  static __device__ __forceinline__ long long columns(const Gather &g) {
    return g.input_grad ? g.conv.c : g.conv.k;
  }
  static __device__ __forceinline__ long long tiles(const Boxes &p) {
    const Gather &g = p.gather;
    return p.column_tiles * p.row_tiles * g.phases[0] * g.phases[1] * g.phases[2] * g.conv.groups;
  }

  // Phases differ in size, row_tiles counts the largest one's.
  __device__ __forceinline__ bool empty() const { return row0 >= rows; }
  __device__ __forceinline__ int steps() const {
    return v.axis[0].taps * v.axis[1].taps * v.axis[2].taps * chunks;
  }
};

// Has a tile's stages copied. Taps that go backwards are counted from the farthest one, as boxes
// are shifted forwards only.
__device__ __forceinline__ void copy_stages(const Work &work, const Maps &maps, const Boxes &p,
                                            const Ring &ring, Turn &turn) {
  const Gather &g = p.gather;
  Pixel pixel = pixel_of(work.v, work.row0, g.conv.batch);
  int at[3], back[3];
  for (int axis = 0; axis < 3; axis++) {
    const View &v = work.v.axis[axis];
    int farthest = (v.taps - 1) * v.tap_reach;
    back[axis] = farthest < 0 ? farthest : 0;
    at[axis] = pixel.row[axis] * v.step + v.first + back[axis];
  }
  int channel0 = work.group * (int)Work::channels(g);
  int row0 = work.group * (int)Work::columns(g) + work.column0;
  int tap[3];
  for (tap[0] = 0; tap[0] < work.v.axis[0].taps; tap[0]++)
    for (tap[1] = 0; tap[1] < work.v.axis[1].taps; tap[1]++)
      for (tap[2] = 0; tap[2] < work.v.axis[2].taps; tap[2]++) {
        int shift[3], number = 0;
        for (int axis = 0; axis < 3; axis++) {
          const View &v = work.v.axis[axis];
          shift[axis] = tap[axis] * v.tap_reach - back[axis];
          number = number * (int)g.conv.axis[axis].taps + v.tap_first + tap[axis] * v.tap_step;
        }
        for (int chunk = 0; chunk < work.chunks; chunk++) {
          unsigned char *stage = ring.claim(turn);
          Barrier *full = ring.full + turn.stage;
          copy_pixels(stage, &maps.image[work.phase], full, (int)p.axes,
                      channel0 + chunk * DEPTH, at, pixel.image, shift);
          copy_box(stage + A_BYTES, &maps.weight, full, chunk * DEPTH, number, row0);
          turn.advance();
        }
      }
}

// Goes through a block's tiles: their copies on one side, their products on the other. Calls
// beside(stage) for each stage, which may begin more products, and store(work, sums) for each tile.
template <class Beside, class Store>
__device__ __forceinline__ void each_tile(const Ring &ring, const Maps &maps, const Boxes &p,
                                          Beside beside, Store store) {
  Turn turn;
  turn.start();
  long long tiles = Work::tiles(p);
  divide_work(
      CROWDED,
      [&] {
        prefetch_map(&maps.weight);
        prefetch_map(&maps.image[0]);
        for (long long tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
          Work work(p, tile);
          if (!work.empty()) copy_stages(work, maps, p, ring, turn);
        }
      },
      [&] {
        for (long long tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
          Work work(p, tile);
          if (work.empty()) continue;
          Sums sums;
          sums.clear();
          multiply_stages(ring, turn, work.steps(), [&](unsigned char *stage) {
            multiply_rows(sums, stage);
            beside(stage);
          });
          store(work, sums);
        }
      });
}
