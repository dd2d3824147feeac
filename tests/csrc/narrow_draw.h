/* A convolution of a narrow type, drawn: what its arrays hold. */
#ifndef NARROW_DRAW_H
#define NARROW_DRAW_H

#include "conv.h"

typedef struct {
    conv c;
    int dtype, integers, single;
    fc_narrow n;
    double zero; /* what x's zero point is, in x's own type */
    int target_size, transposed;
    float *multiplier, *added;
} narrow_case;

static double narrow_value(const narrow_case *t, const char *from, int is_signed)
{
    uint16_t half;

    if (t->integers)
        return is_signed ? *(const int8_t *)from : *(const uint8_t *)from;
    if (t->single)
        return value(from, FC_float32);
    memcpy(&half, from, sizeof half);
    return of_half(t->dtype, half);
}

static void fill_narrow(const narrow_case *t, block *b)
{
    fill_bytes(b);
    for (int64_t i = 0; i < count_of(&b->a) && !t->integers; i++) {
        const float number = (float)between(-64, 64) / 64;
        const uint16_t half = half_of(t->dtype, (double)number);
        if (t->single)
            memcpy(item(&b->a, i), &number, sizeof number);
        else
            memcpy(item(&b->a, i), &half, sizeof half);
    }
}

static narrow_case draw_narrow(void)
{
    narrow_case t = {.c = draw_conv(), .dtype = (int)between(0, FC_NARROW_COUNT - 1)};

    t.integers = t.dtype == FC_NARROW_int8;
    t.single = !t.integers && (t.dtype == FC_NARROW_tf32 || chance(30));
    t.c.size = t.integers ? 1 : t.single ? 4 : 2;
    t.target_size = !t.integers ? (int)t.c.size : chance(50) ? 4 : 1;
    t.n.scaled = t.integers && t.target_size == 4 && chance(50);
    t.n.relu = t.n.scaled && chance(50);
    t.transposed = !t.integers && chance(30);
    t.n.sources = t.c.x_shape[1] / t.c.groups;
    if (t.integers) {
        t.n.x_flip = chance(50) ? 0x80808080 : 0;
        t.n.weight_flip = chance(50) ? 0x80808080 : 0;
        t.n.x_zero = (int32_t)between(0, 255);
        t.zero = t.n.x_zero - (t.n.x_flip ? 128 : 0);
        t.n.low = -128, t.n.high = 127, t.n.y_zero = (int32_t)between(-128, 127);
    }
    if (t.n.scaled && chance(70)) {
        t.added = grab(4 * t.c.y_shape[1]);
        for (int64_t i = 0; i < t.c.y_shape[1]; i++)
            t.added[i] = (float)between(-64, 64) / 64;
        t.n.added = (const char *)t.added;
    }
    if (t.integers && (t.target_size == 1 || t.n.scaled)) {
        t.multiplier = grab(4 * t.c.y_shape[1]);
        for (int64_t i = 0; i < t.c.y_shape[1]; i++)
            t.multiplier[i] = (float)(uniform() + 1.01) * 0x1p-8f;
        t.n.multiplier = (const char *)t.multiplier;
        t.n.multiplier_step = chance(50) ? 4 : 0;
    }
    return t;
}

#endif
