/* Arrays of 16-bit floats, box by box: widened into scratch memory that a cache holds, and rounded
 * on their way back. */
#ifndef FC_HALVES_H
#define FC_HALVES_H

#include "narrow_formats.h"
#include "shuffles.h"

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

/* What templates of floating types load and store where arrays may hold 16-bit floats instead:
 * `half` is 0 or one more than their type. */
FC_INLINE fc_vector_float32 load_half_float32(int half, const char *from)
{
    if (half)
        return widened_half(half - 1, *(const fc_vector_u16 *)from);
    return *(const fc_vector_float32 *)from;
}

FC_INLINE fc_vector_float64 load_half_float64(int half, const char *from)
{
    (void)half;
    return *(const fc_vector_float64 *)from;
}

FC_INLINE fc_vector_float32 load_some_half_float32(int half, const char *from, int64_t n)
{
    if (half)
        return widened_half(half - 1, load_some_u16(from, n));
    return load_some_float32(from, n);
}

FC_INLINE fc_vector_float64 load_some_half_float64(int half, const char *from, int64_t n)
{
    (void)half;
    return load_some_float64(from, n);
}

FC_INLINE float load_half_item_float32(int half, const char *from)
{
    return half ? widen_item(half - 1, from) : *(const fc_float32 *)from;
}

FC_INLINE double load_half_item_float64(int half, const char *from)
{
    (void)half;
    return *(const fc_float64 *)from;
}

/* Each of the first n items to a place of its own. */
FC_INLINE void put_halves_float32(int half, fc_vector_float32 v, int64_t n, char **to)
{
    const fc_vector_u16 items = rounded_half(half - 1, v);

    for (int64_t i = 0; i < n; i++)
        *(fc_uint16 *)to[i] = items[i];
}

FC_INLINE void put_halves_float64(int half, fc_vector_float64 v, int64_t n, char **to)
{
    (void)half, (void)v, (void)n, (void)to; /* never with halves */
}

FC_INLINE void store_half_float32(int half, char *to, fc_vector_float32 v, int64_t n)
{
    if (half && n >= NARROW_LANES)
        *(fc_vector_u16 *)to = rounded_half(half - 1, v);
    else if (half)
        store_some_u16(to, rounded_half(half - 1, v), n);
    else if (n >= NARROW_LANES)
        *(fc_vector_float32 *)to = v;
    else
        store_some_float32(to, v, n);
}

FC_INLINE void store_half_float64(int half, char *to, fc_vector_float64 v, int64_t n)
{
    (void)half;
    if (n >= NARROW_LANES / 2)
        *(fc_vector_float64 *)to = v;
    else
        store_some_float64(to, v, n);
}

/* Every second one of 2 n items, and the others. Pairs of bfloat16 are a float each and what its
 * fraction lacks. */
FC_INLINE void load_pairs_float32(int half, const char *from, int64_t n, fc_vector_float32 *even,
                                  fc_vector_float32 *odd)
{
    const int64_t first = min64(NARROW_LANES, 2 * n), second = 2 * n - first;
    fc_vector_float32 a, b;

    if (half == 1 + FC_NARROW_bfloat16) {
        fc_vector_u32 pairs = {0};
        if (n >= NARROW_LANES)
            pairs = *(const fc_vector_u32 *)from;
        else
            pairs = (fc_vector_u32)load_some_float32(from, n);
        *even = (fc_vector_float32)(pairs << 16);
        *odd = (fc_vector_float32)(pairs & 0xffff0000);
        return;
    }
    if (half) {
        a = widened_half(half - 1, load_u16(from, first));
        b = widened_half(half - 1, load_u16(from + 2 * first, second));
    } else if (n >= NARROW_LANES) {
        a = *(const fc_vector_float32 *)from;
        b = *(const fc_vector_float32 *)(from + VECTOR_BYTES);
    } else {
        a = load_lanes_float32(from, lanes_between_float32(0, first));
        b = load_lanes_float32(from + VECTOR_BYTES, lanes_between_float32(0, second));
    }
    *even = evens_float32(a, b);
    *odd = odds_float32(a, b);
}

FC_INLINE void load_pairs_float64(int half, const char *from, int64_t n, fc_vector_float64 *even,
                                  fc_vector_float64 *odd)
{
    const int64_t lanes = NARROW_LANES / 2, first = min64(lanes, 2 * n);
    fc_vector_float64 a, b;

    (void)half;
    if (n >= lanes) {
        a = *(const fc_vector_float64 *)from;
        b = *(const fc_vector_float64 *)(from + VECTOR_BYTES);
    } else {
        a = load_lanes_float64(from, lanes_between_float64(0, first));
        b = load_lanes_float64(from + VECTOR_BYTES, lanes_between_float64(0, 2 * n - first));
    }
    *even = evens_float64(a, b);
    *odd = odds_float64(a, b);
}

/* An address `items` floats before an array, for arrays that are seen through their own indices
 * though they hold a block alone. */
static char *floats_before(float *array, int64_t items)
{
    return (char *)((uintptr_t)array - (uintptr_t)items * sizeof(float));
}

#endif
