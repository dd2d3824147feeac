/* Convolution of groups of few channels, which lie side by side: what kernels share. */
#ifndef FC_GROUPED_H
#define FC_GROUPED_H

#include "common.h"
#include "finish.h"
#include "half_vectors.h"
#include "rounding.h"

/* A tile is so many positions of one vector of channels. Sums, pixels, a weight and what a pixel
 * spreads must fit the registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { GROUPED_POSITIONS = 8 };
#else
enum { GROUPED_POSITIONS = 4 };
#endif

#if defined(__clang__)
#define FC_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define FC_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

/* Loads that leave lanes out cost nothing more with AVX-512. */
enum { ALONE_MASKED = VECTOR_BYTES == 64 };

/* A channel alone: taps of a row that share loads, and rows and pixels that a tile may copy. */
enum { ALONE_TAPS = 7, ALONE_ROWS = 8, ALONE_PIXELS = 2 * GROUPED_POSITIONS + 3, LINE_BYTES = 64 };

/* Kernels that slide: columns of x that a tile goes along, and so many places at most; places whose
 * sums a column adds to, and rows of x that two rows of outputs meet. */
enum { SLIDE_TAPS = 3, SLIDE_COLUMNS = 8, SLIDE_MOST_COLUMNS = 32, SLIDE_ITEMS = 512 };
enum { SLIDE_PLACES = SLIDE_MOST_COLUMNS + 1, SLIDE_MOST_ROWS = SLIDE_TAPS + 2 };

/* What a tile may meet: whole vectors of channels; some channels of one; or any of the two, rows of
 * x that are not there, a single row of outputs, and functions of sums. */
enum { SLIDE_WHOLE, SLIDE_SOME, SLIDE_ANY };

/* Few, for they should stay in the first-level cache until the next vector of channels is due. */
FC_INLINE int64_t slide_places(const fc_grouped *c)
{
    const int64_t columns = min64(SLIDE_MOST_COLUMNS, SLIDE_ITEMS / c->x.shape[1]);

    return max64(SLIDE_COLUMNS, columns) / c->g.stride[2];
}

FC_INLINE int slide_ring(const int stride) { return (SLIDE_TAPS + stride - 1) / stride; }

FC_INLINE int slide_rows(const int stride) { return SLIDE_TAPS + stride; }

/* A weight gradient: taps of a row, rows of one channel's kernel whose sums stay in registers
 * together, and rows of x that are copied at once. */
enum { GROUP_GRAD_TAPS = 3, GROUP_GRAD_ROWS = 3, GROUP_GRAD_COPIED = 3 };

/* The taps of output o whose inputs are inside the axis. */
FC_INLINE fc_range taps_inside(const fc_geometry *g, int axis, int64_t o)
{
    const int64_t first = o * g->stride[axis] - g->before[axis], step = g->dilation[axis];
    const int64_t after = g->in[axis] - first;

    return (fc_range){first < 0 ? ceil_div(-first, step) : 0,
                      after <= 0 ? 0 : min64(g->kernel[axis], ceil_div(after, step))};
}

/* The outputs along a row that read no border. */
static fc_range inner_outputs(const fc_geometry *g)
{
    const int64_t reach = (g->kernel[2] - 1) * g->dilation[2] + 1, room = g->in[2] + g->before[2];
    const int64_t first = min64(g->out[2], max64(0, ceil_div(g->before[2], g->stride[2])));
    const int64_t end = room < reach ? 0 : min64(g->out[2], (room - reach) / g->stride[2] + 1);

    return (fc_range){first, max64(first, end)};
}

/* What items of x are, and what they are rounded to as they are read; quickly, see rounding.h. */
enum {
    GROUPED_PLAIN, GROUPED_FLOAT16, GROUPED_BFLOAT16, GROUPED_ROUNDED,
    GROUPED_QUICK = GROUPED_ROUNDED + 8
};

FC_INLINE int kind_of_float32(const fc_grouped *c)
{
    if (c->half)
        return c->half == 1 + FC_NARROW_float16 ? GROUPED_FLOAT16 : GROUPED_BFLOAT16;
    return c->rounding ? GROUPED_ROUNDED + c->rounding : GROUPED_PLAIN;
}

FC_INLINE int kind_of_float64(const fc_grouped *c)
{
    (void)c;
    return GROUPED_PLAIN;
}

FC_INLINE int quick_kind_of_float32(const fc_grouped *c)
{
    return rounds_quickly(c->rounding) ? GROUPED_QUICK + c->rounding : kind_of_float32(c);
}

FC_INLINE int quick_kind_of_float64(const fc_grouped *c)
{
    return kind_of_float64(c);
}

FC_INLINE int went_wrong(const int kind)
{
    return kind >= GROUPED_QUICK && quick_went_wrong();
}

FC_INLINE int exact_kind(const int quick)
{
    return quick + GROUPED_ROUNDED - GROUPED_QUICK;
}

/* `call` with a kind, and again with the exact one where a quick one went wrong: what the processor
 * notes of it, sums may have set as well. */
#define FC_EXACTLY(kind, call)                                                                     \
    {                                                                                              \
        call(kind);                                                                                \
        if (went_wrong(kind)) {                                                                    \
            call(exact_kind(kind));                                                                \
            forget_quick_flags();                                                                  \
        }                                                                                          \
    }

/* `call` with a kind that the compiler knows. */
#define FC_EACH_KIND(kind, call)                                                                   \
    switch (kind) {                                                                                \
    case GROUPED_FLOAT16: call(GROUPED_FLOAT16); break;                                            \
    case GROUPED_BFLOAT16: call(GROUPED_BFLOAT16); break;                                          \
    case GROUPED_ROUNDED + FC_TO_TF32: call(GROUPED_ROUNDED + FC_TO_TF32); break;                  \
    case GROUPED_ROUNDED + FC_TO_BFLOAT16: call(GROUPED_ROUNDED + FC_TO_BFLOAT16); break;          \
    case GROUPED_ROUNDED + FC_TO_FLOAT16: call(GROUPED_ROUNDED + FC_TO_FLOAT16); break;            \
    default: call(GROUPED_PLAIN);                                                                  \
    }

#define FC_EACH_QUICK_KIND(kind, call)                                                             \
    switch (kind) {                                                                                \
    case GROUPED_QUICK + FC_TO_TF32: call(GROUPED_QUICK + FC_TO_TF32); break;                      \
    case GROUPED_QUICK + FC_TO_BFLOAT16: call(GROUPED_QUICK + FC_TO_BFLOAT16); break;              \
    default: FC_EACH_KIND(kind, call)                                                              \
    }

/* n channels of x as sums are made of them. */
FC_INLINE fc_vector_float32 channels_of_float32(const int kind, const char *from, int64_t n)
{
    switch (kind) {
    case GROUPED_FLOAT16: return widened_half(FC_NARROW_float16, load_u16(from, n));
    case GROUPED_BFLOAT16: return widened_half(FC_NARROW_bfloat16, load_u16(from, n));
    case GROUPED_PLAIN: return load_floats(from, n);
    default: break;
    }
    if (kind >= GROUPED_QUICK)
        return quickly_rounded_to(kind - GROUPED_QUICK, load_floats(from, n));
    return rounded_to(kind - GROUPED_ROUNDED, load_floats(from, n));
}

FC_INLINE fc_vector_float64 channels_of_float64(const int kind, const char *from, int64_t n)
{
    (void)kind;
    return n >= VECTOR_BYTES / 8 ? *(const fc_vector_float64 *)from : load_some_float64(from, n);
}

/* What x holds is asked here, once for all products of a pixel. */
FC_INLINE fc_vector_float32 group_channels_float32(const fc_grouped *c, const char *from,
                                                   int64_t n)
{
#define FC_READ(kind) return channels_of_float32(kind, from, n)
    FC_EACH_KIND(kind_of_float32(c), FC_READ)
#undef FC_READ
}

FC_INLINE fc_vector_float64 group_channels_float64(const fc_grouped *c, const char *from,
                                                   int64_t n)
{
    (void)c;
    return channels_of_float64(GROUPED_PLAIN, from, n);
}

/* n channels of y, whose items are as x's. */
FC_INLINE void put_channels_of_float32(const int kind, int streams, char *to, fc_vector_float32 v,
                                       int64_t n)
{
    if (kind == GROUPED_FLOAT16)
        store_half_float32(1 + FC_NARROW_float16, to, v, n);
    else if (kind == GROUPED_BFLOAT16)
        store_half_float32(1 + FC_NARROW_bfloat16, to, v, n);
    else if (streams && n >= VECTOR_BYTES / 4)
        stream_vector_float32(to, v);
    else
        store_half_float32(0, to, v, n);
}

FC_INLINE void put_channels_of_float64(const int kind, int streams, char *to, fc_vector_float64 v,
                                       int64_t n)
{
    (void)kind;
    if (streams && n >= VECTOR_BYTES / 8)
        stream_vector_float64(to, v);
    else
        store_half_float64(0, to, v, n);
}

FC_INLINE void put_channels_float32(const fc_grouped *c, char *to, fc_vector_float32 v, int64_t n)
{
    if (c->half == 1 + FC_NARROW_float16)
        put_channels_of_float32(GROUPED_FLOAT16, 0, to, v, n);
    else if (c->half)
        put_channels_of_float32(GROUPED_BFLOAT16, 0, to, v, n);
    else
        put_channels_of_float32(GROUPED_PLAIN, c->streams, to, v, n);
}

FC_INLINE void put_channels_float64(const fc_grouped *c, char *to, fc_vector_float64 v, int64_t n)
{
    put_channels_of_float64(GROUPED_PLAIN, c->streams, to, v, n);
}

/* Lane l gets item l / group * group + j: item j of its own group, of a vector that groups fill. */
#define FC_PLACE(lanes, group, l, j) (((l) / (group) * (group) + (j)) % (lanes))
#define FC_PLACES_2(n, g, j) FC_PLACE(n, g, 0, j), FC_PLACE(n, g, 1, j)
#define FC_PLACES_4(n, g, j) FC_PLACES_2(n, g, j), FC_PLACE(n, g, 2, j), FC_PLACE(n, g, 3, j)
#define FC_PLACES_8(n, g, j)                                                                       \
    FC_PLACES_4(n, g, j), FC_PLACE(n, g, 4, j), FC_PLACE(n, g, 5, j), FC_PLACE(n, g, 6, j),        \
        FC_PLACE(n, g, 7, j)
#define FC_PLACES_16(n, g, j)                                                                      \
    FC_PLACES_8(n, g, j), FC_PLACE(n, g, 8, j), FC_PLACE(n, g, 9, j), FC_PLACE(n, g, 10, j),       \
        FC_PLACE(n, g, 11, j), FC_PLACE(n, g, 12, j), FC_PLACE(n, g, 13, j),                       \
        FC_PLACE(n, g, 14, j), FC_PLACE(n, g, 15, j)
#define FC_SPREAD_CASE(lanes, group, j)                                                            \
    case (group) * 8 + (j):                                                                        \
        return __builtin_shufflevector(v, v, FC_PLACES_##lanes(lanes, group, j));
#define FC_SPREAD_GROUPS(type, lanes)                                                              \
    FC_INLINE fc_vector_##type spread_group_##type(const int group, const int j,                   \
                                                   fc_vector_##type v)                             \
    {                                                                                              \
        switch (group * 8 + j) {                                                                   \
            FC_SPREAD_CASE(lanes, 2, 0)                                                            \
            FC_SPREAD_CASE(lanes, 2, 1)                                                            \
            FC_SPREAD_CASE(lanes, 4, 0)                                                            \
            FC_SPREAD_CASE(lanes, 4, 1)                                                            \
            FC_SPREAD_CASE(lanes, 4, 2)                                                            \
            FC_SPREAD_CASE(lanes, 4, 3)                                                            \
            FC_SPREAD_CASE(lanes, 8, 0)                                                            \
            FC_SPREAD_CASE(lanes, 8, 1)                                                            \
            FC_SPREAD_CASE(lanes, 8, 2)                                                            \
            FC_SPREAD_CASE(lanes, 8, 3)                                                            \
            FC_SPREAD_CASE(lanes, 8, 4)                                                            \
            FC_SPREAD_CASE(lanes, 8, 5)                                                            \
            FC_SPREAD_CASE(lanes, 8, 6)                                                            \
            FC_SPREAD_CASE(lanes, 8, 7)                                                            \
        default: return v;                                                                         \
        }                                                                                          \
    }
#if defined(__AVX512F__)
FC_SPREAD_GROUPS(float32, 16)
FC_SPREAD_GROUPS(float64, 8)
#elif defined(__AVX__)
FC_SPREAD_GROUPS(float32, 8)
FC_SPREAD_GROUPS(float64, 4)
#else
FC_SPREAD_GROUPS(float32, 4)
FC_SPREAD_GROUPS(float64, 2)
#endif

#endif
