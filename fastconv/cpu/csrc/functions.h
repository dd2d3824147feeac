/* exp, tanh and the normal distribution as straight-line arithmetic in double, which the compiler
 * turns into vectors; libm's functions are calls, one item at a time. Rounded to float32 they are
 * correct to the last bit or nearly so; in float64 to some units in the last place.
 */
#ifndef FC_FUNCTIONS_H
#define FC_FUNCTIONS_H

#include "common.h"

/* Beyond these bounds a double's exponent ends: exp is infinite or 0 to within the least normal
 * number. */
#define FC_EXP_MOST 709.4
#define FC_EXP_LEAST (-708.3)

/* e^x = scale * (1 + rest), scale a power of two, |x - log(scale)| <= log(2) / 2. */
typedef struct {
    double scale, rest;
} fc_power;

FC_INLINE fc_power power_of_e(double x)
{
    /* Adding 1.5 * 2^52 leaves the nearest integer in the lowest bits. */
    const double shift = 6755399441055744.0;
    const double shifted = x * 1.4426950408889634 + shift;
    const double n = shifted - shift;
    /* log(2) in two parts, the first short enough that n times it is exact. */
    const double r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    uint64_t bits;
    fc_power power;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&power.scale, &bits, sizeof bits);
    /* Taylor's series: r^14 / 14! is less than 2^-57. */
    double sum = 1.0 / 6227020800;
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    power.rest = sum * r * r + r;
    return power;
}

FC_INLINE double exp_of(double x)
{
    const fc_power power = power_of_e(x);
    const double inside = power.scale + power.scale * power.rest;

    return x > FC_EXP_MOST ? INFINITY : x < FC_EXP_LEAST ? 0 : inside;
}

/* By e^(-2|x|) - 1, which keeps its digits near 0. */
FC_INLINE double tanh_of(double x)
{
    double twice = -2 * fabs(x);
    twice = twice < -100 ? -100 : twice; /* written so that NaN stays */
    const fc_power power = power_of_e(twice);
    const double less = power.scale * power.rest + (power.scale - 1);

    return copysign(-less / (2 + less), x);
}

/* v times the normal distribution's share below v. In the left tail no digits cancel: with
 * a = |v| / sqrt(2) and t = 3 / (3 + a), erfc(a) * exp(a^2) / t is a smooth function of t in
 * (0, 1], here interpolated at the Chebyshev nodes of degree 12 in 2 t - 1, to 6e-10 of it. */
FC_INLINE double gelu_float32(double v)
{
    const double a = fabs(v) * 0.70710678118654752;
    const double t = 3 / (3 + a), u = 2 * t - 1;
    double sum = -3.5621071549583224e-6;
    sum = sum * u - 6.5436506399398964e-6;
    sum = sum * u + 3.3297393110005617e-5;
    sum = sum * u + 8.8304821197279573e-5;
    sum = sum * u - 1.8130863110880437e-4;
    sum = sum * u - 1.0091183638759724e-3;
    sum = sum * u - 4.0455402868099872e-4;
    sum = sum * u + 8.9417798443993786e-3;
    sum = sum * u + 3.9842638264356665e-2;
    sum = sum * u + 1.0348916494270047e-1;
    sum = sum * u + 1.9674278388420998e-1;
    sum = sum * u + 2.9446481496898103e-1;
    sum = sum * u + 3.5800230236277990e-1;
    const double tail = 0.5 * t * sum * exp_of(-a * a);

    return v * (v < 0 ? tail : 1 - tail);
}

FC_INLINE double gelu_float64(double v)
{
    return 0.5 * v * erfc(v * -0.70710678118654752);
}

#endif
