/* tf32: arrays of float32, whose numbers are rounded to it on their way to scratch memory. Results
 * stay float32. */
#ifndef FC_NARROW_TF32_H
#define FC_NARROW_TF32_H

#include "rounding.h"

typedef fc_vector_float32 fc_vector_tf32;
#define stream_vector_tf32 stream_vector_float32
#define put_even_tf32 put_even_float32
#define store_some_tf32 store_some_float32
#define load_lanes_tf32 load_lanes_float32
#define lanes_between_tf32 lanes_between_float32
#define lows_in_turn_tf32 lows_in_turn_float32
#define highs_in_turn_tf32 highs_in_turn_float32
#define transpose_rows_tf32 transpose_rows_float32

enum { CHANNELS_tf32 = 1 };

FC_INLINE fc_vector_u32 items_tf32(const char *from, int64_t n, int64_t next, int64_t some,
                                   uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return (fc_vector_u32)copied_without_bits(TF32_DROPPED, load_floats(from, n));
}

FC_INLINE fc_vector_u32 second_items_tf32(const char *from, int64_t n, int64_t next, int64_t some,
                                          uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return (fc_vector_u32)copied_without_bits(TF32_DROPPED, load_second_floats(from, n));
}

FC_INLINE uint32_t item_tf32(const char *from, int64_t next, int64_t some, uint32_t flip)
{
    (void)next, (void)some, (void)flip;
    return ((fc_vector_u32)copied_without_bits(TF32_DROPPED, spread(*(const fc_float32 *)from)))[0];
}

FC_INLINE fc_vector_u32 floats_as_tf32(fc_vector_float32 low, fc_vector_float32 high)
{
    (void)high;
    return (fc_vector_u32)copied_without_bits(TF32_DROPPED, low);
}

/* Sources are never wider than the type itself. */
#define float_items_tf32(from, n, next, some) items_tf32(from, n, next, some, 0)
#define second_float_items_tf32(from, n, next, some) second_items_tf32(from, n, next, some, 0)
#define adjoining_float_items_tf32(from, n) items_tf32(from, n, 0, 1, 0)

FC_INLINE fc_vector_u32 adjoining_tf32(const char *from, int64_t n)
{
    return items_tf32(from, min64(n, NARROW_LANES), 0, 1, 0);
}

#define add_products_tf32 add_products_float16
#define as_weight_tf32 as_weight_float16
#define ones_tf32 ones_float16
#define adjoining_items_tf32 adjoining_items_float16
/* Results and biases are float32, which 16-bit types may have as well. */
#define bias_tf32 bias_float16
#define outside_tf32 outside_float16
#define start_tf32 start_float16
#define tile_finish_tf32 tile_finish_float16
#define put_some_tf32 put_some_float16
#define put_finished_tf32 put_finished_float16
#define put_products_tf32 put_products_float16
#define put_one_tf32 put_one_float16
#define put_items_tf32 put_items_float16
#define finish_line_tf32 finish_line_float16
#define finish_rows_tf32 finish_rows_float16
#define finish_lanes_tf32 finish_lanes_float16

#endif
