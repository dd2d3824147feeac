/* Arrays of 16-bit floats, box by box: widened into scratch memory that a cache holds, and rounded
 * on their way back. */
#ifndef FC_HALVES_H
#define FC_HALVES_H

#include "narrow_formats.h"

/* Up to four axes of items, the innermost last. Their floats lie side by side in that order, and a
 * vector more of them may be written. */
typedef struct {
    int64_t extent[4], stride[4];
} fc_half_box;

enum { HALF_SLACK = 16, HALF_ITEMS = 64 }; /* slack: of any level, as plans outlive a change */

/* What two arrays of so many floats take, in whole cache lines. */
static int64_t scratch_bytes(int64_t items)
{
    const int64_t bytes = (items + 2 * HALF_SLACK) * (int64_t)sizeof(float);

    return ceil_div(bytes, FC_CACHE_LINE) * FC_CACHE_LINE;
}

/* Axes that follow each other in memory become one. */
static fc_half_box joined(fc_half_box box)
{
    int to = 3;

    for (int axis = 2; axis >= 0; axis--) {
        const int64_t extent = box.extent[axis], stride = box.stride[axis];
        if (box.extent[to] == 1)
            box.stride[to] = stride;
        else if (extent > 1 && stride != box.extent[to] * box.stride[to])
            to--, box.extent[to] = 1, box.stride[to] = stride;
        box.extent[to] *= extent;
    }
    while (to > 0)
        to--, box.extent[to] = 1, box.stride[to] = 0;
    return box;
}

/* NaN if a lane is, else 0. */
FC_INLINE float poison_float32(fc_vector_float32 v)
{
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q) ? NAN : 0;
#elif defined(__AVX__)
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)v, (__m256)v, _CMP_UNORD_Q)) ? NAN : 0;
#elif defined(__x86_64__)
    return _mm_movemask_ps(_mm_cmpunord_ps((__m128)v, (__m128)v)) ? NAN : 0;
#else
    return (v[0] + v[1]) + (v[2] + v[3]) - ((v[0] + v[1]) + (v[2] + v[3]));
#endif
}

FC_INLINE double poison_float64(fc_vector_float64 v)
{
    double sum = 0;

    for (int i = 0; i < VECTOR_BYTES / 8; i++)
        sum += v[i];
    return sum;
}

/* n items side by side, and nothing behind them. Returns NaN if one is, or infinities are. */
FC_INLINE float widen_some(int dtype, const char *from, int64_t n, float *to)
{
    fc_vector_float32 sum = {0};

    for (int64_t j = 0; j < n; j += NARROW_LANES) {
        const fc_vector_float32 v = widened_half(dtype, load_u16(from + 2 * j, n - j));
        sum += v;
        if (n - j >= NARROW_LANES)
            *(fc_vector_float32 *)(to + j) = v;
        else
            store_some_float32(to + j, v, n - j);
    }
    return poison_float32(sum);
}

FC_INLINE void widen_line(int dtype, const char *from, int64_t step, int64_t n, float *to)
{
    fc_uint16 some[HALF_ITEMS];

    if (step == 2 || n == 1) {
        widen_items(dtype, from, n, to);
        return;
    }
    for (int64_t j = 0; j < n; j += HALF_ITEMS) {
        const int64_t count = min64(HALF_ITEMS, n - j);
        for (int64_t i = 0; i < count; i++)
            some[i] = *(const fc_uint16 *)(from + (j + i) * step);
        widen_items(dtype, (const char *)some, count, to + j);
    }
}

FC_INLINE void round_line(int dtype, const float *from, int64_t n, char *to, int64_t step)
{
    fc_uint16 some[HALF_ITEMS];

    if (step == 2) {
        round_items(dtype, from, n, to);
        return;
    }
    for (int64_t j = 0; j < n; j += HALF_ITEMS) {
        const int64_t count = min64(HALF_ITEMS, n - j);
        round_items(dtype, from + j, count, (char *)some);
        for (int64_t i = 0; i < count; i++)
            *(fc_uint16 *)(to + (j + i) * step) = some[i];
    }
}

static void copy_halves(char *to, int64_t step, const fc_uint16 *from, int64_t n)
{
    if (step == 2)
        memcpy(to, from, (size_t)(2 * n));
    else
        for (int64_t j = 0; j < n; j++)
            *(fc_uint16 *)(to + j * step) = from[j];
}

FC_INLINE void convert_box(int dtype, int widens, char *halves, fc_half_box box, float *floats)
{
    box = joined(box);
    for (int64_t a = 0; a < box.extent[0]; a++)
        for (int64_t b = 0; b < box.extent[1]; b++)
            for (int64_t c = 0; c < box.extent[2]; c++, floats += box.extent[3]) {
                char *line = halves + a * box.stride[0] + b * box.stride[1] + c * box.stride[2];
                if (widens)
                    widen_line(dtype, line, box.stride[3], box.extent[3], floats);
                else
                    round_line(dtype, floats, box.extent[3], line, box.stride[3]);
            }
}

static void widen_box(int dtype, const char *from, fc_half_box box, float *to)
{
    if (dtype == FC_NARROW_float16)
        convert_box(FC_NARROW_float16, 1, (char *)from, box, to);
    else
        convert_box(FC_NARROW_bfloat16, 1, (char *)from, box, to);
}

static void round_box(int dtype, const float *from, char *to, fc_half_box box)
{
    if (dtype == FC_NARROW_float16)
        convert_box(FC_NARROW_float16, 0, to, box, (float *)from);
    else
        convert_box(FC_NARROW_bfloat16, 0, to, box, (float *)from);
}

/* Results of several lines, to be rounded together where they follow each other in memory. */
enum { RESULTS = 2048 };

typedef struct {
    float items[RESULTS];
    char *to;
    int64_t count;
} fc_half_results;

static void put_results(int dtype, fc_half_results *results)
{
    if (dtype == FC_NARROW_float16)
        round_items(FC_NARROW_float16, results->items, results->count, results->to);
    else
        round_items(FC_NARROW_bfloat16, results->items, results->count, results->to);
    results->count = 0;
}

/* Where to leave n results that go to items of memory `step` bytes apart. */
static float *room_for(int dtype, fc_half_results *results, char *to, int64_t n)
{
    if (results->count + n > RESULTS || to != results->to + 2 * results->count) {
        put_results(dtype, results);
        results->to = to;
    }
    return results->items + results->count;
}

static void take_results(int dtype, fc_half_results *results, int64_t n, int64_t step)
{
    if (step == 2)
        results->count += n;
    else
        round_line(dtype, results->items + results->count, n, results->to, step);
}

/* An address `items` floats before an array, for arrays that are seen through their own indices
 * though they hold a block alone. */
static char *floats_before(float *array, int64_t items)
{
    return (char *)((uintptr_t)array - (uintptr_t)items * sizeof(float));
}

#endif
