/* Types of fewer bits than a sum's: what the templates of products ask of them; see floats.h.
 *
 * Scratch memory has items of 32 bits: a float32, or two source channels' bfloat16, or four source
 * channels' bytes, or two as 16-bit integers, whatever the level multiplies and adds in one
 * instruction. FC_V names them and sums alike, though an item of several channels, and an int32
 * sum, is a float by its size alone: it's moved and never computed with as one. */
#ifndef FC_NARROW_H
#define FC_NARROW_H

#include "narrow_formats.h"
#include "product.h"
#include "requantize.h"

#if defined(__AVX512BF16__)
#define FC_BF16_PAIRS
#endif
#if defined(__AVX512VNNI__)
#define FC_INT8_QUADS
#endif

typedef fc_vector_float32 fc_vector_float16, fc_vector_bfloat16, fc_vector_int8;

/* What sums of bytes become on their way from a tile's registers to an array. */
typedef struct {
    fc_bounds bounds;
    float multiplier[MOST_ROWS], added[MOST_ROWS];
    int relu;
} fc_tile_finish;

/* Moves are those of float32. */
#define stream_vector_float16 stream_vector_float32
#define stream_vector_bfloat16 stream_vector_float32
#define stream_vector_int8 stream_vector_float32
#define put_even_float16 put_even_float32
#define put_even_bfloat16 put_even_float32
#define put_even_int8 put_even_float32
#define store_some_float16 store_some_float32
#define store_some_bfloat16 store_some_float32
#define store_some_int8 store_some_float32
#define load_lanes_float16 load_lanes_float32
#define load_lanes_bfloat16 load_lanes_float32
#define load_lanes_int8 load_lanes_float32
#define lanes_between_float16 lanes_between_float32
#define lanes_between_bfloat16 lanes_between_float32
#define lanes_between_int8 lanes_between_float32
#define lows_in_turn_float16 lows_in_turn_float32
#define lows_in_turn_bfloat16 lows_in_turn_float32
#define lows_in_turn_int8 lows_in_turn_float32
#define highs_in_turn_float16 highs_in_turn_float32
#define highs_in_turn_bfloat16 highs_in_turn_float32
#define highs_in_turn_int8 highs_in_turn_float32
#define transpose_rows_float16 transpose_rows_float32
#define transpose_rows_bfloat16 transpose_rows_float32
#define transpose_rows_int8 transpose_rows_float32

#define FC_ITEM(c) ((void)(c), (int64_t)4)
#define FC_SOURCES(c) ((c)->narrow.sources)
#define FC_SCRATCH fc_float32
#define FC_CHANNELS FC_N(CHANNELS)
#define FC_OUTSIDE(c) FC_N(outside)(&(c)->narrow)
#define FC_PIXEL_BYTES(c, p) 0 /* they have no tiles of pixels */
#define FC_UNIT(c) FC_N(convolve_unit)
#define FC_DIRECT(c) ((c)->narrow.w_zeros == NULL)
#define FC_NARROW_STORES 1
/* Bytes of a target's item, 0 where sums are stored as they are. */
#define FC_NARROW_SIZE(c) ((c)->y.size < 4 || (c)->narrow.scaled ? (int)(c)->y.size : 0)
#define FC_HAS_WINDOWS(c) ((c)->dtype == FC_NARROW_int8)
#define FC_TILE_FINISH(c, channel, rows)                                                           \
    const fc_tile_finish finish = FC_N(tile_finish)(&(c)->narrow, channel, rows);                  \
    tile.finish = &finish;
#define FC_VECTOR(v) spread(v)
#define FC_FACTOR(v) spread(v)
#define FC_LINE_BYTES (NARROW_LANES * (int64_t)sizeof(FC_T)) /* of a line for a vector of items */
#define FC_ADD_PRODUCTS(sums, source, weight) FC_N(add_products)(sums, source, weight)
/* Where two lines make the items of one, the processor's prefetching doesn't follow so many. */
#define FC_RIGHT_ITEMS(b, j, next)                                                                 \
    (FC_CHANNELS > 1 ? (__builtin_prefetch((b) + (j) * FC_LINE_BYTES + LINE_AHEAD),                \
                        __builtin_prefetch((b) + (next) + (j) * FC_LINE_BYTES + LINE_AHEAD))       \
                     : (void)0,                                                                    \
     (fc_vector_float32)FC_N(items)((b) + (j) * FC_LINE_BYTES, NARROW_LANES, next, FC_CHANNELS, 0))
#define FC_MOVES 0 /* items are made */
#define FC_TAKE(c, to, from, step, n, some)                                                        \
    FC_N(take_sources)(to, &(c)->x, from, step, n, some, (c)->narrow.x_flip)
#define FC_TURNS(c)                                                                                \
    ((c)->x.stride[1] == (c)->x.size && (c)->x.stride[4] != (c)->x.size                            \
     && (c)->inner >= NARROW_LANES / 2)
#define FC_COPY_PIXELS(c, u, channels, lines, to) FC_N(copy_pixels)(c, u, channels, lines, to)
#define FC_TURN_PLANES(c, u, c0, depth, to) FC_N(turn_planes)(c, u, c0, depth, to)
#define FC_AHEAD(c, from, bytes)                                                                   \
    do                                                                                             \
        for (int64_t i_ = 0; i_ < FC_CHANNELS; i_++)                                               \
            FC_N(prefetch)((from) + (CHANNELS_AHEAD + i_) * (c)->x.stride[1], bytes);              \
    while (0)
#define FC_TAKE_ROW(p, to, from, n, some)                                                          \
    FC_N(take_sources)(to, &(p)->x, from, (p)->x.size, n, some, (p)->narrow.x_flip)
#define FC_START(c, channel)                                                                       \
    FC_N(start)((c)->bias, (c)->bias_step, channel, &(c)->narrow, (c)->y.size)
#define FC_FINISH_ROWS(c, channel, rows, width, sums)                                              \
    FC_N(finish_rows)((c)->activation, (c)->parameter, &(c)->narrow, channel, rows, width, sums)
#define FC_FINISH_LANES(c, group, channel, vectors, pixels, sums)                                  \
    FC_N(finish_lanes)((c)->activation, (c)->parameter, &(c)->narrow,                              \
                       (group) * (c)->channels + (channel),                                        \
                       (c)->channels - (channel), vectors, pixels, sums)

#endif
