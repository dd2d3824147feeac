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
