/* Convolution of groups of few channels, which lie side by side. */
#include "conv.h"
#include "tests.h"

static conv draw_groups(void)
{
    conv c = draw_conv();

    c.channels = (int64_t)1 << between(0, 3);
    c.groups = between(1, chance(20) || c.channels == 1 ? 40 : 5);
    c.rows = c.channels * product(c.g.kernel);
    c.x_shape[1] = c.y_shape[1] = c.groups * c.channels;
    return c;
}

/* In pieces, a piece's channels innermost; zero past the last channel. */
static const char *packed_of(const conv *c, const block *weight)
{
    const int64_t lanes = FC_GROUPED_BYTES / c->size, taps = product(c->g.kernel);
    const int64_t *kernel = c->g.kernel, count = c->y_shape[1];
    const int64_t bytes = rounded_up(count, lanes) / lanes * taps * c->channels * FC_GROUPED_BYTES;
    char *packed = grab(bytes);

    memset(packed, 0, (size_t)bytes);
    for (int64_t o = 0; o < count; o++)
        for (int64_t j = 0; j < c->channels; j++)
            for (int64_t t = 0; t < taps; t++) {
                const char *from = item_at(&weight->a, o, j, t / kernel[2] / kernel[1],
                                           t / kernel[2] % kernel[1], t % kernel[2]);
                const int64_t row = (o / lanes * taps + t) * c->channels + j;
                const int64_t place = row * lanes + o % lanes;
                memcpy(packed + place * c->size, from, (size_t)c->size);
            }
    return packed;
}

/* To tf32, 13 bits shorter, with room for a few rows. */
static void round_on_the_way(const conv *c, fc_grouped *job, double *bound, int64_t count)
{
    job->rounding = FC_TO_TF32;
    job->scratch_bytes = between(0, 12) * c->g.in[2]
                         * rounded_up(c->x_shape[1] * c->size, FC_GROUPED_BYTES);
    for (int64_t i = 0; i < count; i++)
        bound[i] *= 1 << 13;
}

void test_grouped(const fc_kernels *k)
{
    const conv c = draw_groups();
    const int64_t shape[5] = {c.y_shape[1], c.channels, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    block x = input_of(c.size, 5, c.x_shape, 1), y = output_of(c.size, 5, c.y_shape, 1);
    block weight = input(c.size, 5, shape), bias = bias_of(c.dtype, c.y_shape[1]);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);
    const fc_conv f = {.y = y.a, .weight = weight.a, .dtype = c.dtype, .inner = c.channels,
                       .channels = c.channels, .bias_step = c.size,
                       .bias = chance(50) ? bias.a.data : NULL,
                       .activation = chance(50) ? FC_RELU : FC_NONE};
    const fc_product p = {.g = c.g, .step = {1, 1, 1}, .every = {1, 1, 1}};

    fill_uniform(&x, c.dtype);
    fill_uniform(&weight, c.dtype);
    convolve(&c, &f, &p, &x, want, bound);
    fc_grouped job = {.g = c.g, .x = x.a, .y = y.a, .packed = packed_of(&c, &weight),
                      .bias = f.bias, .group = c.channels, .dtype = c.dtype,
                      .activation = f.activation, .streams = chance(50), .ahead = chance(50)};
    if (c.dtype == FC_float32 && chance(60))
        round_on_the_way(&c, &job, bound, count_of(&y.a));
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        job.scratch = scratch_of(job.scratch_bytes * threads);
        before_call(&y, threads);
        k->grouped(&job, threads);
        after_call(&y, threads);
        expect_scratch_kept(job.scratch, job.scratch_bytes * threads);
    }
    expect_near(&y, c.dtype, want, bound);
}

/* In the order of `packed_of`, whatever the order of the weight. */
void test_grouped_pack(const fc_kernels *k)
{
    const conv c = draw_groups();
    const int64_t shape[5] = {c.y_shape[1], c.channels, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    const int64_t bytes = rounded_up(shape[0] * c.size, FC_GROUPED_BYTES) * c.channels
                          * product(c.g.kernel);
    block weight = input(c.size, 5, shape);

    fill_uniform(&weight, c.dtype);
    const fc_grouped_weight job = {.weight = weight.a, .packed = scratch_of(bytes)};
    k->grouped_pack(&job, c.dtype);
    expect(memcmp(job.packed, packed_of(&c, &weight), (size_t)bytes) == 0, "other places");
    expect_scratch_kept(job.packed, bytes);
}

void test_grouped_grad(const fc_kernels *k)
{
    const conv c = draw_groups();
    const int64_t shape[5] = {c.y_shape[1], c.channels, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    block x = input_of(c.size, 5, c.x_shape, 1), y = input_of(c.size, 5, c.y_shape, 1);
    block weight = output(c.size, 5, shape);
    const int64_t count = count_of(&weight.a), rows = c.y_shape[0] * c.g.out[0] * c.g.out[1];
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_grouped_grad job = {.conv = {.g = c.g, .x = x.a, .y = y.a, .group = c.channels,
                                    .dtype = c.dtype}, .weight = weight.a};

    if (c.channels * c.size > k->vector_bytes)
        return;
    fill_uniform(&x, c.dtype);
    fill_uniform(&y, c.dtype);
    add_up(&c, &x, &y, want, bound);
    job.bytes = rounded_up(shape[0] * c.size, FC_GROUPED_BYTES) * c.channels
                * product(c.g.kernel);
    job.splits = between(1, rows < 5 ? rows : 5);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        job.sums = scratch_of(job.bytes * job.splits);
        before_call(&weight, threads);
        k->grouped_grad(&job, threads);
        after_call(&weight, threads);
        expect_scratch_kept(job.sums, job.bytes * job.splits);
    }
    expect_near(&weight, c.dtype, want, bound);
}
