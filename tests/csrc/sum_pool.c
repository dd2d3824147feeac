/* Average and lp pooling, and their gradients. Averages are summed in their own type or wider, lp
 * pools in double. */
#include "tests.h"
#include "windows.h"

/* Sums over windows of f(x), and of |f(x)|. */
typedef struct {
    const block *x;
    int dtype;
    double (*term)(double v, const fc_norm *norm);
    const fc_norm *norm;
    double *sum, *magnitude;
} sums;

static void add_term(void *context, int64_t output, int64_t input)
{
    sums *s = context;
    const double term = s->term(value(item(&s->x->a, input), s->dtype), s->norm);

    s->sum[output] += term;
    s->magnitude[output] += fabs(term);
}

static double plain(double v, const fc_norm *unused)
{
    (void)unused;
    return v;
}

static double to_the_p(double v, const fc_norm *norm)
{
    return pow(norm->absolute ? fabs(v) : v, norm->p);
}

static sums sums_over(const pool *p, const block *x, int dtype, const fc_norm *norm)
{
    const int64_t bytes = p->out[0] * p->out[1] * p->out[2] * p->out[3] * p->out[4] * 8;
    sums s = {x, dtype, norm ? to_the_p : plain, norm, grab(bytes), grab(bytes)};

    each_tap(p, add_term, &s);
    return s;
}

/* Shares of each output's gradient, spread over its window; a window's factor is by[output]. */
typedef struct {
    const block *grad, *x, *y; /* x and y: of an lp pool */
    int dtype;
    const fc_norm *norm;
    const double *by;
    double *want, *magnitude, *bound;
} spread;

static double slope(double x, double y, const fc_norm *norm)
{
    const double size = norm->absolute ? fabs(x) : x;
    const double sign = norm->absolute && x < 0 ? -1 : 1;

    if (norm->p == 1)
        return norm->absolute && x == 0 ? 0 : sign;
    return sign * pow(size / y, norm->p - 1);
}

static void add_share(void *context, int64_t output, int64_t input)
{
    spread *s = context;
    double add = value(item(&s->grad->a, output), s->dtype) * s->by[output];

    if (s->norm != NULL) {
        const double y = value(item(&s->y->a, output), s->dtype);
        if (y == 0)
            return;
        add *= slope(value(item(&s->x->a, input), s->dtype), y, s->norm);
    }
    s->want[input] += add;
    s->magnitude[input] += fabs(add);
    /* The share is rounded, then the sum, which no order makes larger than that of magnitudes. */
    s->bound[input] += 4 * epsilon(s->dtype) * (fabs(add) + s->magnitude[input]);
}

/* `keeps`: shares are added to what dx holds. */
static spread begin_spread(const block *grad, const block *dx, int dtype, const double *by,
                           int keeps)
{
    const int64_t count = count_of(&dx->a);
    spread s = {.grad = grad, .dtype = dtype, .by = by, .want = grab(count * 8),
                .magnitude = grab(count * 8), .bound = grab(count * 8)};

    for (int64_t i = 0; keeps && i < count; i++) {
        s.want[i] = value(item(&dx->a, i), dtype);
        s.magnitude[i] = fabs(s.want[i]);
    }
    return s;
}

void test_avg_pool(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const int64_t size = fc_dtypes[dtype].size, divisor = chance(30) ? between(1, 9) : 0;
    const pool p = draw_pool(0);
    block x = input(size, 5, p.in), y = output(size, 5, p.out);
    block grad = input(size, 5, p.out), dx = output(size, 5, p.in);
    const int64_t count = count_of(&y.a);
    double *by = grab(count * 8), *bound = grab(count * 8);

    fill_uniform(&x, dtype);
    fill_uniform(&grad, dtype);
    fill_uniform(&dx, dtype);
    sums s = sums_over(&p, &x, dtype, NULL);
    for (int64_t o = 0; o < count; o++) {
        by[o] = 1 / (divisor ? (double)divisor : share_of(&p, o));
        s.sum[o] *= taps_of(&p, o) > 0 ? by[o] : 0;
        bound[o] = epsilon(dtype) * (double)(taps_of(&p, o) + 2) * s.magnitude[o] * fabs(by[o]);
    }
    spread back = begin_spread(&grad, &dx, dtype, by, 0);
    each_tap(&p, add_share, &back);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&y, threads);
        k->avg_forward(&p.windows, &x.a, &y.a, divisor, dtype, threads);
        after_call(&y, threads);
        before_call(&dx, threads);
        k->avg_backward(&p.windows, &grad.a, &dx.a, divisor, dtype, threads);
        after_call(&dx, threads);
    }
    expect_near(&y, dtype, s.sum, bound);
    expect_near(&dx, dtype, back.want, back.bound);
}

static fc_norm draw_norm(void)
{
    static const double ps[] = {1, 2, 3, 2.5, 0.5};
    fc_norm norm = {ps[between(0, 4)], chance(50) ? 0 : (double)between(1, 9), chance(60)};

    if (norm.p != floor(norm.p)) /* no root of a negative number's power */
        norm.absolute = 1;
    return norm;
}

static double root(double sum, const fc_norm *norm)
{
    return norm->p == 1 ? sum : pow(sum, 1 / norm->p);
}

void test_lp_pool(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const int64_t size = fc_dtypes[dtype].size;
    const pool p = draw_pool(0);
    const fc_norm norm = draw_norm();
    block x = input(size, 5, p.in), y = output(size, 5, p.out), norms = input(size, 5, p.out);
    block grad = input(size, 5, p.out), dx = output(size, 5, p.in);
    const int64_t count = count_of(&y.a);
    double *by = grab(count * 8), *bound = grab(count * 8);

    fill_uniform(&x, dtype);
    fill_uniform(&grad, dtype);
    fill_uniform(&dx, dtype);
    fill_integers(&norms, dtype, 0, 3);
    sums s = sums_over(&p, &x, dtype, &norm);
    for (int64_t o = 0; o < count; o++) {
        by[o] = norm.volume > 0 && share_of(&p, o) > 0 ? norm.volume / share_of(&p, o) : 1;
        const double sum = s.sum[o] * by[o];
        const double error = 256 * DBL_EPSILON * s.magnitude[o] * by[o];
        s.sum[o] = taps_of(&p, o) > 0 ? root(sum, &norm) : 0;
        /* A sum near 0 has lost its digits, and its root may not exist. */
        bound[o] = 2 * epsilon(dtype) * fabs(s.sum[o])
                   + fmax(fabs(root(sum + error, &norm) - s.sum[o]),
                          fabs(root(fmax(sum - error, norm.p == 1 ? -INFINITY : 0), &norm)
                               - s.sum[o]));
    }
    spread back = begin_spread(&grad, &dx, dtype, by, 1);
    back.x = &x;
    back.y = &norms;
    back.norm = &norm;
    each_tap(&p, add_share, &back);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&y, threads);
        k->lp_forward(&p.windows, &x.a, &y.a, &norm, dtype, threads);
        after_call(&y, threads);
        before_call(&dx, threads);
        k->lp_backward(&p.windows, &grad.a, &x.a, &norms.a, &dx.a, &norm, dtype, threads);
        after_call(&dx, threads);
    }
    expect_near(&y, dtype, s.sum, bound);
    expect_near(&dx, dtype, back.want, back.bound);
}
