/* float32 operands whose products are to be those of a type of 16 bits: rounded on their way to
 * scratch memory, where items are those of the type. Results stay float32. */
#ifndef FC_NARROW_ROUNDED_H
#define FC_NARROW_ROUNDED_H

#include "narrow_bfloat16.h"
#include "narrow_float16.h"
#include "narrow_tf32.h"

typedef fc_vector_float32 fc_vector_as_float16, fc_vector_as_bfloat16;
#define transpose_rows_as_float16 transpose_rows_float32
#define transpose_rows_as_bfloat16 transpose_rows_float32

/* Scratch memory is the type's own, and what works on it. */
#define take_apart_as_float16 take_apart_float16
#define take_apart_as_bfloat16 take_apart_bfloat16
#define transpose_as_float16 transpose_float16
#define transpose_as_bfloat16 transpose_bfloat16
#define turned_rows_as_float16 turned_rows_float16
#define turned_rows_as_bfloat16 turned_rows_bfloat16
#define sum_panels_as_float16 sum_panels_float16
#define sum_panels_as_bfloat16 sum_panels_bfloat16
enum { GRAD_LANES_as_float16 = NARROW_LANES, GRAD_LANES_as_bfloat16 = NARROW_LANES };

enum { CHANNELS_as_float16 = 1, CHANNELS_as_bfloat16 = CHANNELS_bfloat16 };

#define FC_ROUNDED_ITEMS(type)                                                                     \
    FC_INLINE fc_vector_u32 items_as_##type(const char *from, int64_t n, int64_t next,             \
                                            int64_t some, uint32_t flip)                           \
    {                                                                                              \
        (void)flip;                                                                                \
        return float_items_##type(from, n, next, some);                                            \
    }                                                                                              \
    FC_INLINE fc_vector_u32 second_items_as_##type(const char *from, int64_t n, int64_t next,      \
                                                   int64_t some, uint32_t flip)                    \
    {                                                                                              \
        (void)flip;                                                                                \
        return second_float_items_##type(from, n, next, some);                                     \
    }                                                                                              \
    FC_INLINE uint32_t item_as_##type(const char *from, int64_t next, int64_t some, uint32_t flip) \
    {                                                                                              \
        const float low = *(const fc_float32 *)from;                                               \
        const float high = some > 1 ? *(const fc_float32 *)(from + next) : 0;                      \
        (void)flip;                                                                                \
        return floats_as_##type(spread(low), spread(high))[0];                                     \
    }                                                                                              \
    FC_INLINE fc_vector_u32 adjoining_items_as_##type(const char *from, uint32_t flip)             \
    {                                                                                              \
        (void)flip;                                                                                \
        return adjoining_float_items_##type(from, CHANNELS_##type * NARROW_LANES);                 \
    }                                                                                              \
    FC_INLINE fc_vector_u32 adjoining_as_##type(const char *from, int64_t n)                       \
    {                                                                                              \
        return adjoining_float_items_##type(from, n);                                              \
    }
FC_ROUNDED_ITEMS(float16)
FC_ROUNDED_ITEMS(bfloat16)
#undef FC_ROUNDED_ITEMS

#define as_weight_as_float16 as_weight_float16
#define as_weight_as_bfloat16 as_weight_bfloat16
#define ones_as_float16 ones_float16
#define ones_as_bfloat16 ones_bfloat16
#define add_products_as_float16 add_products_float16
#define add_products_as_bfloat16 add_products_bfloat16
#define prefetch_as_float16 prefetch_float16
#define prefetch_as_bfloat16 prefetch_bfloat16
/* Results and biases of float32, which the types themselves may have. */
#define put_some_as_float16 put_some_float16
#define put_some_as_bfloat16 put_some_bfloat16
#define put_one_as_float16 put_one_float16
#define put_one_as_bfloat16 put_one_bfloat16
#define put_items_as_float16 put_items_float16
#define put_items_as_bfloat16 put_items_bfloat16
#define put_products_as_float16 put_products_float16
#define put_products_as_bfloat16 put_products_bfloat16
#define bias_as_float16 bias_float16
#define bias_as_bfloat16 bias_bfloat16

#endif
