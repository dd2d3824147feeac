/* The dense product and the gradient of a bias. */
#include "check.h"
#include "tests.h"

static int64_t draw_extent(void)
{
    return chance(15) ? between(20, 90) : between(1, 12);
}

/* An output whose columns lie side by side. */
static block draw_target(int64_t size, const int64_t *shape)
{
    block c = output(size, 3, shape);

    for (int tries = 0; c.a.stride[2] != size; tries++) {
        expect(tries < 40, "no layout");
        c = output(size, 3, shape);
    }
    return c;
}

static void multiply(const fc_dense *p, double *want, double *bound)
{
    const int64_t columns = p->c.shape[2], depth = p->a.shape[2];

    for (int64_t i = 0; i < p->c.shape[1] * columns; i++) {
        const int64_t row = i / columns, column = i % columns;
        double sum = p->bias ? value(p->bias + column * p->c.size, p->dtype) : 0;
        double magnitude = fabs(sum);
        for (int64_t k = 0; k < depth; k++) {
            const double term = value(item_at(&p->a, 0, row, k, 0, 0), p->dtype)
                                * value(item_at(&p->b, 0, k, column, 0, 0), p->dtype);
            sum += term;
            magnitude += fabs(term);
        }
        want[i] = p->activation == FC_RELU && sum < 0 ? 0 : sum;
        bound[i] = epsilon(p->dtype) * (double)(depth + 2) * magnitude;
    }
}

void test_product(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const int64_t size = fc_dtypes[dtype].size, rows = draw_extent(), depth = draw_extent();
    const int64_t columns = draw_extent();
    block a = input(size, 3, (int64_t[]){1, rows, depth});
    block b = input(size, 3, (int64_t[]){1, depth, columns});
    block c = draw_target(size, (int64_t[]){1, rows, columns}), bias = bias_of(dtype, columns);
    double *want = grab(rows * columns * 8), *bound = grab(rows * columns * 8);
    fc_dense p = {.a = a.a, .b = b.a, .c = c.a, .dtype = dtype,
                  .bias = chance(50) ? bias.a.data : NULL,
                  .activation = chance(50) ? FC_RELU : FC_NONE,
                  .scratch_bytes = k->product_scratch(dtype)};

    fill_uniform(&a, dtype);
    fill_uniform(&b, dtype);
    multiply(&p, want, bound);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        p.scratch = scratch_of(p.scratch_bytes * threads);
        before_call(&c, threads);
        k->product(&p, threads);
        after_call(&c, threads);
        expect_scratch_kept(p.scratch, p.scratch_bytes * threads);
    }
    expect_near(&c, dtype, want, bound);
}

void test_bias_grad(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const int64_t size = fc_dtypes[dtype].size, channels = draw_extent();
    const int64_t shape[5] = {between(1, 4), channels, between(1, 3), between(1, 6), draw_extent()};
    block y = input(size, 5, shape), bias = output(size, 3, (int64_t[]){1, channels, 1});
    const int64_t count = count_of(&y.a), plane = count / shape[0] / channels;
    const int64_t splits = between(1, 5), bytes = splits * channels * size;
    double *want = grab(channels * 8), *bound = grab(channels * 8);

    fill_uniform(&y, dtype);
    for (int64_t i = 0; i < count; i++) {
        const double term = value(item(&y.a, i), dtype);
        want[i / plane % channels] += term;
        bound[i / plane % channels] += fabs(term);
    }
    for (int64_t i = 0; i < channels; i++)
        bound[i] *= epsilon(dtype) * (double)(count / channels + 1);
    char *sums = scratch_of(bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&bias, threads);
        k->bias_grad(&y.a, &bias.a, dtype, 0, sums, splits, threads);
        after_call(&bias, threads);
    }
    expect_scratch_kept(sums, bytes);
    expect_near(&bias, dtype, want, bound);
}
