/* Depthwise convolution of bytes: exactly, by the kernels of every level and by those of quads. */
#include "conv.h"
#include "tests.h"

/* What bytes stand for: unsigned ones, or signed ones whose sign bits are to be flipped; and the
 * other way round of the weight. */
typedef struct {
    conv c;
    block x, weight, y;
    fc_depthwise d;
    double x_zero;
    int32_t *bias, *w_zeros;
    float *multiplier;
} bytes_case;

static double byte_of(const char *from, int is_signed)
{
    return is_signed ? *(const int8_t *)from : *(const uint8_t *)from;
}

static void draw_scaling(bytes_case *t)
{
    const int64_t channels = t->c.y_shape[1];
    fc_narrow *n = &t->d.narrow;

    n->x_flip = chance(50) ? 0x80808080 : 0;
    n->weight_flip = chance(50) ? 0x80808080 : 0;
    n->x_zero = (int32_t)between(0, 255);
    n->low = -128, n->high = 127, n->y_zero = (int32_t)between(-128, 127);
    t->x_zero = n->x_zero - (n->x_flip ? 128 : 0);
    t->bias = grab(4 * channels), t->w_zeros = grab(4 * channels);
    t->multiplier = grab(4 * channels);
    const int large = chance(20); /* a bias that float32 sums can't begin with */
    for (int64_t i = 0; i < channels; i++) {
        t->bias[i] = (int32_t)between(-1000, 1000) * (large ? 1 << 20 : 1);
        t->w_zeros[i] = chance(50) ? 0 : (int32_t)between(-128, 127);
        t->multiplier[i] = (float)(uniform() + 1.01) * 0x1p-8f;
    }
    t->d.bias = chance(50) ? (const char *)t->bias : NULL;
    t->d.w_zeros = chance(40) ? (const char *)t->w_zeros : NULL;
    t->d.w_zero_step = chance(50) ? 4 : 0;
    if (t->y.a.size == 1) {
        n->multiplier = (const char *)t->multiplier;
        n->multiplier_step = chance(50) ? 4 : 0;
    }
}

static double exact_sum(const bytes_case *t, int64_t n, int64_t o, int64_t q)
{
    const conv *c = &t->c;
    const double zero = t->d.w_zeros ? t->w_zeros[o * t->d.w_zero_step / 4] : 0;
    double sum = t->d.bias ? t->bias[o] : 0;

    for (int64_t r = 0; r < c->rows; r++) {
        const char *from = under(&c->g, &t->x.a, n, o / c->channels * c->rows + r, q);
        const int flipped = t->d.narrow.weight_flip != 0;
        const double w = byte_of(item(&t->weight.a, o * c->rows + r), !flipped)
                         - (flipped ? 128 : 0) - zero;
        if (from != NULL)
            sum += (byte_of(from, t->d.narrow.x_flip != 0) - t->x_zero) * w;
    }
    return sum;
}

static void check_bytes(const bytes_case *t)
{
    const int64_t positions = product(t->c.g.out), channels = t->c.y_shape[1];
    const fc_narrow *n = &t->d.narrow;
    double *want = grab(count_of(&t->y.a) * 8);
    block y = t->y;

    for (int64_t i = 0; i < count_of(&y.a); i++) {
        const int64_t o = i / positions % channels;
        want[i] = exact_sum(t, i / positions / channels, o, i % positions);
        if (n->multiplier == NULL)
            continue;
        const float scaled = (float)(int32_t)(int64_t)want[i]
                             * t->multiplier[o * n->multiplier_step / 4];
        want[i] = fmin(fmax(nearbyint(scaled) + n->y_zero, n->low), n->high);
    }
    expect_equal(&y, y.a.size == 4 ? FC_int32 : FC_int8, want);
}

void test_depthwise_bytes(const fc_kernels *k)
{
    bytes_case t = {.c = draw_narrow_depthwise(FC_NARROW_int8)};
    const conv *c = &t.c;
    const int64_t shape[5] = {c->y_shape[1], 1, c->g.kernel[0], c->g.kernel[1], c->g.kernel[2]};
    int by_quads = 1;

    t.x = input(1, 5, c->x_shape), t.weight = input(1, 5, shape);
    t.y = output(chance(50) ? 4 : 1, 5, c->y_shape);
    fill_bytes(&t.x), fill_bytes(&t.weight);
    t.d = (fc_depthwise){.g = c->g, .x = t.x.a, .y = t.y.a, .weight = t.weight.a, .splits = 1,
                         .multiplier = c->channels, .dtype = c->dtype,
                         .band_bytes = between(1, 1 << between(1, 15))};
    t.d.pixels = c->channels == 1 && t.x.a.stride[1] == 1 && t.y.a.stride[1] == t.y.a.size
                 && chance(80);
    draw_scaling(&t);
    k->depthwise_plan(&t.d);
    t.d.table = scratch_of(t.d.table_bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        t.d.scratch = scratch_of(t.d.scratch_bytes * threads);
        before_call(&t.y, threads);
        k->depthwise(&t.d, threads);
        after_call(&t.y, threads);
        expect_scratch_kept(t.d.scratch, t.d.scratch_bytes * threads);
    }
    check_bytes(&t);
    t.y = output(t.y.a.size, 5, c->y_shape);
    t.d.y = t.y.a;
    for (int threads = 1; threads <= MOST_THREADS && by_quads; threads++) {
        before_call(&t.y, threads);
        by_quads = fc_active_narrow()->depthwise_quads(&t.d, threads);
        after_call(&t.y, threads);
    }
    if (by_quads)
        check_bytes(&t);
}
