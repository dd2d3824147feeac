/* Winograd's algorithm on arrays of 16 bits beside float32 ones with the same values. */
#include "winograd_draw.h"
#include "tests.h"

/* An array of 16-bit items, and one of float32 with the same values. */
static block halves_of(int dtype, const int64_t *shape, int adjoining, block *wide)
{
    block halves = input_of(2, 5, shape, adjoining);
    uint16_t half;

    *wide = output_of(sizeof(float), 5, shape, adjoining);
    for (int64_t i = 0; i < count_of(&halves.a); i++) {
        half = half_of(dtype, (double)between(-64, 64) / 64);
        memcpy(item(&halves.a, i), &half, sizeof half);
    }
    for (int64_t i = 0; i < count_of(&halves.a); i++) {
        memcpy(&half, item(&halves.a, i), sizeof half); /* it may be that of another place */
        set_value(item(&wide->a, i), FC_float32, of_half(dtype, half));
    }
    return halves;
}

/* What comes of 16-bit arrays, y[0], is what comes of float32 ones with their values, y[1],
 * rounded. */
static void expect_rounded(int dtype, block *y, double slack)
{
    for (int64_t i = 0; i < count_of(&y[0].a); i++) {
        const double want = value(item(&y[1].a, i), FC_float32);
        uint16_t half;
        memcpy(&half, item(&y[0].a, i), sizeof half);
        const double got = of_half(dtype, half), bound = 1.001 * unit_of(dtype) * fabs(want);
        expect(fabs(got - want) <= bound + slack, "item %lld is %g, not %g", (long long)i, got,
               want);
    }
    expect_gaps_kept(&y[0]);
    expect_gaps_kept(&y[1]);
}

void test_winograd_halves(const fc_kernels *k)
{
    static const int alphas[3][2] = {{6, 6}, {4, 4}, {1, 6}};
    const int *alpha = alphas[between(0, 2)], adjoint = chance(40);
    const int dtype = chance(50) ? FC_NARROW_float16 : FC_NARROW_bfloat16;
    const int kind = (int)between(0, KINDS - 1);
    int64_t up[3];
    const conv c = draw_float_conv(kind, up);
    const int64_t inner = c.x_shape[1] / c.groups;
    const int64_t shape[5] = {c.groups * (adjoint ? inner : c.channels),
                              adjoint ? c.channels : inner,
                              c.g.kernel[0], c.g.kernel[1], c.g.kernel[2]};
    const int64_t x_shape[5] = {c.x_shape[0], c.x_shape[1], c.x_shape[2],
                                (c.x_shape[3] - 1) / up[1] + 1, (c.x_shape[4] - 1) / up[2] + 1};
    const int64_t pixels =
        kind != SPREAD && chance(40) ? lanes_of(k) * between(1, k->tile_vectors()) : 0;
    block x[2], weight[2];
    block y[2] = {output_of(2, 5, c.y_shape, pixels != 0), output_of(4, 5, c.y_shape, pixels != 0)};
    block bias = bias_of(FC_float32, c.y_shape[1]);
    fc_winograd w = {.groups = c.groups, .inner = inner, .channels = c.channels, .half = dtype,
                     .bias = chance(50) ? bias.a.data : NULL, .pixels = pixels,
                     .alpha = {alpha[0], alpha[1]}};

    x[0] = halves_of(dtype, x_shape, pixels != 0, &x[1]);
    weight[0] = halves_of(dtype, shape, 0, &weight[1]);
    for (int axis = 0; axis < 3; axis++) {
        w.kernel[axis] = c.g.kernel[axis];
        w.before[axis] = c.g.before[axis];
        w.dilation[axis] = c.g.dilation[axis];
        w.stride[axis] = c.g.stride[axis];
        w.up[axis] = up[axis];
    }
    w.width = pixels ? between(1, 60) : lanes_of(k) * between(1, 6);
    w.group = (pixels ? pixels : k->tile_rows()) * between(1, 4);
    for (int i = 0; i < 2; i++) {
        const fc_conv f = {.weight = weight[i].a, .inner = inner, .channels = c.channels,
                           .transposed = adjoint};
        w.x = x[i].a;
        w.y = y[i].a;
        take_weight(&f, &w);
        convolve_tiles(k, &w, &y[i]);
    }
    expect_rounded(dtype, y, 0x1p-20 * (double)c.rows);
}

void test_winograd_grad_halves(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_NARROW_float16 : FC_NARROW_bfloat16, pixels = chance(40);
    int64_t up[3];
    const conv c = draw_float_conv((int)between(PLAIN, STRIDED), up);
    const int64_t shape[5] = {c.y_shape[1], c.x_shape[1] / c.groups, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    block x[2], y[2], weight[2] = {output(2, 5, shape), output(4, 5, shape)};
    fc_winograd_grad w = {.groups = c.groups, .inner = shape[1], .channels = c.channels,
                          .alpha = {chance(60) ? 6 : 1, 6}, .pixels = pixels, .half = dtype};

    x[0] = halves_of(dtype, c.x_shape, pixels, &x[1]);
    y[0] = halves_of(dtype, c.y_shape, pixels, &y[1]);
    cut_grad(k, &c, &w);
    for (int i = 0; i < 2; i++) {
        w.x = x[i].a;
        w.y = y[i].a;
        w.weight = weight[i].a;
        sum_tiles(k, &w, &weight[i]);
    }
    expect_rounded(dtype, weight, 0x1p-20 * (double)(c.x_shape[0] * product(c.g.out)));
}
