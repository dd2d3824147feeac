/* weight_grad: sums over boxes of positions, in splits. */
#include "conv.h"
#include "tests.h"

/* A unit of work, and at most as many splits as boxes. */
static void draw_pieces(const conv *c, fc_weight_grad *f)
{
    int64_t extents[4] = {c->x_shape[0], c->g.out[0], c->g.out[1], c->g.out[2]};
    const int64_t inner = c->x_shape[1] / c->groups;

    f->across_groups = chance(25);
    f->channels = f->across_groups ? c->channels : between(1, c->channels);
    f->inner = f->across_groups ? 1 : between(1, inner);
    if (f->mates >= 0)
        extents[f->mates] /= 2;
    f->images = between(1, extents[0]);
    int64_t boxes = (extents[0] - 1) / f->images + 1;
    for (int axis = 0; axis < 3; axis++) {
        f->box[axis] = between(1, extents[axis + 1]);
        boxes *= (extents[axis + 1] - 1) / f->box[axis] + 1;
    }
    f->splits = chance(50) ? 1 : between(1, boxes < 5 ? boxes : 5);
}

void test_conv_weight_grad(const fc_kernels *k)
{
    const conv c = draw_conv();
    const int64_t shape[5] = {c.y_shape[1], c.x_shape[1] / c.groups, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    block x = input(c.size, 5, c.x_shape), y = input(c.size, 5, c.y_shape);
    block weight = output(c.size, 5, shape);
    const int64_t count = count_of(&weight.a);
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_weight_grad f = {.g = c.g, .x = x.a, .y = y.a, .weight = weight.a, .groups = c.groups,
                        .dtype = c.dtype, .mates = -1};

    fill_uniform(&x, c.dtype);
    fill_uniform(&y, c.dtype);
    add_up(&c, &x, &y, want, bound);
    draw_pieces(&c, &f);
    const fc_grad_bytes bytes = k->weight_grad_bytes(&f);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        f.sums = scratch_of(bytes.sums);
        f.scratch = scratch_of(bytes.scratch * threads);
        before_call(&weight, threads);
        k->weight_grad(&f, threads);
        after_call(&weight, threads);
        expect_scratch_kept(f.sums, bytes.sums);
        expect_scratch_kept(f.scratch, bytes.scratch * threads);
    }
    expect_near(&weight, c.dtype, want, bound);
}

/* An array of 16 bits with the numbers that one of float32 is filled with, multiples of 1/64. */
static block halves_of(const block *wide, const int64_t *shape, int dtype)
{
    block b = output(2, 5, shape); /* without items that share their place */

    for (int64_t i = 0; i < count_of(&b.a); i++) {
        const float v = (float)between(-64, 64) / 64;
        memcpy(item(&wide->a, i), &v, sizeof v);
    }
    for (int64_t i = 0; i < count_of(&b.a); i++) {
        const uint16_t half = half_of(dtype, value(item(&wide->a, i), FC_float32));
        memcpy(item(&b.a, i), &half, sizeof half);
    }
    return b;
}

/* An axis that has halves, or -1. */
static int draw_mates(const conv *c)
{
    const int axis = (int)between(0, 3);
    const int64_t extent = axis == 0 ? c->x_shape[0] : c->g.out[axis - 1];

    return extent > 1 ? axis : -1;
}

void test_narrow_weight_grad(const fc_kernels *k)
{
    const fc_narrow_kernels *narrow = fc_active_narrow();
    const int dtype = chance(50) ? FC_NARROW_float16 : FC_NARROW_bfloat16;
    conv c = draw_conv();
    const int64_t shape[5] = {c.y_shape[1], c.x_shape[1] / c.groups, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};

    (void)k;
    c.dtype = FC_float32, c.size = 4;
    block x = input(4, 5, c.x_shape), y = input(4, 5, c.y_shape), weight = output(4, 5, shape);
    const block x_halves = halves_of(&x, c.x_shape, dtype);
    const block y_halves = halves_of(&y, c.y_shape, dtype);
    const int64_t count = count_of(&weight.a);
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_weight_grad f = {.g = c.g, .x = x_halves.a, .y = y_halves.a, .weight = weight.a,
                        .groups = c.groups, .dtype = dtype, .mates = -1};

    add_up(&c, &x, &y, want, bound);
    if (narrow->channels(dtype) == 2)
        f.mates = draw_mates(&c);
    draw_pieces(&c, &f);
    const fc_grad_bytes bytes = narrow->weight_grad_bytes(&f);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        f.sums = scratch_of(bytes.sums);
        f.scratch = scratch_of(bytes.scratch * threads);
        before_call(&weight, threads);
        narrow->weight_grad(&f, threads);
        after_call(&weight, threads);
        expect_scratch_kept(f.sums, bytes.sums);
        expect_scratch_kept(f.scratch, bytes.scratch * threads);
    }
    expect_near(&weight, FC_float32, want, bound);
}
