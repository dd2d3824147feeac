/* Depthwise convolution: which elements meet, and how a thread's scratch memory is laid out.
 *
 * The source of a pass (x, or y in an input gradient) is copied a band at a time, one channel or a
 * vector of channels, with its padding, into scratch memory. There every tap of the kernel lies at
 * a fixed distance from the result that it contributes to.
 */
#ifndef FC_DEPTHWISE_H
#define FC_DEPTHWISE_H

#include "common.h"
#include "depthwise_parts.h"
#include "finish.h"
#include "requantize.h"
#include "shuffles.h"
#include "vector.h"

/* A tile's lines of results, and the taps of a column of the kernel, stay in registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define FC_TILE_LINES 8
#elif defined(__AVX__)
#define FC_TILE_LINES 6
#else
#define FC_TILE_LINES 4
#endif
enum {
    TILE_LINES = FC_TILE_LINES, MOST_PAIRS = TILE_LINES / 2, MOST_HEIGHT = 7,
    MOST_PHASES = FC_MOST_PHASES
};

/* Without copies: a block's vectors of results, and what there is in scratch memory. */
enum {
    DIRECT_VECTORS = 4, DIRECT_CUT = 4, DIRECT_ZEROS_AT = 25 * VECTOR_BYTES,
    DIRECT_NOWHERE_AT = DIRECT_ZEROS_AT + (2 * DIRECT_VECTORS + 1) * VECTOR_BYTES,
    DIRECT_BYTES = DIRECT_NOWHERE_AT + DIRECT_VECTORS * VECTOR_BYTES
};

/* The results first + j * step of an axis, j < count, meet the kernel elements tap + m * tap_step,
 * m < taps, over the sources base + j * stride + m * spread. */
typedef struct {
    int64_t first, step, count, tap, tap_step, taps, base;
} fc_phase;

/* An axis: one phase forward; in an input gradient as many as the stride, each a convolution with
 * stride 1 of its own. Bands are `band` results of each phase; `span` sources serve one. */
typedef struct {
    fc_phase phase[MOST_PHASES];
    int64_t phases, stride, spread, origin, reach, longest, band, bands, span, sources;
} fc_way;

/* Taps one above the other, at the distance of a tile's lines: those share what they load. */
typedef struct {
    int64_t offset, first; /* in scratch items; among the packed weights */
    int64_t height;
} fc_column;

typedef struct {
    const fc_depthwise *conv;
    fc_way way[3];
    /* inner: sources of one result, outer: results of one source, both only with a multiplier. */
    int64_t inner, outer, volume;
    /* A line of the source is dealt out to `strands` lines of pitch items, so that with a stride
     * neighbours still are neighbours. Each begins with the first element, aligned; its padding
     * before are the zeros at the end of the line before. */
    int64_t lanes, strands, before, pitch, line, margin, plane;
    int64_t planes_at, stage_at, stage_pitch; /* in a thread's scratch, in items */
    int64_t apart; /* between the lines of a tile */
    int direct;    /* no copies: see depthwise_direct.inc */
    int flat;      /* a tile's lines are vectors of one line */
    int quick;     /* float32 is rounded in a way that may go wrong: see rounding.h */
    fc_column *columns;
    int64_t *taps; /* from a channel's weight to the element that is packed there */
    int64_t packed; /* taps that any result meets */
    int64_t bounds[MOST_PHASES * MOST_PHASES * MOST_PHASES + 1];
    int64_t bands;
} fc_depth_job;

/* Whether four phases' results are put in turn: see depthwise_pairs.inc. */
static int in_pairs(const fc_depthwise *c)
{
    return c->operation == FC_INPUT_GRAD && c->g.stride[2] == 2;
}

/* Bytes of a sum, and of an item of scratch memory. */
static int64_t sum_bytes(const fc_depthwise *c)
{
    return c->dtype == FC_float64 ? sizeof(double) : sizeof(float);
}

static int is_half(const fc_depthwise *c)
{
    return c->dtype == FC_DTYPE_COUNT + FC_NARROW_float16
           || c->dtype == FC_DTYPE_COUNT + FC_NARROW_bfloat16;
}

/* Memory that the next band needs, fetched while this one is computed: the processor's own
 * prefetching stops at the end of every copy. */
typedef struct {
    const char *at;
    int64_t line; /* bytes for each line of results */
} fc_depth_stream;

/* Lines where an array has them, and a line of padding for those that it doesn't have. */
typedef struct {
    const char *data, *padding;
    int64_t line; /* bytes to the next one */
    int64_t lines, items;
} fc_depth_lines;

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t round_up(int64_t number, int64_t step)
{
    return ceil_div(number, step) * step;
}

static fc_way way_forward(const fc_geometry *g, int axis)
{
    fc_way way = {.phases = 1, .stride = g->stride[axis], .spread = g->dilation[axis],
                  .sources = g->in[axis]};

    way.phase[0] = (fc_phase){.step = 1, .count = g->out[axis], .tap_step = 1,
                              .taps = g->kernel[axis], .base = -g->before[axis]};
    return way;
}

/* Input a + s j meets tap k where a + before - k * dilation is a multiple of the stride s: every
 * (s / gcd(s, dilation))-th tap, from the last one backwards. */
static fc_way way_backward(const fc_geometry *g, int axis)
{
    const int64_t stride = g->stride[axis], dilation = g->dilation[axis];
    const int64_t common = greatest_divisor(stride, dilation), step = stride / common;
    fc_way way = {.phases = min64(stride, g->in[axis]), .stride = 1, .spread = dilation / common,
                  .sources = g->out[axis]};

    for (int64_t a = 0; a < way.phases; a++) {
        fc_phase *p = &way.phase[a];
        *p = (fc_phase){.first = a, .step = stride, .count = ceil_div(g->in[axis] - a, stride),
                        .tap_step = -step};
        for (int64_t k = 0; k < min64(step, g->kernel[axis]); k++)
            if ((a + g->before[axis] - k * dilation) % stride == 0) {
                p->taps = ceil_div(g->kernel[axis] - k, step);
                p->tap = k + (p->taps - 1) * step;
                p->base = (a + g->before[axis] - p->tap * dilation) / stride;
            }
    }
    return way;
}

/* What sources the results of all phases read. */
static void measure_way(fc_way *way)
{
    int64_t end = 1;
    int found = 0;

    way->origin = 0;
    for (int64_t i = 0; i < way->phases; i++) {
        const fc_phase *p = &way->phase[i];
        way->longest = max64(way->longest, p->count);
        if (p->taps == 0)
            continue;
        const int64_t stop = p->base + (p->taps - 1) * way->spread + 1;
        way->origin = found ? min64(way->origin, p->base) : p->base;
        end = found ? max64(end, stop) : stop;
        found = 1;
    }
    way->reach = end - way->origin;
}

static void cut_way(fc_way *way, int64_t widest, int64_t step)
{
    const int64_t most = max64(1, min64(widest / step * step, way->longest));

    way->bands = ceil_div(way->longest, most);
    way->band = min64(way->longest, round_up(ceil_div(way->longest, way->bands), step));
    way->bands = ceil_div(way->longest, way->band);
    way->span = (way->band - 1) * way->stride + way->reach;
}

static void lay_out_line(fc_depth_job *job)
{
    const fc_way *w = &job->way[2];

    if (job->conv->pixels) {
        job->strands = 1;
        job->line = job->pitch = w->span * job->lanes;
        return;
    }
    job->strands = w->stride;
    job->before = w->bands == 1 ? max64(0, min64(w->span, -w->origin)) : 0;
    const int64_t most = ceil_div(w->span - job->before, w->stride);
    const int64_t left = ceil_div(job->before, w->stride);
    const int64_t filled = min64(most, ceil_div(w->sources, w->stride));
    job->pitch = round_up(max64(1, max64(most, filled + left)), job->lanes);
    job->line = job->pitch * w->stride;
    job->margin = round_up(left, job->lanes);
}

static void fetch_ahead(fc_depth_stream *s, int64_t lines)
{
    const int64_t bytes = lines * s->line;

    for (int64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(s->at + i);
    s->at += bytes;
}

/* The next band follows in memory on the one that begins at `begin`; without that, it is the
 * channel's first. Where it does not lie like that, a few lines are fetched in vain. */
static void aim_streams(const fc_depth_job *job, fc_depth_stream *streams, const fc_array *source,
                        const fc_array *target, int64_t image, int64_t channel,
                        const int64_t *begin)
{
    const fc_way *way = &job->way[1];
    const fc_array *arrays[2] = {source, target};
    const int64_t next = begin == NULL ? 0 : begin[1] + way->band;
    const int64_t rows[2] = {next * way->stride + (begin == NULL ? 0 : way->origin + way->reach),
                             next * way->phases};
    const int64_t ends[2] = {way->sources, target->shape[3]};
    const int64_t lines[2] = {way->stride, 1};

    if (job->conv->pixels || job->flat || job->inner * job->outer > 1)
        return;
    for (int i = 0; i < 2; i++) {
        const fc_array *a = arrays[i];
        const int64_t row = max64(0, min64(rows[i], ends[i]));
        /* Fetching what is only written did not pay. */
        const int useless = i == 1 && job->conv->operation != FC_WEIGHT_GRAD;
        if (a->stride[4] != a->size || image >= a->shape[0] || useless) {
            streams[i].line = 0;
            continue;
        }
        streams[i].at = a->data + image * a->stride[0] + channel * a->stride[1]
                        + row * a->stride[3];
        streams[i].line = a->stride[3] * lines[i] / (i == 0 ? way->phases : 1);
    }
}

/* Whether lines are read where the arrays lie: masked loads, contiguous lines, and a kernel whose
 * weights, or their sums, stay in registers. */
static int reads_directly(const fc_depthwise *c)
{
    const fc_geometry *g = &c->g;
    const int plain = c->multiplier == 1 && !c->pixels && g->kernel[0] == 1
                      && g->in[0] == 1 && g->out[0] == 1 && g->before[0] == 0;
    const int square = g->kernel[1] == g->kernel[2] && (g->kernel[2] == 3 || g->kernel[2] == 5);
    const int even = g->stride[1] == g->stride[2] && g->stride[2] <= 2 && g->dilation[1] == 1
                     && g->dilation[2] == 1;

    if (in_pairs(c) && (g->before[1] - g->before[2]) % 2 != 0)
        return 0;
    /* With 16 registers, sums and sources would go to the stack and back. */
    if (c->operation == FC_WEIGHT_GRAD && VECTOR_BYTES < 64 && g->stride[2] == 1)
        return 0;
    /* Activations that are no bounds are applied to sums in scratch memory. */
    if (is_half(c) && c->activation > FC_RELU6)
        return 0;
    if (c->dtype >= FC_DTYPE_COUNT && c->dtype != FC_LOWERED
        && (c->operation == FC_INPUT_GRAD ? c->y : c->x).shape[4] < LEAST_LINE)
        return 0;
    return MASKED_LOADS && plain && square && even
           && c->x.stride[4] == c->x.size && c->y.stride[4] == c->y.size;
}

/* X(size of the kernel, stride, vectors of a block). */
#define FC_DIRECT_BLOCKS(X)                                                                        \
    X(3, 1, 1) X(3, 1, 2) X(3, 1, 3) X(3, 1, 4)                                                    \
    X(3, 2, 1) X(3, 2, 2) X(3, 2, 3) X(3, 2, 4)                                                    \
    X(5, 1, 1) X(5, 1, 2)                                                                          \
    X(5, 2, 1) X(5, 2, 2)

/* The most vectors of a block. The results that a source line meets stay in registers, or the sums
 * of a weight gradient. */
FC_INLINE int64_t direct_width(const fc_depthwise *c)
{
    const int wide = c->g.kernel[2] == 3 && VECTOR_BYTES == 64;

    return wide ? DIRECT_VECTORS : c->operation == FC_WEIGHT_GRAD ? 1 : 2;
}

/* Where the tap over the padded element e of a line reads for the line's first result. */
static int64_t place_in_line(const fc_depth_job *job, int64_t e)
{
    if (job->conv->pixels)
        return e * job->lanes;
    const int64_t n = job->strands, from = e - job->before + n * job->margin;
    return from % n * job->pitch + from / n - job->margin;
}

#endif
