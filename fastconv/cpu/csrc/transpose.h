/* Square blocks transposed in registers: one vector's lanes by as many rows. */
#ifndef FC_TRANSPOSE_H
#define FC_TRANSPOSE_H

#include "common.h"
#include "vector.h"

/* Shuffles within the 128-bit parts of two vectors of 32-bit items, which every instruction set has
 * as one instruction, and of whole parts. FC_ITEMS is the number of items of a vector. */
#define FC_ITEMS (VECTOR_BYTES / 4)
#if defined(__AVX512F__)
#define FC_PARTS(f) f(0), f(4), f(8), f(12)
#elif defined(__AVX__)
#define FC_PARTS(f) f(0), f(4)
#else
#define FC_PARTS(f) f(0)
#endif
#define FC_LOW_ITEMS(i) i, FC_ITEMS + i, i + 1, FC_ITEMS + i + 1
#define FC_HIGH_ITEMS(i) FC_LOW_ITEMS(i + 2)
#define FC_LOW_PAIRS(i) i, i + 1, FC_ITEMS + i, FC_ITEMS + i + 1
#define FC_HIGH_PAIRS(i) FC_LOW_PAIRS(i + 2)
#define FC_PART(i) i, i + 1, i + 2, i + 3
#define FC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

enum { VECTOR_PARTS = VECTOR_BYTES / 16 };

/* The last steps: parts of rows that lie `items` apart change places. */
FC_INLINE void transpose_parts(fc_vector_float32 *row, const int items)
{
#if defined(__AVX__)
#pragma GCC unroll 16
    for (int i = 0; i < VECTOR_PARTS * items; i++)
        if (!(i / items & 1)) {
            const fc_vector_float32 a = row[i], b = row[i + items];
#if !defined(__AVX512F__)
            row[i] = FC_SHUFFLE(a, b, FC_PART(0), FC_PART(8));
            row[i + items] = FC_SHUFFLE(a, b, FC_PART(4), FC_PART(12));
#else
            row[i] = FC_SHUFFLE(a, b, FC_PART(0), FC_PART(16), FC_PART(8), FC_PART(24));
            row[i + items] = FC_SHUFFLE(a, b, FC_PART(4), FC_PART(20), FC_PART(12), FC_PART(28));
#endif
        }
#endif
#if defined(__AVX512F__)
#pragma GCC unroll 16
    for (int i = 0; i < 2 * items; i++) {
        const fc_vector_float32 a = row[i], b = row[i + 2 * items];
        row[i] = FC_SHUFFLE(a, b, FC_PART(0), FC_PART(4), FC_PART(16), FC_PART(20));
        row[i + 2 * items] = FC_SHUFFLE(a, b, FC_PART(8), FC_PART(12), FC_PART(24), FC_PART(28));
    }
#endif
    (void)row, (void)items;
}

FC_INLINE void transpose_rows_float32(fc_vector_float32 *row)
{
#pragma GCC unroll 4
    for (int i = 0; i < FC_ITEMS; i += 4) {
        const fc_vector_float32 a = FC_SHUFFLE(row[i], row[i + 1], FC_PARTS(FC_LOW_ITEMS));
        const fc_vector_float32 b = FC_SHUFFLE(row[i], row[i + 1], FC_PARTS(FC_HIGH_ITEMS));
        const fc_vector_float32 c = FC_SHUFFLE(row[i + 2], row[i + 3], FC_PARTS(FC_LOW_ITEMS));
        const fc_vector_float32 d = FC_SHUFFLE(row[i + 2], row[i + 3], FC_PARTS(FC_HIGH_ITEMS));
        row[i] = FC_SHUFFLE(a, c, FC_PARTS(FC_LOW_PAIRS));
        row[i + 1] = FC_SHUFFLE(a, c, FC_PARTS(FC_HIGH_PAIRS));
        row[i + 2] = FC_SHUFFLE(b, d, FC_PARTS(FC_LOW_PAIRS));
        row[i + 3] = FC_SHUFFLE(b, d, FC_PARTS(FC_HIGH_PAIRS));
    }
    transpose_parts(row, 4);
}

/* A float64 is a pair of 32-bit items. */
FC_INLINE void transpose_rows_float64(fc_vector_float32 *row)
{
#pragma GCC unroll 4
    for (int i = 0; i < FC_ITEMS / 2; i += 2) {
        const fc_vector_float32 a = row[i], b = row[i + 1];
        row[i] = FC_SHUFFLE(a, b, FC_PARTS(FC_LOW_PAIRS));
        row[i + 1] = FC_SHUFFLE(a, b, FC_PARTS(FC_HIGH_PAIRS));
    }
    transpose_parts(row, 2);
}

/* Short runs are copied here: a call of memcpy takes longer than they do. */
FC_INLINE void copy_bytes(char *to, const char *from, int64_t bytes)
{
    typedef struct { char item[64]; } __attribute__((may_alias)) chunk64;
    typedef struct { char item[32]; } __attribute__((may_alias)) chunk32;
    typedef struct { char item[16]; } __attribute__((may_alias)) chunk16;
    typedef struct { char item[8]; } __attribute__((may_alias)) chunk8;

    if (bytes >= 64) {
        for (int64_t i = 0; i < bytes - 64; i += 64)
            *(chunk64 *)(to + i) = *(const chunk64 *)(from + i);
        *(chunk64 *)(to + bytes - 64) = *(const chunk64 *)(from + bytes - 64);
    } else if (bytes >= 32) {
        const chunk32 last = *(const chunk32 *)(from + bytes - 32);
        *(chunk32 *)to = *(const chunk32 *)from;
        *(chunk32 *)(to + bytes - 32) = last;
    } else if (bytes >= 16) {
        const chunk16 last = *(const chunk16 *)(from + bytes - 16);
        *(chunk16 *)to = *(const chunk16 *)from;
        *(chunk16 *)(to + bytes - 16) = last;
    } else if (bytes >= 8) {
        const chunk8 last = *(const chunk8 *)(from + bytes - 8);
        *(chunk8 *)to = *(const chunk8 *)from;
        *(chunk8 *)(to + bytes - 8) = last;
    } else if (bytes > 0)
        memcpy(to, from, 4);
}

#endif
