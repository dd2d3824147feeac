/* pack_weight and conv_forward: panels and bands, against the definition. */
#include "conv.h"
#include "tests.h"

/* What each output should be, and by how much a sum in its own precision may miss it. */
static void convolve(const conv *c, const block *x, const block *weight, const char *bias,
                     int relu, double *want, double *bound)
{
    const int64_t positions = product(c->g.out), outputs = c->y_shape[1];
    double *columns = grab(c->rows * 8);

    for (int64_t n = 0; n < c->x_shape[0]; n++)
        for (int64_t group = 0; group < c->groups; group++)
            for (int64_t q = 0; q < positions; q++) {
                for (int64_t r = 0; r < c->rows; r++)
                    columns[r] = column(c, x, n, group, r, q);
                for (int64_t o = group * c->channels; o < (group + 1) * c->channels; o++) {
                    const int64_t at = (n * outputs + o) * positions + q;
                    double sum = bias ? value(bias + o * c->size, c->dtype) : 0;
                    double magnitude = fabs(sum);
                    for (int64_t r = 0; r < c->rows; r++) {
                        const char *w = item_at(&weight->a, group, o % c->channels, r, 0, 0);
                        const double term = value(w, c->dtype) * columns[r];
                        sum += term;
                        magnitude += fabs(term);
                    }
                    want[at] = relu && sum < 0 ? 0 : sum;
                    bound[at] = epsilon(c->dtype) * (double)(c->rows + 2) * magnitude;
                }
            }
}

/* Panels of chance sizes, or bands where those are possible; scratch for every thread. */
static void draw_blocking(const fc_kernels *k, const conv *c, fc_conv *f)
{
    const int64_t tile = k->tile_columns(c->dtype), lanes = tile / k->tile_vectors();
    const int64_t filled = rounded_up(c->channels, k->tile_rows()), positions = product(c->g.out);
    const fc_geometry *g = &c->g;

    f->width = tile * between(1, 4);
    f->depth = chance(30) ? c->rows : between(1, c->rows);
    f->images = between(1, f->width > positions ? f->width / positions : 1);
    int64_t items = (f->depth + filled) * f->width;
    const int flat = g->in[0] == 1 && g->kernel[0] == 1 && g->out[0] == 1;
    if (flat && product(g->stride) == 1 && chance(60)) {
        f->images = 1;
        f->band = between(1, g->out[1]);
        f->offsets = grab(c->rows * (int64_t)sizeof(int64_t));
        const int64_t line = g->out[2] + (g->kernel[2] - 1) * g->dilation[2];
        const int64_t lines = f->band + (g->kernel[1] - 1) * g->dilation[1];
        const int64_t width = rounded_up((f->band - 1) * line + g->out[2], lanes);
        items = c->x_shape[1] / c->groups * lines * line + lanes + filled * width;
    }
    f->scratch_bytes = items * c->size;
}

void test_conv_forward(const fc_kernels *k)
{
    const conv c = draw_conv();
    const int64_t matrices[3] = {c.groups, c.channels, c.rows};
    block x = input(c.size, 5, c.x_shape), y = output(c.size, 5, c.y_shape);
    block weight = input(c.size, 3, matrices), bias = bias_of(c.dtype, c.y_shape[1]);
    const int64_t count = count_of(&y.a);
    double *want = grab(count * 8), *bound = grab(count * 8);
    fc_conv f = {.g = c.g, .x = x.a, .y = y.a, .groups = c.groups, .channels = c.channels,
                 .rows = c.rows, .dtype = c.dtype, .bias = chance(50) ? bias.a.data : NULL,
                 .activation = chance(50) ? FC_RELU : FC_NONE};

    fill_uniform(&x, c.dtype);
    fill_uniform(&weight, c.dtype);
    convolve(&c, &x, &weight, f.bias, f.activation == FC_RELU, want, bound);
    draw_blocking(k, &c, &f);
    const int64_t packed_bytes = k->pack_weight(&weight.a, c.dtype, NULL, 1);
    char *packed = scratch_of(packed_bytes);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        char *scratch = scratch_of(f.scratch_bytes * threads);
        f.packed = packed;
        f.scratch = scratch;
        k->pack_weight(&weight.a, c.dtype, packed, threads);
        before_call(&y, threads);
        k->conv_forward(&f, threads);
        after_call(&y, threads);
        expect_scratch_kept(scratch, f.scratch_bytes * threads);
    }
    expect_scratch_kept(packed, packed_bytes);
    expect_near(&y, c.dtype, want, bound);
}
