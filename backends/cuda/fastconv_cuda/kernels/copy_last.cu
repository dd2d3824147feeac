// An array's copy as matrix kernels like it: channels last, those of each group to whole 16-byte
// chunks with zeros behind, pixels one after another; converted to FC_COPY's type on the way, with
// FC_QUANTIZED to int8 by a scale. A block turns around 64 pixels x 128 bytes of channels, so that
// neighbouring threads read neighbours in either layout, and write 16 bytes each.
#ifndef FC_QUANTIZED
#include "factors.cuh"
#else
#include "quantized.cuh"
#endif
#include "params.cuh"

enum {
  PIXELS = 64,
  SPAN = 128 / sizeof(copy_t),  // channels
  // A row's pitch: pixels in one channel fall into different banks.
  WORDS = sizeof(copy_t) == 8 ? 34 : 33,
  STEP = 256 / SPAN,
  CHUNK_ITEMS = 16 / sizeof(copy_t),
};

__device__ __forceinline__ long long start_of(const ImageCopy &p, unsigned pixel, long long image) {
  unsigned e2 = (unsigned)p.extent[2], e1 = (unsigned)p.extent[1], e0 = (unsigned)p.extent[0];
  unsigned row = pixel / e2, plane = row / e1;
  image += plane / e0;
  return image * p.from[0] + plane % e0 * p.from[2] + row % e1 * p.from[3] + pixel % e2 * p.from[4];
}

extern "C" __global__ void __launch_bounds__(256)
copy_last(const char *from, FC_SCALES char *to, const ImageCopy p) {
  FC_SHARED(memory);
  copy_t *tile = (copy_t *)memory;
  const int pitch = WORDS * 4 / sizeof(copy_t);
  long long pixels = p.extent[0] * p.extent[1] * p.extent[2], all = p.batch * pixels;
  long long first = (long long)blockIdx.x * PIXELS, image = first / pixels;
  unsigned rest = (unsigned)(first % pixels);
  int left = all - first < PIXELS ? (int)(all - first) : PIXELS;
  int channel0 = blockIdx.y * SPAN, channels = (int)(p.groups * p.padded);
  int padded = (int)p.padded, real = (int)p.channels, thread = threadIdx.x;
#ifdef FC_QUANTIZED
  float steps = scales[0];
#endif
  // Threads side by side have channels where those lie side by side, else pixels.
  int pixel = p.last ? thread / SPAN : thread % PIXELS;
  int channel = p.last ? thread % SPAN : thread / PIXELS;
  long long start = start_of(p, rest + pixel, image);
#pragma unroll 8
  for (int i = 0; i < PIXELS * SPAN / 256; i++) {
    if (p.last && i) start = start_of(p, rest + pixel, image);
    int at = channel0 + channel, group = p.groups == 1 ? 0 : at / padded;
    int c = at - group * padded;
    copy_t v = copy_t();
    if (pixel < left && at < channels && c < real) {
      element seen = load(from + start + ((long long)group * real + c) * p.from[1]);
#ifdef FC_QUANTIZED
      v = quantized(seen, steps);
#else
      v = copied(seen);
#endif
    }
    tile[pixel * pitch + channel] = v;
    if (p.last) pixel += STEP;
    else channel += 256 / PIXELS;
  }
  block_barrier();
  for (int i = thread; i < PIXELS * 8; i += 256) {
    int row = i / 8, chunk = i % 8;
    if (row >= left || channel0 + chunk * CHUNK_ITEMS >= channels) continue;
    const unsigned *words = (const unsigned *)memory + row * WORDS + chunk * 4;
    Words16 whole = {{words[0], words[1], words[2], words[3]}};
    long long place = (first + row) * channels + channel0;
    *(Words16 *)(to + place * (long long)sizeof(copy_t) + chunk * 16) = whole;
  }
}
FC_EXPORT(copy_last)
