#include "conv.h"

conv draw_conv(void)
{
    const int large = chance(8); /* enough work for several threads */
    const int axes = chance(60) ? 2 : chance(50) ? 1 : 3;
    conv c = {.g = draw_geometry(axes, large ? 24 : axes == 1 ? 70 : 12)};

    for (int k = 0; k < 3; k++) /* candidates decline empty arrays */
        c.g.out[k] = c.g.out[k] > 0 ? c.g.out[k] : 1;
    c.dtype = chance(50) ? FC_float32 : FC_float64;
    c.size = fc_dtypes[c.dtype].size;
    c.groups = chance(70) ? 1 : between(2, 4);
    c.channels = large ? between(8, 20) : chance(30) ? 1 : between(1, 19);
    const int64_t inner = large ? between(4, 10) : between(1, 5);
    c.rows = inner * product(c.g.kernel);
    c.x_shape[0] = c.y_shape[0] = between(1, 5);
    c.x_shape[1] = c.groups * inner;
    c.y_shape[1] = c.groups * c.channels;
    memcpy(c.x_shape + 2, c.g.in, sizeof c.g.in);
    memcpy(c.y_shape + 2, c.g.out, sizeof c.g.out);
    return c;
}

double column(const conv *c, const block *x, int64_t n, int64_t group, int64_t row,
              int64_t position)
{
    const char *from = under(&c->g, &x->a, n, group * c->rows + row, position);
    return from == NULL ? 0 : value(from, c->dtype);
}

int64_t rounded_up(int64_t n, int64_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* The weight's item under row r of a product's columns: kernels may be read backwards. */
static double weight_at(const fc_conv *f, const fc_product *p, int64_t group, int64_t channel,
                        int64_t r)
{
    int64_t k[3];

    for (int axis = 2; axis >= 0; axis--) {
        k[axis] = p->first[axis] + r % p->g.kernel[axis] * p->step[axis];
        r /= p->g.kernel[axis];
    }
    const int64_t outer = group * (f->transposed ? f->inner : f->channels);
    const char *from = f->transposed
                           ? item_at(&f->weight, outer + r, channel, k[0], k[1], k[2])
                           : item_at(&f->weight, outer + channel, r, k[0], k[1], k[2]);
    return value(from, f->dtype);
}

/* Logical index of the target's item at a product's position. */
static int64_t place_of(const fc_conv *f, const fc_product *p, int64_t plane, int64_t position)
{
    int64_t index = 0, scale = 1;

    for (int axis = 2; axis >= 0; axis--) {
        const int64_t o = position % p->g.out[axis];
        index += (p->place[axis] + o * p->every[axis]) * scale;
        scale *= f->y.shape[2 + axis];
        position /= p->g.out[axis];
    }
    return plane * scale + index;
}

void convolve(const conv *c, const fc_conv *f, const fc_product *p, const block *x,
                     double *want, double *bound)
{
    const int64_t positions = product(p->g.out);
    const conv own = {.g = p->g, .dtype = c->dtype, .rows = c->rows};
    double *columns = grab(c->rows * 8);

    for (int64_t n = 0; n < c->x_shape[0]; n++)
        for (int64_t o = 0; o < c->y_shape[1]; o++)
            for (int64_t q = 0; q < positions; q++) {
                const int64_t at = place_of(f, p, n * c->y_shape[1] + o, q);
                double sum = f->bias ? value(f->bias + o * f->bias_step, c->dtype) : 0;
                double magnitude = fabs(sum);
                for (int64_t r = 0; r < c->rows; r++) {
                    columns[r] = column(&own, x, n, o / c->channels, r, q);
                    columns[r] *= weight_at(f, p, o / c->channels, o % c->channels, r);
                    sum += columns[r];
                    magnitude += fabs(columns[r]);
                }
                want[at] = f->activation == FC_RELU && sum < 0 ? 0 : sum;
                bound[at] = epsilon(c->dtype) * (double)(c->rows + 2) * magnitude;
            }
}

void add_up(const conv *c, const block *x, const block *y, double *want, double *bound)
{
    const int64_t positions = product(c->g.out), images = c->x_shape[0];

    for (int64_t o = 0; o < c->y_shape[1]; o++)
        for (int64_t r = 0; r < c->rows; r++) {
            double sum = 0, magnitude = 0;
            for (int64_t n = 0; n < images; n++)
                for (int64_t q = 0; q < positions; q++) {
                    const int64_t at = (n * c->y_shape[1] + o) * positions + q;
                    const double term = value(item(&y->a, at), c->dtype)
                                        * column(c, x, n, o / c->channels, r, q);
                    sum += term;
                    magnitude += fabs(term);
                }
            want[o * c->rows + r] = sum;
            bound[o * c->rows + r] =
                epsilon(c->dtype) * (double)(images * positions + 1) * magnitude;
        }
}
