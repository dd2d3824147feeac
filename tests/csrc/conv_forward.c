/* conv_pack and conv_run: products over parts of a target, in units of chance sizes. */
#include "conv.h"
#include "tests.h"

enum { MOST_PRODUCTS = 2 };

/* Units of images, of an image's lines, or of a part of a line. */
static void draw_unit(const fc_conv *f, fc_product *p)
{
    p->images = p->lines = 1;
    p->items = chance(20) ? between(1, p->g.out[2]) : p->g.out[2];
    if (p->items == p->g.out[2])
        p->lines = chance(50) ? between(1, p->g.out[1]) : p->g.out[1];
    if (p->items == p->g.out[2] && p->lines == p->g.out[1])
        p->images = between(1, f->x.shape[0]);
    p->depth = chance(50) ? f->inner : between(1, f->inner);
    p->blocks = between(1, (f->channels - 1) / f->tile_rows + 1);
    p->gathered = f->pixels == FC_TRANSPOSED || chance(40);
    if (f->pixels && p->gathered)
        p->depth = f->inner;
    p->apart = !f->pixels && p->depth == f->inner && chance(40);
}

/* Of all products: lines of a plane, or part of a line; two vectors of channels at a time. */
static void draw_turned_unit(const fc_conv *f, fc_product *p)
{
    const int64_t vectors = (f->channels - 1) / f->tile_rows + 1;

    p->images = p->lines = 1;
    p->items = chance(20) ? between(1, p->g.out[2]) : p->g.out[2];
    if (p->items == p->g.out[2])
        p->lines = between(1, p->g.out[1]);
    p->depth = f->inner;
    p->blocks = chance(50) ? vectors : 2 * between(1, (vectors + 1) / 2);
}

/* Every `count`-th item of a line is one product's, with a padding of its own. */
static void draw_products(const fc_kernels *k, const conv *c, fc_conv *f, fc_product *products)
{
    int64_t packed_at = 0;

    f->products = products;
    for (int i = 0; i < f->count; i++) {
        fc_product *p = products + i;
        *p = (fc_product){.g = c->g, .place = {0, 0, i}, .every = {1, 1, f->count},
                          .packed_at = packed_at};
        p->g.before[2] += i;
        for (int axis = 0; axis < 3; axis++) {
            p->first[axis] = f->transposed ? c->g.kernel[axis] - 1 : 0;
            p->step[axis] = f->transposed ? -1 : 1;
        }
        if (!f->turned)
            draw_unit(f, p);
        else if (i == 0)
            draw_turned_unit(f, p);
        else
            p->images = 1, p->lines = products->lines, p->items = products->items,
            p->depth = products->depth, p->blocks = products->blocks;
        const int64_t bytes = rounded_up(k->conv_layout(f, p), 64);
        f->scratch_bytes = bytes > f->scratch_bytes ? bytes : f->scratch_bytes;
        packed_at += rounded_up(p->packed, 64);
        p->offsets = grab(p->depth * product(p->g.kernel) * (int64_t)sizeof(int64_t));
    }
    if (f->turned)
        f->scratch_bytes = rounded_up(k->conv_box(f), 64);
    for (int i = 0; i < f->count; i++)
        k->conv_offsets(f, products + i);
}

static fc_conv draw_operands(const fc_kernels *k, const conv *c)
{
    fc_conv f = {.dtype = c->dtype, .groups = c->groups, .inner = c->x_shape[1] / c->groups,
                 .channels = c->channels, .bias_step = c->size, .transposed = chance(30),
                 .activation = chance(50) ? FC_RELU : FC_NONE, .turned = chance(40),
                 .streams = chance(30)};

    if (f.turned) {
        f.tile_vectors = 1;
        f.tile_rows = (int)(k->vector_bytes / c->size);
    } else if ((f.pixels = (int)between(0, 2)) != 0) {
        f.tile_vectors = (int)between(1, k->tile_vectors());
        f.tile_rows = f.tile_vectors * (int)(k->vector_bytes / c->size);
    } else {
        do
            f.tile_rows = (int)between(1, 8);
        while ((f.tile_vectors = (int)k->conv_tile(f.tile_rows)) == 0);
    }
    f.count = chance(70) ? 1 : MOST_PRODUCTS;
    return f;
}

void test_conv_forward(const fc_kernels *k)
{
    conv c = draw_conv();
    fc_conv f = draw_operands(k, &c);
    fc_product products[MOST_PRODUCTS];
    const int64_t shape[5] = {c.groups * (f.transposed ? f.inner : c.channels),
                              f.transposed ? c.channels : f.inner,
                              c.g.kernel[0], c.g.kernel[1], c.g.kernel[2]};
    c.y_shape[4] *= f.count;
    block x = input_of(c.size, 5, c.x_shape, f.pixels == FC_PIXELS);
    block y = output_of(c.size, 5, c.y_shape, f.pixels == FC_PIXELS);
    block weight = input(c.size, 5, shape), bias = bias_of(c.dtype, c.y_shape[1]);
    double *want = grab(count_of(&y.a) * 8), *bound = grab(count_of(&y.a) * 8);

    fill_uniform(&x, c.dtype);
    fill_uniform(&weight, c.dtype);
    f.x = x.a;
    f.y = y.a;
    f.weight = weight.a;
    f.bias = chance(50) ? bias.a.data : NULL;
    draw_products(k, &c, &f, products);
    for (int i = 0; i < f.count; i++)
        convolve(&c, &f, products + i, &x, want, bound);
    const fc_product *last = products + f.count - 1;
    const int64_t packed_bytes = last->packed_at + last->packed;
    f.packed = scratch_of(packed_bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        f.scratch = scratch_of(f.scratch_bytes * threads);
        k->conv_pack(&f, threads);
        before_call(&y, threads);
        k->conv_run(&f, threads);
        after_call(&y, threads);
        expect_scratch_kept(f.scratch, f.scratch_bytes * threads);
    }
    expect_scratch_kept(f.packed, packed_bytes);
    expect_near(&y, c.dtype, want, bound);
}
