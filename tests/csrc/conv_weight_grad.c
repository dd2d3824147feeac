/* conv_weight_grad: sums over positions, in splits of the batch. */
#include "conv.h"
#include "tests.h"

/* The sum over a split's images of y times a row of columns, and a bound of its error. */
static void add_up(const conv *c, const block *x, const block *y, int64_t splits, double *want,
                   double *bound)
{
    const int64_t positions = product(c->g.out), images = c->x_shape[0];

    for (int64_t s = 0; s < splits; s++)
        for (int64_t o = 0; o < c->y_shape[1]; o++)
            for (int64_t r = 0; r < c->rows; r++) {
                double sum = 0, magnitude = 0;
                int64_t count = 0;
                for (int64_t n = images * s / splits; n < images * (s + 1) / splits; n++)
                    for (int64_t q = 0; q < positions; q++, count++) {
                        const int64_t at = (n * c->y_shape[1] + o) * positions + q;
                        const double term = value(item(&y->a, at), c->dtype)
                                            * column(c, x, n, o / c->channels, r, q);
                        sum += term;
                        magnitude += fabs(term);
                    }
                want[(s * c->y_shape[1] + o) * c->rows + r] = sum;
                bound[(s * c->y_shape[1] + o) * c->rows + r] =
                    epsilon(c->dtype) * (double)(count + 1) * magnitude;
            }
}

static fc_geometry positions_as_columns(const fc_geometry *g)
{
    fc_geometry plain;

    for (int k = 0; k < 3; k++) {
        plain.in[k] = plain.out[k] = g->out[k];
        plain.kernel[k] = plain.stride[k] = plain.dilation[k] = 1;
        plain.before[k] = 0;
    }
    return plain;
}

void test_conv_weight_grad(const fc_kernels *k)
{
    const conv c = draw_conv();
    const int64_t positions = product(c.g.out), splits = between(1, c.x_shape[0]);
    const int64_t filled = rounded_up(c.channels, k->tile_rows());
    const int64_t sums_shape[3] = {splits, c.y_shape[1], c.rows};
    block x = input(c.size, 5, c.x_shape), y = input(c.size, 5, c.y_shape);
    const int64_t sums_bytes = sums_shape[0] * sums_shape[1] * sums_shape[2] * c.size;
    block sums = {.axes = 3, .a = {.size = c.size, .shape = {0, 0, 0, 1, 1}}, .bytes = sums_bytes};
    double *want = grab(sums_bytes / c.size * 8), *bound = grab(sums_bytes / c.size * 8);
    fc_conv_grad f = {.g = c.g, .plain = positions_as_columns(&c.g), .x = x.a, .y = y.a,
                      .groups = c.groups, .channels = c.channels, .rows = c.rows,
                      .splits = splits, .dtype = c.dtype};

    fill_uniform(&x, c.dtype);
    fill_uniform(&y, c.dtype);
    add_up(&c, &x, &y, splits, want, bound);
    f.width = k->tile_columns(c.dtype) * between(1, 3);
    f.depth = chance(60) ? between(1, positions) : positions;
    f.images = f.depth == positions ? between(1, 3) : 1;
    f.scratch_bytes = (f.images * f.depth * (f.width + filled) + filled * f.width) * c.size;
    sums.memory = (unsigned char *)scratch_of(sums_bytes);
    f.sums = sums.a.data = (char *)sums.memory;
    memcpy(sums.a.shape, sums_shape, sizeof sums_shape);
    for (int axis = 2, step = (int)c.size; axis >= 0; step *= (int)sums_shape[axis--])
        sums.a.stride[axis] = step;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        f.scratch = scratch_of(f.scratch_bytes * threads);
        before_call(&sums, threads);
        k->conv_weight_grad(&f, threads);
        after_call(&sums, threads);
        expect_scratch_kept(f.scratch, f.scratch_bytes * threads);
    }
    expect_scratch_kept(f.sums, sums_bytes);
    expect_near(&sums, c.dtype, want, bound);
}
