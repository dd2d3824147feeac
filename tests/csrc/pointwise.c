/* pointwise_pack and pointwise_run: kernels of one tap, in pieces of chance sizes. */
#include "conv.h"
#include "tests.h"

block lines_of(const conv *c, int64_t channels, int is_output)
{
    const int64_t positions = product(c->g.in), flat[3] = {c->x_shape[0], channels, positions};
    block b;

    do
        b = is_output ? output(c->size, 3, flat) : input(c->size, 3, flat);
    while (positions > 1 && b.a.stride[2] != c->size);
    return b;
}

fc_array of_five_axes(const block *b, const conv *c)
{
    fc_array a = b->a;

    for (int k = 4; k > 1; k--) {
        a.shape[k] = c->g.in[k - 2];
        a.stride[k] = k == 4 ? c->size : a.stride[k + 1] * a.shape[k + 1];
    }
    return a;
}

static void draw_pieces(const fc_kernels *k, const conv *c, fc_pointwise *p)
{
    do
        p->tile_rows = (int)between(1, 8);
    while ((p->tile_vectors = (int)k->conv_tile(p->tile_rows)) == 0);
    p->images = between(1, c->x_shape[0]);
    p->panels = between(1, 3);
    p->blocks = between(1, (p->channels - 1) / p->tile_rows + 1);
    p->depth = chance(50) ? p->inner : between(1, p->inner);
    k->pointwise_layout(p);
}

void test_pointwise(const fc_kernels *k)
{
    conv c = draw_conv();
    for (int axis = 0; axis < 3; axis++) {
        c.g.kernel[axis] = c.g.stride[axis] = c.g.dilation[axis] = 1;
        c.g.before[axis] = 0;
        c.g.out[axis] = c.g.in[axis] = c.g.in[axis] > 0 ? c.g.in[axis] : 1;
        c.x_shape[axis + 2] = c.y_shape[axis + 2] = c.g.in[axis];
    }
    c.rows = c.x_shape[1] / c.groups;
    fc_pointwise p = {.dtype = c.dtype, .groups = c.groups, .inner = c.rows,
                      .channels = c.channels, .bias_step = c.size, .transposed = chance(40),
                      .activation = chance(50) ? FC_RELU : FC_NONE};
    const int64_t shape[5] = {c.groups * (p.transposed ? p.inner : c.channels),
                              p.transposed ? c.channels : p.inner, 1, 1, 1};
    block x = lines_of(&c, c.x_shape[1], 0), y = lines_of(&c, c.y_shape[1], 1);
    block weight = input(c.size, 5, shape), bias = bias_of(c.dtype, c.y_shape[1]);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);

    fill_uniform(&x, c.dtype);
    fill_uniform(&weight, c.dtype);
    p.x = of_five_axes(&x, &c);
    p.y = of_five_axes(&y, &c);
    p.weight = weight.a;
    p.bias = chance(50) ? bias.a.data : NULL;
    draw_pieces(k, &c, &p);
    block source = x;
    source.a = p.x;
    const fc_product whole = {.g = c.g, .step = {1, 1, 1}, .every = {1, 1, 1}};
    const fc_conv same = {.dtype = c.dtype, .groups = c.groups, .inner = p.inner,
                          .channels = p.channels, .bias = p.bias, .bias_step = p.bias_step,
                          .x = p.x, .y = p.y, .weight = p.weight, .transposed = p.transposed,
                          .activation = p.activation};
    convolve(&c, &same, &whole, &source, want, bound);
    p.packed = scratch_of(p.packed_bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        p.scratch = scratch_of(p.scratch_bytes * threads);
        k->pointwise_pack(&p, threads);
        before_call(&y, threads);
        k->pointwise_run(&p, threads);
        after_call(&y, threads);
        expect_scratch_kept(p.scratch, p.scratch_bytes * threads);
    }
    expect_scratch_kept(p.packed, p.packed_bytes);
    expect_near(&y, c.dtype, want, bound);
}
