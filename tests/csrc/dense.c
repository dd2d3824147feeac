/* The dense product and the gradient of a bias. */
#include "check.h"
#include "conv.h"
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

static void fill_halves(block *b, int dtype)
{
    fill_bytes(b);
    for (int64_t i = 0; i < count_of(&b->a); i++) {
        const uint16_t half = half_of(dtype, (double)between(-64, 64) / 64);
        memcpy(item(&b->a, i), &half, sizeof half);
    }
}

static double half_at(const fc_array *a, int64_t i, int64_t j, int dtype)
{
    uint16_t half;

    memcpy(&half, item_at(a, 0, i, j, 0, 0), sizeof half);
    return of_half(dtype, half);
}

/* c is in 16 bits or float32, as its items' size tells. */
static void check_halves(const fc_dense *p, const float *bias, block *c)
{
    for (int64_t i = 0; i < count_of(&c->a); i++) {
        const int64_t row = i / p->c.shape[2], column = i % p->c.shape[2];
        double sum = p->bias == NULL ? 0 : (double)bias[column], magnitude = fabs(sum);
        for (int64_t k = 0; k < p->a.shape[2]; k++) {
            const double term =
                half_at(&p->a, row, k, p->dtype) * half_at(&p->b, k, column, p->dtype);
            sum += term;
            magnitude += fabs(term);
        }
        const double want = p->activation == FC_RELU && sum < 0 ? 0 : sum;
        const double got = p->c.size == 4 ? value(item(&c->a, i), FC_float32)
                                          : half_at(&c->a, row, column, p->dtype);
        const double rounding = p->c.size == 4 ? 0 : 1.01 * unit_of(p->dtype) * fabs(sum);
        const double bound = 0x1p-24 * (double)(p->a.shape[2] + 4) * magnitude + rounding
                             + 0x1p-24;
        expect(fabs(got - want) <= bound, "item %lld: got %g, wanted %g within %g", (long long)i,
               got, want, bound);
    }
    expect_gaps_kept(c);
}

void test_narrow_product(const fc_kernels *k)
{
    const fc_narrow_kernels *narrow = fc_active_narrow();
    const int dtype = chance(50) ? FC_NARROW_float16 : FC_NARROW_bfloat16;
    const int64_t rows = draw_extent(), columns = draw_extent(), size = chance(50) ? 2 : 4;
    const int64_t depth = chance(20) ? between(250, 700) : draw_extent();
    block a = input(2, 3, (int64_t[]){1, rows, depth});
    block b = input(2, 3, (int64_t[]){1, depth, columns});
    block c = draw_target(size, (int64_t[]){1, rows, columns});
    float *bias = grab(columns * 4);
    char *rounded = grab(columns * size);
    fc_dense p = {.a = a.a, .b = b.a, .c = c.a, .dtype = dtype,
                  .bias = chance(50) ? rounded : NULL,
                  .activation = chance(50) ? FC_RELU : FC_NONE,
                  .scratch_bytes = narrow->product_scratch(dtype)};

    (void)k;
    fill_halves(&a, dtype);
    fill_halves(&b, dtype);
    for (int64_t j = 0; j < columns; j++) {
        bias[j] = (float)between(-64, 64) / 64;
        const uint16_t half = half_of(dtype, (double)bias[j]);
        memcpy(rounded + j * size, size == 4 ? (const void *)&bias[j] : &half, (size_t)size);
    }
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        p.scratch = scratch_of(p.scratch_bytes * threads);
        before_call(&c, threads);
        narrow->product(&p, threads);
        after_call(&c, threads);
        expect_scratch_kept(p.scratch, p.scratch_bytes * threads);
    }
    check_halves(&p, bias, &c);
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
        k->bias_grad(&y.a, &bias.a, dtype, sums, splits, threads);
        after_call(&bias, threads);
    }
    expect_scratch_kept(sums, bytes);
    expect_near(&bias, dtype, want, bound);
}
