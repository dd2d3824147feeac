/* What pooling kernels share: jobs, places, windows. */
#ifndef FC_POOLS_H
#define FC_POOLS_H

#include "common.h"

/* Outputs that one sweep holds in registers and first-level cache; shorter runs than SWEEP_LEAST go
 * window by window. */
enum { SWEEP = 64, SWEEP_LEAST = 4 };

enum { PLAIN, ABSOLUTE, SQUARE, POWER, ABSOLUTE_POWER };

/* The windows of an axis as they were before the input's ends cut them: n of `taps` taps, the first
 * at `begin`, which may be negative, the others in even steps of `spacing` > 0. */
typedef struct {
    int64_t n, begin, taps, spacing, before, after;
    int holds; /* else they are of another kind */
} fc_uniform;

static fc_uniform uniform_of(const fc_axis *axis)
{
    fc_uniform u = {.n = axis->outputs, .spacing = 1};
    int64_t whole = 0;

    for (int64_t o = 1; o < axis->outputs; o++)
        if (axis->taps[o] > axis->taps[whole]
            || (axis->taps[o] == axis->taps[whole] && axis->run[whole] == 1))
            whole = o;
    if (axis->outputs == 0 || axis->taps[whole] == 0)
        return u;
    if (axis->run[whole] > 1)
        u.spacing = axis->begin[whole + 1] - axis->begin[whole];
    u.taps = axis->taps[whole];
    u.begin = axis->begin[whole] - whole * u.spacing;
    u.holds = u.spacing > 0;
    for (int64_t o = 0; o < axis->outputs && u.holds; o++) {
        const int64_t first = u.begin + o * u.spacing;
        const int64_t skipped = first < 0 ? ceil_div(-first, axis->step) : 0;
        const int64_t fitting = ceil_div(axis->inputs - first, axis->step);
        u.holds = axis->begin[o] == first + skipped * axis->step && axis->taps[o] > 0
                  && axis->taps[o] == min64(u.taps, fitting) - skipped;
    }
    u.before = max64(0, -u.begin);
    u.after = max64(0, u.begin + (u.n - 1) * u.spacing + (u.taps - 1) * axis->step + 1
                           - axis->inputs);
    return u;
}

typedef struct {
    fc_windows windows;
    fc_uniform along[3]; /* of each axis */
    fc_array x, y, extra; /* extra: max pooling's indices; an lp gradient's target */
    fc_array grad;
    fc_norm norm;
    int64_t divisor; /* 0: the windows' own share */
    int term, is_norm, has_indices;
    int half; /* x and y hold 16-bit floats: 1 + FC_NARROW_float16...; else 0 */
    int channels_inner; /* the innermost axis is one of channels: indices don't count it */
} fc_pool_job;

/* One line of outputs: its plane and place. */
typedef struct {
    int64_t n, c, d, h;
} fc_line;

static fc_pool_job pool_job_of(const fc_windows *windows)
{
    fc_pool_job job = {.windows = *windows};

    for (int k = 0; k < 3; k++)
        job.along[k] = uniform_of(&windows->axis[k]);
    return job;
}

static fc_line line_of(const fc_pool_job *job, int64_t index)
{
    const fc_axis *axis = job->windows.axis;
    int64_t plane = index / (axis[0].outputs * axis[1].outputs);
    int64_t rest = index % (axis[0].outputs * axis[1].outputs);
    return (fc_line){plane / job->x.shape[1], plane % job->x.shape[1], rest / axis[1].outputs,
                     rest % axis[1].outputs};
}

static fc_line next_pool_line(const fc_pool_job *job, fc_line at)
{
    const fc_axis *axis = job->windows.axis;

    if (++at.h < axis[1].outputs)
        return at;
    at.h = 0;
    if (++at.d < axis[0].outputs)
        return at;
    at.d = 0;
    if (++at.c < job->x.shape[1])
        return at;
    at.c = 0;
    at.n++;
    return at;
}

static char *plane_at(const fc_array *a, fc_line at)
{
    return a->data + at.n * a->stride[0] + at.c * a->stride[1];
}

static char *line_at(const fc_array *a, fc_line at)
{
    return plane_at(a, at) + at.d * a->stride[2] + at.h * a->stride[3];
}

/* The windows of n outputs from `first` on along the innermost axis, which are evenly spaced and
 * have equal taps, at one place of the outer axes. */
typedef struct {
    const fc_axis *d, *h, *w;
    int64_t begin_d, taps_d, begin_h, taps_h, begin_w, taps_w, spacing, n;
} fc_sweep;

static fc_sweep sweep_of(const fc_windows *windows, fc_line at, int64_t first)
{
    const fc_axis *d = &windows->axis[0], *h = &windows->axis[1], *w = &windows->axis[2];
    int64_t n = min64(w->run[first], SWEEP);

    if (n < SWEEP_LEAST)
        n = 1;
    return (fc_sweep){d, h, w, d->begin[at.d], d->taps[at.d], h->begin[at.h], h->taps[at.h],
                      w->begin[first], w->taps[first],
                      n > 1 ? w->begin[first + 1] - w->begin[first] : 0, n};
}

/* Line (i, j) of a sweep's windows in a plane. */
static char *tap_line(const fc_sweep *s, const fc_array *a, char *plane, int64_t i, int64_t j)
{
    return plane + (s->begin_d + i * s->d->step) * a->stride[2]
           + (s->begin_h + j * s->h->step) * a->stride[3];
}

/* Lines of items that kernels keep on the stack, wide enough for an image's, and rows of them. */
enum { LINE_ITEMS = 1024, LINE_SLOTS = 9, MOST_ROWS_AT_ONCE = 64 };

/* Evenly spaced windows of equal, at least one, taps as addresses: window j takes items at rows[r]
 * + j * spacing + k * step, which are multiples of `item`, r < row_count, k < taps. In elements of
 * the plane, the first is at `place`, and rows and taps are row_hop and hop from it. */
typedef struct {
    const char *rows[MOST_ROWS_AT_ONCE];
    int64_t row_hop[MOST_ROWS_AT_ONCE];
    char *to, *places; /* places: max pooling's indices, or NULL */
    int64_t row_count, taps, item, step, hop, spacing, spacing_hop, to_step, places_step, place, n;
} fc_span;

/* The rows of a line's windows. */
typedef struct {
    const char *from;
    int64_t deep, high, step_d, step_h;
} fc_rows;

FC_INLINE fc_rows rows_of(const fc_pool_job *job, fc_line at)
{
    const fc_axis *d = &job->windows.axis[0], *h = d + 1;
    const int64_t *stride = job->x.stride + 2;

    return (fc_rows){plane_at(&job->x, at) + d->begin[at.d] * stride[0]
                         + h->begin[at.h] * stride[1],
                     d->taps[at.d], h->taps[at.h], d->step * stride[0], h->step * stride[1]};
}

/* Whether windows are rows of items side by side: of one item along a line, as where channels lie
 * innermost. */
static int has_rows(const fc_pool_job *job)
{
    const fc_uniform *u = &job->along[2];

    return u->holds && u->taps == 1 && u->spacing == 1 && u->begin == 0 && !job->has_indices
           && job->x.stride[4] == job->x.size && job->y.stride[4] == job->y.size;
}

static int shares_alike(const fc_axis *axis)
{
    for (int64_t o = 1; o < axis->outputs; o++)
        if (axis->share[o] != axis->share[0])
            return 0;
    return 1;
}

/* What is made of rows, and of how many vectors of each at a time. */
enum { ROW_SUMS, ROW_MEANS, ROW_MAXIMA, ROW_VECTORS = 4 };

/* What sums are divided by. A power of two has an exact inverse, which is multiplied with at a
 * fraction of the time. */
typedef struct {
    double number, inverse;
    int is_exact;
} fc_divisor;

static fc_divisor dividing_by(double number)
{
    int exponent;

    return (fc_divisor){number, 1 / number, frexp(number, &exponent) == 0.5};
}

/* The third norm is the one other that is met; pow takes ten times as long. */
FC_INLINE double power(double v, double p)
{
    return p == 2 ? v * v : p == 3 ? v * v * v : pow(v, p);
}

static int has_taps(const fc_sweep *s)
{
    return s->taps_d > 0 && s->taps_h > 0 && s->taps_w > 0;
}

/* In floating point: three extents may multiply to more than an int64 holds. */
static double share_of(const fc_sweep *s, fc_line at, int64_t output)
{
    return (double)s->d->share[at.d] * (double)s->h->share[at.h] * (double)s->w->share[output];
}

static int64_t volume_of(const fc_axis *axis, int outputs)
{
    return outputs ? axis[0].outputs * axis[1].outputs * axis[2].outputs
                   : axis[0].inputs * axis[1].inputs * axis[2].inputs;
}

static int64_t window_volume(const fc_windows *windows)
{
    int64_t volume = 1;

    for (int k = 0; k < 3; k++) {
        int64_t most = 1;
        for (int64_t o = 0; o < windows->axis[k].outputs; o++)
            most = max64(most, windows->axis[k].taps[o]);
        volume *= min64(most, 1 << 20); /* only a measure of work */
    }
    return volume;
}

#endif
