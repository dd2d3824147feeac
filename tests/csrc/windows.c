#include "windows.h"

static void fill_fixed(int64_t size, int64_t step, int64_t outputs, int64_t *begin, int64_t *taps,
                       int64_t *share)
{
    const int64_t kernel = between(1, 3), stride = between(1, 3), before = between(0, kernel);

    for (int64_t o = 0; o < outputs; o++) {
        share[o] = kernel;
        for (int64_t k = kernel - 1; k >= 0; k--) {
            const int64_t at = o * stride - before + k * step;
            if (at < 0 || at >= size)
                continue;
            begin[o] = at;
            taps[o]++;
        }
    }
}

static void fill_adaptive(int64_t size, int64_t outputs, int64_t *begin, int64_t *taps,
                          int64_t *share)
{
    for (int64_t o = 0; o < outputs; o++) {
        begin[o] = o * size / outputs;
        taps[o] = share[o] = ((o + 1) * size + outputs - 1) / outputs - begin[o];
    }
}

static void fill_any(int64_t size, int64_t step, int64_t outputs, int64_t *begin, int64_t *taps,
                     int64_t *share)
{
    for (int64_t o = 0; o < outputs; o++) {
        begin[o] = between(0, size - 1);
        taps[o] = between(0, (size - 1 - begin[o]) / step + 1);
        share[o] = taps[o] + 1;
    }
}

static fc_axis draw_axis(int64_t size, int64_t outputs)
{
    const int64_t bytes = outputs * (int64_t)sizeof(int64_t), kind = between(0, 9);
    int64_t *begin = grab(bytes), *taps = grab(bytes), *share = grab(bytes), *run = grab(bytes);
    const int64_t step = kind >= 5 && kind < 8 ? 1 : between(1, 2);

    if (kind < 5)
        fill_fixed(size, step, outputs, begin, taps, share);
    else if (kind < 8)
        fill_adaptive(size, outputs, begin, taps, share);
    else
        fill_any(size, step, outputs, begin, taps, share);
    fc_window_runs(begin, taps, outputs, run);
    return (fc_axis){begin, taps, share, run, step, outputs, size};
}

/* A window for each input. */
static fc_axis channel_axis(int64_t size)
{
    const int64_t bytes = size * (int64_t)sizeof(int64_t);
    int64_t *begin = grab(bytes), *ones = grab(bytes), *run = grab(bytes);

    for (int64_t o = 0; o < size; o++) {
        begin[o] = o;
        ones[o] = 1;
    }
    fc_window_runs(begin, ones, size, run);
    return (fc_axis){begin, ones, ones, run, 1, size, size};
}

pool draw_pool(int channels_inner)
{
    const int64_t longest = chance(20) ? 150 : 12;
    pool p = {.in = {between(1, 3), between(1, 3)}};

    p.out[0] = p.in[0];
    p.out[1] = p.in[1];
    for (int k = 0; k < 3; k++) {
        p.in[2 + k] = between(1, k == 2 ? longest : k == 1 ? 10 : 3);
        p.out[2 + k] = between(chance(5) ? 0 : 1, k == 0 ? 2 : p.in[2 + k]);
        p.windows.axis[k] = draw_axis(p.in[2 + k], p.out[2 + k]);
    }
    if (channels_inner) {
        p.out[4] = p.in[4];
        p.windows.axis[2] = channel_axis(p.in[4]);
    }
    return p;
}

/* The place of an output's window on each axis; returns the output's plane. */
static int64_t place_of(const pool *p, int64_t output, int64_t place[3])
{
    for (int k = 2; k >= 0; k--) {
        place[k] = output % p->out[2 + k];
        output /= p->out[2 + k];
    }
    return output;
}

void each_tap(const pool *p, visitor visit, void *context)
{
    const fc_axis *d = p->windows.axis, *h = d + 1, *w = d + 2;
    const int64_t count = p->out[0] * p->out[1] * p->out[2] * p->out[3] * p->out[4];
    int64_t at[3];

    for (int64_t o = 0; o < count; o++) {
        const int64_t plane = place_of(p, o, at);
        for (int64_t a = 0; a < d->taps[at[0]]; a++)
            for (int64_t b = 0; b < h->taps[at[1]]; b++)
                for (int64_t c = 0; c < w->taps[at[2]]; c++) {
                    const int64_t deep = plane * d->inputs + d->begin[at[0]] + a * d->step;
                    const int64_t line = deep * h->inputs + h->begin[at[1]] + b * h->step;
                    visit(context, o, line * w->inputs + w->begin[at[2]] + c * w->step);
                }
    }
}

int64_t taps_of(const pool *p, int64_t output)
{
    const fc_axis *axis = p->windows.axis;
    int64_t at[3];

    place_of(p, output, at);
    return axis[0].taps[at[0]] * axis[1].taps[at[1]] * axis[2].taps[at[2]];
}

double share_of(const pool *p, int64_t output)
{
    const fc_axis *axis = p->windows.axis;
    int64_t at[3];

    place_of(p, output, at);
    return (double)(axis[0].share[at[0]] * axis[1].share[at[1]] * axis[2].share[at[2]]);
}
