// The weight gradient on Hopper: channels of y times (tap, channel of x), summed over pixels. Boxes
// of both hold pixels x channels, which the products take turned around. A tile's columns are
// boxes side by side, each of one tap. Blocks sum parts of the pixels; reduce_weight adds them up.
#include "types.cuh"
#include "params.cuh"
#include "walk.cuh"

enum {
  ROWS = FC_ROWS,  // 128: the groups of warps have 64 each; 64: they have half of the columns each
  COLUMNS = FC_COLUMNS,
  WIDTH = ROWS == 128 ? COLUMNS : COLUMNS / 2,
  CROWDED = WIDTH == 256,
  DEPTH = 64,                           // pixels in a box
  ROW_BYTES = FC_ROW_BYTES,             // of x's channels in a box
  ACROSS = ROW_BYTES / (int)sizeof(element),
  A_ACROSS = 128 / (int)sizeof(element),
  BOXES = COLUMNS / ACROSS,
  A_BOX = DEPTH * 128,
  B_BOX = DEPTH * ROW_BYTES,
  A_BYTES = ROWS / A_ACROSS * A_BOX,
  STAGES = FC_STAGES,
  STAGE_BYTES = A_BYTES + BOXES * B_BOX,
};

#include "group_ring.cuh"

struct Maps { TensorMap x, y; };
struct alignas(8) Pair { float first, second; };

// A tile of one part of the sums.
struct Work {
  long long first, left;  // pixels
  int split, group, row0, box0;

  __device__ __forceinline__ Work(const WeightBoxes &p, long long tile) {
    const Conv &conv = p.sum.conv;
    // Tiles of the same pixels come one after another.
    box0 = (int)(tile % p.column_tiles) * BOXES;
    tile /= p.column_tiles;
    row0 = (int)(tile % p.row_tiles) * ROWS;
    tile /= p.row_tiles;
    group = (int)(tile % conv.groups);
    split = (int)(tile / conv.groups);
    const Axis *a = conv.axis;
    long long pixels = conv.batch * a[0].out * a[1].out * a[2].out;
    first = split * p.sum.part;
    left = pixels - first < p.sum.part ? pixels - first : p.sum.part;
  }

  __device__ __forceinline__ int steps() const {
    return left > 0 ? (int)((left + DEPTH - 1) / DEPTH) : 0;
  }
};

__device__ __forceinline__ int taps_of(const Conv &conv) {
  return (int)(conv.axis[0].taps * conv.axis[1].taps * conv.axis[2].taps);
}

// What a box of a tile's columns reads: from this channel on, pixels shifted so far. Looked up, as
// the copying thread has no time for divisions at each step.
struct Source { int channel, shift[3]; };

__device__ __forceinline__ void find_sources(const Work &work, const WeightBoxes &p,
                                             Source *sources) {
  const Conv &conv = p.sum.conv;
  int all = taps_of(conv) * (int)p.chunks;
  for (int i = 0; i < BOXES; i++) {
    // Past the last tap a box repeats it: nobody looks at what comes of that.
    int box = work.box0 + i < all ? work.box0 + i : all - 1, tap = box / (int)p.chunks;
    sources[i].channel = work.group * (int)conv.c + box % (int)p.chunks * ACROSS;
    for (int axis = 2; axis >= 0; axis--) {
      const Axis &a = conv.axis[axis];
      sources[i].shift[axis] = tap % (int)a.taps * (int)a.dilation;
      tap /= (int)a.taps;
    }
  }
}

// Parts are whole boxes, so that none of a box's pixels is another part's; behind the last image
// there are zeros.
__device__ __forceinline__ void copy_stages(const Work &work, const Maps &maps,
                                            const WeightBoxes &p, const Ring &ring, Turn &turn,
                                            Source *sources) {
  const Conv &conv = p.sum.conv;
  find_sources(work, p, sources);
  Walk walk;
  walk.start(work.first, conv.axis);
  const int none[3] = {0, 0, 0};
  int steps = work.steps(), channel = work.group * (int)conv.k + work.row0;
  for (int step = 0; step < steps; step++) {
    unsigned char *stage = ring.claim(turn);
    Barrier *full = ring.full + turn.stage;
    for (int i = 0; i < ROWS / A_ACROSS; i++)
      copy_pixels(stage + i * A_BOX, &maps.y, full, (int)p.axes, channel + i * A_ACROSS, walk.at,
                  (int)walk.image, none);
    int at[3];
    for (int axis = 0; axis < 3; axis++)
      at[axis] = walk.at[axis] * (int)conv.axis[axis].stride - (int)conv.axis[axis].before;
    for (int i = 0; i < BOXES; i++)
      copy_pixels(stage + A_BYTES + i * B_BOX, &maps.x, full, (int)p.axes, sources[i].channel, at,
                  (int)walk.image, sources[i].shift);
    walk.advance(DEPTH, conv.axis);
    turn.advance();
  }
}

// Boxes of pixels one after another: 8 pixels repeat their swizzle, and the next box begins
// `apart` bytes on.
__device__ __forceinline__ Matrix matrix_across(const unsigned char *box, int row_bytes,
                                                int apart) {
  return (Matrix)((shared_address(box) & 0x3ffff) >> 4) | (Matrix)(apart >> 4) << 16
         | (Matrix)(8 * row_bytes >> 4) << 32
         | (Matrix)(row_bytes == 128 ? 1 : row_bytes == 64 ? 2 : 3) << 62;
}

#define FC_ACROSS_BY_OF(word) multiply_across_##word
#define FC_ACROSS_BY(word) FC_ACROSS_BY_OF(word)

// Where a thread's group of warps begins in a tile.
__device__ __forceinline__ int group_row() { return ROWS == 128 ? threadIdx.x / GROUP * 64 : 0; }
__device__ __forceinline__ int group_column() {
  return ROWS == 128 ? 0 : threadIdx.x / GROUP * WIDTH;
}

__device__ __forceinline__ void multiply_pixels(float (&sums)[WIDTH / 2],
                                                const unsigned char *stage) {
  Matrix a = matrix_across(stage + group_row() / A_ACROSS * A_BOX, 128, A_BOX);
  Matrix b = matrix_across(stage + A_BYTES + group_column() / ACROSS * B_BOX, ROW_BYTES, B_BOX);
#pragma unroll
  for (int pixel = 0; pixel < DEPTH; pixel += 16)
    FC_ACROSS_BY(FC_MATH)(sums, a + (pixel * 128 >> 4), b + (pixel * ROW_BYTES >> 4));
}

// Neighbouring columns are two channels of one tap, as groups have an even number of them.
__device__ __forceinline__ void store_sums(const float (&sums)[WIDTH / 2], const Work &work,
                                           const WeightBoxes &p, float *parts) {
  const Conv &conv = p.sum.conv;
  int lane = threadIdx.x % 32, taps = taps_of(conv);
  int row0 = work.row0 + group_row() + threadIdx.x % GROUP / 32 * 16 + lane / 4;
  int box0 = work.box0 + group_column() / ACROSS;
  long long columns = taps * conv.c;
  float *to = parts + ((work.split * conv.groups + work.group) * conv.k + row0) * columns;
#pragma unroll
  for (int j = 0; j < WIDTH / 8; j++) {
    int box = box0 + j * 8 / ACROSS, tap = box / (int)p.chunks;
    int c = box % (int)p.chunks * ACROSS + j * 8 % ACROSS + lane % 4 * 2;
    if (tap >= taps || c >= conv.c) continue;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      if (row0 + half * 8 >= conv.k) continue;
      Pair *at = (Pair *)(to + half * 8 * columns + tap * conv.c + c);
      check_aligned((const char *)at, sizeof(Pair));
      *at = Pair{sums[j * 4 + half * 2], sums[j * 4 + half * 2 + 1]};
    }
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, FC_BLOCKS)
wgmma_weight(float *parts, const __grid_constant__ Maps maps, const WeightBoxes p) {
  FC_SHARED(memory);
  Ring ring;
  Source *sources = (Source *)ring.lay_out(memory);
  ring.make_barriers();
  Turn turn;
  turn.start();
  long long tiles = p.row_tiles * p.column_tiles * p.sum.conv.groups * p.sum.splits;
  divide_work(
      CROWDED,
      [&] {
        prefetch_map(&maps.x);
        prefetch_map(&maps.y);
        for (long long tile = blockIdx.x; tile < tiles; tile += gridDim.x)
          copy_stages(Work(p, tile), maps, p, ring, turn, sources);
      },
      [&] {
        for (long long tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
          Work work(p, tile);
          float sums[WIDTH / 2];
#pragma unroll
          for (int i = 0; i < WIDTH / 2; i++) sums[i] = 0;
          multiply_stages(ring, turn, work.steps(),
                          [&](unsigned char *stage) { multiply_pixels(sums, stage); });
          store_sums(sums, work, p, parts);
        }
      });
}
FC_EXPORT(wgmma_weight)
