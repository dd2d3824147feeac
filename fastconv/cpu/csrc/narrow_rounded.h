/* float32 operands whose products are to be those of a type of 16 bits: rounded on their way to
 * scratch memory, where items are those of the type. Results stay float32. */
#ifndef FC_NARROW_ROUNDED_H
#define FC_NARROW_ROUNDED_H

#include "narrow_bfloat16.h"
#include "narrow_float16.h"

typedef fc_vector_float32 fc_vector_as_float16, fc_vector_as_bfloat16;
#define transpose_rows_as_float16 transpose_rows_float32
#define transpose_rows_as_bfloat16 transpose_rows_float32

enum { CHANNELS_as_float16 = 1, CHANNELS_as_bfloat16 = CHANNELS_bfloat16 };

#define FC_ROUNDED_ITEMS(type)                                                                     \
    FC_INLINE fc_vector_u32 items_as_##type(const char *from, int64_t n, int64_t next,             \
                                            int64_t some, uint32_t flip)                           \
    {                                                                                              \
        (void)flip;                                                                                \
        return float_items_##type(from, n, next, some);                                            \
    }                                                                                              \
    FC_INLINE fc_vector_u32 adjoining_as_##type(const char *from, int64_t n)                       \
    {                                                                                              \
        return adjoining_float_items_##type(from, n);                                              \
    }
FC_ROUNDED_ITEMS(float16)
FC_ROUNDED_ITEMS(bfloat16)
#undef FC_ROUNDED_ITEMS

/* What takes one item, or every second one, serves where arrays are no lines: by gathering. */
#define FC_GATHERED_ITEMS(type)                                                                    \
    FC_INLINE fc_vector_u32 second_items_##type(const char *from, int64_t n, int64_t next,         \
                                                int64_t some, uint32_t flip)                       \
    {                                                                                              \
        float gathered[2][NARROW_LANES] = {{0}};                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            gathered[0][i] = *(const fc_float32 *)(from + 8 * i);                                  \
            if (some > 1)                                                                          \
                gathered[1][i] = *(const fc_float32 *)(from + next + 8 * i);                       \
        }                                                                                          \
        return items_##type((const char *)gathered, NARROW_LANES, VECTOR_BYTES, some, flip);       \
    }                                                                                              \
    FC_INLINE uint32_t item_##type(const char *from, int64_t next, int64_t some, uint32_t flip)    \
    {                                                                                              \
        return items_##type(from, 1, next, some, flip)[0];                                         \
    }
FC_GATHERED_ITEMS(as_float16)
FC_GATHERED_ITEMS(as_bfloat16)
#undef FC_GATHERED_ITEMS

#define add_products_as_float16 add_products_float16
#define add_products_as_bfloat16 add_products_bfloat16
#define prefetch_as_float16 prefetch_float16
#define prefetch_as_bfloat16 prefetch_bfloat16
/* Results and biases of float32, which the types themselves may have. */
#define put_items_as_float16 put_items_float16
#define put_items_as_bfloat16 put_items_bfloat16
#define put_products_as_float16 put_products_float16
#define put_products_as_bfloat16 put_products_bfloat16
#define bias_as_float16 bias_float16
#define bias_as_bfloat16 bias_bfloat16

#endif
