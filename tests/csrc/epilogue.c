/* Bias and activation, against libm in double. */
#include "tests.h"
#include "check.h"

static double activated(double v, int activation, double slope)
{
    switch (activation) {
    case FC_RELU: return v < 0 ? 0 : v;
    case FC_RELU6: return v < 0 ? 0 : v > 6 ? 6 : v;
    case FC_LEAKY_RELU: return v > 0 ? v : v * slope;
    case FC_SIGMOID: return 1 / (1 + exp(-v));
    case FC_TANH: return tanh(v);
    case FC_SILU: return v / (1 + exp(-v));
    case FC_GELU: return 0.5 * v * erfc(-v * sqrt(0.5));
    default: return v;
    }
}

static double draw_value(void)
{
    static const double special[] = {0, -0.0, INFINITY, -INFINITY, NAN, 800, -800, 1e-30, -1e-30};

    return chance(10) ? special[between(0, 8)] : uniform() * pow(10, (double)between(-3, 1));
}

void test_epilogue(const fc_kernels *k)
{
    const int dtype = chance(50) ? FC_float32 : FC_float64;
    const int activation = (int)between(0, FC_ACTIVATIONS - 1), has_bias = chance(60);
    const int64_t size = fc_dtypes[dtype].size, longest = chance(10) ? 300 : 20;
    const int64_t shape[3] = {between(1, 3), between(0, longest), between(0, longest)};
    const double slope = dtype == FC_float32 ? (double)0.01f : 0.01;
    block acc = output(size, 3, shape), bias = bias_of(dtype, shape[1]);
    const int64_t count = count_of(&acc.a);
    double *want = grab(count * 8), *bound = grab(count * 8);

    for (int64_t i = 0; i < count; i++) {
        char *at = item(&acc.a, i);
        set_value(at, dtype, draw_value());
        double v = value(at, dtype);
        if (has_bias)
            v += value(bias.a.data + i / shape[2] % shape[1] * size, dtype);
        v = dtype == FC_float32 ? (double)(float)v : v;
        want[i] = activated(v, activation, slope);
        /* Some units in the last place, and what lies below the least normal number. */
        bound[i] = 8 * epsilon(dtype) * fabs(want[i])
                   + (dtype == FC_float32 ? (double)FLT_MIN : DBL_MIN);
    }
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        before_call(&acc, threads);
        k->epilogue(&acc.a, dtype, has_bias ? bias.a.data : NULL, activation, slope, threads);
        after_call(&acc, threads);
    }
    expect_near(&acc, dtype, want, bound);
}
