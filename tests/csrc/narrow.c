/* Convolutions of narrow types: float16 and bfloat16 within their rounding, bytes exactly; and of
 * float32 that is rounded to such types on the way, or that sums of bytes are scaled to. */
#include "narrow_draw.h"
#include "tests.h"

/* Multiples of 1/64 up to 1 are exact in every format. */
uint16_t half_of(int dtype, double v)
{
    float f = (float)v;
    uint32_t bits;

    if (dtype == FC_NARROW_float16)
        f *= 0x1p-112f; /* as the exponents' biases differ */
    memcpy(&bits, &f, sizeof bits);
    if (dtype == FC_NARROW_bfloat16)
        return (uint16_t)(bits >> 16);
    return (uint16_t)((bits >> 16 & 0x8000) | (bits & 0x7fffffff) >> 13);
}

double of_half(int dtype, uint16_t half)
{
    uint32_t bits = dtype == FC_NARROW_bfloat16
                        ? (uint32_t)half << 16
                        : (half & 0x8000u) << 16 | (half & 0x7fffu) << 13;
    float f;

    memcpy(&f, &bits, sizeof f);
    return dtype == FC_NARROW_bfloat16 ? f : (double)f * 0x1p112;
}

/* A weight flipped to signed bytes stands for the unsigned ones less 128. */
static double weight_value(const narrow_case *t, const fc_array *weight, int64_t group,
                           int64_t channel, int64_t r)
{
    int64_t k[3];

    for (int axis = 2; axis >= 0; axis--) {
        k[axis] = r % t->c.g.kernel[axis];
        if (t->transposed)
            k[axis] = t->c.g.kernel[axis] - 1 - k[axis];
        r /= t->c.g.kernel[axis];
    }
    const char *from = t->transposed
                           ? item_at(weight, group * t->n.sources + r, channel, k[0], k[1], k[2])
                           : item_at(weight, group * t->c.channels + channel, r, k[0], k[1], k[2]);
    return narrow_value(t, from, !t->n.weight_flip) - (t->n.weight_flip ? 128 : 0);
}

static double finished(const narrow_case *t, double sum, int64_t channel)
{
    if (t->n.multiplier == NULL)
        return sum;
    const float scale = t->multiplier[channel * t->n.multiplier_step / 4];
    const float scaled = (float)(int32_t)(int64_t)sum * scale;
    if (t->n.scaled) {
        const float v = scaled + (t->added == NULL ? 0 : t->added[channel]);
        return t->n.relu && v < 0 ? 0 : v;
    }
    return fmin(fmax(nearbyint(scaled) + t->n.y_zero, t->n.low), t->n.high);
}

static double sum_at(const narrow_case *t, const block *x, const fc_array *weight,
                     const block *bias, int64_t n, int64_t o, int64_t q, double *magnitude)
{
    const conv *c = &t->c;
    double sum = bias == NULL ? 0 : t->integers ? value(item(&bias->a, o), FC_int32)
                                                : narrow_value(t, item(&bias->a, o), 0);

    *magnitude = fabs(sum);
    for (int64_t r = 0; r < c->rows; r++) {
        const char *from = under(&c->g, &x->a, n, o / c->channels * c->rows + r, q);
        const double term = from == NULL ? 0 : narrow_value(t, from, t->n.x_flip != 0) - t->zero;
        const double product = term * weight_value(t, weight, o / c->channels, o % c->channels, r);
        sum += product;
        *magnitude += fabs(product);
    }
    return sum;
}

double unit_of(int dtype)
{
    return dtype == FC_NARROW_float16 ? 0x1p-11 : 0x1p-8;
}

static void check_narrow(const narrow_case *t, block *y, const block *x, const fc_array *weight,
                         const block *bias)
{
    const int64_t positions = product(t->c.g.out);

    for (int64_t i = 0; i < count_of(&y->a); i++) {
        const int64_t q = i % positions, o = i / positions % t->c.y_shape[1];
        double magnitude;
        const double sum = sum_at(t, x, weight, bias, i / positions / t->c.y_shape[1], o, q,
                                  &magnitude);
        const double want = finished(t, sum, o);
        const int whole = t->integers && !t->n.scaled;
        const double got = t->target_size == 4
                               ? value(item(&y->a, i), whole ? FC_int32 : FC_float32)
                               : narrow_value(t, item(&y->a, i), 1);
        const double scaled = t->n.scaled ? t->multiplier[o * t->n.multiplier_step / 4] : 1;
        const double rounding = t->single ? 0 : 1.01 * unit_of(t->dtype) * fabs(sum);
        const double bound = whole || t->target_size == 1
                                 ? 0
                             : t->n.scaled ? 0x1p-22 * (fabs(sum * scaled) + 1)
                                           : 0x1p-24 * (double)(t->c.rows + 4) * magnitude
                                                 + rounding + 0x1p-24;
        expect(fabs(got - want) <= bound, "item %lld: got %g, wanted %g within %g", (long long)i,
               got, want, bound);
    }
    expect_gaps_kept(y);
}

static void draw_cut(const fc_kernels *k, const narrow_case *t, int adjoining, fc_conv *f,
                     fc_product *p)
{
    const fc_narrow_kernels *narrow = fc_active_narrow();
    const conv *c = &t->c;

    *p = (fc_product){.g = c->g, .step = {1, 1, 1}, .every = {1, 1, 1}};
    for (int axis = 0; axis < 3 && t->transposed; axis++)
        p->first[axis] = c->g.kernel[axis] - 1, p->step[axis] = -1;
    f->turned = chance(50) ? FC_UPRIGHT : adjoining && chance(70) ? FC_TURNED_WHOLE : FC_TURNED;
    if (f->turned) {
        f->tile_vectors = 1;
        f->tile_rows = (int)(k->vector_bytes / 4);
    } else
        do
            f->tile_rows = (int)between(1, 8);
        while ((f->tile_vectors = (int)k->conv_tile(f->tile_rows)) == 0);
    const int64_t blocks = (f->channels - 1) / f->tile_rows + 1;
    p->images = p->lines = 1;
    p->items = chance(20) ? between(1, p->g.out[2]) : p->g.out[2];
    if (p->items == p->g.out[2])
        p->lines = between(1, p->g.out[1]);
    p->depth = f->turned || chance(50) ? f->inner : between(1, f->inner);
    p->blocks = f->turned ? (chance(50) ? blocks : 2 * between(1, (blocks + 1) / 2))
                          : between(1, blocks);
    p->gathered = !f->turned && chance(40);
    p->apart = !f->turned && p->depth == f->inner && chance(40);
    f->products = p;
    f->count = 1;
    f->scratch_bytes = rounded_up(narrow->conv_layout(f, p), 64);
    p->offsets = grab(p->depth * product(p->g.kernel) * (int64_t)sizeof(int64_t));
    if (f->turned)
        f->scratch_bytes = rounded_up(narrow->conv_box(f), 64);
    narrow->conv_offsets(f, p);
}

static block narrow_bias(const narrow_case *t)
{
    const int64_t shape[3] = {1, t->c.y_shape[1], 1};
    block bias;

    do
        bias = input(t->integers || t->single ? 4 : 2, 3, shape);
    while (bias.a.stride[1] < 0);
    if (t->integers)
        fill_integers(&bias, FC_int32, -1000, 1000);
    else
        fill_narrow(t, &bias);
    return bias;
}

void test_narrow_conv(const fc_kernels *k)
{
    const fc_narrow_kernels *narrow = fc_active_narrow();
    narrow_case t = draw_narrow();
    const int64_t sources = t.n.sources, each = narrow->channels(t.dtype);
    fc_conv f = {.dtype = t.dtype, .groups = t.c.groups, .inner = (sources - 1) / each + 1,
                 .channels = t.c.channels, .transposed = t.transposed, .narrow = t.n};
    const int64_t shape[5] = {t.c.groups * (t.transposed ? sources : t.c.channels),
                              t.transposed ? t.c.channels : sources, t.c.g.kernel[0],
                              t.c.g.kernel[1], t.c.g.kernel[2]};
    const int adjoining = chance(40), biased = !t.n.scaled && chance(50);
    block x = input_of(t.c.size, 5, t.c.x_shape, adjoining);
    block y = output_of(t.target_size, 5, t.c.y_shape, adjoining);
    block weight = input(t.c.size, 5, shape), bias = narrow_bias(&t);
    fc_product p;

    fill_narrow(&t, &x);
    fill_narrow(&t, &weight);
    f.x = x.a, f.y = y.a, f.weight = weight.a;
    f.bias = biased ? bias.a.data : NULL;
    f.bias_step = bias.a.stride[1];
    draw_cut(k, &t, adjoining, &f, &p);
    f.packed = scratch_of(p.packed);
    f.narrow.sums = t.integers ? grab(4 * t.c.y_shape[1]) : NULL;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        f.scratch = scratch_of(f.scratch_bytes * threads);
        narrow->conv_pack(&f, threads);
        before_call(&y, threads);
        narrow->conv_run(&f, threads);
        after_call(&y, threads);
        expect_scratch_kept(f.scratch, f.scratch_bytes * threads);
    }
    expect_scratch_kept(f.packed, p.packed);
    check_narrow(&t, &y, &x, &weight.a, biased ? &bias : NULL);
}

void test_narrow_pointwise(const fc_kernels *k)
{
    const fc_narrow_kernels *narrow = fc_active_narrow();
    narrow_case t = draw_narrow();
    conv *c = &t.c, wide;

    for (int axis = 0; axis < 3; axis++) {
        c->g.kernel[axis] = c->g.stride[axis] = c->g.dilation[axis] = 1;
        c->g.before[axis] = 0;
        c->g.out[axis] = c->g.in[axis] = c->g.in[axis] > 0 ? c->g.in[axis] : 1;
        c->x_shape[axis + 2] = c->y_shape[axis + 2] = c->g.in[axis];
    }
    c->rows = t.n.sources;
    wide = *c;
    wide.size = t.target_size;
    fc_pointwise p = {.dtype = t.dtype, .groups = c->groups, .channels = c->channels,
                      .inner = (c->rows - 1) / narrow->channels(t.dtype) + 1,
                      .transposed = t.transposed, .narrow = t.n};
    const int64_t shape[5] = {c->groups * (t.transposed ? c->rows : c->channels),
                              t.transposed ? c->channels : c->rows, 1, 1, 1};
    block x = lines_of(c, c->x_shape[1], 0), y = lines_of(&wide, c->y_shape[1], 1);
    block weight = input(c->size, 5, shape), bias = narrow_bias(&t);

    fill_narrow(&t, &x);
    fill_narrow(&t, &weight);
    p.x = of_five_axes(&x, c), p.y = of_five_axes(&y, &wide), p.weight = weight.a;
    p.bias = !t.n.scaled && chance(50) ? bias.a.data : NULL;
    p.bias_step = bias.a.stride[1];
    do
        p.tile_rows = (int)between(1, 8);
    while ((p.tile_vectors = (int)k->conv_tile(p.tile_rows)) == 0);
    p.images = between(1, c->x_shape[0]);
    p.panels = between(1, 3);
    p.blocks = between(1, (p.channels - 1) / p.tile_rows + 1);
    p.depth = chance(50) ? p.inner : between(1, p.inner);
    narrow->pointwise_layout(&p);
    p.packed = scratch_of(p.packed_bytes);
    p.narrow.sums = t.integers ? grab(4 * c->y_shape[1]) : NULL;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        p.scratch = scratch_of(p.scratch_bytes * threads);
        narrow->pointwise_pack(&p, threads);
        before_call(&y, threads);
        narrow->pointwise_run(&p, threads);
        after_call(&y, threads);
        expect_scratch_kept(p.scratch, p.scratch_bytes * threads);
    }
    expect_scratch_kept(p.packed, p.packed_bytes);
    block source = x;
    source.a = p.x;
    check_narrow(&t, &y, &source, &weight.a, p.bias != NULL ? &bias : NULL);
}
