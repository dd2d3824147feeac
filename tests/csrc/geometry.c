#include "geometry.h"

int64_t product(const int64_t *three)
{
    return three[0] * three[1] * three[2];
}

fc_geometry draw_geometry(int axes, int64_t longest)
{
    const int plain = chance(40); /* stride 1, "same" padding: shorter ways */
    fc_geometry g;

    for (int k = 0; k < 3; k++) {
        const int used = k >= 3 - axes;
        const int64_t most = k == 2 ? longest : axes == 3 ? 4 : longest;
        g.in[k] = used ? between(1, most) : 1;
        g.kernel[k] = used ? between(1, 3) + (chance(10) ? 2 : 0) : 1;
        g.stride[k] = used && !plain ? between(1, 3) : 1;
        g.dilation[k] = used && chance(30) ? between(1, 3) : 1;
        const int64_t reach = (g.kernel[k] - 1) * g.dilation[k];
        g.before[k] = !used ? 0 : plain ? reach / 2 : between(-1, 3);
        const int64_t after = !used ? 0 : plain ? reach - reach / 2 : between(-1, 3);
        const int64_t span = g.in[k] + g.before[k] + after - reach - 1;
        g.out[k] = span < 0 ? between(0, 1) : span / g.stride[k] + 1;
    }
    return g;
}

const char *under(const fc_geometry *g, const fc_array *x, int64_t n, int64_t row,
                  int64_t position)
{
    int64_t at[3];
    int inside = 1;

    for (int k = 2; k >= 0; k--) {
        at[k] = position % g->out[k] * g->stride[k] - g->before[k]
                + row % g->kernel[k] * g->dilation[k];
        position /= g->out[k];
        row /= g->kernel[k];
        inside &= at[k] >= 0 && at[k] < g->in[k];
    }
    return inside ? item_at(x, n, row, at[0], at[1], at[2]) : NULL;
}
