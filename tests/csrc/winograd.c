/* Winograd's convolution and weight gradient, by definition. A transformed tile's error is one of
 * all that lies in the tile: outputs are held to the largest sum of magnitudes of their channel. */
#include "winograd_draw.h"
#include "tests.h"

static const double BOUND = 0x1p-16; /* of sums of magnitudes */

conv draw_float_conv(int kind, int64_t *up)
{
    conv c = draw_conv();

    c.dtype = FC_float32;
    c.size = sizeof(float);
    for (int k = 0; k < 3; k++) {
        up[k] = kind == SPREAD && k > 0 ? between(1, 2) : 1;
        c.g.stride[k] = kind == STRIDED ? between(1, 4) : 1;
        if (kind == SPREAD || (kind == STRIDED && k > 0))
            c.g.dilation[k] = 1;
        c.x_shape[2 + k] = c.g.in[k] = (c.g.in[k] - 1) / up[k] * up[k] + 1;
        const int64_t reach = (c.g.kernel[k] - 1) * c.g.dilation[k];
        const int64_t out = (c.g.in[k] + c.g.before[k] + between(0, 2) - reach) / c.g.stride[k];
        c.y_shape[2 + k] = c.g.out[k] = out > 1 ? out : 1;
    }
    return c;
}

/* The inputs that lie between zeros in `spread`, and nowhere else. */
static block gather_spread(const conv *c, const int64_t *up, block *spread, int pixels)
{
    const int64_t shape[5] = {c->x_shape[0], c->x_shape[1], c->x_shape[2],
                              (c->x_shape[3] - 1) / up[1] + 1, (c->x_shape[4] - 1) / up[2] + 1};
    block x = input_of(c->size, 5, shape, pixels);
    int64_t at[5];

    fill_uniform(&x, c->dtype);
    for (int64_t i = 0; i < count_of(&spread->a); i++) {
        int64_t rest = i;
        for (int axis = 4; axis >= 0; rest /= c->x_shape[axis--])
            at[axis] = rest % c->x_shape[axis];
        const int there = at[3] % up[1] == 0 && at[4] % up[2] == 0;
        const char *from = there ? item_at(&x.a, at[0], at[1], at[2], at[3] / up[1], at[4] / up[2])
                                 : NULL;
        set_value(item(&spread->a, i), c->dtype, there ? value(from, c->dtype) : 0);
    }
    return x;
}

/* Bounds of plain sums, of `terms` terms, become those of transformed ones, channel by channel. */
static void loosen(const int64_t *shape, int channel_axis, int64_t terms, double *bound)
{
    const int64_t all = shape[0] * shape[1] * shape[2] * shape[3] * shape[4];
    int64_t after = 1;

    for (int axis = channel_axis + 1; axis < 5; axis++)
        after *= shape[axis];
    for (int64_t channel = 0; channel < shape[channel_axis]; channel++) {
        double most = 0;
        for (int64_t i = 0; i < all; i++)
            if (i / after % shape[channel_axis] == channel)
                most = bound[i] > most ? bound[i] : most;
        /* Sums of padding alone are only nearly 0. */
        most = most > 0 ? most / (FLT_EPSILON * (double)terms) : 1;
        for (int64_t i = 0; i < all; i++)
            if (i / after % shape[channel_axis] == channel)
                bound[i] = BOUND * most;
    }
}

int64_t lanes_of(const fc_kernels *k)
{
    return k->vector_bytes / (int64_t)sizeof(float);
}

void take_weight(const fc_conv *f, fc_winograd *w)
{
    const int64_t *stride = f->weight.stride;

    w->weight = f->weight.data;
    w->w_channel = stride[f->transposed ? 1 : 0];
    w->w_inner = stride[f->transposed ? 0 : 1];
    w->w_group = stride[0] * (f->transposed ? f->inner : f->channels);
    for (int k = 0; k < 3; k++) {
        w->w_tap[k] = f->transposed ? -stride[2 + k] : stride[2 + k];
        w->weight += f->transposed ? (f->weight.shape[2 + k] - 1) * stride[2 + k] : 0;
    }
}

void convolve_tiles(const fc_kernels *k, fc_winograd *w, block *y)
{
    const int64_t inputs_bytes = k->winograd_inputs(w), packed_bytes = k->winograd_weight(w, 1);
    const int shared = chance(40), packs = chance(60);

    w->inputs = shared ? scratch_of(inputs_bytes) : NULL;
    char *packed = packs ? scratch_of(packed_bytes) : NULL;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        w->packed = packed;
        if (packs)
            k->winograd_weight(w, threads);
        const int64_t bytes = k->winograd_scratch(w) * threads;
        w->scratch = scratch_of(bytes);
        before_call(y, threads);
        k->winograd_forward(w, threads);
        after_call(y, threads);
        expect_scratch_kept(w->scratch, bytes);
    }
    if (shared)
        expect_scratch_kept(w->inputs, inputs_bytes);
    if (packs)
        expect_scratch_kept(packed, packed_bytes);
}

void test_winograd(const fc_kernels *k)
{
    static const int alphas[3][2] = {{6, 6}, {4, 4}, {1, 6}};
    const int *alpha = alphas[between(0, 2)], adjoint = chance(40);
    const int kind = (int)between(0, KINDS - 1);
    int64_t up[3];
    const conv c = draw_float_conv(kind, up);
    const int64_t inner = c.x_shape[1] / c.groups;
    const int64_t shape[5] = {c.groups * (adjoint ? inner : c.channels),
                              adjoint ? c.channels : inner,
                              c.g.kernel[0], c.g.kernel[1], c.g.kernel[2]};
    const int64_t pixels =
        kind != SPREAD && chance(40) ? lanes_of(k) * between(1, k->tile_vectors()) : 0;
    block spread = output_of(c.size, 5, c.x_shape, pixels != 0);
    block x = gather_spread(&c, up, &spread, pixels != 0);
    block y = output_of(c.size, 5, c.y_shape, pixels != 0);
    block weight = input(c.size, 5, shape), bias = bias_of(c.dtype, c.y_shape[1]);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);
    const fc_conv f = {.y = y.a, .weight = weight.a, .dtype = c.dtype, .inner = inner,
                       .channels = c.channels, .bias_step = c.size, .transposed = adjoint,
                       .bias = chance(50) ? bias.a.data : NULL,
                       .activation = chance(50) ? FC_RELU : FC_NONE};
    fc_product p = {.g = c.g, .every = {1, 1, 1}};
    fc_winograd w = {.x = x.a, .y = y.a, .groups = c.groups, .inner = inner, .bias = f.bias,
                     .channels = c.channels, .activation = f.activation,
                     .alpha = {alpha[0], alpha[1]}, .pixels = pixels};

    for (int axis = 0; axis < 3; axis++) {
        p.first[axis] = adjoint ? c.g.kernel[axis] - 1 : 0;
        p.step[axis] = adjoint ? -1 : 1;
        w.kernel[axis] = c.g.kernel[axis];
        w.before[axis] = c.g.before[axis];
        w.dilation[axis] = c.g.dilation[axis];
        w.stride[axis] = c.g.stride[axis];
        w.up[axis] = up[axis];
    }
    fill_uniform(&weight, c.dtype);
    convolve(&c, &f, &p, &spread, want, bound);
    loosen(c.y_shape, 1, c.rows + 2, bound);
    take_weight(&f, &w);
    w.width = pixels ? between(1, 60) : lanes_of(k) * between(1, 6);
    w.group = (pixels ? pixels : k->tile_rows()) * between(1, 4);
    convolve_tiles(k, &w, &y);
    expect_near(&y, c.dtype, want, bound);
}

void cut_grad(const fc_kernels *k, const conv *c, fc_winograd_grad *w)
{
    for (int axis = 0; axis < 3; axis++) {
        w->kernel[axis] = c->g.kernel[axis];
        w->before[axis] = c->g.before[axis];
        w->dilation[axis] = c->g.dilation[axis];
        w->stride[axis] = c->g.stride[axis];
    }
    w->width = lanes_of(k) * between(1, 6);
    w->range = k->tile_rows() * between(1, 4);
    w->group = lanes_of(k) * between(1, 4);
    int64_t chunks = c->x_shape[0];
    for (int axis = 0; axis < 3; axis++)
        chunks *= c->g.out[axis];
    /* More splits than there are chunks leave some without a tile. */
    chunks = (chunks + 16 * w->width - 1) / (16 * w->width);
    w->splits = between(1, chunks < 5 ? chunks : 5);
}

void sum_tiles(const fc_kernels *k, fc_winograd_grad *w, block *weight)
{
    int64_t bytes[4];

    k->winograd_grad_sizes(w, bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        w->panels = chance(50) ? threads : 1;
        w->inputs = scratch_of(bytes[0] * w->panels);
        w->grads = scratch_of(bytes[1] * w->panels);
        w->sums = scratch_of(bytes[2]);
        w->scratch = scratch_of(bytes[3] * threads);
        before_call(weight, threads);
        k->winograd_grad(w, threads);
        after_call(weight, threads);
        expect_scratch_kept(w->inputs, bytes[0] * w->panels);
        expect_scratch_kept(w->grads, bytes[1] * w->panels);
        expect_scratch_kept(w->sums, bytes[2]);
        expect_scratch_kept(w->scratch, bytes[3] * threads);
    }
}

void test_winograd_grad(const fc_kernels *k)
{
    int64_t up[3];
    const conv c = draw_float_conv((int)between(PLAIN, STRIDED), up);
    const int64_t shape[5] = {c.y_shape[1], c.x_shape[1] / c.groups, c.g.kernel[0], c.g.kernel[1],
                              c.g.kernel[2]};
    const int pixels = chance(40);
    block x = input_of(c.size, 5, c.x_shape, pixels), y = input_of(c.size, 5, c.y_shape, pixels);
    block weight = output(c.size, 5, shape);
    double *want = grab(count_of(&weight.a) * 8), *bound = grab(count_of(&weight.a) * 8);
    fc_winograd_grad w = {.x = x.a, .y = y.a, .weight = weight.a, .groups = c.groups,
                          .inner = shape[1], .channels = c.channels,
                          .alpha = {chance(60) ? 6 : 1, 6}, .pixels = pixels};

    fill_uniform(&x, c.dtype);
    fill_uniform(&y, c.dtype);
    add_up(&c, &x, &y, want, bound);
    loosen(shape, 0, c.x_shape[0] * product(c.g.out) + 1, bound);
    cut_grad(k, &c, &w);
    sum_tiles(k, &w, &weight);
    expect_near(&weight, c.dtype, want, bound);
}
