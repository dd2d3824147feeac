/* Max pooling: the first maximum wins; of several NaN, the last. */
#include "tests.h"
#include "windows.h"

typedef struct {
    const block *x;
    int dtype;
    double *best, *where;
    int64_t plane, channels; /* inputs of a plane, and those that are one place */
} search;

static void consider(void *context, int64_t output, int64_t input)
{
    search *s = context;
    const double v = value(item(&s->x->a, input), s->dtype);

    if (s->where[output] >= 0 && !(v > s->best[output] || isnan(v)))
        return;
    /* A number after a NaN does not win: no comparison with NaN holds. */
    s->best[output] = v;
    s->where[output] = (double)(input % s->plane / s->channels);
}

static double lowest(int dtype)
{
    switch (dtype) {
    case FC_int8: return INT8_MIN;
    case FC_int16: return INT16_MIN;
    case FC_int32: return INT32_MIN;
    case FC_int64: return (double)INT64_MIN;
    default: return fc_dtypes[dtype].is_float ? -INFINITY : 0;
    }
}

static void draw_values(block *x, int dtype)
{
    fill_integers(x, dtype, 0, chance(50) ? 3 : 100); /* many equal ones */
    for (int64_t i = 0; fc_dtypes[dtype].is_float && i < count_of(&x->a); i++)
        if (chance(10))
            set_value(item(&x->a, i), dtype, chance(30) ? NAN : -INFINITY);
}

void test_max_pool(const fc_kernels *k)
{
    const int dtype = (int)between(0, FC_DTYPE_COUNT - 1), with_indices = chance(50);
    const int channels_inner = chance(30);
    const pool p = draw_pool(channels_inner);
    block x = input(fc_dtypes[dtype].size, 5, p.in), y = output(fc_dtypes[dtype].size, 5, p.out);
    block indices = output(sizeof(int64_t), 5, p.out);
    const int64_t count = count_of(&y.a);
    search s = {&x, dtype, grab(count * 8), grab(count * 8), p.in[2] * p.in[3] * p.in[4],
                channels_inner ? p.in[4] : 1};

    draw_values(&x, dtype);
    for (int64_t o = 0; o < count; o++) {
        s.best[o] = lowest(dtype);
        s.where[o] = -1;
    }
    each_tap(&p, consider, &s);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&y, threads);
        before_call(&indices, threads);
        k->max_forward(&p.windows, &x.a, &y.a, with_indices ? &indices.a : NULL, channels_inner,
                       dtype, threads);
        after_call(&y, threads);
        after_call(&indices, threads);
    }
    for (int64_t o = 0; with_indices && o < count; o++)
        if (s.where[o] < 0) /* without inputs any index will do */
            s.where[o] = value(item(&indices.a, o), FC_int64);
    if (with_indices)
        expect_equal(&indices, FC_int64, s.where);
    expect_equal(&y, dtype, s.best);
}

/* Some input of each window. */
static void pick(void *context, int64_t output, int64_t input)
{
    double *picked = context;

    if (picked[output] < 0 || chance(30))
        picked[output] = (double)input;
}

/* An array that has its last axis side by side more often than not. */
static block drawn(block (*draw)(int64_t, int, const int64_t *), int64_t size,
                   const int64_t *shape)
{
    block b = draw(size, 5, shape);

    for (int i = 0; i < 20 && b.a.stride[4] != size; i++)
        b = draw(size, 5, shape);
    return b;
}

/* The gradient by windows, which declines where it can't find an index; else it is what adding
 * gives. */
void test_max_grad(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const pool p = draw_pool(1);
    const int64_t size = fc_dtypes[dtype].size, channels = p.in[4];
    const int64_t plane = p.in[2] * p.in[3] * channels, outputs = p.out[2] * p.out[3] * p.out[4];
    block grad = drawn(input, size, p.out), indices = drawn(input, sizeof(int64_t), p.out);
    block dx = drawn(output, size, p.in);
    const int64_t count = count_of(&grad.a);
    double *want = grab(count_of(&dx.a) * 8), *picked = grab(count * 8);
    int outside = 0, done = 0;

    for (int64_t i = 0; i < count_of(&dx.a); i++)
        want[i] = 0;
    for (int64_t o = 0; o < count; o++)
        picked[o] = -1;
    each_tap(&p, pick, picked);
    fill_integers(&grad, dtype, -3, 3);
    for (int64_t o = 0; o < count; o++) {
        const double place = floor(fmod(picked[o], (double)plane) / (double)channels);
        set_value(item(&indices.a, o), FC_int64, picked[o] < 0 ? -1 : place);
    }
    if (count > 0 && chance(20)) /* in 32 bits it would be one of the plane's */
        set_value(item(&indices.a, between(0, count - 1)), FC_int64, 4294967296.0);
    /* Some items have one place in memory, and one index. */
    for (int64_t o = 0; o < count; o++) {
        const double at = value(item(&indices.a, o), FC_int64) * (double)channels
                          + (double)(o % channels);
        outside |= at < 0 || at >= (double)plane;
        if (!outside)
            want[o / outputs * plane + (int64_t)at] += value(item(&grad.a, o), dtype);
    }
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&dx, threads);
        done = k->max_backward(&p.windows, &grad.a, &indices.a, &dx.a, 1, 0, dtype, threads);
        after_call(&dx, threads);
    }
    expect(!done || !outside, "an index outside the plane was found");
    if (done)
        expect_equal(&dx, dtype, want);
    else
        expect_gaps_kept(&dx);
}
