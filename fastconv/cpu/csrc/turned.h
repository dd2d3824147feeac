/* A convolution as a matrix product whose tiles have output channels along the lanes: each pixel is
 * broadcast, from wherever it lies. */
#ifndef FC_TURNED_H
#define FC_TURNED_H

#include "product.h"

/* Tiles of one or two vectors of channels by as many pixels as leave registers for the weight's
 * vectors and a pixel: FC_TURNED_TILES(X) lists X(vectors, pixels). Without fused multiply-adds, a
 * register more goes to products. */
#define FC_PIXELS_4(X, v) X(v, 1) X(v, 2) X(v, 3) X(v, 4)
#define FC_PIXELS_6(X, v) FC_PIXELS_4(X, v) X(v, 5) X(v, 6)
#define FC_PIXELS_10(X, v) FC_PIXELS_6(X, v) X(v, 7) X(v, 8) X(v, 9) X(v, 10)
#define FC_PIXELS_14(X, v) FC_PIXELS_10(X, v) X(v, 11) X(v, 12) X(v, 13) X(v, 14)
#if defined(__AVX512F__) || defined(__aarch64__)
#define FC_TURNED_TILES(X) FC_PIXELS_14(X, 1) FC_PIXELS_14(X, 2)
enum { MOST_PIXELS = 14 };
#elif defined(__AVX__)
#define FC_TURNED_TILES(X) FC_PIXELS_6(X, 1) FC_PIXELS_6(X, 2)
enum { MOST_PIXELS = 6 };
#else
#define FC_TURNED_TILES(X) FC_PIXELS_4(X, 1) FC_PIXELS_4(X, 2)
enum { MOST_PIXELS = 4 };
#endif
/* Kernels of so many taps are transposed when the weight is packed. */
enum { TURNED_VECTORS = 2, MOST_TAPS = 64 };

/* A piece of the work: from an output item, line and plane of an image on, some vectors of a
 * group's target channels. */
typedef struct {
    int64_t image, group, plane, line, item, block, blocks;
} fc_turned_unit;

/* Pixels side by side in the result: so many, from `to` of the first target channel on. */
typedef struct {
    char *to;
    int64_t pixels, step;
} fc_pixels;

/* A few multiples of the step are what addresses scale; the compiler would keep each one. */
FC_INLINE const char *pixel_at(const char *from, const int i, int64_t step, int64_t step3,
                               int64_t step5)
{
    return from + (i == 3 ? step3 : i == 6 ? 2 * step3 : i == 5 ? step5 : i * step);
}

#endif
