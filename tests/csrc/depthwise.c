/* Depthwise convolution, forward and both gradients: each channel by itself, in bands. */
#include "conv.h"
#include "tests.h"

/* A group for each channel of x; its outputs are the multiplier. */
static conv draw_depthwise(void)
{
    conv c = draw_conv();

    c.groups = c.x_shape[1] = chance(20) ? between(10, 40) : between(1, 5);
    c.channels = chance(60) ? 1 : between(1, 4);
    c.rows = product(c.g.kernel);
    c.y_shape[1] = c.groups * c.channels;
    return c;
}

/* Bias and activation are of the target's channels. */
static fc_depthwise describe(const fc_kernels *k, const conv *c, const block *x, const block *y,
                             const block *weight, int operation)
{
    fc_depthwise d = {.g = c->g, .x = x->a, .y = y->a, .weight = weight->a, .splits = 1,
                      .multiplier = c->channels, .band_bytes = between(1, 1 << between(1, 15)),
                      .dtype = c->dtype, .operation = operation};
    const int adjoin = x->a.stride[1] == c->size && y->a.stride[1] == c->size;

    d.pixels = c->channels == 1 && adjoin && chance(80);
    k->depthwise_plan(&d);
    d.table = scratch_of(d.table_bytes);
    return d;
}

static void run_threads(const fc_kernels *k, fc_depthwise *d, block *target)
{
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        d->scratch = scratch_of(d->scratch_bytes * threads);
        before_call(target, threads);
        k->depthwise(d, threads);
        after_call(target, threads);
        expect_scratch_kept(d->scratch, d->scratch_bytes * threads);
    }
    expect_scratch_kept(d->table, d->table_bytes);
}

static block draw_weight(const conv *c)
{
    const int64_t shape[5] = {c->y_shape[1], 1, c->g.kernel[0], c->g.kernel[1], c->g.kernel[2]};
    block weight = input(c->size, 5, shape);

    fill_uniform(&weight, c->dtype);
    return weight;
}

void test_depthwise(const fc_kernels *k)
{
    const conv c = draw_depthwise();
    block x = input(c.size, 5, c.x_shape), y = output(c.size, 5, c.y_shape);
    block weight = draw_weight(&c), bias = bias_of(c.dtype, c.y_shape[1]);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);
    const fc_conv f = {.y = y.a, .weight = weight.a, .dtype = c.dtype, .inner = 1,
                       .channels = c.channels, .bias_step = c.size,
                       .bias = chance(50) ? bias.a.data : NULL,
                       .activation = chance(50) ? FC_RELU : FC_NONE};
    const fc_product p = {.g = c.g, .step = {1, 1, 1}, .every = {1, 1, 1}};
    fc_depthwise d = describe(k, &c, &x, &y, &weight, FC_FORWARD);

    fill_uniform(&x, c.dtype);
    convolve(&c, &f, &p, &x, want, bound);
    d.bias = f.bias;
    d.activation = f.activation;
    run_threads(k, &d, &y);
    expect_near(&y, c.dtype, want, bound);
}

/* Sums of what each output gives its inputs, with bounds. */
static void spread_back(const conv *c, const block *x, const block *y, const block *weight,
                        double *want, double *bound)
{
    const int64_t positions = product(c->g.out), plane = product(c->g.in);
    fc_array index = x->a; /* a byte for each item, in logical order */
    int64_t step = 1;

    for (int axis = 4; axis >= 0; step *= index.shape[axis--])
        index.stride[axis] = step;
    index.data = grab(step);
    for (int64_t i = 0; i < count_of(&y->a); i++) {
        const int64_t o = i / positions % c->y_shape[1], n = i / positions / c->y_shape[1];
        for (int64_t r = 0; r < c->rows; r++) {
            const char *to = under(&c->g, &index, n, o / c->channels * c->rows + r, i % positions);
            if (to == NULL)
                continue;
            const double term = value(item(&y->a, i), c->dtype)
                                * value(item(&weight->a, o * c->rows + r), c->dtype);
            want[to - index.data] += term;
            bound[to - index.data] += fabs(term);
        }
    }
    for (int64_t i = 0; i < c->x_shape[0] * c->x_shape[1] * plane; i++)
        bound[i] *= epsilon(c->dtype) * (double)(c->rows * c->channels + 2);
}

void test_depthwise_input_grad(const fc_kernels *k)
{
    const conv c = draw_depthwise();
    block x = output(c.size, 5, c.x_shape), y = input(c.size, 5, c.y_shape);
    block weight = draw_weight(&c);
    double *want = grab(count_of(&x.a) * 8), *bound = grab(count_of(&x.a) * 8);
    fc_depthwise d = describe(k, &c, &x, &y, &weight, FC_INPUT_GRAD);

    fill_uniform(&y, c.dtype);
    spread_back(&c, &x, &y, &weight, want, bound);
    run_threads(k, &d, &x);
    expect_near(&x, c.dtype, want, bound);
}

/* The sums of all splits, each over its share of the images, are the gradient. */
void test_depthwise_weight_grad(const fc_kernels *k)
{
    const conv c = draw_depthwise();
    const int64_t count = c.y_shape[1] * c.rows, splits = between(1, c.x_shape[0]);
    block x = input(c.size, 5, c.x_shape), y = input(c.size, 5, c.y_shape);
    block sums = {.bytes = splits * count * c.size, .a = {.size = c.size}};
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_depthwise d = describe(k, &c, &x, &y, &sums, FC_WEIGHT_GRAD);

    fill_uniform(&x, c.dtype);
    fill_uniform(&y, c.dtype);
    add_up(&c, &x, &y, want, bound);
    d.splits = splits;
    d.sums = scratch_of(sums.bytes);
    sums.memory = (unsigned char *)d.sums;
    run_threads(k, &d, &sums);
    expect_scratch_kept(d.sums, sums.bytes);
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t s = 0; s < splits; s++)
            sum += value(d.sums + (s * count + i) * c.size, c.dtype);
        expect(fabs(sum - want[i]) <= bound[i], "sum %d is %.17g, not %.17g", (int)i, sum, want[i]);
    }
}

/* A plane with a small square kernel, read where it lies in memory. */
static void draw_square(conv *c)
{
    const int64_t size = chance(60) ? 3 : 5, stride = between(1, 2);
    fc_geometry g = {.kernel = {1, size, size}, .stride = {1, stride, stride},
                     .dilation = {1, 1, 1}, .in = {1, between(1, 20), between(1, 90)},
                     .before = {0, between(0, size - 1), between(0, size - 1)}, .out = {1}};

    for (int axis = 1; axis < 3; axis++)
        g.out[axis] = between(1, (g.in[axis] + g.before[axis]) / stride + 1);
    c->g = g;
    c->rows = size * size;
    c->channels = 1;
    c->y_shape[1] = c->groups;
    memcpy(c->x_shape + 2, g.in, sizeof g.in);
    memcpy(c->y_shape + 2, g.out, sizeof g.out);
}

conv draw_narrow_depthwise(int dtype)
{
    conv c = draw_depthwise();

    if (chance(60))
        draw_square(&c);
    c.dtype = FC_DTYPE_COUNT + dtype;
    c.size = dtype == FC_NARROW_int8 ? 1 : 2;
    return c;
}

/* The same of doubles. */
static conv in_doubles(conv c)
{
    c.dtype = FC_float64;
    c.size = sizeof(double);
    return c;
}

static block halves_drawn(int dtype, const int64_t *shape, block *doubles)
{
    block b = input(2, 5, shape);

    for (int64_t i = 0; i < count_of(&b.a); i++) {
        const uint16_t half = half_of(dtype, (double)between(-64, 64) / 64);
        memcpy(item(&b.a, i), &half, sizeof half);
    }
    *doubles = output(sizeof(double), 5, shape);
    for (int64_t i = 0; i < count_of(&b.a); i++) {
        uint16_t half;
        memcpy(&half, item(&b.a, i), sizeof half);
        set_value(item(&doubles->a, i), FC_float64, of_half(dtype, half));
    }
    return b;
}

/* Sums of float32 whose errors double's bounds tell, rounded. */
static void expect_halves(block *y, int dtype, const double *want, const double *bound)
{
    const double times = epsilon(FC_float32) / epsilon(FC_float64);

    for (int64_t i = 0; i < count_of(&y->a); i++) {
        uint16_t half;
        memcpy(&half, item(&y->a, i), sizeof half);
        const double got = of_half(dtype, half);
        expect(fabs(got - want[i])
                   <= times * bound[i] + 1.01 * unit_of(dtype) * fabs(want[i]) + 0x1p-24,
               "item %lld: got %g, wanted %g", (long long)i, got, want[i]);
    }
    expect_gaps_kept(y);
}

static void halves_forward(const fc_kernels *k, const conv *c, int dtype)
{
    const conv wide = in_doubles(*c);
    const int64_t shape[5] = {c->y_shape[1], 1, c->g.kernel[0], c->g.kernel[1], c->g.kernel[2]};
    block wide_x, wide_weight, x = halves_drawn(dtype, c->x_shape, &wide_x);
    block weight = halves_drawn(dtype, shape, &wide_weight), y = output(2, 5, c->y_shape);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);
    const fc_conv f = {.y = y.a, .weight = wide_weight.a, .dtype = FC_float64, .inner = 1,
                       .channels = c->channels, .activation = chance(50) ? FC_RELU : FC_NONE};
    const fc_product p = {.g = c->g, .step = {1, 1, 1}, .every = {1, 1, 1}};
    fc_depthwise d = describe(k, c, &x, &y, &weight, FC_FORWARD);

    convolve(&wide, &f, &p, &wide_x, want, bound);
    d.activation = f.activation;
    run_threads(k, &d, &y);
    expect_halves(&y, dtype, want, bound);
}

static void halves_backward(const fc_kernels *k, const conv *c, int dtype)
{
    const conv wide = in_doubles(*c);
    const int64_t shape[5] = {c->y_shape[1], 1, c->g.kernel[0], c->g.kernel[1], c->g.kernel[2]};
    block wide_y, wide_weight, y = halves_drawn(dtype, c->y_shape, &wide_y);
    block weight = halves_drawn(dtype, shape, &wide_weight), x = output(2, 5, c->x_shape);
    double *want = grab(count_of(&x.a) * 8), *bound = grab(count_of(&x.a) * 8);
    fc_depthwise d = describe(k, c, &x, &y, &weight, FC_INPUT_GRAD);

    spread_back(&wide, &x, &wide_y, &wide_weight, want, bound);
    run_threads(k, &d, &x);
    expect_halves(&x, dtype, want, bound);
}

static void halves_gather(const fc_kernels *k, const conv *c, int dtype)
{
    const conv wide = in_doubles(*c);
    const int64_t count = c->y_shape[1] * c->rows;
    block wide_x, wide_y, x = halves_drawn(dtype, c->x_shape, &wide_x);
    block y = halves_drawn(dtype, c->y_shape, &wide_y);
    block sums = {.bytes = count * 4, .a = {.size = 4}};
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_depthwise d = describe(k, c, &x, &y, &sums, FC_WEIGHT_GRAD);

    add_up(&wide, &wide_x, &wide_y, want, bound);
    d.sums = scratch_of(sums.bytes);
    sums.memory = (unsigned char *)d.sums;
    run_threads(k, &d, &sums);
    expect_scratch_kept(d.sums, sums.bytes);
    for (int64_t i = 0; i < count; i++) {
        const double got = value(d.sums + i * 4, FC_float32);
        expect(fabs(got - want[i]) <= bound[i] * epsilon(FC_float32) / epsilon(FC_float64),
               "sum %d is %g, not %g", (int)i, got, want[i]);
    }
}

void test_depthwise_halves(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_NARROW_float16 : FC_NARROW_bfloat16;
    const conv c = draw_narrow_depthwise(dtype);

    halves_forward(k, &c, dtype);
    halves_backward(k, &c, dtype);
    halves_gather(k, &c, dtype);
}
