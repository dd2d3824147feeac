/* weight_grad: sums over boxes of positions, in splits. */
#include "conv.h"
#include "tests.h"

/* A unit of work, and at most as many splits as boxes. */
static void draw_pieces(const conv *c, fc_weight_grad *f)
{
    const int64_t inner = c->x_shape[1] / c->groups;

    f->across_groups = chance(25);
    f->channels = f->across_groups ? c->channels : between(1, c->channels);
    f->inner = f->across_groups ? 1 : between(1, inner);
    f->images = between(1, c->x_shape[0]);
    int64_t boxes = (c->x_shape[0] - 1) / f->images + 1;
    for (int axis = 0; axis < 3; axis++) {
        f->box[axis] = between(1, c->g.out[axis]);
        boxes *= (c->g.out[axis] - 1) / f->box[axis] + 1;
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
                        .dtype = c.dtype};

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
