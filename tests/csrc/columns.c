/* im2col, its adjoint, and scatter: copies and sums of small integers, hence exact. */
#include "geometry.h"
#include "tests.h"

/* A panel: where it begins and its shape. */
typedef struct {
    int64_t n0, r0, p0, shape[3];
} panel;

static int64_t part_of(int64_t count, int64_t *first)
{
    *first = chance(50) ? 0 : between(0, count);
    return chance(50) ? count - *first : between(0, count - *first);
}

static panel draw_panel(int64_t images, int64_t rows, int64_t positions)
{
    panel p;

    p.shape[0] = part_of(images, &p.n0);
    p.shape[1] = part_of(rows, &p.r0);
    p.shape[2] = part_of(positions, &p.p0);
    return p;
}

static fc_geometry draw_images(int64_t shape[5])
{
    const fc_geometry g = draw_geometry((int)between(1, 3), chance(10) ? 60 : 9);

    shape[0] = between(1, 3);
    shape[1] = chance(5) ? between(10, 40) : between(1, 4);
    memcpy(shape + 2, g.in, sizeof g.in);
    return g;
}

void test_im2col(const fc_kernels *k)
{
    static const int64_t sizes[] = {1, 2, 4, 8, 16, 3, 12};
    static const char zeros[16];
    const int64_t size = sizes[between(0, 6)];
    int64_t shape[5];
    const fc_geometry g = draw_images(shape);
    const panel p = draw_panel(shape[0], shape[1] * product(g.kernel), product(g.out));
    block x = input(size, 5, shape), columns = output(size, 3, p.shape);

    fill_bytes(&x);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&columns, threads);
        k->im2col(&g, &x.a, &columns.a, p.n0, p.r0, p.p0, threads);
        after_call(&columns, threads);
    }
    for (int64_t n = 0; n < p.shape[0]; n++)
        for (int64_t r = 0; r < p.shape[1]; r++)
            for (int64_t q = 0; q < p.shape[2]; q++) {
                const char *want = under(&g, &x.a, p.n0 + n, p.r0 + r, p.p0 + q);
                expect(memcmp(item_at(&columns.a, n, r, q, 0, 0), want ? want : zeros,
                              (size_t)size) == 0,
                       "wrong item at image %d, row %d, position %d", (int)n, (int)r, (int)q);
            }
    expect_gaps_kept(&columns);
}

void test_col2im(const fc_kernels *k)
{
    static const int dtypes[] = {FC_float32, FC_float64, FC_uint8, FC_uint16, FC_uint32, FC_uint64};
    const int dtype = dtypes[between(0, 5)];
    const int64_t size = fc_dtypes[dtype].size;
    int64_t shape[5];
    const fc_geometry g = draw_images(shape);
    const panel p = draw_panel(shape[0], shape[1] * product(g.kernel), product(g.out));
    block columns = input(size, 3, p.shape), x = output(size, 5, shape);
    double *want = grab(count_of(&x.a) * (int64_t)sizeof *want);

    fill_integers(&columns, dtype, 0, 1);
    fill_integers(&x, dtype, 0, 100);
    /* Sums in a second image of x, addressed as `under` does. */
    fc_array sums = x.a;
    sums.data = (char *)want;
    for (int64_t axis = 4, step = sizeof *want; axis >= 0; step *= shape[axis--])
        sums.stride[axis] = step;
    for (int64_t i = 0; i < count_of(&x.a); i++)
        want[i] = value(item(&x.a, i), dtype);
    for (int64_t n = 0; n < p.shape[0]; n++)
        for (int64_t r = 0; r < p.shape[1]; r++)
            for (int64_t q = 0; q < p.shape[2]; q++) {
                double *to = (double *)under(&g, &sums, p.n0 + n, p.r0 + r, p.p0 + q);
                if (to != NULL)
                    *to += value(item_at(&columns.a, n, r, q, 0, 0), dtype);
            }
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&x, threads);
        k->col2im(&g, &columns.a, &x.a, dtype, p.n0, p.r0, p.p0, threads);
        after_call(&x, threads);
    }
    expect_equal(&x, dtype, want);
}

void test_scatter(const fc_kernels *k)
{
    const int64_t size = between(1, 16), longest = chance(10) ? 60 : 7;
    const int64_t shape[5] = {between(1, 3), chance(5) ? 40 : between(1, 4), between(1, 3),
                              between(1, longest), between(1, longest)};
    const panel p = draw_panel(shape[0], shape[1], product(shape + 2));
    block acc = input(size, 3, p.shape), y = output(size, 5, shape);

    fill_bytes(&acc);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&y, threads);
        k->scatter(&acc.a, &y.a, p.n0, p.r0, p.p0, threads);
        after_call(&y, threads);
    }
    for (int64_t n = 0; n < p.shape[0]; n++)
        for (int64_t c = 0; c < p.shape[1]; c++)
            for (int64_t q = 0; q < p.shape[2]; q++) {
                const int64_t plane = (p.n0 + n) * shape[1] + p.r0 + c;
                char *got = item(&y.a, plane * product(shape + 2) + p.p0 + q);
                expect(memcmp(got, item_at(&acc.a, n, c, q, 0, 0), (size_t)size) == 0,
                       "wrong item at image %d, channel %d, position %d", (int)n, (int)c, (int)q);
                memset(got, CANARY, (size_t)size);
            }
    expect_blank(&y);
}
