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
